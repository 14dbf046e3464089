"""A record that people returned comes back: the act ``case.resubmit``.

1. (I6) Whoever may open a case may hand in its record again, and then approves nothing in it; nor
   does anybody hand it in whose approval of something in it stands.
2. (I3) That there is something new is what the record's own system says when the authority asks
   it: the version that was signed for, and not the one that the case has read.
3. (I5) The bell that rings afterwards carries nothing: the workflow reads, under a grant, that the
   return was answered.
"""

import json

from sqlmodel import col

from placet.authority._counted import asked_of, counted_decisions
from placet.authority._errors import Conflict
from placet.authority._facts import FetchedFacts, fact_record
from placet.authority._lines import relist
from placet.authority._outbox import BELL, put_signal
from placet.authority._store import (
    Case,
    Checkpoint,
    Grant,
    LedgerEntry,
    Reader,
    SignedActRow,
    Tx,
)
from placet.model import (
    CaseStatus,
    CheckpointStatus,
    FactSource,
    Outcome,
    Principal,
    ProcessDefinition,
    RecordId,
    Resubmit,
)
from placet.rules import approvals

RESUBMIT = "case.resubmit"


def source_of(definition: ProcessDefinition, subject: str, record: str) -> FactSource | None:
    """The fact source that tells the version of one of a case's records, or ``None``."""
    return next(
        (each for each in definition.facts if fact_record(definition, each, subject) == record),
        None,
    )


def resubmitters(reader: Reader, case: str) -> tuple[Principal, ...]:
    """Who handed in a record of the case again."""
    acts = reader.all(SignedActRow, SignedActRow.act == RESUBMIT, SignedActRow.target == case)
    return tuple(sorted({act.issuer for act in acts}))


def unread(reader: Reader, definition: ProcessDefinition, case: Case) -> RecordId | None:
    """What was handed in again last, if no step that asks for its version was let read it since."""
    acts = reader.all(SignedActRow, SignedActRow.act == RESUBMIT, SignedActRow.target == case.id)
    if not acts:
        return None
    act = max(acts, key=lambda each: each.entry or 0)
    record = Resubmit.model_validate_json(act.body_json or "").record
    source = source_of(definition, case.subject, record)
    read = None if source is None else _read(reader, definition, case, source, record)
    return record if read is None or (read.entry or 0) < (act.entry or 0) else None


def take_back(
    tx: Tx,
    definition: ProcessDefinition,
    case: Case,
    actor: Principal,
    asked: Resubmit,
    seen: FetchedFacts,
) -> tuple[str, str | None]:
    """Answer the case's return with a record's new version, and ring the workflow.

    Returns:
        The checkpoint that had returned it, and the version that the case had read.

    Raises:
        Conflict: the case is not open or waits for nothing, the version is not a new one, or the
            actor has approved something in it.
    """
    if case.status != CaseStatus.OPEN:
        raise Conflict(f"the case is {case.status}, not open")
    source = source_of(definition, case.subject, asked.record)
    if source is None:
        raise Conflict(f"the process knows no version of {asked.record}")
    returned = _returned(tx, case)
    _require_no_approval(tx, case, actor)
    found = dict(seen.versions).get(source.name)
    if found != asked.version:
        raise Conflict(f"{source.system} has version {found} of it, not {asked.version}")
    read = _version_read(tx, definition, case, source, asked.record)
    if found == read:
        raise Conflict(
            f"{source.system} has no new version of {asked.record}: the case has read version "
            f"{read}; put the new one there first"
        )
    outcome = Outcome.model_validate_json(returned.outcome_json or "{}").model_copy(
        update={"status": CheckpointStatus.RESUBMITTED}
    )
    tx.change(
        Checkpoint,
        returned.id,
        status=outcome.status.value,
        outcome_json=outcome.model_dump_json(exclude_none=True),
    )
    relist(tx, returned.id)
    put_signal(tx, case, BELL, f"resubmitted/{returned.id}")
    return returned.id, read


def _returned(reader: Reader, case: Case) -> Checkpoint:
    """The checkpoint whose return the case waits on."""
    newest = reader.first(
        Checkpoint,
        Checkpoint.case_id == case.id,
        order_by=[Checkpoint.entry.desc()],  # type: ignore[union-attr]  # a column on the class
    )
    if newest is None:
        raise Conflict("nothing was returned: the case has no checkpoint yet")
    if newest.status != CheckpointStatus.RETURNED:
        raise Conflict(f"nothing was returned: the {newest.name} checkpoint is {newest.status}")
    return newest


def _require_no_approval(reader: Reader, case: Case, actor: Principal) -> None:
    standing = (CheckpointStatus.OPEN, CheckpointStatus.APPROVED)
    for row in reader.all(Checkpoint, Checkpoint.case_id == case.id):
        heard = approvals(asked_of(row), counted_decisions(reader, row.id))
        if row.status in standing and any(actor in each.people for each in heard):
            raise Conflict(
                f"you approved at the {row.name} checkpoint of this case, and whoever hands in its "
                "record again approves nothing in it: somebody else has to hand it in",
                ("I6", "approved"),
            )


def _version_read(
    reader: Reader, definition: ProcessDefinition, case: Case, source: FactSource, record: str
) -> str | None:
    """The version that the record had when a step that asks for it was last let read it."""
    grant = _read(reader, definition, case, source, record)
    entry = None if grant is None or grant.entry is None else reader.get(LedgerEntry, grant.entry)
    if entry is None:
        return None
    found: str | None = json.loads(entry.content)["data"].get("versions", {}).get(source.name)
    return found


def _read(
    reader: Reader, definition: ProcessDefinition, case: Case, source: FactSource, record: str
) -> Grant | None:
    """The last grant of a step that asks for a record's version to read the record."""
    asking = [each.activity_type for each in definition.steps if source.name in each.facts]
    return reader.first(
        Grant,
        Grant.case_id == case.id,
        Grant.record == record,
        Grant.system == source.system,
        col(Grant.activity_type).in_(asking),
        order_by=[Grant.entry.desc()],  # type: ignore[union-attr]  # a column on the class
    )
