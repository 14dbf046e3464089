"""What a step was given to read is what it says that it has read (I13)."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio import activity
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from placet.agent import CurrentGrant, current_grant, governed
from placet.model import PartRef, Proposal, Reason, digest_json
from placet.process import StepRequest
from tests.harness.parcel_work import Weight
from tests.harness.world import World, temporal_server, world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def w(tmp_path: Path) -> AsyncIterator[World]:
    """A world of its own."""
    async with temporal_server() as temporal, world(temporal, tmp_path) as made:
        yield made


@contextlib.asynccontextmanager
async def second_scale(w: World, body: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """The second scale's worker; its step does what a test says."""

    @activity.defn(name="reweigh")
    @governed(action="parcel:weigh", system="authority")
    async def run(request: StepRequest) -> PartRef:
        await body()
        same = Proposal(amount="80.00", requested="80.00", payments_digest=digest_json(["80.00"]))
        return current_grant().keep("second_weight", Weight(value="80.00"), same)

    client = await w.agent_client("second-scale")
    async with w.workers(only=("orchestrator", "scale")):
        async with Worker(client, task_queue="second-scale", activities=[run]):
            yield


async def test_a_renewed_grant_has_read_what_its_steps_earlier_grants_had(w: World) -> None:
    """I13: what a part was made from is whole, however often its step's grant was renewed."""

    async def reads_renews_and_renews() -> None:
        grant = current_grant()
        await grant.inputs("weight")
        for _ in range(2):  # as when its time is over, without the waiting
            await grant._take_next()  # pyright: ignore[reportPrivateUsage]

    async def fails_after_reading() -> None:
        if activity.info().attempt == 1:
            await current_grant().inputs("weight")
            raise RuntimeError("the scale is not level")

    (weighed,), read = await _settled_by_second_scale(w, reads_renews_and_renews, 30)
    assert read == [weighed]
    _, read = await _settled_by_second_scale(w, fails_after_reading, 31)
    assert read == []  # another attempt reads for itself


async def test_a_step_that_hides_what_it_was_given_is_not_settled(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I13: nor is one that never had the answer: it is tried again, and reads anew."""
    attempts: list[int] = []

    async def reads() -> None:
        attempts.append(activity.info().attempt)
        await current_grant().inputs("weight")

    second_scale_says(monkeypatch, lambda read: () if attempts == [1] else read)
    left, read = await _settled_by_second_scale(w, reads, 32)
    assert read == left
    assert attempts == [1, 2]


async def test_a_step_that_says_it_read_what_it_was_not_given_ends_there(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I13: people would be shown it as what the step's part was made from."""

    async def reads_nothing() -> None:
        return

    second_scale_says(monkeypatch, lambda _: (digest_json("what nobody left"),))
    async with second_scale(w, reads_nothing):
        handle = await w.workflow(await w.open("depot/D1/parcel/33"))
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    refused = failed.value.cause.__cause__
    assert isinstance(refused, ApplicationError)
    assert refused.type == "SettlementRefused"
    assert "has read what it was not given" in refused.message


def second_scale_says(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[tuple[str, ...]], tuple[str, ...]]
) -> None:
    """Have the second scale say something else of what it has read."""

    def read(grant: CurrentGrant) -> tuple[str, ...]:
        known: tuple[str, ...] = honest(grant)
        return say(known) if activity.info().activity_type == "reweigh" else known

    honest = vars(CurrentGrant)["given"].fget
    monkeypatch.setattr(CurrentGrant, "given", property(read))


async def _settled_by_second_scale(
    w: World, body: Callable[[], Awaitable[None]], parcel: int
) -> tuple[list[str], list[str]]:
    """What the first scale left, and what the second one's last settlement was made from."""
    async with second_scale(w, body):
        case = await w.open(f"depot/D1/parcel/{parcel}")
        checkpoint = await w.until_checkpoint(case)
        await w.admin.act("case.end", checkpoint.case, Reason(reason="the test has seen enough"))

    def of(agent: str, entries: list[dict[str, Any]]) -> dict[str, Any]:
        return [e["data"] for e in entries if (e["actor"], e["case"]) == (agent, case)][-1]

    settled = await w.entries("grant.settled")
    left = [part["digest"] for part in of("agent:scale", settled)["parts"]]
    return left, of("agent:second-scale", settled)["inputs"]
