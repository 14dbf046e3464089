"""A case's whole time on the whole stack, on the real server as it skips it.

Nothing is simulated: signed acts over HTTP, governed steps under grants, people's decisions, the
ledger. One clock is everybody's: the wall's, as far ahead as time was skipped. The small server
that skips time for tests does not say which steps run, so no grant could be had with it (I1).
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import TimeSkippingConfig, WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionOptionsRequest
from temporalio.client import Client

from placet.audit import verify
from placet.cli import fetch_log
from placet.client import AuthorityError
from placet.model import Escalation, Need, Tier, TimeRule, Verdict
from tests.harness.processes import DEFINITION, matrix
from tests.harness.world import World, temporal_server, until, world

SHORTLY = timedelta(seconds=30)
REMINDED, ESCALATED, EXPIRED = timedelta(hours=1), timedelta(hours=2), timedelta(hours=3)
TIME = TimeRule(
    due=120,
    expires=180,
    reminders=(60,),
    escalations=(Escalation(after=120, roles=("chief",)),),
)


@dataclass
class Skipping:
    """A Temporal server that skips time, and the clock of everybody else."""

    temporal: Client
    ahead: timedelta = timedelta(0)

    def now(self) -> datetime:
        """The clock."""
        return datetime.now(UTC) + self.ahead

    async def to(self, moment: datetime, *cases: str) -> None:
        """Skip what these cases' timers wait for, and let time run to a moment for everybody.

        No worker may run meanwhile: a step that begins on one clock has no grant on the other, and
        a case in a step is not skipped.
        """
        fired = [await self._fired(case) for case in cases]
        for case in cases:
            options = UpdateWorkflowExecutionOptionsRequest(
                namespace="default",
                workflow_execution=WorkflowExecution(workflow_id=case),
                workflow_execution_options=WorkflowExecutionOptions(
                    time_skipping_config=TimeSkippingConfig(enabled=True, max_session_skip_count=1)
                ),
                update_mask=FieldMask(paths=["time_skipping_config"]),
            )
            await self.temporal.workflow_service.update_workflow_execution_options(options)

        async def skipped() -> bool:
            return all([await self._fired(c) > n for c, n in zip(cases, fired, strict=True)])

        await until(skipped)
        self.ahead += moment - self.now()

    async def _fired(self, case: str) -> int:
        events = (await self.temporal.get_workflow_handle(case).fetch_history()).events
        return [each.event_type for each in events].count(EventType.EVENT_TYPE_TIMER_FIRED)


@pytest.fixture
async def time() -> AsyncIterator[Skipping]:
    """Time that a test moves on."""
    async with temporal_server("frontend.WorkflowTimeSkippingEnabled=true") as temporal:
        yield Skipping(temporal)


async def _told(w: World, case: str) -> list[str]:
    entries = [each for each in await w.entries() if each.get("case") == case]
    return [each["type"] for each in entries if each["type"].startswith(("checkpoint", "decision"))]


async def waiting(w: World, *cases: str) -> bool:
    """Each of these cases waits for its timer, and for nothing else."""
    for case in cases:
        handle = await w.workflow(case)
        told = (await handle.describe()).raw_description
        if told.pending_activities or told.HasField("pending_workflow_task"):
            return False
        kinds = [each.event_type for each in (await handle.fetch_history()).events]
        begun = kinds.count(EventType.EVENT_TYPE_TIMER_STARTED)
        over = kinds.count(EventType.EVENT_TYPE_TIMER_FIRED)
        over += kinds.count(EventType.EVENT_TYPE_TIMER_CANCELED)
        if begun <= over:
            return False
    return True


async def test_a_real_case_is_reminded_of_escalates_and_ends_as_its_process_says(
    time: Skipping, tmp_path: Path
) -> None:
    """I4, I6, I11: each at its time and once; what was widened counts, and verifies afterwards."""
    alone = Tier(up_to=None, needs=(Need(roles=("clerk",), count=1),))
    rule = matrix().rules[0].model_copy(update={"time": TIME, "tiers": (alone,)})
    asked = matrix().model_copy(update={"version": 2, "rules": (rule, *matrix().rules[1:])})
    ending = tuple(
        each.model_copy(update={"expires_as": "returned"}) if each.name == "release" else each
        for each in DEFINITION.checkpoints
    )
    async with world(time.temporal, tmp_path, clock=time.now) as w:
        process = DEFINITION.model_copy(update={"version": 2, "checkpoints": ending})
        await w.admin.act("process.publish", process.name, process)
        await w.admin.act("matrix.publish", process.name, asked)
        async with w.workers():
            decided, forgotten = [await w.open(f"depot/D1/parcel/{n}") for n in (7, 8)]
            shown = await w.until_checkpoint(decided)
            opened = max(shown.opened_at, (await w.until_checkpoint(forgotten)).opened_at)
            await until(lambda: waiting(w, decided, forgotten))

        async def told(kind: str) -> bool:
            return all([kind in await _told(w, case) for case in (decided, forgotten)])

        await time.to(opened + REMINDED + SHORTLY, decided, forgotten)
        hal, amount = w.people["hal"], shown.evidence.proposal.amount
        async with w.workers():
            await until(lambda: told("checkpoint.reminded"))
            with pytest.raises(AuthorityError, match="none of the roles"):
                await hal.decide(shown, Verdict.APPROVE, amount=amount)
            await until(lambda: waiting(w, decided, forgotten))
        await time.to(opened + ESCALATED + SHORTLY, decided, forgotten)
        async with w.workers():
            await until(lambda: told("checkpoint.escalated"))
            await hal.decide(shown, Verdict.APPROVE, amount=amount)
            approved = await w.until_closed(decided)
            await until(lambda: waiting(w, forgotten))
        await time.to(opened + EXPIRED + SHORTLY, forgotten)
        async with w.workers():
            returned = await w.until_closed(forgotten)
        assert (approved.result, returned.result) == ("dispatched", "returned")
        assert await _told(w, decided) == [
            "checkpoint.opened",
            "checkpoint.reminded",
            "decision.refused",
            "checkpoint.escalated",
            "decision.recorded",
            "checkpoint.resolved",
        ]
        assert await _told(w, forgotten) == [
            "checkpoint.opened",
            "checkpoint.reminded",
            "checkpoint.escalated",
            "checkpoint.expired",
        ]
        assert verify(await fetch_log(w.people["una"])).troubles == ()
