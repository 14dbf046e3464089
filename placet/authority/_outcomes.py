"""What becomes of a checkpoint: where it stands, how it ends, and what is void.

1. (I4) Decision, its ledger entry, the outcome and the bell's outbox row are one transaction.
"""

from placet.authority._counted import asked_of, counted_decisions
from placet.authority._errors import Forbidden
from placet.authority._lines import relist
from placet.authority._notices import put_notice
from placet.authority._outbox import ring
from placet.authority._seats import told_of
from placet.authority._store import Case, Checkpoint, Grant, Reader, Tx
from placet.model import AUTHORITY, CaseStatus, CheckpointStatus, Evidence, Outcome, Requirement
from placet.rules import CheckpointStanding, CountedDecision, approvals, outcome_status, people_of
from placet.tokens import GrantClaims

RESOLVED = {
    CheckpointStatus.APPROVED,
    CheckpointStatus.REJECTED,
    CheckpointStatus.RETURNED,
}

EXPIRED = "expired"
"""The reason code of an outcome that nobody decided in time, whatever it is."""


def require_live(tx: Reader, claims: GrantClaims) -> Grant:
    """The grant's row, if the grant lives and its case is open.

    Raises:
        Forbidden: it was settled, revoked or has expired, or the case is not open.
    """
    grant = tx.get(Grant, claims.jti)
    if grant is None or grant.status != "issued":
        raise Forbidden("the grant is no longer live", ("I1", "grant_ended"))
    case = tx.get(Case, claims.txn)
    assert case is not None  # a grant is a case's
    if case.status != CaseStatus.OPEN:
        raise Forbidden("the case is not open", ("I1", "case_status", f"case_{case.status}"))
    return grant


def standing_of(row: Checkpoint, decisions: tuple[CountedDecision, ...]) -> CheckpointStanding:
    """A checkpoint's row as the rules see it."""
    evidence = Evidence.model_validate_json(row.evidence_json)
    return CheckpointStanding(
        id=row.id,
        case=row.case_id,
        status=CheckpointStatus(row.status),
        deadline=row.deadline,
        adjustments_digest=evidence.proposal.adjustments_digest,
        decisions=decisions,
    )


def outcome_of(row: Checkpoint) -> Outcome:
    """What a checkpoint's decisions add up to, as it was last settled."""
    if row.outcome_json is None:
        raise LookupError(f"checkpoint {row.id} has no outcome")
    return Outcome.model_validate_json(row.outcome_json)


def settle_status(
    tx: Tx,
    case: Case,
    row: Checkpoint,
    asked: Requirement,
    decisions: tuple[CountedDecision, ...],
    reason_code: str | None = None,
) -> Outcome:
    """Work out where a checkpoint stands, keep it, and ring the workflow if it has ended."""
    status = outcome_status(asked, decisions)
    outcome = Outcome(
        checkpoint_id=row.id,
        checkpoint=row.name,
        case=case.id,
        status=status,
        evidence_digest=row.evidence_digest,
        requirement_digest=row.requirement_digest,
        amount=asked.amount if status is CheckpointStatus.APPROVED else None,
        decisions=tuple(each.jti for each in decisions),
        reason_code=reason_code if status in RESOLVED else None,
    )
    if status in RESOLVED:
        _end(tx, case, row, outcome)
    else:
        _keep(tx, row, outcome)
    return outcome


def expire(tx: Tx, case: Case, row: Checkpoint, status: CheckpointStatus) -> None:
    """End a checkpoint that nobody decided in time, as the process says."""
    outcome = outcome_of(row).model_copy(update={"status": status, "reason_code": EXPIRED})
    _end(tx, case, row, outcome, expired=True)


def _end(tx: Tx, case: Case, row: Checkpoint, outcome: Outcome, *, expired: bool = False) -> None:
    """End a checkpoint with an outcome: on the ledger, and in the bell's outbox row."""
    _keep(tx, row, outcome)
    tx.change(Checkpoint, row.id, status=outcome.status.value, resolved_at=tx.now)
    tx.append(
        "checkpoint.expired" if expired else "checkpoint.resolved",
        AUTHORITY,
        {
            "checkpoint": row.id,
            "status": outcome.status.value,
            "decisions": list(outcome.decisions),
        },
        case=case.id,
        record=case.subject,
    )
    ring(tx, case, row.id)
    put_notice(
        tx,
        "checkpoint.expired" if expired else "checkpoint.decided",
        row.id,
        case=case.id,
        checkpoint=row.id,
        record=case.subject,
        to=(case.opened_by,),
        data={"status": outcome.status.value},
    )


def tell_waiting(tx: Tx, case: Case, row: Checkpoint, asked: Requirement) -> None:
    """Tell those who may decide that a checkpoint waits for them."""
    put_notice(
        tx,
        "checkpoint.waiting",
        row.id,
        case=case.id,
        checkpoint=row.id,
        record=case.subject,
        to=told_of(asked, (role for need in asked.needs for role in need.roles)),
        data={"name": row.name},
    )


def _keep(tx: Tx, row: Checkpoint, outcome: Outcome) -> None:
    tx.change(Checkpoint, row.id, outcome_json=outcome.model_dump_json(exclude_none=True))
    relist(tx, row.id)


def approvers_of(reader: Reader, row: Checkpoint) -> tuple[str, ...]:
    """Whose approvals count at a checkpoint: who must hear that they are void."""
    asked = asked_of(row)
    return people_of(approvals(asked, counted_decisions(reader, row.id)))


def void(tx: Tx, case: Case, row: Checkpoint, *reasons: str) -> None:
    """Void a checkpoint that is open, or what was approved at it: it no longer holds.

    Its evidence is not the newest any more, its case was ended, or whoever approved it may not. Who
    approved it hears that their approval counts no more.
    """
    told = approvers_of(tx, row)
    outcome = outcome_of(row).model_copy(update={"status": CheckpointStatus.VOIDED})
    _keep(tx, row, outcome)
    tx.change(Checkpoint, row.id, status=CheckpointStatus.VOIDED.value, resolved_at=tx.now)
    tx.append(
        "checkpoint.voided",
        AUTHORITY,
        {"checkpoint": row.id, "reasons": list(reasons), "told": list(told)},
        case=case.id,
        record=case.subject,
    )
    if told:
        put_notice(
            tx,
            "checkpoint.voided",
            row.id,
            case=case.id,
            checkpoint=row.id,
            record=case.subject,
            to=told,
            data={"reason": reasons[-1]},
        )
