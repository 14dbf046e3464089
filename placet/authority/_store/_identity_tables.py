"""Tables of identities: who they are, their keys, and what they signed."""

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field

from placet.authority._store._base import (
    Row,
    number_field,
    time_field,
    time_or_none,
)


class Identity(Row, table=True):
    """An agent, operator or system. ``status``: active, suspended, offboarded."""

    principal: str = Field(primary_key=True)
    kind: str = Field(index=True)
    status: str
    display_name: str | None = None
    roles_json: str = "[]"
    url: str | None = None
    enrolled_at: datetime = time_field()
    enrolled_by: str
    status_at: datetime | None = time_or_none()
    status_by: str | None = None


class IdentityKey(Row, table=True):
    """A public key of an identity. ``status``: active, revoked; a session's: ended, lost.

    ``expires_at``: a session's key, or an agent's, counts no longer than that. An agent's key that
    was replaced by its next one counts until ``overlap_until`` at most. A worker's key names its
    ``instance``, the task queues that it may serve, and the invitation or the digest of the
    platform's token that it ``joined_with``.
    """

    thumbprint: str = Field(primary_key=True)
    principal: str = Field(index=True, foreign_key="identity.principal")
    jwk_json: str
    status: str
    enrolled_at: datetime = time_field()
    revoked_at: datetime | None = time_or_none()
    session_id: str | None = None
    expires_at: datetime | None = time_or_none()
    instance: str | None = None
    runs_on_json: str | None = None
    joined_with: str | None = None
    replaces: str | None = Field(default=None, index=True)
    overlap_until: datetime | None = time_or_none()
    entry: int | None = number_field(default=None)


class UsedJti(Row, table=True):
    """A ``jti`` that was used: a second insert is the replay. Kept until it could not verify."""

    issuer: str = Field(primary_key=True)
    jti: str = Field(primary_key=True)
    expires_at: datetime = time_field(index=True)


class SignedActRow(Row, table=True):
    """An act as a person signed it; ``answer_json`` is what the same act gets again."""

    __table_args__ = (Index("signed_act_target", "target", "act"),)
    jti: str = Field(primary_key=True)
    act: str
    target: str
    issuer: str
    jws: str
    body_json: str | None = None
    answer_json: str | None = None
    at: datetime = time_field()
    entry: int | None = number_field(default=None)
