"""The governed steps of a budget reallocation, by the agent that takes them."""

from activities.reallocation._requests import CheckRef

__all__ = ["CheckRef"]
