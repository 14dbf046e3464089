"""What the steps of a reallocation give back: ids and digests, no document text."""

from placet.model import Digest, Model, PartRef


class MovesRef(Model):
    """The moves that are asked for: their part, and their digest."""

    part: PartRef
    version: Digest


class CheckRef(Model):
    """The check of the moves: its part, and whether they could be done."""

    part: PartRef
    fits: bool
