"""What cases stand still for: a step that fails again and again, or that nobody takes.

1. It is what Temporal says, where the authority asks it anyway. It is on no ledger, since nothing
   rests on it: it stops no case and decides nothing.
2. It is kept while the case stands still, and no longer: so are the words in it (I7).
3. A look writes what has changed, in one transaction. People are told of the first case that stands
   at a step, not of each: a system of record that is away may hold up thousands.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlmodel import col
from temporalio.api.history.v1 import HistoryEvent

from placet.authority._alarms import as_seen, forget_standstill
from placet.authority._core import Core
from placet.authority._notices import put_notice
from placet.authority._registry import owner_of
from placet.authority._store import Case, Reader, StandstillRow, Tx
from placet.authority._stuck import (
    Stuck,
    failed,
    failed_task,
    lasts,
    said_of,
    scheduled,
    stuck,
)
from placet.authority._temporal import Execution, ExecutionNotFound
from placet.model import ADMINISTRATOR, Standstill
from placet.payloads import Keyring

_Changed = tuple[Case, StandstillRow | None]


class Standstills:
    """Keeps what cases stand still for."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def compare(self, looked: Sequence[tuple[Case, Execution]]) -> None:
        """Keep what has changed with open cases, as Temporal showed them just now.

        Raises:
            Unavailable: Temporal did not answer.
        """
        cases = [case.id for case, _ in looked]
        known = await self._core.store.read(lambda reader: _rows(reader, cases))
        changed: list[_Changed] = []
        for case, execution in looked:
            before = known.get(case.id)
            now = await self._now(case, execution, before)
            if (now and now.said_json) != (before and before.said_json):
                changed.append((case, now))
        if changed:
            await self._core.store.write(lambda tx: _keep(tx, changed))

    async def _now(
        self, case: Case, execution: Execution, before: StandstillRow | None
    ) -> StandstillRow | None:
        now = self._core.clock()
        found = stuck(execution, now)
        if found is None:
            return None
        if before is not None and before.place == found.place:
            told = Standstill.model_validate_json(before.said_json)
            since, reason, failure = told.since, told.reason, found.failure
            if told.failures == found.failures:
                failure = None  # of which it was said
        else:
            events = await self._newest(case, execution) if found.failures else ()
            since = found.since or scheduled(events, found) or now
            reason, failure = None, found.failure or failed_task(events)
        if not lasts(since, now):
            return None
        if failure is not None:
            reason = said_of(failure, await self._ring(case))
        return _row(case, found, since, reason)

    async def ended(self, case: Case, execution: Execution) -> tuple[str, Standstill] | None:
        """For which step's failure a workflow has failed: fit for the ledger, and in its own words.

        Raises:
            Unavailable: Temporal did not answer.
        """
        found = failed(execution, await self._newest(case, execution))
        if found is None:
            return None
        said = Standstill(
            step=found.step,
            agent=found.agent,
            since=found.at,
            reason=said_of(found.failure, await self._ring(case)),
            final=True,
        )
        return f"{found.step} failed" + (f" ({found.kind})" if found.kind else ""), said

    async def _newest(self, case: Case, execution: Execution) -> Sequence[HistoryEvent]:
        try:
            return await self._core.temporal.newest(case.workflow_id, execution.run_id)
        except ExecutionNotFound:
            return ()

    async def _ring(self, case: Case) -> Keyring:
        keys = self._core.keys.payloads
        return await self._core.store.read(lambda reader: keys.ring(reader, case.id))


def standstills_of(reader: Reader, cases: Sequence[str]) -> Mapping[str, Standstill]:
    """What these cases stand still for, those that do."""
    rows = _rows(reader, cases).items()
    return {case: Standstill.model_validate_json(row.said_json) for case, row in rows}


def keep_ended(tx: Tx, case: Case, said: Standstill) -> None:
    """Keep with a stopped case the step for whose failure its workflow has failed."""
    said_json = said.model_dump_json(exclude_none=True)
    tx.add(StandstillRow(case_id=case.id, step=said.step, place="", said_json=said_json))


def _rows(reader: Reader, cases: Sequence[str]) -> Mapping[str, StandstillRow]:
    rows = reader.all(StandstillRow, col(StandstillRow.case_id).in_(cases))
    return {row.case_id: row for row in rows}


def _row(case: Case, found: Stuck, since: datetime, reason: str | None) -> StandstillRow:
    said = Standstill(
        step=found.step,
        agent=found.agent,
        since=since,
        failures=found.failures,
        untaken_since=found.untaken_since,
        reason=reason,
    )
    said_json = said.model_dump_json(exclude_none=True)
    return StandstillRow(case_id=case.id, step=said.step, place=found.place, said_json=said_json)


def _keep(tx: Tx, changed: Sequence[_Changed]) -> None:
    for seen, row in changed:
        case = as_seen(tx, seen)
        if case is None:
            continue
        known = forget_standstill(tx, case.id)
        if row is not None:
            if not known and tx.first(StandstillRow, StandstillRow.step == row.step) is None:
                _tell(tx, case, row)
            tx.add(row)


def _tell(tx: Tx, case: Case, row: StandstillRow) -> None:
    said = Standstill.model_validate_json(row.said_json)
    owner = owner_of(tx, f"agent:{said.agent}")
    put_notice(
        tx,
        "case.standing",
        f"{case.id} {row.place}",
        case=case.id,
        record=case.subject,
        to=(f"role:{ADMINISTRATOR}", *((owner,) if owner else ())),
        data={"step": said.step, "agent": said.agent, "failures": said.failures},
    )
