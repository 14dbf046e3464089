"""Tables of what people do around a checkpoint: hand over, remark, open its evidence."""

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field

from placet.authority._store._base import Row, number_field, time_field, time_or_none


class Delegation(Row, table=True):
    """Someone is away and another person of the same authority stands in for them."""

    __table_args__ = (Index("delegation_of", "delegate", "ends_at"),)
    id: str = Field(primary_key=True)
    giver: str = Field(index=True)
    delegate: str
    process: str | None = None
    starts_at: datetime = time_field()
    ends_at: datetime = time_field()
    ended_at: datetime | None = time_or_none()
    entry: int = number_field()


class Remark(Row, table=True):
    """A comment or an attached file, as a person left it at a checkpoint; ``id`` is its act."""

    __table_args__ = (Index("remark_checkpoint", "checkpoint_id", "entry"),)
    id: str = Field(primary_key=True)
    checkpoint_id: str
    operator: str
    kind: str
    digest: str = Field(index=True)
    salt: str
    name: str | None = None
    media_type: str | None = None
    content: bytes
    at: datetime = time_field()
    entry: int = number_field()


class EvidenceOpened(Row, table=True):
    """When a person first opened a checkpoint's evidence, and when they last did."""

    checkpoint_id: str = Field(primary_key=True)
    operator: str = Field(primary_key=True)
    opened_at: datetime = time_field()
    last_at: datetime = time_field()
