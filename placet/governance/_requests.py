"""What the steps of reviews and of orders give their workflows."""

from placet.model import Model, PartRef, Reviewed


class ReviewEnd(Model):
    """What was carried out, and the part that says so."""

    part: PartRef
    outcome: Reviewed


class SeenOrder(Model):
    """What people are shown of an order, and whether one of them confirms it first."""

    part: PartRef
    confirm: bool


class ToolRun(Model):
    """What a try of the owner's tool has left: its proof, if it is ``done``, or why it failed."""

    part: PartRef
    done: bool
