"""What the steps of a review give its workflow."""

from placet.model import Model, PartRef, Reviewed


class ReviewEnd(Model):
    """What was carried out, and the part that says so."""

    part: PartRef
    outcome: Reviewed
