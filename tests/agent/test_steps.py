"""A governed step from its queue to its end on the ledger, on the real parts."""

import asyncio
import contextlib
import dataclasses
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from placet.agent import PlacetPlugin, UngovernedActivity, current_grant, governed
from placet.model import Model
from placet.payloads import encrypting
from placet.process import StepRequest
from placet.tokens import SigningKey
from tests.agent.probing import step
from tests.agent.surroundings import SETTLEMENTS, TOKENS, Surroundings, surroundings
from tests.harness.reading import KeysOfStore
from tests.harness.world import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB = 1024 * 1024
COMPLETED = ("grant.settled", "completed")


class Weight(Model):
    """What a step leaves behind."""

    value: str


async def weighed(request: StepRequest) -> str:
    """The plainest step."""
    return "weighed"


class Runs:
    """A step's body that counts its runs."""

    def __init__(self) -> None:
        self.attempts: list[int] = []

    async def __call__(self, request: StepRequest) -> str:
        self.attempts.append(activity.info().attempt)
        return "weighed"


# --- what can't be governed -------------------------------------------------------------------


async def test_a_worker_with_an_ungoverned_activity_does_not_start(s: Surroundings) -> None:
    """I1: nobody forgets the mark."""

    @activity.defn
    async def weigh_in_secret(request: StepRequest) -> None:
        """Has no mark."""

    client = await s.client()
    with pytest.raises(UngovernedActivity, match="weigh_in_secret"):
        Worker(client, task_queue="scale", activities=[step(weighed), weigh_in_secret])


async def test_an_activity_in_a_thread_can_not_be_governed() -> None:
    """What would run beside the grant's context is refused when it is marked."""

    def weigh(request: StepRequest) -> None:
        """Is not async."""

    with pytest.raises(TypeError, match="weigh: a governed activity is async"):
        governed(action="parcel:weigh", system="depot")(weigh)


async def test_a_local_activity_is_refused(s: Surroundings) -> None:
    """I1: Temporal does not show a local activity, so nobody could say that it runs."""
    body = Runs()
    result, case = await s.run(body, "local")
    assert [each[0] for each in result["failed"]] == ["Ungoverned"]
    assert body.attempts == []
    assert await s.ends(case) == []


async def test_asynchronous_completion_is_refused(s: Surroundings) -> None:
    """I13: a result that comes from elsewhere is nobody's."""

    async def body(request: StepRequest) -> None:
        activity.raise_complete_async()

    result, case = await s.run(body)
    assert [each[:2] for each in result["failed"]] == [
        ["Ungoverned", "asynchronous completion can't be governed"]
    ]
    assert await s.ends(case) == [("grant.settled", "failed")]


# --- asking for the grant ---------------------------------------------------------------------


async def test_a_denial_is_terminal_and_says_why(s: Surroundings) -> None:
    """I2: the workflow learns the reasons, and nobody asks again."""
    body = Runs()
    result, case = await s.run(body, "stray")
    ((kind, message, reasons),) = result["failed"]
    assert (kind, reasons) == ("GrantDenied", ["I2", "out_of_scope"])
    assert message
    assert body.attempts == []
    denied = [each for each in await s.entries(case) if each["type"] == "grant.denied"]
    assert [each["data"]["reasons"] for each in denied] == [["I2", "out_of_scope"]]


async def test_an_authority_that_is_away_is_asked_again(s: Surroundings) -> None:
    """I4: work waits, and nothing is lost."""
    s.gate.away[TOKENS] = 2
    body = Runs()
    result, case = await s.run(body)
    assert result == "weighed"
    assert body.attempts == [3]
    assert await s.ends(case) == [COMPLETED]


async def test_steps_that_waited_longer_than_a_grant_lives_and_then_outlive_their_own(
    s: Surroundings, tmp_path: Path
) -> None:
    """I1: a grant is asked for when its step starts, and the next one when it is over first."""
    life = timedelta(seconds=5)

    async def passed(moment: datetime) -> bool:
        return datetime.now(UTC) > moment

    async def body(request: StepRequest) -> str:
        first = current_grant().id
        over = datetime.now(UTC) + life
        await current_grant().request("GET", "/fine")
        assert current_grant().id == first
        await until(lambda: passed(over))
        if request.record.endswith("/asks"):
            # A step's own requests never revoke each other's grant.
            await asyncio.gather(*(current_grant().request("GET", "/fine") for _ in range(5)))
            assert current_grant().id != first
        return "weighed"

    async with surroundings(s.temporal, tmp_path, grant_seconds=5) as short:
        async with short.working(None):
            handles = [await short.open("asks"), await short.open("rests")]
            scheduled = datetime.now(UTC)
            await until(lambda: passed(scheduled + life))
            async with short.working(body):
                assert [await short.ending(each) for each in handles] == ["weighed"] * 2
        for handle in handles:
            assert await short.ends(handle.id) == [("grant.revoked", None), COMPLETED]
            entries = await short.entries(handle.id)
            first, second = [e["data"] for e in entries if e["type"] == "grant.issued"]
            (settled,) = [e["data"] for e in entries if e["type"] == "grant.settled"]
            assert settled["grant"] == second["grant"] != first["grant"]


@pytest.mark.parametrize("wrong", ["clock", "key"])
async def test_a_worker_that_is_not_known_fails_no_case(
    s: Surroundings, wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    """I1: a wrong clock or key decides nothing about the step; it is said once, and tried again."""
    late = [timedelta(minutes=10)] if wrong == "clock" else []
    known = dataclasses.replace(s.config, key=SigningKey.generate()) if wrong == "key" else s.config
    body = Runs()

    async def tried_three_times() -> Any:
        found = await s.pending(handle)
        return found.last_failure if found is not None and found.attempt > 3 else None

    async with s.working(None):
        handle = await s.open()
        plugin = PlacetPlugin(known, clock=lambda: datetime.now(UTC) - sum(late, timedelta()))
        client = await Client.connect(s.address, plugins=[plugin])
        async with Worker(client, task_queue="scale", activities=[step(body)]):
            failure = await until(tried_three_times)
            if wrong == "clock":
                late.clear()
                assert await s.ending(handle) == "weighed"
        if wrong == "key":
            async with s.working(body):
                assert await s.ending(handle) == "weighed"
    assert failure.application_failure_info.type == "Unauthenticated"
    assert not failure.application_failure_info.non_retryable
    said = [each for each in caplog.records if "does not know this worker" in each.message]
    assert [(each.levelname, each.name) for each in said] == [("ERROR", "placet.agent")]
    assert await s.ends(handle.id) == [COMPLETED]


# --- what the step does -----------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 300_000, 3_000_000, 64 * MIB])
async def test_an_answer_of_any_size_is_read_to_its_end(s: Surroundings, size: int) -> None:
    """A packet's largest file comes in many pieces."""

    async def body(request: StepRequest) -> int:
        answer = await current_grant().request("GET", f"/large/{size}")
        assert answer.body == b"x" * size
        return len(answer.body)

    assert (await s.run(body))[0] == size


async def test_an_answer_that_is_too_large_is_not_taken_into_memory(s: Surroundings) -> None:
    """I12: the error names the system and the limit."""

    async def body(request: StepRequest) -> str:
        with pytest.raises(ApplicationError) as refused:
            await current_grant().request("GET", f"/large/{64 * MIB + 1}")
        return refused.value.message

    assert (await s.run(body))[0] == "depot answered more than 67108864 bytes"


async def test_a_steps_heartbeat_details_survive_the_workers_own_beats(s: Surroundings) -> None:
    """I11: the next attempt goes on where the last one was, also two attempts later."""
    seen: list[Any] = []
    handles: list[Any] = []

    async def beaten_since(moment: datetime) -> Any:
        found = await s.pending(handles[0])
        last = found.last_heartbeat_time.ToDatetime(tzinfo=UTC)
        return last if last > moment else None

    async def body(request: StepRequest) -> str:
        seen.append(list(activity.info().heartbeat_details))
        moment = activity.info().started_time
        if len(seen) == 1:
            activity.heartbeat({"page": 7}, b"and bytes")
            moment = await until(lambda: beaten_since(moment))
        if len(seen) < 3:
            await until(lambda: beaten_since(moment))
            raise ApplicationError("again")
        return "weighed"

    async with s.working(body):
        handles.append(await s.open())
        assert await s.ending(handles[0]) == "weighed"
    assert seen == [[], [{"page": 7}, b"and bytes"], [{"page": 7}, b"and bytes"]]


async def test_two_workers_on_one_client_end_each_for_itself(s: Surroundings) -> None:
    """The first worker's end does not take the second one's way to the authority."""
    client = await s.client()
    body = Runs()
    async with (
        s.working(None),
        Worker(client, task_queue="scale", activities=[step(body)]),
    ):
        async with Worker(client, task_queue="elsewhere", activities=[step(body)]):
            pass
        handle = await s.open()
        assert await s.ending(handle) == "weighed"
    assert body.attempts == [1]
    assert await s.ends(handle.id) == [COMPLETED]


async def test_a_step_on_a_worker_that_has_no_session_is_tried_again(s: Surroundings) -> None:
    """A worker that stops, or was put together wrongly, costs a try and never the case."""
    plugin = PlacetPlugin(s.config)
    converter = encrypting(KeysOfStore(s.settings), "scale")
    bare = await Client.connect(s.address, data_converter=converter)
    body = Runs()
    async with s.working(None):
        handle = await s.open()
        async with Worker(
            bare,
            task_queue="scale",
            activities=[step(body)],
            interceptors=plugin.interceptors or (),
        ):
            failure = await until(lambda: s.last_failure(handle))
        assert failure.application_failure_info.type == "Unavailable"
        assert not failure.application_failure_info.non_retryable
        assert body.attempts == []
        async with s.working(body):
            assert await s.ending(handle) == "weighed"


# --- settling ---------------------------------------------------------------------------------


async def test_a_settlement_waits_for_the_authority(s: Surroundings) -> None:
    """I4: the work is not done again because the authority was away for a moment."""
    s.gate.away[SETTLEMENTS] = 3
    body = Runs()
    result, case = await s.run(body)
    assert result == "weighed"
    assert body.attempts == [1]
    assert await s.ends(case) == [COMPLETED]


async def test_a_settlement_whose_answer_was_lost_counts_once(s: Surroundings) -> None:
    """I11: told again, it is answered the same."""
    s.gate.lost[SETTLEMENTS] = 2
    body = Runs()
    result, case = await s.run(body)
    assert result == "weighed"
    assert body.attempts == [1]
    assert await s.ends(case) == [COMPLETED]


async def test_a_settlement_ends_with_the_steps_time(s: Surroundings) -> None:
    """I4: no result leaves unsettled; Temporal hears why before it gives up, and tries again."""
    s.gate.away[SETTLEMENTS] = 1_000_000
    body = Runs()
    async with s.working(body):
        handle = await s.open("short")
        failure = await until(lambda: s.last_failure(handle))
        s.gate.open()
        assert await s.ending(handle) == "weighed"
    assert failure.application_failure_info.type == "Unavailable"
    said = await s.said(handle, failure)
    assert said.message == "the grant could not be settled in the step's time"
    assert len(body.attempts) == activity_attempts(await s.history(handle.id))
    assert (await s.ends(handle.id))[-1] == COMPLETED


def activity_attempts(history: str) -> int:
    """At which attempt the one activity was done."""
    events = json.loads(history)["events"]
    started = [each for each in events if "activityTaskStartedEventAttributes" in each]
    return int(started[-1]["activityTaskStartedEventAttributes"]["attempt"])


@pytest.mark.parametrize("text", ["x" * (3 * MIB), "€" * MIB], ids=["ascii", "not-ascii"])
async def test_large_settlements_at_once_all_arrive(s: Surroundings, text: str) -> None:
    """Steps that end together share requests, and no request is larger than the authority takes."""
    held = s.gate.held[SETTLEMENTS] = asyncio.Event()
    ended: list[str] = []

    async def body(request: StepRequest) -> None:
        current_grant().keep("weight", Weight(value=text))
        ended.append(request.case)

    async with s.working(body):
        handles = [await s.open() for _ in range(4)]

        async def all_ended() -> bool:
            return len(ended) == 4

        await until(all_ended)
        held.set()
        for handle in handles:
            await s.ending(handle)
    assert sorted(ended) == sorted(handle.id for handle in handles), "none was run again"
    assert [await s.ends(handle.id) for handle in handles] == [[COMPLETED]] * 4


_REFUSED = {
    "not-allowed": ({"colour": "red"}, "the process does not let this step produce colour"),
    "too-large": ({"weight": "x" * (4 * MIB)}, "part weight is larger than 4194304 bytes"),
    "beyond-a-request": ({"weight": "x" * (9 * MIB)}, "the body is larger than 8388608 bytes"),
}


@pytest.mark.parametrize("name", _REFUSED)
async def test_a_settlement_that_is_refused_for_good_ends_the_step(
    s: Surroundings, name: str
) -> None:
    """I4: the step has failed, says why, and is on the ledger as failed; nobody repeats it."""
    kept, why = _REFUSED[name]
    body = Runs()

    async def keeps(request: StepRequest) -> str:
        for part, value in kept.items():
            current_grant().keep(part, Weight(value=value))
        return await body(request)

    result, case = await s.run(keeps)
    ((kind, message, _),) = result["failed"]
    assert (kind, message) == ("SettlementRefused", f"the authority refused the settlement: {why}")
    assert body.attempts == [1]
    assert await s.ends(case) == [("grant.settled", "failed")]


async def test_a_settlement_that_is_refused_takes_no_other_with_it(s: Surroundings) -> None:
    """I12: what one step leaves in a wrong form is not its neighbours' trouble."""
    held = s.gate.held[SETTLEMENTS] = asyncio.Event()
    ended: list[str] = []

    async def body(request: StepRequest) -> str:
        large = request.record.endswith("/large")
        if large:
            current_grant().keep("weight", Weight(value="x" * (9 * MIB)))
        ended.append(request.record)
        return "weighed"

    async def all_ended() -> bool:
        return len(ended) == 4

    async with s.working(body):
        handles = [await s.open(parcel) for parcel in ("large", "1", "2", "3")]
        await until(all_ended)
        held.set()
        results = [await s.ending(handle) for handle in handles]
    assert results[0]["failed"][0][0] == "SettlementRefused"
    assert results[1:] == ["weighed"] * 3


async def test_a_cancelled_step_is_settled_as_cancelled(s: Surroundings) -> None:
    """Every grant ends on the ledger, also one whose step was told to stop."""
    waiting = asyncio.Event()

    async def body(request: StepRequest) -> None:
        waiting.set()
        await asyncio.Event().wait()

    async with s.working(body):
        handle = await s.open()
        await waiting.wait()
        await handle.cancel()
        assert (await s.ending(handle))["failed"] == [["CancelledError", "Cancelled", []]]
    assert await s.ends(handle.id) == [("grant.settled", "cancelled")]


async def test_a_step_that_does_not_end_when_cancelled_is_not_kept_alive(s: Surroundings) -> None:
    """The worker's own beats end with the cancellation, and Temporal gives the step up."""
    waiting, released = asyncio.Event(), asyncio.Event()

    async def body(request: StepRequest) -> None:
        waiting.set()
        while not released.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await released.wait()

    async with s.working(body):
        handle = await s.open()
        await waiting.wait()
        await handle.cancel()
        try:
            told = (await s.ending(handle))["failed"]
        finally:
            released.set()
    assert [each[0] for each in told] == ["TimeoutError"]


async def test_a_cancellation_does_not_tear_a_settlement_from_its_step(s: Surroundings) -> None:
    """I9: what was settled as completed is what Temporal hears, whenever the cancel comes."""
    held = s.gate.held[SETTLEMENTS] = asyncio.Event()
    cancelled = asyncio.Event()
    watching: list[Any] = []

    async def watch() -> None:
        await activity.wait_for_cancelled()
        cancelled.set()

    async def body(request: StepRequest) -> str:
        watching.append(asyncio.create_task(watch()))
        return "weighed"

    before = s.gate.seen[SETTLEMENTS]

    async def settling() -> bool:
        return s.gate.seen[SETTLEMENTS] > before

    async with s.working(body):
        handle = await s.open()
        await until(settling)
        await handle.cancel()
        await cancelled.wait()
        held.set()
        assert await s.ending(handle) == "weighed"
    assert await s.ends(handle.id) == [COMPLETED]
