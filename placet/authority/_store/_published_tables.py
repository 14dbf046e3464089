"""Tables of what is published: policies, processes, and who must approve what."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field

from placet.authority._store._base import (
    Row,
    number_field,
    time_field,
)


class PolicySet(Row, table=True):
    """A published Cedar policy set with its schema; at most one is current."""

    __table_args__ = (
        Index(
            "policy_set_current",
            "current",
            unique=True,
            sqlite_where=text("current"),
            postgresql_where=text("current"),
        ),
    )
    digest: str = Field(primary_key=True)
    policies: str
    policy_schema: str
    published_at: datetime = time_field()
    published_by: str | None = None
    current: bool = False
    entry: int | None = number_field(default=None)


class ProcessVersion(Row, table=True):
    """A published process definition."""

    __table_args__ = (UniqueConstraint("digest"),)
    name: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    digest: str
    body_json: str
    published_at: datetime = time_field()


class Matrix(Row, table=True):
    """A published authority matrix; the highest version of a process is in force."""

    __table_args__ = (UniqueConstraint("process", "version"),)
    digest: str = Field(primary_key=True)
    process: str
    version: int
    body_json: str
    published_at: datetime = time_field()
