"""Identities and their keys, as they are inside one transaction (invariants I6, I10).

A suspended identity gets nothing from the instant its suspension is durable, because status and
key are read in the same transaction that would give it something.
"""

import json
from datetime import datetime, timedelta

from sqlalchemy import bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from placet.authority._errors import Forbidden, Unauthenticated
from placet.authority._lacking import lacking
from placet.authority._store import (
    Identity,
    IdentityKey,
    Reader,
    SignedInRow,
    Tx,
    UsedJti,
    table_of,
)
from placet.model import Name
from placet.tokens import PublicKey

ACTIVE = "active"
ENDED = "ended"
"""A session's key whose session is over."""

LOST = "lost"
"""A session's key whose person left, or has other roles now."""

_IDENTITY, _KEY = table_of(Identity), table_of(IdentityKey)
_STANDING = select(_IDENTITY.c.status, _KEY.c.status.label("of_key"), _KEY.c.expires_at).where(
    _IDENTITY.c.principal == bindparam("principal"),
    _KEY.c.principal == _IDENTITY.c.principal,
    _KEY.c.thumbprint == bindparam("thumbprint"),
)
_USE = insert(table_of(UsedJti))
_KEPT_LONGER = timedelta(seconds=10)


def keys_of(reader: Reader, principal: str) -> tuple[PublicKey, ...]:
    """The keys an identity has, those that were revoked included (the status is checked apart)."""
    rows = reader.all(IdentityKey, IdentityKey.principal == principal)
    return tuple(PublicKey.from_jwk(json.loads(row.jwk_json)) for row in rows)


def key_standing(reader: Reader, principal: str, thumbprint: str, now: datetime) -> str:
    """``active``, or what keeps an identity or its key from counting now.

    A session's key counts for as long as the identity provider was last heard to vouch for it.
    """
    asked = {"principal": principal, "thumbprint": thumbprint}
    found = reader.one(_STANDING, asked)
    if found is None:
        return "unknown"
    if found.status != ACTIVE or found.of_key != ACTIVE:
        return str(found.status if found.status != ACTIVE else found.of_key)
    return "expired" if found.expires_at is not None and found.expires_at <= now else ACTIVE


MENDS = {
    "suspended": "that an administrator resumes it",
    "revoked": "another key, which an administrator enrols",
    "expired": "the identity provider's word, which it has not given for a while; sign in again",
    ENDED: "a new session; sign in again",
    LOST: "a group that has a role here; sign in again once you are in one",
}
"""What would make an operator or their key active again, by what it is."""


def word_standing(reader: Reader, principal: str, thumbprint: str) -> str:
    """``active``, or what keeps a word that was given before from counting now.

    A session that ended with its time takes nothing back; one whose person left, or lost a group,
    does.
    """
    asked = {"principal": principal, "thumbprint": thumbprint}
    found = reader.one(_STANDING, asked)
    if found is None:
        return "unknown"
    if found.status != ACTIVE:
        return str(found.status)
    return ACTIVE if found.of_key == ENDED else str(found.of_key)


def note_sign_in(tx: Tx, thumbprint: str, at: datetime) -> None:
    """Remember when a key's owner proved to be there."""
    if tx.get(SignedInRow, thumbprint) is None:
        tx.add(SignedInRow(thumbprint=thumbprint, at=at))
    else:
        tx.change(SignedInRow, thumbprint, at=at)


def signed_in_at(reader: Reader, thumbprint: str) -> datetime | None:
    """When a key's owner last proved to be there, if that is known."""
    row = reader.get(SignedInRow, thumbprint)
    return None if row is None else row.at


def roles_of(identity: Identity) -> tuple[Name, ...]:
    """The roles of an operator."""
    return tuple(json.loads(identity.roles_json))


def require_active(reader: Reader, principal: str, thumbprint: str, now: datetime) -> None:
    """Go on if the identity and the key that it used are active now.

    Raises:
        Unauthenticated: the identity or its key is not enrolled.
        Forbidden: it is suspended, offboarded or has ended, an agent that nobody owns, or the key
            was revoked or has expired (I10).
    """
    standing = key_standing(reader, principal, thumbprint, now)
    if standing == "unknown":
        raise Unauthenticated("invalid_client", "the client or its key is not enrolled")
    if standing != ACTIVE:
        raise Forbidden(not_active(principal, standing), ("I10", standing))
    found = lacking(reader, principal, now)
    if found is not None:
        raise Forbidden(f"{principal}: {found.description}", ("I10", found.reason))


def not_active(principal: str, standing: str) -> str:
    """What keeps an identity or its key from counting, and what would have been needed."""
    mend = MENDS.get(standing) if principal.startswith("operator:") else None
    return f"{principal} or its key is {standing}" + ("" if mend is None else f"; needed: {mend}")


def use_jti(tx: Tx, issuer: str, jti: str, expires: datetime) -> None:
    """Use up a ``jti``; it is kept until what carries it could not verify any more.

    Raises:
        Unauthenticated: it was used before (a replay), or its time has passed since it was
            verified, and nobody may remember a use; the transaction can only be given up.
    """
    until = expires + _KEPT_LONGER
    if tx.now >= until:
        raise Unauthenticated("invalid_client", "this has expired meanwhile; make a new one")
    try:
        tx.fetch(_USE, {"issuer": issuer, "jti": jti, "expires_at": until})
    except IntegrityError:
        raise Unauthenticated(
            "invalid_client", "this jti was used before; make a new assertion"
        ) from None
