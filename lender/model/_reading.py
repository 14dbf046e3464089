"""What a model says of a packet's words, and what of it stands: each statement with its places."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from lender.model._draws import Text
from placet.model import Digest, Ending, Model, ModelName, Place

Said = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class Topic(StrEnum):
    """What a statement is about."""

    INSPECTION = "inspection"
    CHANGE_ORDER = "change_order"
    WAIVER = "waiver"
    OTHER = "other"


class Concern(StrEnum):
    """How much a statement matters to whoever decides; ``serious`` means that a person looks."""

    NONE = "none"
    NOTE = "note"
    SERIOUS = "serious"


class Quote(Model):
    """Words of a document, and where they stand: a file, and ``page 2`` or a cell."""

    place: Place
    words: Annotated[str, StringConstraints(min_length=3, max_length=500)]


class Statement(Model):
    """One statement, and the words on which it rests."""

    topic: Topic
    concern: Concern
    says: Said
    quotes: tuple[Quote, ...] = Field(min_length=1, max_length=5)


class DrawAnswer(Model):
    """What the model answers: statements, and nothing that has no place."""

    statements: tuple[Statement, ...] = Field(max_length=40)


class Page(Model):
    """A page or cell of a document, as text."""

    spot: Text
    text: Annotated[str, StringConstraints(max_length=60_000)]


class DocumentText(Model):
    """A document's words, as code read them."""

    document: Text
    digest: Digest
    pages: tuple[Page, ...]
    more: bool = False


class Confidence(StrEnum):
    """How far a reading is to be relied on, by rule; ``low`` means that a person looks."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class ReadStatement(Model):
    """A statement that stands: its first place, and the words there, beside it for people."""

    reader: Text
    topic: Topic
    concern: Concern
    says: Said
    quotes: tuple[Quote, ...]
    first: Place
    quoted: Annotated[str, StringConstraints(max_length=500)]


class Unsupported(Model):
    """A statement that was dropped, and why."""

    reader: Text
    says: Said
    why: Text


class ReaderCall(Model):
    """One call of a reader's tool, and what became of it."""

    reader: Text
    turn: int
    tool: Annotated[str, StringConstraints(max_length=200)]
    record: Annotated[str, StringConstraints(max_length=200)] = ""
    came_of_it: Annotated[str, StringConstraints(max_length=500)]


class ReaderRun(Model):
    """How one reader's work went."""

    reader: Text
    ending: Ending
    model: ModelName | None = None
    answered_by: Annotated[str, StringConstraints(max_length=200)] | None = None
    why: Annotated[str, StringConstraints(max_length=500)] | None = None
    turns: int = 0
    tokens: int = 0
    cost: Annotated[str, StringConstraints(max_length=20)] = "unknown"


class Reading(Model):
    """What was read, what of it stands, and what each reader did for it.

    ``packet`` is of the files that were read, as an analysis has it; older readings lack it.
    """

    runs: tuple[ReaderRun, ...]
    confidence: Confidence
    statements: tuple[ReadStatement, ...] = ()
    unsupported: tuple[Unsupported, ...] = ()
    disagreements: tuple[Text, ...] = ()
    calls: tuple[ReaderCall, ...] = ()
    packet: Digest | None = None
