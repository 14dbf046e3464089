"""What a case about an identity closes with: what the authority has done or recorded in it.

(I10, I13) What the steps of a review and of an order do, the authority does. An agent that leaves a
step's part, and has not asked for it, has narrowed, ended or offboarded nothing. (I5) Nor does what
an owner has said, or their silence, fall with the case: it is carried out first.
"""

from placet.authority._approvals import newest_checkpoint
from placet.authority._errors import Conflict
from placet.authority._store import CampaignItemRow, Case, OrderRow, Reader, Registered, Tx
from placet.model import (
    ORDER_ENDED_BEFORE,
    RECERTIFICATION,
    REVIEW_PROCESS,
    CarriedOut,
    CheckpointStatus,
    Goal,
    Reviewed,
)

ORDER = "identity-order"
ENDS = {CheckpointStatus.APPROVED, CheckpointStatus.REJECTED, CheckpointStatus.EXPIRED}
"""As what an owner's checkpoint ends, where something follows for the identity."""


def item_of(reader: Reader, case: Case) -> CampaignItemRow | None:
    """The identity of a campaign that a case is about, if it is about one."""
    words = case.subject.split("/")
    if len(words) != 4 or not words[3].isdecimal():
        return None
    item = reader.get(CampaignItemRow, (words[1], int(words[3][:9])))
    return None if item is None or case.subject != subject_of_item(item) else item


def subject_of_item(item: CampaignItemRow) -> str:
    """The record of an item's case, in its one spelling."""
    return f"campaign/{item.campaign}/identity/{item.number}"


def order_of(reader: Reader, case: Case) -> OrderRow | None:
    """The order that a case is about, if it is about one of its process."""
    kind, _, order = case.subject.partition("/")
    row = reader.get(OrderRow, order) if kind == ORDER else None
    return None if row is None or Goal(row.goal).process != case.process else row


def require_carried_out(tx: Tx, case: Case, result: str) -> None:
    """Require that a review or an order has come to the result that its case would close with.

    Raises:
        Conflict: it has not.
    """
    item = item_of(tx, case) if case.process == REVIEW_PROCESS else None
    if item is not None:
        done = None if item.done_json is None else CarriedOut.model_validate_json(item.done_json)
        came_to = None if done is None or item.case_id != case.id else done.outcome
        if result in set(Reviewed) and came_to != result:
            raise _undone(f"{result} needs the review of {item.identity} to have come to that")
        asked = newest_checkpoint(tx, case.id, RECERTIFICATION)
        if came_to is None and asked is not None and asked.status in ENDS:
            raise _undone(f"what was said of {item.identity} was not carried out: not {result}")
    row = order_of(tx, case)
    if row is None:
        return
    if result == Goal(row.goal).done and not _is_proven(row, case):
        raise _undone(f"{result} needs a proof of the owner's tool for {row.identity}")
    if result != Goal(row.goal).done and _is_proven(row, case):
        raise _undone(f"{row.identity} was {Goal(row.goal).done}, and not {result}")
    if result == ORDER_ENDED_BEFORE:
        known = tx.get(Registered, row.identity)
        if known is not None and (known.ends_at is None or known.ends_at > tx.now):
            raise _undone(f"{result} needs {row.identity} to have ended, and it has not")


def _is_proven(row: OrderRow, case: Case) -> bool:
    return row.case_id == case.id and row.proof_json is not None


def _undone(message: str) -> Conflict:
    return Conflict(message, ("I13", "undone:authority"))
