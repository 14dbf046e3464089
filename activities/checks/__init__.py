"""The checks of a draw, each a pure function of the packet, the loan and what others answered."""

from activities.checks._analysis import CHECKS, analyse, day_to_confirm
from activities.checks._given import Check, Given

__all__ = ["CHECKS", "Check", "Given", "analyse", "day_to_confirm"]
