"""People are told that a checkpoint waits, and that it was decided: each once."""

import pytest

from placet.authority import Store
from placet.authority._store import OutboxRow
from placet.model import Verdict
from tests.harness.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_checkpoint_tells_that_it_waits_and_what_became_of_it(w: World) -> None:
    """I11: one notice for one thing, however often the workflow asks."""
    async with w.workers():
        case = await w.open("depot/D1/parcel/7")
        checkpoint = await w.until_checkpoint(case)
        amount = checkpoint.evidence.proposal.amount
        await w.people["cleo"].decide(checkpoint, Verdict.APPROVE, amount=amount)
        await w.until_closed(case)
    async with await Store.open(w.settings.database_url, origin=w.settings.origin) as store:
        rows = await store.read(lambda r: r.all(OutboxRow, OutboxRow.kind == "notice"))
    keys = [row.key for row in rows]
    assert sorted(keys) == [
        f"notice/checkpoint.decided/{checkpoint.id}",
        f"notice/checkpoint.waiting/{checkpoint.id}",
    ]
