"""Large amounts want a fresh sign-in (I6)."""

from decimal import Decimal

import pytest

from placet.client import AuthorityError
from placet.model import Governance, StepUp, Verdict
from tests.authority.test_two_administrators import holds
from tests.harness.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_large_amount_wants_a_fresh_sign_in(w: World) -> None:
    """I6: who signed in too long ago is told what is needed, and then it counts."""
    async with w.workers():
        checkpoint = await w.until_checkpoint(await w.open("depot/D1/parcel/7"))
        amount = checkpoint.evidence.proposal.amount
        assert amount is not None
        rules = Governance(version=1, step_up=StepUp(above=amount - Decimal("0.01")))
        await w.admin.act("governance.publish", "governance", rules)
        cleo = w.people["cleo"]  # has signed nothing in: no sign-in of theirs is known
        with pytest.raises(AuthorityError, match="sign in") as refused:
            await cleo.decide(checkpoint, Verdict.APPROVE, amount=amount)
        assert refused.value.problem.reasons == ("I6", "step_up")
        await cleo.sign_in_again()
        await cleo.decide(checkpoint, Verdict.APPROVE, amount=amount)
    (recorded,) = await w.entries("decision.recorded")
    assert recorded["data"]["signed_in_at"] is not None
    assert await holds(w.people["una"]) == []


async def test_a_small_amount_wants_none(w: World) -> None:
    async with w.workers():
        checkpoint = await w.until_checkpoint(await w.open("depot/D1/parcel/7"))
        amount = checkpoint.evidence.proposal.amount
        assert amount is not None
        rules = Governance(version=1, step_up=StepUp(above=amount))
        await w.admin.act("governance.publish", "governance", rules)
        await w.people["cleo"].decide(checkpoint, Verdict.APPROVE, amount=amount)
