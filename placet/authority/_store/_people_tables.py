"""Tables of who may do what: the rules about people in force, and what waits for a second name."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from placet.authority._store._base import (
    COUNTED,
    Row,
    number_field,
    serial_key,
    time_field,
    time_or_none,
)


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


class SessionRow(Row, table=True):
    """A person's session through the identity provider, and the key that it is bound to.

    ``subject_digest`` fixes who it is at the provider; ``sealed`` is the refresh token, encrypted
    (I7). ``vouched_at`` is when the provider was asked that answered last; ``asking_until`` says
    that someone asks it now. ``status``: active, ended.
    """

    __table_args__ = (Index("session_due", "status", "next_check_at"),)
    id: str = Field(primary_key=True)
    principal: str = Field(index=True)
    thumbprint: str
    issuer: str
    subject_digest: str
    roles_json: str
    sealed: str | None = None
    started_at: datetime = time_field()
    ends_at: datetime = time_field()
    next_check_at: datetime = time_field()
    vouched_at: datetime = time_field()
    asking_until: datetime | None = time_or_none()
    status: str
    ended_for: str | None = None


class SignedInRow(Row, table=True):
    """When a key's owner last proved to be there: to the identity provider, or with the key."""

    thumbprint: str = Field(primary_key=True)
    at: datetime = time_field()


class SubjectRow(Row, table=True):
    """Whose name an operator's is at the identity provider: nobody else gets it."""

    principal: str = Field(primary_key=True)
    subject_digest: str = Field(unique=True)


class InvitationRow(Row, table=True):
    """A one-time code for a new operator: its key's thumbprint. ``status``: open, used."""

    invitation_key: str = Field(primary_key=True)
    id: str = Field(unique=True)
    principal: str = Field(index=True)
    roles_json: str
    expires_at: datetime = time_field()
    status: str


class ReviewRow(Row, table=True):
    """The review of an emergency. ``status``: open, closed; ``ended_at``: its time is over."""

    __table_args__ = (Index("review_due", "ended_at", "until"),)
    id: str = Field(primary_key=True)
    checkpoint_id: str = Field(unique=True)
    case_id: str = Field(index=True)
    opened_by: str
    opened_at: datetime = time_field()
    until: datetime = time_field()
    ended_at: datetime | None = time_or_none()
    status: str
    closed_by: str | None = None
    closed_at: datetime | None = time_or_none()


class DeliveryRow(Row, table=True):
    """One notice for one channel. ``status``: waiting, sending, done, dead."""

    __table_args__ = (
        UniqueConstraint("notice", "channel"),
        Index("delivery_due", "channel", "status", "next_try_at"),
        Index("delivery_status", "status", "id"),
        COUNTED,
    )
    id: int = serial_key()
    notice: str
    channel: str
    kind: str
    said_json: str
    status: str
    attempts: int = 0
    trouble: str | None = None
    told_at: datetime = time_field()
    next_try_at: datetime = time_field()
    done_at: datetime | None = time_or_none()
