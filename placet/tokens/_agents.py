"""What agents sign for the ledger. As with people, a signature's ``kid`` is the key itself."""

from datetime import datetime, timedelta

from placet.model import RotationClaims, SettlementClaims
from placet.tokens._keys import PublicKey, SigningKey, by_kid
from placet.tokens._kinds import ROTATION, SETTLEMENT
from placet.tokens._people import FRESH
from placet.tokens._verify import sign_jws, verify_jws


def sign_settlement(claims: SettlementClaims, key: SigningKey) -> str:
    """Sign a settlement with the agent's key.

    Raises:
        KeyRefused: the key is neither ES256 nor Ed25519.
    """
    return sign_jws(claims, kind=SETTLEMENT, key=key)


def verify_settlement(
    token: str, key: PublicKey, *, agent: str, audience: str, now: datetime
) -> SettlementClaims:
    """Verify a settlement: that this agent's key signed it, for this authority (invariant I13).

    It may be of any age: an agent tells it again for as long as the authority is away. The caller
    compares grant, case and ``settlement_digest`` with what they are to be.

    Args:
        token: the settlement.
        key: the key that was enrolled for the agent; ``kid`` must be its thumbprint.
        agent: the agent.
        audience: the authority's address.
        now: when it came in; an auditor gives the time of its ledger entry.

    Raises:
        TokenError: it is refused; its subclass says why.
    """
    return verify_jws(
        token, kind=SETTLEMENT, keys=by_kid([key]), issuer=agent, audience=audience, now=now
    ).claims


def sign_rotation(claims: RotationClaims, key: SigningKey) -> str:
    """Sign, with the agent's key that counts now, which one is the next.

    Raises:
        KeyRefused: the key is neither ES256 nor Ed25519.
    """
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

    Args:
        token: the rotation.
        key: the earlier key; ``kid`` must be its thumbprint.
        agent: the agent.
        audience: the authority's address.
        now: when it came in; an auditor gives the time of its ledger entry.
        max_age: how old it may be then; ``None``: any age.

    Raises:
        TokenError: it is refused; its subclass says why.
    """
    return verify_jws(
        token,
        kind=ROTATION,
        keys=by_kid([key]),
        issuer=agent,
        audience=audience,
        now=now,
        max_age=max_age,
    ).claims
