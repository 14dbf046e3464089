"""Ending grants before their time: the row, the feed that systems follow, and the ledger."""

from placet.authority._identities import ACTIVE, word_standing
from placet.authority._store import DecisionRow, Grant, GrantRevocation, Tx
from placet.model import AUTHORITY, GrantedDetails

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


def revoke_resting_on(tx: Tx, operator: str) -> None:
    """Revoke the live guarded grants that rest on an approval which no longer counts (I10).

    That is one whose giver, or the key it was signed with, is not active now.
    """
    live = tx.all(Grant, Grant.status == "issued", Grant.guarded_json.is_not(None))  # type: ignore[union-attr]  # a column on the class
    for grant in live:
        fixed = GrantedDetails.model_validate_json(grant.guarded_json or "{}")
        given = [tx.get(DecisionRow, jti) for jti in fixed.approvals or ()]
        if any(
            each is not None
            and each.operator == operator
            and word_standing(tx, operator, each.key) != ACTIVE
            for each in given
        ):
            revoke(tx, grant, "approver_not_active")


def revoke_all_of(tx: Tx, agent: str, reason: str, actor: str) -> int:
    """Revoke every live grant of an agent (I10); how many there were."""
    live = tx.all(Grant, Grant.agent == agent, Grant.status == "issued")
    for grant in live:
        revoke(tx, grant, reason, actor)
    return len(live)
