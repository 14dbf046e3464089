"""Reading what rules can't: a model's statements, and the code that holds them to their places."""

from activities.reading._holding import Heard, hold, numbers_of
from activities.reading._requests import CheckReading

__all__ = ["CheckReading", "Heard", "hold", "numbers_of"]
