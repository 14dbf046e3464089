"""Tables of the authority's own keys: none is here in clear (I7)."""

from datetime import datetime

from sqlmodel import Field

from placet.authority._store._base import (
    BigInt,
    Row,
    number_field,
    time_field,
    time_or_none,
)


class SigningKey(Row, table=True):
    """A key of the authority's own. ``kept`` is how its custody finds it again (I7).

    That is the private key, encrypted before it comes here, or a name where another keeps it.
    """

    kid: str = Field(primary_key=True)
    purpose: str = Field(index=True)
    kept: str
    public_jwk_json: str
    created_at: datetime = time_field()
    published_at: datetime | None = time_or_none()
    signs_from: datetime | None = time_or_none()
    retires_at: datetime | None = time_or_none()


class LogKeyRow(Row, table=True):
    """A key of heads that took another's place; the log's first one has no row.

    ``named`` is the ledger's entry that names it, ``retired`` the one that retires the key before.
    ``kid`` and ``before`` are the two in :class:`SigningKey`, ``key`` and ``replaces`` the same as
    C2SP spells them. Both sign until ``overlaps_until``, at least.
    """

    named: int = number_field(primary_key=True)
    kid: str
    before: str
    key: str
    replaces: str
    overlaps_until: datetime = time_field()
    retired: int | None = Field(default=None, nullable=True, sa_type=BigInt)


class TenantKey(Row, table=True):
    """A key that wraps cases' payload keys; the newest wraps. ``wrapped`` is under the passphrase.

    ``salt`` is what the passphrase is stretched with (scrypt).
    """

    id: str = Field(primary_key=True)
    salt: bytes
    wrapped: bytes
    created_at: datetime = time_field()
