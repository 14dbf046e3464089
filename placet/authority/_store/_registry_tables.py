"""Tables of non-human identities: what each is for, whose it is, and whose it was."""

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field

from placet.authority._store._base import (
    COUNTED,
    Row,
    number_field,
    serial_key,
    time_field,
    time_or_none,
)


class Registered(Row, table=True):
    """A non-human identity, ours or others'; what was never said of it is empty.

    ``owned_until``: its owner has left, and nobody has followed. ``credential_since`` and
    ``last_used`` are told of identities that others own; ``proven_since`` is what its owner's tool
    proved of the former. ``said_json`` is the whole
    :class:`placet.model.RegisterIdentity`, where one was signed; ``source`` the inventory that
    named it last. ``suspended_for`` is why the authority itself has suspended it, and
    ``narrowed_json`` all the actions that its owner's review has left it.
    """

    identity: str = Field(primary_key=True)
    kind: str = Field(index=True)
    owner: str | None = Field(default=None, index=True)
    deputy: str | None = None
    owned_until: datetime | None = time_or_none(index=True)
    environment: str | None = None
    vendor: str | None = Field(default=None, index=True)
    credential_since: datetime | None = time_or_none(index=True)
    proven_since: datetime | None = time_or_none()
    last_used: datetime | None = time_or_none()
    review_by: datetime | None = time_or_none(index=True)
    ends_at: datetime | None = time_or_none(index=True)
    source: str | None = Field(default=None, index=True)
    said_json: str | None = None
    suspended_for: str | None = None
    narrowed_json: str | None = None
    first_seen: datetime = time_field()
    registered_at: datetime = time_field()
    registered_by: str


class Ownership(Row, table=True):
    """Who owned an identity from one entry of the ledger on, until another."""

    identity: str = Field(primary_key=True)
    since: int = number_field(primary_key=True)
    owner: str
    until: int | None = number_field(default=None)


class JoinToken(Row, table=True):
    """A one-time token of an agent's worker: its key's thumbprint.

    ``status``: open, used, ended.
    """

    invitation_key: str = Field(primary_key=True)
    id: str = Field(unique=True)
    identity: str = Field(index=True)
    environment: str
    task_queues_json: str
    expires_at: datetime = time_field()
    status: str


class StoppedModel(Row, table=True):
    """A language model that may not be asked until it is resumed; ``*`` stands for all."""

    model: str = Field(primary_key=True)
    resumed_at: datetime | None = time_or_none()


class Denial(Row, table=True):
    """An agent was denied something; in a case, if that was a running step of its own."""

    __table_args__ = (
        Index("denial_of", "agent", "at"),
        Index("denial_in_case", "agent", "case_id", "at"),
        COUNTED,
    )
    id: int = serial_key()
    agent: str
    case_id: str | None = None
    at: datetime = time_field()


class LimitState(Row, table=True):
    """Where an agent stands at one measure (of denials in a case: in that case).

    It is counted ``since`` the last time that it went beyond and a person was to look, and refused
    ``until`` it is within the limit again.
    """

    agent: str = Field(primary_key=True)
    measure: str = Field(primary_key=True)
    case_id: str = Field(primary_key=True)
    since: datetime | None = time_or_none()
    until: datetime | None = time_or_none()
