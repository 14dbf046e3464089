"""A step that outlives its grant: what its next grant carries on, and what it does not."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio import activity
from temporalio.worker import Worker

from placet.agent import current_grant, governed
from placet.model import PartRef, Proposal, Reason, digest_json
from placet.process import StepRequest
from tests.harness.parcels import Weight
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
