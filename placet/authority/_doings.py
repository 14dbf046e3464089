"""What systems of record have said of guarded actions: begun, done, or neither.

(I11) An approval that was acted on is not void afterwards, whatever has become of what it rested
on: what was done is done. A step that is tried again may come before its system has been heard.
"""

from datetime import timedelta
from enum import Enum, auto

from placet.authority._approvals import newest_checkpoint
from placet.authority._running_steps import Ask
from placet.authority._store import Grant, GrantUseRow, Reader, Tx
from placet.model import Intents, Step, UseStage

SETTLE_GRACE = 30
"""Seconds after a grant's end in which its settlement still counts: its token is dead, but the
step's last words may be on their way."""


class Doing(Enum):
    """How far an action has come under the grants for it."""

    NOT_BEGUN = auto()
    BEGUN = auto()
    """Its system has not said yet what came of it, and still may."""
    DONE = auto()


def doing(tx: Tx, ask: Ask, step: Step) -> Doing:
    """How far what a guarded step asks for has come since its approval."""
    row = newest_checkpoint(tx, ask.details.case, step.approval or "")
    if row is None or row.resolved_at is None:
        return Doing.NOT_BEGUN
    grants = tx.all(
        Grant,
        Grant.case_id == ask.details.case,
        Grant.system == ask.details.system,
        Grant.action == ask.details.action,
        Grant.record == ask.details.identifier,
        Grant.issued_at >= row.resolved_at,
    )
    if any(_is_done(tx, each) for each in grants):
        return Doing.DONE
    still = tx.now - timedelta(seconds=SETTLE_GRACE)
    if any(each.expires_at > still and is_begun(tx, each) for each in grants):
        return Doing.BEGUN
    return Doing.NOT_BEGUN


def is_begun_or_done(reader: Reader, grant: Grant) -> bool:
    """Whether its system has told an intent under a grant, and not that nothing came of it."""
    return is_begun(reader, grant) or _is_done(reader, grant)


def is_begun(reader: Reader, grant: Grant) -> bool:
    """Whether an action was begun under a grant whose end its system has not told."""
    intents = Intents()
    for use in sorted(_uses(reader, grant), key=lambda each: each.entry):
        intents.told(use.id, UseStage(use.stage))
    return bool(intents)


def _is_done(reader: Reader, grant: Grant) -> bool:
    return any(
        use.stage == UseStage.RESULT and 200 <= (use.status or 0) < 300
        for use in _uses(reader, grant)
    )


def _uses(reader: Reader, grant: Grant) -> list[GrantUseRow]:
    # No use is recorded before its grant: whole ranges of entries are passed over.
    return reader.all(
        GrantUseRow, GrantUseRow.grant_id == grant.id, GrantUseRow.entry > (grant.entry or 0)
    )
