"""The kinds of token, in one table: no kind is accepted in another's place (RFC 8725, 3.11).

==================  ==========================  =======================  ========  ==============
kind                ``typ``                     signed by                key       at most
==================  ==========================  =======================  ========  ==============
``GRANT``           ``at+jwt``                  authority                kid       the caller's
``INQUIRY``         ``placet-inquiry+jwt``      authority                kid       60 s
``SESSION``         ``placet-session+jwt``      authority                kid       15 min
``CLIENT_ASSERTION``  ``JWT``, none, …          agent or system          kid       60 s
``SIGN_IN``         ``placet-signin+jwt``       operator                 thumb     60 s
``PROOF``           ``dpop+jwt``                whoever holds the key    in it     by ``iat``
``DECISION``        ``placet-decision+jwt``     operator                 thumb     by ``iat``
``ACT``             ``placet-act+jwt``          operator                 thumb     by ``iat``
``SETTLEMENT``      ``placet-settlement+jwt``   agent                    thumb     any age
``ROTATION``        ``placet-rotation+jwt``     agent                    thumb     by ``iat``
``USE``             ``placet-use+jwt``          system of record         thumb     any age
``ENROLMENT``       ``placet-enrolment+jwt``    an invitation's key      in it     by ``iat``
==================  ==========================  =======================  ========  ==============
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from pydantic import BaseModel

from placet.model import ActClaims, DecisionClaims, RotationClaims, SettlementClaims, UseClaims
from placet.tokens._claims import (
    ClientAssertionClaims,
    EnrolmentClaims,
    GrantClaims,
    InquiryClaims,
    ProofClaims,
    SessionClaims,
    SignInClaims,
)
from placet.tokens._jwk import Algorithm

ClaimsT_co = TypeVar("ClaimsT_co", bound=BaseModel, covariant=True)

SHORT_LIFETIME = timedelta(seconds=60)
SESSION_LIFETIME = timedelta(minutes=15)

_AUTHORITY = frozenset({Algorithm.ES256, Algorithm.RS256})
_OWNERS = frozenset({Algorithm.ES256, Algorithm.ED25519})


class KeyRule(StrEnum):
    """How the key is found: by ``kid``, by ``kid`` that is its thumbprint, or in the header."""

    KID = "kid"
    THUMBPRINT = "thumbprint"
    EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True)
class TokenKind(Generic[ClaimsT_co]):
    """What one kind of token must be.

    ``typ`` is what we write, ``also`` what we take besides (``None``: no ``typ`` at all).
    ``ed25519_name`` is the ``alg`` that we write for an Ed25519 key. ``lifetime`` bounds ``exp``.
    ``bare`` is what stands on the ledger: it has room for nothing but what it must say.
    """

    name: str
    typ: str
    claims: type[ClaimsT_co]
    algorithms: frozenset[Algorithm]
    key_rule: KeyRule
    lifetime: timedelta | None = None
    also: frozenset[str | None] = frozenset()
    ed25519_name: str = "Ed25519"
    bare: bool = False


GRANT = TokenKind("grant", "at+jwt", GrantClaims, _AUTHORITY, KeyRule.KID, SHORT_LIFETIME)
INQUIRY = TokenKind(
    "inquiry", "placet-inquiry+jwt", InquiryClaims, _AUTHORITY, KeyRule.KID, SHORT_LIFETIME
)
SESSION = TokenKind(
    "session", "placet-session+jwt", SessionClaims, _AUTHORITY, KeyRule.KID, SESSION_LIFETIME
)
CLIENT_ASSERTION = TokenKind(
    "client assertion",
    "JWT",
    ClientAssertionClaims,
    _OWNERS,
    KeyRule.KID,
    SHORT_LIFETIME,
    # RFC 7523 asks for no typ, and its successor (draft-ietf-oauth-rfc7523bis) for its own.
    also=frozenset({None, "client-authentication+jwt"}),
)
SIGN_IN = TokenKind(
    "sign-in", "placet-signin+jwt", SignInClaims, _OWNERS, KeyRule.THUMBPRINT, SHORT_LIFETIME
)
PROOF = TokenKind("proof", "dpop+jwt", ProofClaims, _OWNERS, KeyRule.EMBEDDED)
# What is kept for years is signed under the older name: any JOSE library verifies that.
DECISION = TokenKind(
    "decision",
    "placet-decision+jwt",
    DecisionClaims,
    _OWNERS,
    KeyRule.THUMBPRINT,
    ed25519_name="EdDSA",
)
ACT = TokenKind(
    "act", "placet-act+jwt", ActClaims, _OWNERS, KeyRule.THUMBPRINT, ed25519_name="EdDSA"
)
SETTLEMENT = TokenKind(
    "settlement",
    "placet-settlement+jwt",
    SettlementClaims,
    _OWNERS,
    KeyRule.THUMBPRINT,
    ed25519_name="EdDSA",
    bare=True,
)
ROTATION = TokenKind(
    "key rotation",
    "placet-rotation+jwt",
    RotationClaims,
    _OWNERS,
    KeyRule.THUMBPRINT,
    ed25519_name="EdDSA",
    bare=True,
)
USE = TokenKind(
    "use",
    "placet-use+jwt",
    UseClaims,
    _OWNERS,
    KeyRule.THUMBPRINT,
    ed25519_name="EdDSA",
    bare=True,
)
ENROLMENT = TokenKind(
    "enrolment",
    "placet-enrolment+jwt",
    EnrolmentClaims,
    _OWNERS,
    KeyRule.EMBEDDED,
    ed25519_name="EdDSA",
    bare=True,
)

KINDS: tuple[TokenKind[BaseModel], ...] = (
    GRANT,
    INQUIRY,
    SESSION,
    CLIENT_ASSERTION,
    SIGN_IN,
    PROOF,
    DECISION,
    ACT,
    SETTLEMENT,
    ROTATION,
    USE,
    ENROLMENT,
)
