"""Tables of what people decide on, and what they decided."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field

from placet.authority._store._base import (
    COUNTED,
    Row,
    number_field,
    serial_key,
    time_field,
    time_or_none,
)


class PartRow(Row, table=True):
    """A settled evidence part. ``content`` is zlib-compressed canonical JSON.

    An agent leaves one under a grant, a person by an act. ``said`` is the digest of what it says,
    whatever it is salted with: two parts that say the same have an equal one.
    """

    __table_args__ = (
        UniqueConstraint("case_id", "digest"),
        Index("part_case_name", "case_id", "name", "seq"),
        COUNTED,
    )
    seq: int = serial_key()
    digest: str = Field(index=True)
    case_id: str
    name: str
    record: str
    grant_id: str | None = Field(default=None, index=True)
    act: str | None = None
    agent: str
    said: str
    salt: str
    content: bytes
    proposal_json: str | None = None
    settled_at: datetime = time_field()


class Checkpoint(Row, table=True):
    """A checkpoint of a case; one of a name is open at a time."""

    __table_args__ = (
        Index(
            "checkpoint_one_open",
            "case_id",
            "name",
            unique=True,
            sqlite_where=text("status = 'open'"),
            postgresql_where=text("status = 'open'"),
        ),
        Index("checkpoint_status", "status", "deadline"),
    )
    id: str = Field(primary_key=True)
    case_id: str = Field(index=True, foreign_key="case_.id")
    name: str
    title: str
    status: str
    grant_id: str | None = None
    opened_at: datetime = time_field()
    deadline: datetime = time_field()
    evidence_digest: str
    evidence_json: str
    requirement_digest: str
    requirement_json: str
    outcome_json: str | None = None
    claimed_by: str | None = None
    claimed_at: datetime | None = time_or_none()
    replaces: str | None = None
    reminded: int = 0
    escalated: int = 0
    resolved_at: datetime | None = time_or_none()
    entry: int | None = number_field(default=None)


class DecisionRow(Row, table=True):
    """A decision as a person signed it; refused ones are kept too, with the reason."""

    jti: str = Field(primary_key=True)
    checkpoint_id: str = Field(index=True)
    operator: str
    key: str
    roles_json: str = "[]"
    verdict: str
    jws: str
    decided_at: datetime = time_field()
    counted: bool
    refused_for: str | None = None
    exceptions_json: str = "[]"
    stands_in_for: str | None = None
    escalated: int = 0
    """How many escalations of its checkpoint had happened by then."""

    opened_at: datetime | None = time_or_none()
    answer_json: str | None = None
    entry: int | None = number_field(default=None)


class HoldRow(Row, table=True):
    """A signed stop on a record; one at a time."""

    __table_args__ = (
        Index(
            "hold_one_per_record",
            "record",
            unique=True,
            sqlite_where=text("lifted_at IS NULL"),
            postgresql_where=text("lifted_at IS NULL"),
        ),
        COUNTED,
    )
    id: int = serial_key()
    record: str
    reason: str | None = None
    placed_by: str
    placed_at: datetime = time_field()
    lifted_by: str | None = None
    lifted_at: datetime | None = time_or_none()
