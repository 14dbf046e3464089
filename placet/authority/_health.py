"""What the authority needs to work, and the numbers that are looked up when they are asked for."""

from sqlalchemy import literal, select

from placet.authority._core import Core
from placet.authority._counts import counter
from placet.authority._lists import CASES, LINES, STANDSTILLS
from placet.authority._store import OutboxRow, Reader, table_of
from placet.model import CaseStatus, CheckpointStatus
from placet.telemetry import Health, metrics

_OUTBOX = table_of(OutboxRow)


def health_of(core: Core) -> Health:
    """Ready: the store answers. Without Temporal no grant is issued, but people decide and act."""
    return Health({"store": core.store.head}, optional={"temporal": core.temporal.answers})


async def refresh_metrics(core: Core) -> None:
    """Look up what waits, and how long the ledger is.

    Raises:
        StoreUnavailable: the database could not be read.
    """
    now = core.clock()

    def look(reader: Reader) -> tuple[int, int, int, int, int]:
        count = counter(reader)
        lines = select(literal(1)).where(LINES.c.status == CheckpointStatus.OPEN.value)
        due = LINES.c.due_at
        waiting = select(literal(1)).where(_OUTBOX.c.done_at.is_(None))
        stopped = select(literal(1)).where(CASES.c.status == CaseStatus.STOPPED.value)
        return (
            count(lines).count,
            count(lines.where(due < literal(now, due.type))).count,
            count(waiting).count,
            count(stopped).count,
            count(select(literal(1)).select_from(STANDSTILLS)).count,
        )

    waiting, overdue, unheard, stopped, standing = await core.store.read(look)
    size, _root = await core.store.head()
    metrics.CHECKPOINTS.labels("waiting").set(waiting)
    metrics.CHECKPOINTS.labels("overdue").set(overdue)
    metrics.OUTBOX.set(unheard)
    metrics.CASES.labels("stopped").set(stopped)
    metrics.CASES.labels("standing").set(standing)
    metrics.LEDGER_ENTRIES.set(size)
    metrics.WRITES_WAITING.set(core.store.waiting())
