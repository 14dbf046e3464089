"""Tables of the ledger: its entries, its tree, and the heads that were signed."""

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field

from placet.authority._store._base import (
    Row,
    number_field,
    time_field,
)


class LogName(Row, table=True):
    """Which log the database is; one row. The tables' revision stands in Alembic's own table."""

    id: int = number_field(primary_key=True)
    origin: str


class LedgerEntry(Row, table=True):
    """One entry: its canonical bytes, and what it is looked up by."""

    __table_args__ = (
        Index("ledger_entry_case", "case_id", "index"),
        {"postgresql_partition_by": "RANGE (index)"},
    )
    index: int = number_field(primary_key=True)
    content: bytes
    leaf_hash: bytes
    type: str = Field(index=True)
    case_id: str | None = None
    record: str | None = None
    time: datetime = time_field()


class TreeState(Row, table=True):
    """The head's row: size and frontier of the tree. Whoever writes locks it first (I4).

    ``batches`` counts every commit of every process, so that each hears of the others'.
    """

    id: int = number_field(primary_key=True)
    batches: int = number_field()
    size: int = number_field()
    frontier: bytes
    root: bytes


class WriterState(Row, table=True):
    """The last batch that each writer committed: what is looked up after an unknown COMMIT."""

    id: str = Field(primary_key=True)
    batch: int = number_field()
    at: datetime = time_field()


class LedgerNode(Row, table=True):
    """The hash of a complete subtree at the top of a tile: levels 8, 16, 24, ..."""

    level: int = Field(primary_key=True)
    index: int = number_field(primary_key=True)
    hash: bytes


class SignedHead(Row, table=True):
    """A signed head, kept for ever: a C2SP checkpoint as it was served."""

    size: int = number_field(primary_key=True)
    note: str
    signed_at: datetime = time_field()
