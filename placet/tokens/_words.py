"""What agents and systems sign for the ledger: as with people, ``kid`` is the key itself."""

from datetime import datetime, timedelta

from placet.model import RotationClaims, SettlementClaims, UseClaims
from placet.tokens._keys import PublicKey, SigningKey, by_kid
from placet.tokens._kinds import ROTATION, SETTLEMENT, USE
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


def sign_use(claims: UseClaims, key: SigningKey) -> str:
    """Sign a use with the key of the system of record.

    Raises:
        KeyRefused: the key is neither ES256 nor Ed25519.
    """
    return sign_jws(claims, kind=USE, key=key)


def verify_use(
    token: str, key: PublicKey, *, system: str, audience: str, now: datetime
) -> UseClaims:
    """Verify a use: that this system's key signed it, for this authority.

    It may be of any age: a system tells it again for as long as the authority is away.

    Args:
        token: the use.
        key: the key that was enrolled for the system; ``kid`` must be its thumbprint.
        system: the system.
        audience: the authority's address.
        now: when it came in; an auditor gives the time of its ledger entry.

    Raises:
        TokenError: it is refused; its subclass says why.
    """
    return verify_jws(
        token, kind=USE, keys=by_kid([key]), issuer=system, audience=audience, now=now
    ).claims
