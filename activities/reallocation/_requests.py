"""What the steps of a reallocation give back: ids and digests, no document text."""

from placet.model import Model, PartRef


class CheckRef(Model):
    """The check of the moves: its part, and whether they could be done."""

    part: PartRef
    fits: bool
