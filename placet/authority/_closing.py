"""What a case may close with: what the authority's record shows, not what an agent says.

1. (I9) The result is one of the signed process, and the parts and checkpoints of the case bear it
   out (:func:`placet.rules.require_supported`).
2. (I4, I13) What a guarded step has left counts only where its system of record had told that it
   was about to do it, and not that nothing came of it. An answer may be lost after that: the next
   attempt finds it done, and no system need tell it again. So it counts under whichever of the
   step's grants it was told.
3. (I10, I13) A review or an order of an identity has come to it (:mod:`._carried_out`).
"""

from sqlalchemy import bindparam, select

from placet.authority._carried_out import require_carried_out
from placet.authority._contents import case_entries
from placet.authority._doings import is_begun_or_done
from placet.authority._errors import Conflict
from placet.authority._evidence import newest_parts
from placet.authority._outcomes import outcome_of
from placet.authority._store import Case, Checkpoint, Grant, PartRow, Reader, Tx, table_of
from placet.model import CheckpointEnd, CheckpointStatus, ProcessDefinition
from placet.rules import UnsupportedResult, require_supported

_PART = table_of(PartRow)
_SETTLED = select(_PART.c.name).where(_PART.c.case_id == bindparam("case")).distinct()


def require_shown(tx: Tx, definition: ProcessDefinition, case: Case, result: str) -> None:
    """Require that the record shows what the case would close with.

    Raises:
        Conflict: the process has no such result, the record does not show it, or a guarded step has
            left its part and no system of record has done it.
    """
    opened = tx.all(Checkpoint, Checkpoint.case_id == case.id, order_by=[Checkpoint.entry])
    newest = {row.name: _end_of(row) for row in opened}
    settled = {row.name for row in tx.execute(_SETTLED, {"case": case.id})}
    denied = {
        reason
        for entry in case_entries(tx, case.id)
        if entry["type"] == "grant.denied"
        for reason in entry["data"]["reasons"]
    }
    try:
        require_supported(definition, result, settled, newest.values(), denied)
    except UnsupportedResult as error:
        raise Conflict(str(error), ("I9", f"unsupported:{result}")) from None
    found = definition.result(result)
    if found is not None and found.part is not None:
        for part in newest_parts(tx, case.id, found.part):
            _require_done(tx, definition, part, result)
    require_carried_out(tx, case, result)


def _end_of(row: Checkpoint) -> CheckpointEnd:
    status = CheckpointStatus(row.status)
    amount = outcome_of(row).amount if status is CheckpointStatus.APPROVED else None
    return CheckpointEnd(checkpoint=row.name, status=status, amount=amount)


def _require_done(
    reader: Reader, definition: ProcessDefinition, part: PartRow, result: str
) -> None:
    left_under = None if part.grant_id is None else reader.get(Grant, part.grant_id)
    step = None if left_under is None else definition.step(left_under.activity_type)
    if step is None or step.approval is None or step.system == "authority":
        return
    grants = reader.all(
        Grant,
        Grant.case_id == part.case_id,
        Grant.activity_type == step.activity_type,
        Grant.record == part.record,
    )
    if not any(is_begun_or_done(reader, each) for each in grants):
        raise Conflict(
            f"{result} needs {step.system} to have done it: {step.activity_type} has left a "
            f"{part.name}, and the ledger has no intent of {step.action} that was not refused",
            ("I13", f"undone:{step.system}"),
        )
