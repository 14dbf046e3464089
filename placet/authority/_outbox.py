"""The outbox: what must reach Temporal. Written with the state it tells of, tried until it is done.

A bell is a signal without content (I5): it only makes the workflow look. Its row closes when the
outcome was read, not when Temporal took the signal, since a reset can lose a signal (I11).
"""

import json
import logging
from datetime import timedelta

from pydantic import JsonValue

from placet.authority._core import Core
from placet.authority._errors import Unavailable
from placet.authority._store import Case, OutboxRow, Tx
from placet.authority._temporal import ExecutionNotFound
from placet.kill import kill_point
from placet.model import canonical_json
from placet.telemetry import metrics

BELL = "checkpoint_bell"
ADMITTED = "case_admitted"
TOPIC = "outbox"
_TERMINATION = "termination"
_DOUBLINGS = 5
"""How often the wait before the next try doubles: each after that waits 32 seconds."""

_log = logging.getLogger("placet.authority.outbox")


def ring(tx: Tx, case: Case, checkpoint: str) -> None:
    """Put a bell for a checkpoint's outcome into the outbox."""
    put_signal(tx, case, BELL, f"bell/{checkpoint}")


def put_signal(tx: Tx, case: Case, signal: str, key: str) -> None:
    """Put a bare signal for a case's workflow into the outbox; once per key.

    A bell is for whichever run the case is in when it rings, any other for the run of now: one
    that continues it hears a bell instead.
    """
    told: dict[str, JsonValue] = {"signal": signal}
    if signal != BELL:
        told["run_id"] = case.run_id
    tx.add(
        OutboxRow(
            kind="signal",
            case_id=case.id,
            key=key,
            payload_json=canonical_json(told).decode(),
            created_at=tx.now,
            next_try_at=tx.now,
        )
    )
    tx.notify(TOPIC)


def put_termination(tx: Tx, case: Case, act: str) -> None:
    """Put the end of whatever runs for a case into the outbox: a person has said so, in an act."""
    tx.add(
        OutboxRow(
            kind=_TERMINATION,
            case_id=case.id,
            key=f"end/{act}",
            payload_json="{}",
            created_at=tx.now,
            next_try_at=tx.now,
        )
    )
    tx.notify(TOPIC)


def hear_bell(tx: Tx, checkpoint: str) -> None:
    """The outcome was read: no bell for it need ring any more."""
    for key in (f"bell/{checkpoint}", f"resubmitted/{checkpoint}"):
        row = tx.first(OutboxRow, OutboxRow.key == key)
        if row is not None and row.done_at is None:
            tx.change(OutboxRow, row.id, done_at=tx.now)


class Outbox:
    """Delivers what is due."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def deliver(self) -> int:
        """Deliver everything that is due now; how many rows were tried. None holds up another."""
        now = self._core.clock()
        due = await self._core.store.read(
            lambda reader: [
                (row, reader.get(Case, row.case_id or ""))
                for row in reader.all(
                    OutboxRow,
                    OutboxRow.kind != "notice",
                    OutboxRow.done_at.is_(None),  # type: ignore[union-attr]  # a column on the class
                    OutboxRow.next_try_at <= now,
                    order_by=[OutboxRow.id],
                    limit=100,
                )
            ]
        )
        for row, case in due:
            if case is not None:
                await self._deliver(row, case)
        return len(due)

    async def _deliver(self, row: OutboxRow, case: Case) -> None:
        try:
            done = await self._done(row, case)
        except Exception:  # noqa: BLE001 - one bad row must not hold up the others; it is logged and tried again
            metrics.JOB_FAILURES.inc()
            _log.exception("what waits for Temporal failed", extra={"case": case.id})
            done = False
        wait = timedelta(seconds=2 ** min(row.attempts, _DOUBLINGS))

        def keep(tx: Tx) -> None:
            current = tx.get(OutboxRow, row.id)
            if current is None or current.done_at is not None:
                return
            tx.change(
                OutboxRow,
                row.id,
                attempts=row.attempts + 1,
                next_try_at=tx.now + wait,
                done_at=tx.now if done else None,
            )

        await self._core.store.write(keep)

    async def _done(self, row: OutboxRow, case: Case) -> bool:
        """Try it; whether the row is done."""
        if row.kind == _TERMINATION:
            return await self._terminate(case)
        return case.closed_at is not None or await self._signal(row, case)

    async def _signal(self, row: OutboxRow, case: Case) -> bool:
        """Whether the row is done: a bell is not before its outcome was read."""
        if case.run_id is None:
            return False
        told = json.loads(row.payload_json)
        signal = told["signal"]
        own = told.get("run_id", case.run_id) == case.run_id
        try:
            await self._core.temporal.signal(
                workflow_id=case.workflow_id,
                run_id=case.run_id,
                name=signal if own else BELL,
                # A bell rings until its outcome is read; a run counts what else it hears.
                request_id=f"placet-outbox-{row.id}"
                + (f"-{row.attempts}" if signal == BELL else ""),
            )
        except ExecutionNotFound:
            _log.warning("Temporal has no running execution to signal", extra={"case": case.id})
            return False
        except Unavailable:
            _log.info("Temporal is away; the signal waits", extra={"case": case.id})
            return False
        kill_point("outbox.after-signal")
        return bool(signal != BELL)

    async def _terminate(self, case: Case) -> bool:
        """Whether nothing runs for the case any more."""
        try:
            await self._core.temporal.terminate(case.workflow_id)
        except ExecutionNotFound:
            pass  # it had ended by itself, or was terminated and the answer was lost
        except Unavailable:
            _log.info("Temporal is away; its workflow is terminated later", extra={"case": case.id})
            return False
        return True
