"""Ending grants before their time: the row, the feed that systems follow, and the ledger."""

from placet.authority._core import AUTHORITY
from placet.authority._store import Grant, GrantRevocation, Tx

FEED = "revocations"
"""The topic that wakes those who wait for the feed."""


def revoke(tx: Tx, grant: Grant, reason: str, actor: str = AUTHORITY) -> None:
    """Revoke a live grant."""
    tx.change(Grant, grant.id, status="revoked", ended_at=tx.now, ended_for=reason)
    tx.add(GrantRevocation(grant_id=grant.id, expires_at=grant.expires_at, at=tx.now))
    tx.append(
        "grant.revoked",
        actor,
        {"grant": grant.id, "reason": reason},
        case=grant.case_id,
        record=grant.record,
    )
    tx.notify(FEED)


def revoke_all_of(tx: Tx, agent: str, reason: str, actor: str) -> int:
    """Revoke every live grant of an agent (I10); how many there were."""
    live = tx.all(Grant, Grant.agent == agent, Grant.status == "issued")
    for grant in live:
        revoke(tx, grant, reason, actor)
    return len(live)
