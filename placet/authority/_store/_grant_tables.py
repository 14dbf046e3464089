"""Tables of grants: what they were given on, what was done under them, and how they ended."""

from datetime import datetime

from sqlalchemy import Index, text
from sqlmodel import Field

from placet.authority._store._base import (
    COUNTED,
    Row,
    number_field,
    serial_key,
    time_field,
    time_or_none,
)


class Grant(Row, table=True):
    """A grant. ``status``: issued, settled, revoked, expired; one lives per key of its step."""

    __table_args__ = (
        Index(
            "grant_one_live_per_step",
            "run_id",
            "activity_id",
            "attempt",
            "last_started",
            "system",
            "action",
            unique=True,
            sqlite_where=text("status = 'issued'"),
            postgresql_where=text("status = 'issued'"),
        ),
        Index("grant_status", "status", "expires_at"),
        Index("grant_agent", "agent", "status"),
        Index("grant_did", "agent", "action", "issued_at"),
        Index("grant_last", "agent", "issued_at"),
        Index("grant_step", "run_id", "activity_id"),
    )
    id: str = Field(primary_key=True)
    case_id: str = Field(index=True, foreign_key="case_.id")
    agent: str
    jkt: str
    action: str
    system: str
    record: str
    run_id: str
    activity_id: str
    activity_type: str
    attempt: int
    last_started: str
    issued_at: datetime = time_field()
    expires_at: datetime = time_field()
    status: str
    ended_at: datetime | None = time_or_none()
    ended_for: str | None = None
    context_digest: str | None = None
    details_json: str | None = None
    guarded_json: str | None = None
    entry: int | None = number_field(default=None)


class GrantInput(Row, table=True):
    """A settled part that a step read under its grant: what its own parts were made from."""

    grant_id: str = Field(primary_key=True)
    part_digest: str = Field(primary_key=True)
    at: datetime = time_field()


class GrantRevocation(Row, table=True):
    """The revocation feed: what systems of record follow by its cursor."""

    __table_args__ = (COUNTED,)
    cursor: int = serial_key()
    grant_id: str = Field(unique=True)
    expires_at: datetime = time_field(index=True)
    at: datetime = time_field()


class GrantUseRow(Row, table=True):
    """A use of a grant as its system reported it; ``stage`` is intent, result or use.

    An ``id`` is there once: whoever adds a row has looked, under the head's row. The key has
    ``entry`` as well, since PostgreSQL keeps the rows in the same ranges of entries as the ledger.
    """

    __table_args__ = ({"postgresql_partition_by": "RANGE (entry)"},)
    id: str = Field(primary_key=True)
    entry: int = number_field(primary_key=True)
    grant_id: str = Field(index=True)
    system: str
    stage: str
    action: str
    record: str
    status: int | None = None
    body_digest: str | None = None
    at: datetime = time_field()


class ContextBlob(Row, table=True):
    """The request context of a policy decision (canonical JSON), beside the ledger, salted."""

    digest: str = Field(primary_key=True)
    salt: str
    content: bytes
