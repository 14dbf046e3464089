"""A person ends a case that can't end by itself: the act ``case.end``.

1. (I6) An administrator's signed act, with a reason.
2. (I11) Not while money may be moving: a guarded grant that lives, or an action that was begun and
   of which nobody has heard how it ended, has its time first.
3. (I4) The close, the ends of grants and checkpoints, and the workflow's termination in the outbox
   are one transaction.
"""

from datetime import timedelta

from placet.authority._alarms import forget_standstill
from placet.authority._doings import SETTLE_GRACE, is_begun
from placet.authority._errors import Conflict
from placet.authority._outbox import put_termination
from placet.authority._outcomes import void
from placet.authority._revocations import revoke
from placet.authority._store import Case, Checkpoint, Grant, Tx
from placet.model import CaseStatus

END = "case.end"
ENDED = "ended"
"""The result of a case that a person ended."""


def end_case(tx: Tx, case: Case, act: str) -> None:
    """Close a case with the result ``ended``, by an act; its grants and checkpoints end with it.

    Raises:
        Conflict: it is closed or still being opened, or money may be moving.
    """
    if case.status == CaseStatus.CLOSED:
        raise Conflict(f"the case is closed already, with the result {case.result}")
    if case.status == CaseStatus.OPENING:
        raise Conflict("the case is still being opened; end it once its workflow was started")
    moving = _moving(tx, case)
    if moving is not None:
        over = moving.expires_at + timedelta(seconds=SETTLE_GRACE)
        raise Conflict(
            f"money may be moving: grant {moving.id} for {moving.action} is not settled; end the "
            f"case after {over:%H:%M:%S} UTC, once {moving.system} has said what it did"
        )
    for grant in tx.all(Grant, Grant.case_id == case.id, Grant.status == "issued"):
        revoke(tx, grant, "case_ended")
    for row in tx.all(Checkpoint, Checkpoint.case_id == case.id, Checkpoint.status == "open"):
        void(tx, case, row, "case_ended")
    tx.change(
        Case,
        case.id,
        status=CaseStatus.CLOSED.value,
        result=ENDED,
        stopped_for=None,
        closed_at=tx.now,
    )
    forget_standstill(tx, case.id)
    put_termination(tx, case, act)


def _moving(tx: Tx, case: Case) -> Grant | None:
    """A guarded grant of the case under which something may be happening now."""
    guarded = tx.all(
        Grant,
        Grant.case_id == case.id,
        Grant.guarded_json.is_not(None),  # type: ignore[union-attr]  # a column on the class
        Grant.expires_at > tx.now - timedelta(seconds=SETTLE_GRACE),
    )
    return next((each for each in guarded if each.status == "issued" or is_begun(tx, each)), None)
