"""What the authority needs to work, and the numbers that are looked up when they are asked for."""

from datetime import datetime, timedelta

from sqlalchemy import literal, select

from placet.authority._core import Core
from placet.authority._counts import counter
from placet.authority._lists import CASES, LINES, STANDSTILLS
from placet.authority._store import (
    LedgerEntry,
    OutboxRow,
    Reader,
    SignedHead,
    table_of,
)
from placet.model import CaseStatus, CheckpointStatus
from placet.telemetry import Health, metrics

_OUTBOX = table_of(OutboxRow)
_HEADS = table_of(SignedHead)
_SEALED_WITHIN = timedelta(hours=1)
"""How long after its close a case is archived at the latest, if nothing is wrong."""


def health_of(core: Core) -> Health:
    """Ready: the store answers.

    Without Temporal, or a signer, no grant is issued, but people decide and act.
    """
    optional = {"temporal": core.temporal.answers}
    if core.keys.elsewhere:
        optional["signer"] = lambda: core.keys.answers(core.clock())
    return Health({"store": core.store.head}, optional=optional)


async def refresh_metrics(core: Core) -> None:
    """Look up what waits, and how long the ledger is.

    Raises:
        StoreUnavailable: the database could not be read.
    """
    metrics.WRITES_WAITING.set(core.store.waiting())
    now = core.clock()

    def look(reader: Reader) -> tuple[int, int, int, int, int, int, float]:
        count = counter(reader)
        lines = select(literal(1)).where(LINES.c.status == CheckpointStatus.OPEN.value)
        due = LINES.c.due_at
        waiting = select(literal(1)).where(_OUTBOX.c.done_at.is_(None))
        stopped = select(literal(1)).where(CASES.c.status == CaseStatus.STOPPED.value)
        unarchived = select(literal(1)).where(
            CASES.c.status == CaseStatus.CLOSED.value,
            CASES.c.archived_at.is_(None),
            CASES.c.erased_at.is_(None),
            CASES.c.closed_at < now - _SEALED_WITHIN,
        )
        return (
            count(lines).count,
            count(lines.where(due < literal(now, due.type))).count,
            count(waiting).count,
            count(stopped).count,
            count(select(literal(1)).select_from(STANDSTILLS)).count,
            count(unarchived).count,
            _unsigned(reader, now),
        )

    found = await core.store.read(look)
    waiting, overdue, unheard, stopped, standing, unarchived, unsigned = found
    size, _root = await core.store.head()
    metrics.CHECKPOINTS.labels("waiting").set(waiting)
    metrics.CHECKPOINTS.labels("overdue").set(overdue)
    metrics.OUTBOX.set(unheard)
    metrics.CASES.labels("stopped").set(stopped)
    metrics.CASES.labels("standing").set(standing)
    metrics.CASES.labels("unarchived").set(unarchived)
    metrics.LEDGER_ENTRIES.set(size)
    metrics.UNSIGNED.set(unsigned)


def _unsigned(reader: Reader, now: datetime) -> float:
    """For how many seconds the oldest entry waits that no signed head covers."""
    signed = reader.scalar(select(_HEADS.c.size).order_by(_HEADS.c.size.desc()).limit(1)) or 0
    entry = reader.get(LedgerEntry, signed)
    return 0.0 if entry is None else max(0.0, (now - entry.time).total_seconds())
