"""Tables of who may do what: the rules about people in force, and what waits for a second name."""

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field

from placet.authority._store._base import REGISTRY, Row, number_field, time_field, time_or_none


class GovernanceRow(Row, table=True):
    """The lender's rules about people; the highest version is in force."""

    version: int = Field(primary_key=True)
    body_json: str
    published_at: datetime = time_field()
    entry: int | None = number_field(default=None)


class ProposalRow(Row, table=True):
    """An act that needs a second signature. ``status``: proposed, effective, withdrawn, lapsed."""

    __table_args__ = (Index("proposal_status", "status", "lapses_at"),)
    jti: str = Field(primary_key=True)
    status: str
    body_digest: str
    proposed_at: datetime = time_field()
    lapses_at: datetime = time_field()
    ended_at: datetime | None = time_or_none()
    ended_by: str | None = None


REGISTRY.configure()
