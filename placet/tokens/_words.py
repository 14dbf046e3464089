"""What people, agents and systems sign for the ledger: each word is theirs alone.

A word is not looked up in a store of keys: the caller names the one key that was enrolled for whom
it is to be from, and ``kid`` must be its thumbprint. All verifying functions take

``token``
    the word as it came;
``key``
    that one key;
``operator``, ``agent``, ``system``
    whose word it must be;
``audience``
    the authority's address;
``now``
    when it came in; an auditor gives the time of its ledger entry;
``max_age``
    how old it may be then; ``None``: any age,

and raise a :class:`TokenError` whose subclass says why it is refused. All signing functions raise
:class:`KeyRefused` for a key that is neither ES256 nor Ed25519.
"""

from datetime import datetime, timedelta

from placet.model import (
    ActClaims,
    DecisionClaims,
    RotationClaims,
    SettlementClaims,
    UseClaims,
)
from placet.tokens._encoding import parse_object
from placet.tokens._jws import parse_jws
from placet.tokens._keys import PublicKey, SigningKey, by_kid
from placet.tokens._kinds import ACT, DECISION, ROTATION, SETTLEMENT, USE, ClaimsT_co, TokenKind
from placet.tokens._verify import sign_jws, verify_jws

FRESH = timedelta(minutes=10)
"""How old a decision or act may be when it comes in: time for a slow line, not for a hoard."""

CLOCKS_APART = timedelta(minutes=2)
"""How far behind the authority's clock another's may be: its assertions live a minute."""


def claimed_head(token: str) -> str | None:
    """The head of the ledger that whoever signed a word says they had in sight, if they say any.

    Nothing is verified.

    Raises:
        TokenError: not strict compact JWS.
    """
    head = parse_object(parse_jws(token).payload, "payload").get("ledger_head")
    return head if isinstance(head, str) else None


def sign_decision(claims: DecisionClaims, key: SigningKey) -> str:
    """Sign a decision with the person's key.

    Raises:
        KeyRefused: the key is neither ES256 nor Ed25519.
        Malformed: the comment, exceptions and head together are too large.
    """
    return sign_jws(claims, kind=DECISION, key=key)


def verify_decision(
    token: str,
    key: PublicKey,
    *,
    operator: str,
    audience: str,
    now: datetime,
    max_age: timedelta | None = FRESH,
) -> DecisionClaims:
    """Verify a decision: that this person's key signed it, for this authority (invariant I6).

    Raises:
        TokenError: it is refused; its subclass says why.
    """
    return _verify(token, DECISION, key, operator, audience, now, max_age)


def sign_act(claims: ActClaims, key: SigningKey) -> str:
    """Sign an act with the person's key."""
    return sign_jws(claims, kind=ACT, key=key)


def verify_act(
    token: str,
    key: PublicKey,
    *,
    operator: str,
    audience: str,
    now: datetime,
    max_age: timedelta | None = FRESH,
) -> ActClaims:
    """Verify an act; the caller compares ``body_digest`` with the body that came with it.

    Raises:
        TokenError: it is refused; its subclass says why.
    """
    return _verify(token, ACT, key, operator, audience, now, max_age)


def sign_settlement(claims: SettlementClaims, key: SigningKey) -> str:
    """Sign how a grant ended with the agent's key."""
    return sign_jws(claims, kind=SETTLEMENT, key=key)


def verify_settlement(
    token: str, key: PublicKey, *, agent: str, audience: str, now: datetime
) -> SettlementClaims:
    """Verify a settlement: that this agent's key signed it, for this authority (invariant I13).

    It may be of any age: an agent tells it again for as long as the authority is away. The caller
    compares grant, case and digests with what they are to be.

    Raises:
        TokenError: it is refused; its subclass says why.
    """
    return _verify(token, SETTLEMENT, key, agent, audience, now, None)


def sign_rotation(claims: RotationClaims, key: SigningKey) -> str:
    """Sign, with the agent's key that counts now, which one is the next."""
    return sign_jws(claims, kind=ROTATION, key=key)


def verify_rotation(
    token: str,
    key: PublicKey,
    *,
    agent: str,
    audience: str,
    now: datetime,
    max_age: timedelta | None = FRESH,
) -> RotationClaims:
    """Verify a key rotation: that the agent's earlier key named the next one (invariant I10).

    Raises:
        TokenError: it is refused; its subclass says why.
    """
    return _verify(token, ROTATION, key, agent, audience, now, max_age)


def sign_use(claims: UseClaims, key: SigningKey) -> str:
    """Sign a use with the key of the system of record."""
    return sign_jws(claims, kind=USE, key=key)


def verify_use(
    token: str, key: PublicKey, *, system: str, audience: str, now: datetime
) -> UseClaims:
    """Verify a use: that this system's key signed it, for this authority (invariant I13).

    It may be of any age: a system tells it again for as long as the authority is away.

    Raises:
        TokenError: it is refused; its subclass says why.
    """
    return _verify(token, USE, key, system, audience, now, None)


def _verify(
    token: str,
    kind: TokenKind[ClaimsT_co],
    key: PublicKey,
    whose: str,
    audience: str,
    now: datetime,
    max_age: timedelta | None,
) -> ClaimsT_co:
    return verify_jws(
        token,
        kind=kind,
        keys=by_kid([key]),
        issuer=whose,
        audience=audience,
        now=now,
        max_age=max_age,
    ).claims
