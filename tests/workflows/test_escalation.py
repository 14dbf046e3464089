"""A checkpoint that nobody answers, to its end, on a server that skips time.

The workflow, its timers, the store, the ledger and the rules are the real ones; the authority's
clock is the server's. The steps in between are simulated: agents' proofs go by the wall clock.
"""

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.common import RawValue
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from placet.audit import workflow_runner
from placet.authority import SigningKeys, Store, create_log
from placet.authority._counted import asked_of
from placet.authority._outcomes import outcome_of
from placet.authority._store import Case, Checkpoint, LedgerEntry, OutboxRow, Tx
from placet.authority._timing import advance, look_again_at
from placet.model import (
    AuthorityMatrix,
    CaseInput,
    Escalation,
    Outcome,
    TimeRule,
)
from placet.payloads import PLAIN
from placet.rules import entitled, schedule_of
from placet.tokens import SigningKey
from tests.harness.crowd import DIGEST, Asked, put
from tests.harness.parcels import ParcelCheck
from tests.harness.processes import matrix
from tests.harness.world import PASSPHRASE
from tests.workflows.simulator import skipping_server

QUEUES = ("orchestrator", "scale", "second-scale")
SUBJECT = "depot/D1/parcel/7"
PART = {"name": "weight", "record": SUBJECT, "digest": DIGEST}


def _matrix() -> AuthorityMatrix:
    """A clerk's for two hours, then a chief's as well; over after three."""
    usual = matrix()
    rule = usual.rules[0].model_copy(
        update={
            "time": TimeRule(
                due=120,
                expires=180,
                reminders=(60,),
                escalations=(Escalation(after=120, roles=("chief",)),),
            )
        }
    )
    return usual.model_copy(update={"rules": (rule,)})


@dataclass
class Floor:
    """The authority's store by the server's clock, and what the workflow asked of it."""

    environment: WorkflowEnvironment
    store: Store
    asked: Asked
    now: list[datetime] = field(default_factory=list)
    opened: int = 0
    looks: list[datetime] = field(default_factory=list)
    closed_as: str = ""

    async def answer(self, step: str, request: dict[str, Any]) -> Any:
        """What an agent, or the authority, answers."""
        self.now[:] = [await self.environment.get_current_time()]
        if step == "close_case":
            self.closed_as = request["result"]
            return request
        if step not in {"open_checkpoint", "read_outcome"}:
            return PART
        self.looks.append(self.now[0])
        outcome: Outcome = await self.store.write(self._look)
        return outcome.model_dump(mode="json", exclude_none=True)

    def _look(self, tx: Tx) -> Outcome:
        if tx.get(Checkpoint, self.asked.id) is None:
            put(tx, self.asked)
            self.opened += 1
        row, case = self.row(tx), tx.get(Case, self.asked.case)
        assert case is not None
        row = advance(tx, case, row, "grant")
        return look_again_at(row, outcome_of(row), tx.now)

    def row(self, tx: Any) -> Checkpoint:
        row = tx.get(Checkpoint, self.asked.id)
        assert row is not None
        found: Checkpoint = row
        return found

    async def may_decide(self, role: str) -> bool:
        """Whether someone in this role would be heard now."""
        row = await self.store.read(self.row)
        return entitled(asked_of(row), (f"operator:any-{role}",), (role,))

    async def told(self) -> list[tuple[str, datetime]]:
        """What the ledger says of the checkpoint, and when."""
        rows = await self.store.read(
            lambda reader: reader.all(
                LedgerEntry,
                LedgerEntry.case_id == self.asked.case,
                order_by=[LedgerEntry.index],
            )
        )
        return [(each.type, each.time) for each in rows]

    async def notices(self) -> list[tuple[str, list[str]]]:
        """Who is told of what."""
        rows = await self.store.read(
            lambda reader: reader.all(
                OutboxRow, OutboxRow.kind == "notice", order_by=[OutboxRow.id]
            )
        )
        told = [json.loads(each.payload_json) for each in rows]
        return [(each["kind"], each["to"]) for each in told]

    @contextlib.asynccontextmanager
    async def workers(self) -> AsyncIterator[None]:
        """One worker for each queue, which end with this."""

        @activity.defn(dynamic=True)
        async def step(arguments: Sequence[RawValue]) -> Any:
            request = json.loads(arguments[0].payload.data)
            return await self.answer(activity.info().activity_type, request)

        async with contextlib.AsyncExitStack() as stack:
            for queue in QUEUES:
                worker = Worker(
                    self.environment.client,
                    task_queue=queue,
                    activities=[step],
                    workflows=[ParcelCheck] if queue == "orchestrator" else [],
                    workflow_runner=workflow_runner(),
                    max_cached_workflows=0,  # the next worker is not waited for: none is stuck to
                )
                await stack.enter_async_context(worker)
            yield


@pytest.fixture
async def floor(tmp_path: Path) -> AsyncIterator[Floor]:
    """A clerk's checkpoint, asked under the lender's matrix when the server's clock says now."""
    async with contextlib.AsyncExitStack() as stack:
        environment = await stack.enter_async_context(
            await WorkflowEnvironment.start_time_skipping(
                test_server_existing_path=skipping_server(), data_converter=PLAIN
            )
        )
        now = [await environment.get_current_time()]
        url, origin = f"sqlite:///{tmp_path / 'authority.db'}", "authority.example"
        async with await Store.open(url, origin=origin) as first:
            await create_log(
                first, SigningKeys(PASSPHRASE), [("ada", SigningKey.generate().public)]
            )
        store = await Store.open(url, origin=origin, clock=lambda: now[0])
        await stack.enter_async_context(store)
        asked_by = _matrix()
        schedule = schedule_of(asked_by, asked_by.rules[0], now[0])
        assert schedule is not None
        asked = Asked(
            7,
            subject=SUBJECT,
            process="parcel-check",
            due=schedule.expires_at - now[0],
            now=now[0],
            schedule=schedule,
            expires_as="returned",
        )
        yield Floor(environment, store, asked, now)


async def test_nobody_decides_a_reminder_an_escalation_and_the_end_that_the_process_names(
    floor: Floor,
) -> None:
    """I6, I11: each once, at its time, though every worker is another one in the midst of it."""
    schedule = floor.asked.schedule
    assert schedule is not None
    (reminder,), (escalation,) = schedule.reminders, schedule.escalations
    moment = timedelta(seconds=30)
    async with floor.workers():
        handle = await floor.environment.client.start_workflow(
            ParcelCheck.run,
            CaseInput(case=floor.asked.case, subject=SUBJECT),
            id=floor.asked.case,
            task_queue="orchestrator",
        )
        await _until(floor, reminder + moment)
        assert [kind for kind, _ in await floor.told()] == ["checkpoint.reminded"]
        assert (await floor.may_decide("clerk"), await floor.may_decide("chief")) == (True, False)
    async with floor.workers():
        await _until(floor, escalation.at + moment)
        assert (await floor.may_decide("clerk"), await floor.may_decide("chief")) == (True, True)
    async with floor.workers():
        assert await handle.result() == "returned"
    assert (floor.closed_as, floor.opened) == ("returned", 1)
    planned = {
        "checkpoint.reminded": reminder,
        "checkpoint.escalated": escalation.at,
        "checkpoint.expired": schedule.expires_at,
    }
    told = await floor.told()
    assert [kind for kind, _ in told] == list(planned)
    assert all(timedelta(0) <= at - planned[kind] < moment for kind, at in told)
    assert await floor.notices() == [
        ("checkpoint.reminder", ["role:clerk"]),
        ("checkpoint.escalated", ["role:chief", "role:clerk"]),
        ("checkpoint.expired", ["operator:pat"]),
    ]


async def _until(floor: Floor, moment: datetime) -> None:
    """Let the server's time run to a moment."""
    await floor.environment.sleep(moment - await floor.environment.get_current_time())
