"""Bodies of the acts that people do around a checkpoint, and how these are shown."""

from typing import Annotated

from pydantic import Field, JsonValue, StringConstraints, model_validator

from placet.model._digest import Digest
from placet.model._evidence import Salt
from placet.model._ids import Jti, Name, Principal
from placet.model._values import Model, Money, UtcTime

MAX_ATTACHMENT = 1024 * 1024
"""Bytes of one attached file: an act with its file in base64 stays below the act's 2 MiB."""

Line = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Item = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]{1,40}$")]


class Comment(Model):
    """Body of ``checkpoint.comment``; the target is the checkpoint."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=4000)]


class Attach(Model):
    """Body of ``checkpoint.attach``; the file itself goes beside it, in ``SignedAct.content``.

    ``digest`` is SHA-256 of the salt's bytes and the file's.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[^/\\\x00-\x1f]{1,120}$")]
    media_type: Annotated[str, StringConstraints(pattern=r"^[a-z]+/[a-z0-9.+-]+$", max_length=100)]
    size: int = Field(ge=1, le=MAX_ATTACHMENT)
    salt: Salt
    digest: Digest


class RowCut(Model):
    """What a person takes off one row of what is asked, and why. All of it leaves the row out."""

    item: Item
    amount: Money
    reason: Line

    @model_validator(mode="after")
    def _lowers(self) -> "RowCut":
        if self.amount <= 0:
            raise ValueError(f"row {self.item}: an adjustment takes off more than nothing")
        return self


class Adjust(Model):
    """Body of ``checkpoint.adjust``: approve less, row by row; the target is the checkpoint.

    ``amount`` is what is left of the proposed amount once every row's is taken off, to the cent.
    """

    evidence_digest: Digest
    rows: tuple[RowCut, ...] = Field(min_length=1, max_length=200)
    amount: Money


AT_SPOT = "value"
"""The field of a keyed value that stands at its spot, where the readers found it unreadable."""


class KeyedValue(Model):
    """A value that could not be read, as a person reads it on the page.

    ``document`` and ``spot`` name what was unreadable, as the finding does; ``field`` is what the
    process calls the value, or :data:`AT_SPOT` for the very value that could not be read there.
    """

    document: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    spot: Annotated[str, StringConstraints(max_length=300)] = ""
    field: Annotated[
        str, StringConstraints(pattern=r"^[a-z0-9_]+(?:\.[A-Za-z0-9_-]+)*$", max_length=100)
    ]
    value: Line

    @model_validator(mode="after")
    def _has_a_spot(self) -> "KeyedValue":
        if self.field == AT_SPOT and not self.spot:
            raise ValueError("spot: say where the value stands, as the finding does")
        return self


class KeyIn(Model):
    """Body of ``checkpoint.key``: values keyed while looking at the page."""

    evidence_digest: Digest
    values: tuple[KeyedValue, ...] = Field(min_length=1, max_length=200)


class Delegate(Model):
    """Body of ``delegation.give``; the target is who stands in, of the same authority.

    Without a ``process`` it is for all. It holds from ``starts_at`` until ``ends_at``, that instant
    not included.
    """

    process: Name | None = None
    starts_at: UtcTime
    ends_at: UtcTime
    reason: Line

    @model_validator(mode="after")
    def _takes_time(self) -> "Delegate":
        if self.ends_at <= self.starts_at:
            raise ValueError("ends_at must be after starts_at")
        return self


class ClaimView(Model):
    """Who is working at a checkpoint."""

    operator: Principal
    claimed_at: UtcTime


class RemarkView(Model):
    """A comment or an attached file. Text and names come from people: show them as such."""

    act: Jti
    operator: Principal
    at: UtcTime
    text: str | None = None
    name: str | None = None
    media_type: str | None = None
    size: int | None = None
    digest: Digest


class DelegationView(Model):
    """A delegation, as it was given."""

    act: Jti
    giver: Principal
    delegate: Principal
    process: Name | None = None
    starts_at: UtcTime
    ends_at: UtcTime
    ended_at: UtcTime | None = None


class Changed(Model):
    """One difference between two pieces of evidence: what it is of, and its value in each."""

    what: str
    before: JsonValue = None
    after: JsonValue = None


class EvidenceDiff(Model):
    """What is different from the checkpoint before, whose approvals count no more.

    ``told`` are the people who had approved that.
    """

    replaces: str
    told: tuple[Principal, ...] = ()
    amounts: tuple[Changed, ...] = ()
    findings: tuple[Changed, ...] = ()
    rows: tuple[Changed, ...] = ()
    parts: tuple[Changed, ...] = ()


class Unusual(Model):
    """One thing that is not as it mostly is. ``kind`` says what, ``text`` says it in words."""

    kind: str
    text: str

    @property
    def heading(self) -> str:
        """The kind, in words."""
        return _HEADINGS.get(self.kind, self.kind.replace("_", " "))


_HEADINGS = {
    "added_by_matrix": "more people are asked",
    "blocking": "blocking finding",
    "left_by_person": "left by a person",
    "less_than_asked": "less than asked for",
}
