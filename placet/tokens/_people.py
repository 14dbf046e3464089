"""What people sign: decisions and acts. A signature is theirs, so its ``kid`` is the key itself."""

from datetime import datetime, timedelta

from placet.model import ActClaims, DecisionClaims
from placet.tokens._keys import PublicKey, SigningKey, by_kid
from placet.tokens._kinds import ACT, DECISION
from placet.tokens._verify import sign_jws, verify_jws

FRESH = timedelta(minutes=10)
"""How old a decision or act may be when it comes in: time for a slow line, not for a hoard."""


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

    Args:
        token: the decision.
        key: the key that was enrolled for the person; ``kid`` must be its thumbprint.
        operator: the person.
        audience: the authority's address.
        now: when it came in; an auditor gives the time of its ledger entry.
        max_age: how old it may be then; ``None``: any age.

    Raises:
        TokenError: it is refused; its subclass says why.
    """
    return verify_jws(
        token,
        kind=DECISION,
        keys=by_kid([key]),
        issuer=operator,
        audience=audience,
        now=now,
        max_age=max_age,
    ).claims


def sign_act(claims: ActClaims, key: SigningKey) -> str:
    """Sign an act with the person's key.

    Raises:
        KeyRefused: the key is neither ES256 nor Ed25519.
    """
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
    """Verify an act, as :func:`verify_decision` does a decision.

    The caller compares ``body_digest`` with the body that came with it.

    Raises:
        TokenError: it is refused; its subclass says why.
    """
    return verify_jws(
        token,
        kind=ACT,
        keys=by_kid([key]),
        issuer=operator,
        audience=audience,
        now=now,
        max_age=max_age,
    ).claims
