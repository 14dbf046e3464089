"""What workflow code can't get by asking people otherwise than the process has it."""

import pytest

from placet.model import Verdict
from tests.harness.bypasses import AsksAgain, AsksUnconfirmed, ClaimsItWasSent
from tests.harness.world import World, until

pytestmark = pytest.mark.asyncio(loop_scope="module")
SUBJECT = "depot/D1/parcel/7"


@pytest.mark.parametrize("verdict", [Verdict.REJECT, Verdict.RETURN])
async def test_what_people_said_of_this_evidence_stays(w: World, verdict: Verdict) -> None:
    """I6: nobody else is asked on the same evidence until somebody says yes."""
    async with w.workers(workflows=(AsksAgain,)):
        case = await w.open(SUBJECT)
        checkpoint = await w.until_checkpoint(case)
        await w.people["cleo"].decide(checkpoint, verdict, reason_code="not_right")
        closed = await w.until_closed(case)
    assert closed.result == {Verdict.REJECT: "rejected", Verdict.RETURN: "returned"}[verdict]
    assert len(await w.people["una"].checkpoints(case=case)) == 1


async def test_one_agent_alone_brings_nothing_before_people(w: World) -> None:
    """I3, I13: what a second agent must confirm is not asked for on the first one's word."""
    async with w.workers(workflows=(AsksUnconfirmed,)):
        case = await w.open(SUBJECT)

        async def stopped() -> bool:
            return (await w.people["una"].case(case)).status == "stopped"

        await until(stopped)
    assert await w.people["una"].checkpoints(case=case) == []


async def test_a_case_closes_with_nothing_that_its_record_does_not_show(w: World) -> None:
    """I9: the workflow's word is no result; its case is stopped for a person to look."""
    async with w.workers(workflows=(ClaimsItWasSent,)):
        case = await w.open(SUBJECT)

        async def stopped() -> bool:
            return (await w.people["una"].case(case)).status == "stopped"

        await until(stopped)
    assert (await w.people["una"].case(case)).result is None
    assert await w.entries("case.closed") == []
