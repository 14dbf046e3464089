"""What is open about an identity asks whoever owns it now (invariants I5, I10).

Its review, and an order about it, name the one person who decides. When somebody else owns it, or
nobody, what the one before was asked is void: the workflow looks again, and asks anew. So is what
asks them only afterwards, since the workflow had looked before.
"""

from placet.authority._counted import asked_of
from placet.authority._outbox import ring
from placet.authority._outcomes import outcome_of, void
from placet.authority._store import (
    CampaignItemRow,
    Case,
    Checkpoint,
    OrderRow,
    Registered,
    Tx,
)
from placet.model import REVIEW_PROCESS, CheckpointStatus, Goal, Outcome

_REASON = "owner_changed"
_ABOUT_IDENTITIES = {REVIEW_PROCESS, *(each.process for each in Goal)}


def ask_anew(tx: Tx, identity: str, before: str) -> None:
    """Void the open checkpoints about an identity that ask its owner before, and no one else."""
    reviews = tx.all(CampaignItemRow, CampaignItemRow.identity == identity)
    orders = tx.all(OrderRow, OrderRow.identity == identity)
    cases = {each.case_id for each in reviews} | {each.case_id for each in orders}
    for case_id in sorted(each for each in cases if each is not None):
        case = tx.get(Case, case_id)
        assert case is not None  # it has looked at its identity
        for row in tx.all(
            Checkpoint,
            Checkpoint.case_id == case_id,
            Checkpoint.status == CheckpointStatus.OPEN.value,
        ):
            if asked_of(row).decided_by == before:
                void(tx, case, row, _REASON)
                ring(tx, case, row.id)


def asked_in_vain(tx: Tx, case: Case, checkpoint: str, identity: str) -> Outcome | None:
    """Void a checkpoint that opens, if it asks someone who owns the identity no more."""
    row, known = tx.get(Checkpoint, checkpoint), tx.get(Registered, identity)
    if case.process not in _ABOUT_IDENTITIES or row is None or known is None:
        return None
    if asked_of(row).decided_by in (None, known.owner):
        return None
    void(tx, case, row, _REASON)
    return outcome_of(row).model_copy(update={"status": CheckpointStatus.VOIDED})
