"""What lists are read from: one narrow row for each checkpoint, and what it is found by.

Everything here follows from other tables (:mod:`placet.authority._lines` keeps it so, in the same
transaction); nothing is decided by it. Amounts are whole cents, ``NO_AMOUNT`` where there is none.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, Text, text
from sqlalchemy.types import TypeEngine
from sqlmodel import Field

from placet.authority._store._base import Row, number_field, time_field

NO_AMOUNT = -1

_BYTEWISE: TypeEngine[str] = Text().with_variant(Text(collation="C"), "postgresql")
"""Sorted by its bytes, as SQLite does: what begins with a prefix is one range of the index."""


def _bytewise(**options: Any) -> Any:
    return Field(sa_type=_BYTEWISE, **options)


class ListedCheckpoint(Row, table=True):
    """A checkpoint's row in lists. ``severity``: of the gravest finding, 0 for none.

    ``waits_json``: the ``roles`` that it waits for, and whom it does not wait for (``but``).
    """

    __table_args__ = (
        Index("listed_urgency", "status", "due_at", "id"),
        Index("listed_amount", "status", "amount", "id"),
        Index("listed_opened", "status", "opened_at", "id"),
        Index("listed_process_urgency", "status", "process", "due_at", "id"),
        Index("listed_process_amount", "status", "process", "amount", "id"),
        Index("listed_process_opened", "status", "process", "opened_at", "id"),
        Index("listed_severity", "status", "severity"),
        Index("listed_record", "status", "subject"),
        Index(
            "listed_claimed",
            "claimed_by",
            sqlite_where=text("claimed_by IS NOT NULL"),
            postgresql_where=text("claimed_by IS NOT NULL"),
        ),
    )
    id: str = Field(primary_key=True)
    case_id: str = Field(index=True)
    process: str
    name: str
    subject: str = _bytewise(index=True)
    status: str
    opened_at: datetime = time_field()
    due_at: datetime = time_field()
    amount: int = number_field()
    severity: int
    claimed_by: str | None = None
    line_json: str
    waits_json: str


class ListedRole(Row, table=True):
    """An open checkpoint waits for someone in this role."""

    __table_args__ = (
        Index("listed_role_urgency", "role", "due_at", "checkpoint_id"),
        Index("listed_role_amount", "role", "amount", "checkpoint_id"),
        Index("listed_role_opened", "role", "opened_at", "checkpoint_id"),
    )
    checkpoint_id: str = Field(primary_key=True)
    role: str = Field(primary_key=True)
    opened_at: datetime = time_field()
    due_at: datetime = time_field()
    amount: int = number_field()


class ListedBarred(Row, table=True):
    """An open checkpoint does not wait for this person: barred, or has decided already."""

    checkpoint_id: str = Field(primary_key=True)
    person: str = Field(primary_key=True)


class ListedWord(Row, table=True):
    """A word that a case or checkpoint is found by, in lower case."""

    word: str = _bytewise(primary_key=True)
    item: str = Field(primary_key=True, index=True)
