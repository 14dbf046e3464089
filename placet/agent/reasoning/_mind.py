"""What is asked of a model, and what it says: the same for every provider and for agents outside.

::

    MindError
    ├── NoAnswer      the provider failed, or was too slow
    └── Unreadable    what came back is in no form
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from pydantic import JsonValue

from placet.model import Conversation, Spent, Told

MAX_CALLS = 50
"""Calls of one turn that are read; what is more is not looked at."""


@dataclass(frozen=True)
class ToolSpec:
    """A tool as a model sees it: its arguments as a JSON schema."""

    name: str
    description: str
    schema: Mapping[str, JsonValue]


@dataclass(frozen=True)
class Question:
    """One turn to be taken: the conversation so far, what is told now, and which tools exist."""

    case: str
    conversation: Conversation
    told: tuple[Told, ...]
    tools: tuple[ToolSpec, ...]
    spent: Spent
    tokens: int
    """Tokens that are left of the budget."""


@dataclass(frozen=True)
class RawCall:
    """A call as the model made it, unread."""

    name: str
    arguments: str


@dataclass(frozen=True)
class Answered:
    """What the model said. ``cost`` is unknown where nobody knows its price."""

    answered_by: str | None = None
    said: str = ""
    thought: str = ""
    calls: tuple[RawCall, ...] = ()
    tokens: int = 0
    cost: Decimal | None = None


class MindError(Exception):
    """A model gave no answer to go on with; the message says why, and is shown to people."""


class NoAnswer(MindError):
    """The provider failed, or was too slow."""


class Unreadable(MindError):
    """What came back is in no form."""


class Mind(Protocol):
    """Something that takes turns in a conversation."""

    @property
    def name(self) -> str:
        """The model as settings name it; what a kill switch stops."""
        ...

    async def take_turn(self, question: Question) -> Answered:
        """Take one turn.

        Raises:
            NoAnswer: the provider failed, or was too slow.
            Unreadable: what came back is in no form.
        """
        ...
