"""NHI5:2025 Overprivileged NHI: one action on one record, while that step runs."""

import pytest
from temporalio import activity

from tests.harness.raw import Reply, ask, details_of, rogue_worker
from tests.harness.world import World, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

MORE = {
    "another-record": {"record": "depot/D1/parcel/8"},
    "the-whole-depot": {"record": "depot/D1"},
    "another-action": {"action": "parcel:dispatch"},
    "another-system": {"system": "loan-servicing"},
    "another-agents-step": {"activity_type": "dispatch", "action": "parcel:dispatch"},
    "another-attempt": {"attempt": 2},
}


async def test_an_agent_gets_no_more_than_its_running_step(w: World) -> None:
    """I1, I2: whatever else it asks for under its own good key is denied and on the ledger."""
    answers: list[tuple[Reply, dict[str, Reply]]] = []

    async def probe(info: activity.Info) -> tuple[Reply, dict[str, Reply]]:
        wrong = {
            name: await ask(w, "scale", details_of(info, **more)) for name, more in MORE.items()
        }
        return await ask(w, "scale", details_of(info)), wrong

    async with (
        rogue_worker(w, "scale", "weigh", probe, answers),
        w.workers(only=("orchestrator",)),
    ):
        await w.open("depot/D1/parcel/7")

        async def asked() -> list[tuple[Reply, dict[str, Reply]]]:
            return answers

        ((good, wrong),) = await until(asked)
    assert good.status == 200
    assert good.body["expires_in"] <= 60
    assert {name: each.status for name, each in wrong.items()} == dict.fromkeys(MORE, 400)
    assert len(await w.entries("grant.denied")) == len(MORE)
