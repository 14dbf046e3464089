"""One case from its opening to its archive, on the real parts."""

from decimal import Decimal

import pytest

from placet.model import Verdict
from tests.harness.world import World
from tests.spine import both_databases

pytestmark = pytest.mark.asyncio(loop_scope="module")


@both_databases
async def test_a_case_is_weighed_approved_dispatched_and_archived(w: World) -> None:
    """I1, I4, I5, I13: the whole way, each step on the ledger."""
    async with w.workers():
        case = await w.open("depot/D1/parcel/7")
        checkpoint = await w.until_checkpoint(case)
        assert checkpoint.evidence.proposal.amount == Decimal("80.00")
        answer = await w.people["cleo"].decide(checkpoint, Verdict.APPROVE, amount=Decimal("80.00"))
        assert answer.outcome.status == "approved"
        closed = await w.until_closed(case)
        assert closed.result == "dispatched"
        await w.until_archived(case)
    types = [entry["type"] for entry in await w.entries() if entry.get("case") == case]
    for expected in (
        "case.opened",
        "case.started",
        "grant.issued",
        "grant.settled",
        "checkpoint.opened",
        "decision.recorded",
        "checkpoint.resolved",
        "case.closed",
        "case.archived",
    ):
        assert expected in types
    assert types.count("grant.issued") == types.count("grant.settled")
