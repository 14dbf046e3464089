"""What time does to an open checkpoint: reminders, escalations, expiry.

1. The authority's clock judges. A workflow's timer only wakes someone who asks; whoever asks next
   finds what is due done, so a timer that is late, early or lost changes nothing (I11).
2. (I4) Each reminder and each escalation is one entry, once, with the state that it changes.
3. (I6) Escalation widens who may decide as the signed matrix said when the checkpoint opened;
   what nobody decided in time ends as the signed process says, and never as approved.
"""

from datetime import datetime

from pydantic import JsonValue

from placet.authority._counted import asked_of, counted_decisions
from placet.authority._notices import put_notice
from placet.authority._outcomes import expire, settle_status
from placet.authority._seats import told_of
from placet.authority._store import Case, Checkpoint, Tx
from placet.model import AUTHORITY, CheckpointStatus, Outcome, Requirement
from placet.rules import next_instant, waiting_roles


def advance(tx: Tx, case: Case, row: Checkpoint, grant: str | None = None) -> Checkpoint:
    """Do what is due at a checkpoint by now; its row as it is then.

    ``grant`` is that of the step whose asking this is done for, if a step asked.
    """
    if row.status != CheckpointStatus.OPEN:
        return row
    asked = Requirement.model_validate_json(row.requirement_json)
    if tx.now >= row.deadline:
        expire(tx, case, row, CheckpointStatus(asked.expires_as))
        return _again(tx, row)
    if asked.schedule is None:
        return row
    _remind(tx, case, row, asked.schedule.reminders, grant)
    return _escalate(tx, case, row, asked, grant)


def look_again_at(row: Checkpoint, outcome: Outcome, now: datetime) -> Outcome:
    """An outcome as a workflow reads it: while it is open, with when to look next."""
    if outcome.status is not CheckpointStatus.OPEN:
        return outcome
    asked = Requirement.model_validate_json(row.requirement_json)
    return outcome.model_copy(update={"look_again": next_instant(asked, row.deadline, now)})


def _remind(
    tx: Tx, case: Case, row: Checkpoint, moments: tuple[datetime, ...], grant: str | None
) -> None:
    due = sum(moment <= tx.now for moment in moments)
    if due <= row.reminded:
        return
    tx.change(Checkpoint, row.id, reminded=due)
    told: dict[str, JsonValue] = {"checkpoint": row.id, "reminder": due, "grant": grant}
    tx.append("checkpoint.reminded", AUTHORITY, told, case=case.id, record=case.subject)
    _tell(tx, case, row, "checkpoint.reminder", due)


def _escalate(
    tx: Tx, case: Case, row: Checkpoint, asked: Requirement, grant: str | None
) -> Checkpoint:
    planned = () if asked.schedule is None else asked.schedule.escalations
    for level, each in enumerate(planned, start=1):
        if level <= row.escalated or each.at > tx.now:
            continue
        tx.change(Checkpoint, row.id, escalated=level)
        told: dict[str, JsonValue] = {
            "checkpoint": row.id,
            "level": level,
            "roles": list(each.roles),
            "grant": grant,
        }
        tx.append("checkpoint.escalated", AUTHORITY, told, case=case.id, record=case.subject)
        row = _again(tx, row)
        _tell(tx, case, row, "checkpoint.escalated", level)
        settle_status(tx, case, row, asked_of(row), counted_decisions(tx, row.id))
        row = _again(tx, row)
        if row.status != CheckpointStatus.OPEN:
            break
    return row


def _tell(tx: Tx, case: Case, row: Checkpoint, kind: str, number: int) -> None:
    asked = asked_of(row)
    put_notice(
        tx,
        kind,
        f"{row.id}/{number}",
        case=case.id,
        checkpoint=row.id,
        record=case.subject,
        to=told_of(asked, waiting_roles(asked, counted_decisions(tx, row.id))),
    )


def _again(tx: Tx, row: Checkpoint) -> Checkpoint:
    found = tx.get(Checkpoint, row.id)
    if found is None:
        raise LookupError(f"checkpoint {row.id} is gone")
    return found
