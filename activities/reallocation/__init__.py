"""The governed steps of a budget reallocation, by the agent that takes them."""

from activities.reallocation._requests import CheckRef, MovesRef

__all__ = ["CheckRef", "MovesRef"]
