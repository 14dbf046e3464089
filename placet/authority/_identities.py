"""Identities and their keys, as they are inside one transaction (invariants I6, I10).

A suspended identity gets nothing from the instant its suspension is durable, because status and
key are read in the same transaction that would give it something.
"""

import json
from datetime import datetime, timedelta

from placet.authority._errors import Forbidden, Unauthenticated
from placet.authority._store import Identity, IdentityKey, Reader, Tx, UsedJti
from placet.model import Name
from placet.tokens import PublicKey

ACTIVE = "active"


def keys_of(reader: Reader, principal: str) -> tuple[PublicKey, ...]:
    """The keys an identity has, those that were revoked included (the status is checked apart)."""
    rows = reader.all(IdentityKey, IdentityKey.principal == principal)
    return tuple(PublicKey.from_jwk(json.loads(row.jwk_json)) for row in rows)


def key_standing(tx: Reader, principal: str, thumbprint: str) -> str:
    """The keys an identity ever had; whether one still counts is checked apart."""
    identity = tx.get(Identity, principal)
    key = tx.get(IdentityKey, thumbprint)
    if identity is None or key is None or key.principal != principal:
        return "unknown"
    return identity.status if identity.status != ACTIVE else key.status


def roles_of(identity: Identity) -> tuple[Name, ...]:
    """The roles of an operator."""
    return tuple(json.loads(identity.roles_json))


def require_active(tx: Reader, principal: str, thumbprint: str) -> Identity:
    """The identity, if it and the key that it used are active now.

    Raises:
        Unauthenticated: the identity or its key is not enrolled.
        Forbidden: it is suspended, offboarded, or the key was revoked (I10).
    """
    standing = key_standing(tx, principal, thumbprint)
    identity = tx.get(Identity, principal)
    if identity is None or standing == "unknown":
        raise Unauthenticated("invalid_client", "the client or its key is not enrolled")
    if standing != ACTIVE:
        raise Forbidden(f"{principal} or its key is {standing}", ("I10", standing))
    return identity


def use_jti(tx: Tx, issuer: str, jti: str, expires: datetime) -> None:
    """Use up a ``jti``; it is kept until what carries it could not verify any more.

    Raises:
        Unauthenticated: it was used before (a replay).
    """
    if tx.get(UsedJti, (issuer, jti)) is not None:
        raise Unauthenticated("invalid_client", "this jti was used before; make a new assertion")
    tx.add(UsedJti(issuer=issuer, jti=jti, expires_at=expires + timedelta(seconds=10)))
