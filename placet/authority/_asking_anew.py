"""What is open about an identity asks whoever owns it now (invariants I5, I10).

Its review, and an order about it, name the one person who decides; where there is none, whoever has
the role does. When somebody else owns it, or nobody, what asks others than that is void: the
workflow looks again, and asks anew. So is what asks them only afterwards, since the workflow had
looked before.

(I11) What was answered is answered: nobody is asked it again in that case, however the identity has
changed since. A second question would put another person's word, or silence, in the first one's
place.
"""

from placet.authority._carried_out import order_of
from placet.authority._counted import asked_of
from placet.authority._outbox import ring
from placet.authority._outcomes import outcome_of, void
from placet.authority._store import (
    CampaignItemRow,
    Case,
    Checkpoint,
    OrderRow,
    Reader,
    Registered,
    Tx,
)
from placet.model import (
    CONFIRMATION,
    RECERTIFICATION,
    REVIEW_PROCESS,
    CheckpointStatus,
    Goal,
    Outcome,
)

_REASON = "owner_changed"
_ABOUT_IDENTITIES = {REVIEW_PROCESS, *(each.process for each in Goal)}
_OWNERS = {RECERTIFICATION, CONFIRMATION}
"""The checkpoints at which the owner decides."""

_FINAL = {CheckpointStatus.REJECTED, CheckpointStatus.RETURNED, CheckpointStatus.EXPIRED}


def confirmer(row: OrderRow, owner: str | None) -> str | None:
    """The one person who confirms an order about what someone owns: nobody confirms their own."""
    return None if owner == row.ordered_by else owner


def is_answered(case: Case, row: Checkpoint) -> bool:
    """Whether a case about an identity goes on with what came of a checkpoint, and asks no more.

    What was confirmed, or is to be tried again, may be asked of people once more afterwards.
    """
    kept = row.name == RECERTIFICATION and row.status == CheckpointStatus.APPROVED
    return case.process in _ABOUT_IDENTITIES and (kept or row.status in _FINAL)


def ask_anew(tx: Tx, identity: str) -> None:
    """Void the open checkpoints that ask others than whoever decides about an identity now."""
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
            if row.name in _OWNERS and not _asks_the_owner(tx, case, row, identity):
                void(tx, case, row, _REASON)
                ring(tx, case, row.id)


def asked_in_vain(tx: Tx, case: Case, checkpoint: str, identity: str) -> Outcome | None:
    """Void a checkpoint that opens, if another decides about the identity than it asks."""
    row = tx.get(Checkpoint, checkpoint)
    if case.process not in _ABOUT_IDENTITIES or row is None:
        return None
    if _asks_the_owner(tx, case, row, identity):
        return None
    void(tx, case, row, _REASON)
    return outcome_of(row).model_copy(update={"status": CheckpointStatus.VOIDED})


def _asks_the_owner(reader: Reader, case: Case, row: Checkpoint, identity: str) -> bool:
    known, order = reader.get(Registered, identity), order_of(reader, case)
    owner = None if known is None else known.owner
    return asked_of(row).decided_by == (owner if order is None else confirmer(order, owner))
