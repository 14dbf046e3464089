"""Break-glass: two people, a reason, a time limit, and a review that opens by itself."""

from pathlib import Path

import pytest

from placet.cli._fetch import fetch_log
from placet.client import AuthorityError, OperatorClient
from placet.model import (
    BreakGlass,
    CheckpointView,
    EnrolIdentity,
    Governance,
    Need,
    Verdict,
    digest_bytes,
)
from placet.tokens import SigningKey
from tests.authority.test_two_administrators import holds, troubles
from tests.harness import processes
from tests.harness.world import World, until
from tests.spine.test_reviews import on_a_terminal

pytestmark = pytest.mark.asyncio(loop_scope="module")


_FORGERIES = {
    "begun-by-someone-else": ("glass.broken", "operator:cleo", "act-refusable"),
    "begun-for-another": ("glass.broken", {"emergency": "ckpt-another"}, "emergency"),
    "by-another-deadline": ("checkpoint.opened", {"deadline": 1}, "deadline"),
    "on-other-evidence": (
        "checkpoint.opened",
        {"evidence_digest": digest_bytes(b"other")},
        "evidence-other",
    ),
    "never-begun": ("glass.broken", None, "emergency"),
    "reviewed-by-who-began-it": ("review.closed", "operator:dot", "act-refusable"),
    "another-review": ("review.closed", {"review": "review-another"}, "emergency"),
}


async def _hire(w: World, name: str, *roles: str) -> OperatorClient:
    key = SigningKey.generate()
    body = EnrolIdentity(jwk=key.public.jwk(), roles=roles)
    await w.admin.act("operator.enrol", f"operator:{name}", body)
    return OperatorClient(w.issuer, f"operator:{name}", key)


async def _rules(w: World, seconds: int = 3600) -> None:
    rule = BreakGlass(
        needs=(Need(roles=("duty",), count=2),), seconds=seconds, reviewers=("auditor",)
    )
    await w.admin.act("governance.publish", "governance", Governance(version=1, break_glass=rule))


async def _approve(client: OperatorClient, checkpoint: CheckpointView) -> None:
    amount = checkpoint.evidence.proposal.amount
    await client.decide(checkpoint, Verdict.APPROVE, amount=amount)


async def test_two_people_on_duty_approve_and_a_review_opens_by_itself(
    w: World, tmp_path: Path
) -> None:
    """I6: an emergency takes two other people, and someone independent looks at it afterwards."""
    await _rules(w)
    una = w.people["una"]
    async with await _hire(w, "dot", "duty") as dot, await _hire(w, "dan", "duty") as dan:
        async with w.workers():
            case = await w.open("depot/D1/parcel/7")
            asked = await w.until_checkpoint(case)
            with pytest.raises(AuthorityError) as refused:
                await w.people["cleo"].act("glass.break", asked.id, {"reason": "no"})
            assert refused.value.problem.reasons == ("role",)
            begun = await dot.act("glass.break", asked.id, {"reason": "the depot floods"})
            emergency = await una.checkpoint(begun.target)
            assert emergency.evidence_digest == asked.evidence_digest
            with pytest.raises(AuthorityError) as voided:
                await _approve(w.people["cleo"], asked)
            assert "not_open" in voided.value.problem.reasons
            (review,) = await una.reviews()
            assert review.checkpoint == emergency.id
            assert review.reason == "the depot floods"
            shown = await on_a_terminal(w, tmp_path, "una", "checkpoint", "show", emergency.id)
            assert "EMERGENCY until " in shown
            assert ", begun by operator:dot: the depot floods" in shown
            with pytest.raises(AuthorityError, match="not over"):
                await una.act("review.close", review.id, {"justified": True, "reason": "yes"})
            await _approve(dot, emergency)
            with pytest.raises(AuthorityError) as twice:
                await _approve(dot, emergency)
            assert "decided_already" in twice.value.problem.reasons
            await _approve(dan, emergency)
            await w.until_closed(case)
        with pytest.raises(AuthorityError) as own:
            await dan.act("review.close", review.id, {"justified": True, "reason": "mine"})
        assert own.value.problem.reasons == ("role",)
        await una.act("review.close", review.id, {"justified": True, "reason": "it flooded"})
        assert await una.reviews() == []
    assert [each["data"]["justified"] for each in await w.entries("review.closed")] == [True]
    assert await holds(una) == []
    files = await fetch_log(una)
    for name, (type_, change, trouble) in _FORGERIES.items():
        assert trouble in troubles(files, type_, change), name


async def test_an_emergency_is_reviewed_before_its_case_is_erased(w: World) -> None:
    """I6: two administrators leave the reviewer something to look at, and no words come after."""
    await _rules(w)
    una, now = w.people["una"], processes.matrix(2)
    await w.admin.act("matrix.publish", now.process, now.model_copy(update={"retention_days": 0}))
    async with (
        await _hire(w, "dot", "duty") as dot,
        await _hire(w, "dan", "duty") as dan,
        await _hire(w, "bea", "administrator") as bea,
    ):
        async with w.workers():
            case = await w.open("depot/D1/parcel/7")
            asked = await w.until_checkpoint(case)
            begun = await dot.act("glass.break", asked.id, {"reason": "the depot floods"})
            for each in (dot, dan):
                await _approve(each, await una.checkpoint(begun.target))
            await w.until_archived(case)
        (review,) = await una.reviews()
        with pytest.raises(AuthorityError, match=f"close its review first: {review.id}"):
            await w.admin.act("case.erase", case, {"reason": "it may go"})
        await una.act("review.close", review.id, {"justified": False, "reason": "it was dry"})
        await w.admin.act("case.erase", case, {"reason": "it may go"})
        (waiting,) = await bea.proposals()
        await bea.countersign(waiting)
        w.started.remove(case)  # nobody reads its history any more, to see whether it keeps secrets
    assert await holds(una) == []


async def test_an_emergency_bypasses_no_segregation(w: World) -> None:
    """I6: who opened the case begins no emergency for it, decides in none and reviews none."""
    await _rules(w)
    async with await _hire(w, "dot", "duty") as dot, w.workers():
        await w.admin.act(
            "operator.roles", "operator:pat", {"roles": ["auditor", "duty", "porter"]}
        )
        asked = await w.until_checkpoint(await w.open("depot/D1/parcel/7", by="pat"))
        pat = w.people["pat"]
        with pytest.raises(AuthorityError) as begun:
            await pat.act("glass.break", asked.id, {"reason": "mine"})
        assert begun.value.problem.reasons == ("segregation",)
        emergency = await dot.act("glass.break", asked.id, {"reason": "the depot floods"})
        with pytest.raises(AuthorityError) as decided:
            await _approve(pat, await pat.checkpoint(emergency.target))
        assert "segregation" in decided.value.problem.reasons
        rejected = await dot.checkpoint(emergency.target)
        await dot.decide(rejected, Verdict.REJECT, reason_code="not_an_emergency")
        (review,) = await pat.reviews()
        with pytest.raises(AuthorityError) as reviewed:
            await pat.act("review.close", review.id, {"justified": True, "reason": "mine"})
        assert reviewed.value.problem.reasons == ("segregation",)


async def test_an_emergency_that_nobody_used_in_time_is_over(w: World) -> None:
    """I6: after its time nobody decides in it, and what was asked before is asked again."""
    await _rules(w, seconds=3)
    una = w.people["una"]
    async with await _hire(w, "dot", "duty") as dot, w.workers():
        case = await w.open("depot/D1/parcel/7")
        asked = await w.until_checkpoint(case)
        begun = await dot.act("glass.break", asked.id, {"reason": "the depot floods"})

        async def again() -> CheckpointView | None:
            found = await una.checkpoints("open", case)
            return next((each for each in found if each.id != begun.target), None)

        restored = await until(again)
        assert restored.requirement == asked.requirement
        assert restored.deadline == asked.deadline
        with pytest.raises(AuthorityError):
            await _approve(dot, await dot.checkpoint(begun.target))
        assert len(await una.reviews()) == 1  # visible until someone looked
    assert await holds(una) == []
