"""NHI2:2025 Secret Leakage: what leaks is bound to a key that did not, and dies within a minute."""

from pathlib import Path

import pytest
from temporalio import activity

from placet.tokens import SigningKey
from tests.harness.raw import Reply, ask, call, details_of, rogue_worker
from tests.harness.world import World, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_leaked_token_opens_nothing_without_its_key(w: World, tmp_path: Path) -> None:
    """I7: a token from a log or a pipeline is of no use; and the database has none at all."""
    answers: list[tuple[str, list[Reply]]] = []
    thief = SigningKey.generate()

    async def probe(info: activity.Info) -> tuple[str, list[Reply]]:
        reply = await ask(w, "scale", details_of(info))
        token, case = str(reply.body["access_token"]), info.workflow_id
        tries = (("POST", f"/v1/cases/{case}/stop"), ("POST", f"/v1/cases/{case}/checkpoints"))
        return token, [
            await call(w, method, path, token, thief, {"reason": "x"}) for method, path in tries
        ]

    async with (
        rogue_worker(w, "scale", "weigh", probe, answers),
        w.workers(only=("orchestrator",)),
    ):
        await w.open("depot/D1/parcel/7")

        async def asked() -> list[tuple[str, list[Reply]]]:
            return answers

        ((token, replies),) = await until(asked)
    assert [each.status for each in replies] == [401, 401]
    assert all("another key" in str(each.body) for each in replies)
    stored = b"".join(each.read_bytes() for each in tmp_path.glob("authority.db*"))
    assert token.rpartition(".")[2].encode() not in stored
    assert token not in str(await w.entries())
