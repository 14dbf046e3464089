"""A case that does not go on says at which step, since when and why: no worker's log is needed."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio import activity, workflow
from temporalio.api.common.v1 import ActivityType
from temporalio.api.enums.v1 import PendingActivityState, PendingWorkflowTaskState
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.api.workflow.v1 import PendingActivityInfo, PendingWorkflowTaskInfo
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from placet.agent import ORCHESTRATION, governed
from placet.authority import _stuck
from placet.authority._stuck import Stuck, said_of, stuck
from placet.authority._temporal import Execution
from placet.model import CaseInput, CaseQuery, CaseView
from placet.payloads import Keyring
from placet.process import StepRequest
from placet.tokens import write_key_file
from tests.harness import parcels
from tests.harness.world import PASSPHRASE, World, temporal_server, until, world

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
WAITS = PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
RUNS = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
PAUSED = PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED
TOKEN = f"eyJ{'a' * 20}.eyJ{'b' * 20}.{'c' * 9}"


def pending(
    state: PendingActivityState.ValueType,
    attempt: int,
    due: int,
    last: int | None = None,
    name: str = "weigh",
    number: str = "1",
) -> PendingActivityInfo:
    """A step at an attempt: due so many seconds from noon, last tried until then."""
    told = PendingActivityInfo(
        activity_id=number,
        activity_type=ActivityType(name=name),
        state=state,
        attempt=attempt,
        last_failure=Failure(message="away"),
    )
    told.activity_options.task_queue.name = "scale"
    told.scheduled_time.FromDatetime(NOON + timedelta(seconds=due))
    if last is not None:
        told.last_attempt_complete_time.FromDatetime(NOON + timedelta(seconds=last))
    return told


def shown(*steps: PendingActivityInfo, task: PendingWorkflowTaskInfo | None = None) -> Execution:
    """A workflow as Temporal shows it."""
    return Execution(
        run_id="run",
        first_run_id="run",
        workflow_type="ParcelCheck",
        task_queue="orchestrator",
        running=True,
        status="RUNNING",
        activities=(),
        pending=steps,
        task=task,
    )


@pytest.mark.parametrize(
    ("step", "told"),
    [
        pytest.param(pending(RUNS, 1, -3000), None, id="runs-for-long"),
        pytest.param(pending(WAITS, 1, -59), None, id="was-not-taken-yet"),
        pytest.param(pending(WAITS, 1, -60), (0, -60, -60), id="nobody-takes-it"),
        pytest.param(pending(RUNS, 3, -10, -11), None, id="has-failed-twice"),
        pytest.param(pending(RUNS, 4, -10, -11), (3, None, None), id="has-failed-three-times"),
        pytest.param(pending(WAITS, 9, 20, -10), (8, None, None), id="fails-again-and-again"),
        pytest.param(pending(WAITS, 2, -30, -59), None, id="is-tried-again-soon"),
        pytest.param(pending(WAITS, 2, 3000, -60), (1, None, None), id="was-put-off-for-long"),
        pytest.param(pending(WAITS, 2, -60, -61), (1, None, -60), id="its-worker-died"),
        pytest.param(pending(PAUSED, 4, -60, -61), (3, None, -60), id="was-paused"),
    ],
)
def test_what_stands_and_what_only_takes_its_time(
    step: PendingActivityInfo, told: tuple[int, int | None, int | None] | None
) -> None:
    def moment(seconds: int | None) -> datetime | None:
        return None if seconds is None else NOON + timedelta(seconds=seconds)

    found = stuck(shown(step), NOON)
    if told is None:
        assert found is None
        return
    failures, since, untaken = told
    assert found == Stuck(
        place="run/1",
        step="weigh",
        agent="scale",
        failures=failures,
        since=moment(since),
        untaken_since=moment(untaken),
        failure=Failure(message="away") if failures else None,
    )


def test_of_several_it_is_always_the_same_one() -> None:
    """Temporal lists them in any order."""
    one, two = (pending(WAITS, 1, -60, number=each) for each in "12")
    assert stuck(shown(one, two), NOON) == stuck(shown(two, one), NOON)


@pytest.mark.parametrize(
    ("attempt", "due", "told"),
    [(1, -59, None), (1, -60, (0, True)), (3, -59, None), (4, -5, (3, False)), (5, -60, (4, True))],
)
def test_the_workflows_own_code_is_a_step_of_its_orchestrator(
    attempt: int, due: int, told: tuple[int, bool] | None
) -> None:
    task = PendingWorkflowTaskInfo(
        state=PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED, attempt=attempt
    )
    task.scheduled_time.FromDatetime(NOON + timedelta(seconds=due))
    found = stuck(shown(task=task), NOON)
    assert (found and (found.failures, found.untaken_since is not None)) == told
    assert found is None or (found.step, found.agent) == ("ParcelCheck", "orchestrator")


def test_hostile_words_are_shown_harmlessly() -> None:
    """I7, I12: no token, no control character, no end of line, and no more than fits."""
    info = ApplicationFailureInfo(type="Os\x1bError")
    failure = Failure(
        message=f"away\r\n \x1b]0;owned\x07 {TOKEN} {'ab' * 60} " + "w " * 400,
        application_failure_info=info,
        cause=Failure(message="never"),
    )
    said = said_of(failure, Keyring("case", ()))
    assert said is not None
    assert said.startswith("Os?Error: away ?]0;owned? [token] [hidden] w w")
    assert len(said) == 300
    sealed = Failure(message="Encoded failure", application_failure_info={"type": "OSError"})
    sealed.encoded_attributes.metadata["encoding"] = b"binary/placet-aes-gcm"
    assert said_of(sealed, Keyring("case", ())) == "OSError"
    found = stuck(shown(pending(WAITS, 1, -60, name="w\x1b[2J")), NOON)
    assert found is not None
    assert found.step == "?"


# --- for real -----------------------------------------------------------------------------------

AT_ALL: list[str] = []


@activity.defn(name="weigh")
@governed(action="parcel:weigh", system="authority")
async def broken_scale(request: StepRequest) -> None:
    """A step whose code fails at each try."""
    del request
    if AT_ALL:
        raise ApplicationError("it is\nno scale", type="ScaleRefused", non_retryable=True)
    raise OSError(f"the scale is away: {TOKEN}")


@workflow.defn(name="ParcelCheck")
class BrokenCheck(parcels.ParcelCheck):
    """A workflow whose own code fails."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Fail."""
        raise LookupError(f"no such step, {case.case}")


@pytest.fixture
async def w(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A world in which what does not go on at once stands still."""
    monkeypatch.setattr(_stuck, "AFTER", timedelta(0))
    async with temporal_server() as temporal, world(temporal, tmp_path) as made:
        yield made


async def _seen(w: World, case: str, what: Callable[[CaseView], object]) -> CaseView:
    async def look() -> CaseView | None:
        found = await w.people["una"].case(case)
        return found if what(found) else None

    return await until(look)


async def _standing(w: World) -> list[str]:
    return [each.id async for each in w.people["una"].case_lines(CaseQuery(standing=True))]


async def _placet(w: World, folder: Path, *command: str) -> str:
    key = folder / "una.key"
    if not key.exists():
        write_key_file(key, w.keys["una"], PASSPHRASE)
    told = {"ISSUER": w.issuer, "OPERATOR": "una", "KEY_FILE": key, "PASSPHRASE": PASSPHRASE}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "placet.cli", *command),
        env={**os.environ, **{f"PLACET_{name}": str(value) for name, value in told.items()}},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


async def test_a_step_that_fails_or_that_nobody_takes_is_named(w: World, tmp_path: Path) -> None:
    """With the last reason, until it goes on; nothing of it is on the ledger."""
    case = await w.open("depot/D1/parcel/7")
    untaken = await _seen(w, case, lambda each: each.standstill)
    assert untaken.standstill is not None
    assert untaken.standstill.said().startswith("nobody takes ParcelCheck since 20")
    async with w.workers(only=("orchestrator",)):
        await _seen(w, case, lambda each: each.standstill and each.standstill.step == "weigh")
        scale = await w.agent_client("scale")
        async with Worker(scale, task_queue="scale", activities=[broken_scale]):
            failing = await _seen(w, case, lambda each: each.standstill.failures > 3)
        assert failing.standstill is not None
        assert failing.status == "open"
        assert failing.standstill.agent == "scale"
        assert failing.opened_at <= failing.standstill.since
        assert failing.standstill.reason is not None
        assert failing.standstill.reason.startswith("OSError: the scale is away")
        assert await _standing(w) == [case]
        said = f"placet: {case}: stands still: weigh (of scale) has failed "
        shown = await _placet(w, tmp_path, "case", "show", case)
        assert said in shown
        assert "standstill  weigh (of scale) has failed" in shown
        assert said in await _placet(w, tmp_path, "case", "list", "--standing")
        assert (await w.admin.get("/v1/overview"))["standing"] == {"count": 1, "more": False}
        async with w.workers(only=("scale", "second-scale")):
            going = await _seen(w, case, lambda each: each.standstill is None)
        assert going.status == "open"
        assert await _standing(w) == []
    types = {each["type"] for each in await w.entries()}
    assert "case.stopped" not in types


async def test_a_workflow_that_failed_names_the_step(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger has names alone; what the step said is shown while the case is stopped."""
    monkeypatch.setattr("tests.authority.test_standstills.AT_ALL", ["fails"])
    case = await w.open("depot/D1/parcel/7")
    async with w.workers(only=("orchestrator",)):
        scale = await w.agent_client("scale")
        async with Worker(scale, task_queue="scale", activities=[broken_scale]):
            stopped = await _seen(w, case, lambda each: each.status == "stopped")
    why = "the workflow ended (FAILED) before its case was closed: weigh failed (ScaleRefused)"
    assert stopped.stopped_for == why
    assert [each["data"] for each in await w.entries("case.stopped")] == [{"reason": why}]
    assert stopped.standstill is not None
    assert stopped.standstill.said().startswith("weigh (of scale) failed for good at 20")
    assert stopped.standstill.said().endswith("ScaleRefused: it is no scale")
    await w.admin.act("case.end", case, {"reason": "the scale is no scale"})
    assert (await w.people["una"].case(case)).standstill is None


async def test_workflow_code_that_fails_is_named_and_people_are_told_once(
    w: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second case that stands at the same step is in the list; nobody is told of each."""
    monkeypatch.setattr(_stuck, "TRIES", 1)
    caplog.set_level(logging.INFO, "placet.authority.notices")
    orchestrating = Worker(
        await w.agent_client("orchestrator"),
        task_queue="orchestrator",
        workflows=[BrokenCheck],
        activities=list(ORCHESTRATION),
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with orchestrating:
        cases = [await w.open(f"depot/D1/parcel/{number}") for number in (7, 8)]
        for case in cases:
            found = await _seen(w, case, lambda each: each.standstill and each.standstill.reason)
            assert found.standstill is not None
            assert found.standstill.step == "ParcelCheck"
            assert found.standstill.reason == f"LookupError: no such step, {case}"
    assert sorted(await _standing(w)) == sorted(cases)
    told = [each.message for each in caplog.records if each.message.startswith("case.standing")]
    assert len(told) == 1
    assert told[0].removeprefix("case.standing ") in cases
