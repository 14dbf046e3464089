"""The owner of an identity changes while people are asked about it: whoever owns it now decides."""

from pathlib import Path

import pytest
from temporalio import activity

from placet.agent import governed
from placet.cli import begin_campaign
from placet.client import AuthorityError, OperatorClient
from placet.governance.steps import look_at_identity
from placet.model import (
    CheckpointView,
    Goal,
    Governance,
    IdentityRules,
    ImportedIdentity,
    PartRef,
    Reason,
    Verdict,
)
from placet.process import StepRequest
from tests.harness.logs import assert_holds, whole_log
from tests.harness.world import World, until
from tests.spine.test_identities import registration
from tests.spine.test_orders import OLD, keeping, ordered, published
from tests.spine.test_reviews import person, working
from tests.spine.test_reviews import published as reviews_published

pytestmark = pytest.mark.asyncio(loop_scope="module")
OLGA, OTTO, MIRA = "operator:olga", "operator:otto", "operator:mira"
BOT, KEY = "bot:nightly", "api-key:aws/one"
LEFT = Reason(reason="left the house")


async def _asks(w: World, who: str | None) -> CheckpointView:
    """The checkpoint that asks one person alone, or whoever has the role."""

    async def look() -> CheckpointView | None:
        for each in await w.people["una"].checkpoints("open"):
            view = await w.people["una"].checkpoint(each.id)
            if view.requirement.decided_by == who:
                return view
        return None

    return await until(look)


async def _decides_no_more(who: OperatorClient, view: CheckpointView) -> None:
    with pytest.raises(AuthorityError) as refused:
        await who.decide(view, Verdict.APPROVE)
    assert refused.value.status in {403, 409}


async def test_a_review_asks_whoever_owns_the_identity_by_now(w: World) -> None:
    """I5, I10: the deputy of an owner who left, and whom an administrator has named since."""
    async with (
        person(w, "olga", "identity-owner"),
        person(w, "otto", "identity-owner") as otto,
        person(w, "mira", "identity-owner") as mira,
    ):
        await reviews_published(w)
        said = registration(owner=OLGA, deputy=OTTO)
        await w.admin.act("identity.register", BOT, said)
        async with working(w):
            await begin_campaign(w.admin, "autumn", (BOT,))
            first = await _asks(w, OLGA)
            await w.admin.act("operator.offboard", OLGA, LEFT)
            second = await _asks(w, OTTO)
            assert (await otto.overview()).mine.count == 1
            await w.admin.act("identity.register", BOT, registration(owner=MIRA))
            third = await _asks(w, MIRA)
            assert (first.case, second.case) == (second.case, third.case)
            await _decides_no_more(otto, second)
            await mira.decide(third, Verdict.APPROVE)
            assert (await w.until_closed(third.case)).result == "kept"
    shown = await w.admin.registered(BOT)
    assert (shown.owner, shown.suspended_for) == (MIRA, None)
    voided = [each["data"] for each in await w.entries("checkpoint.voided")]
    assert [(each["checkpoint"], each["reasons"]) for each in voided] == [
        (first.id, ["owner_changed"]),
        (second.id, ["owner_changed"]),
    ]
    assert_holds(await whole_log(w.people["una"]))


async def test_who_leaves_right_after_the_look_is_not_asked(w: World) -> None:
    """I5, I10: the workflow has looked, and is about to ask; it looks again."""

    @activity.defn(name="look_at_identity")
    @governed(action="identity:look", system="authority")
    async def slow(request: StepRequest) -> PartRef:
        seen: PartRef = await look_at_identity(request)
        if not await w.entries("operator.offboarded"):
            await w.admin.act("operator.offboard", OLGA, LEFT)
        return seen

    async with (
        person(w, "olga", "identity-owner"),
        person(w, "otto", "identity-owner") as otto,
    ):
        await reviews_published(w)
        said = registration(owner=OLGA, deputy=OTTO)
        await w.admin.act("identity.register", BOT, said)
        async with working(w, slow):
            await begin_campaign(w.admin, "autumn", (BOT,))
            view = await _asks(w, OTTO)
            await otto.decide(view, Verdict.APPROVE)
            assert (await w.until_closed(view.case)).result == "kept"
    (voided,) = await w.entries("checkpoint.voided")
    assert voided["data"]["reasons"] == ["owner_changed"]
    assert_holds(await whole_log(w.people["una"]))


async def test_an_order_asks_whoever_owns_the_identity_by_now(w: World, tmp_path: Path) -> None:
    """I5, I10: the deputy of an owner who left; and where nobody owns it, whoever has the role."""
    rules = Governance(version=1, identities=IdentityRules(owner_grace_days=0))
    await w.admin.act("governance.publish", "governance", rules)
    async with (
        person(w, "olga", "identity-owner"),
        person(w, "otto", "identity-owner"),
        person(w, "mira", "identity-owner") as mira,
    ):
        await published(w)
        said = registration(owner=OLGA, deputy=OTTO, credential="api-key", credential_since=OLD)
        await w.admin.import_identities("aws", [ImportedIdentity(identity=KEY, said=said)])
        async with keeping(w, tmp_path):
            case = await ordered(w, w.admin, KEY, Goal.OFFBOARD)
            await _asks(w, OLGA)
            await w.admin.act("operator.offboard", OLGA, LEFT)
            await _asks(w, OTTO)
            await w.admin.act("operator.offboard", OTTO, LEFT)
            await mira.decide(await _asks(w, None), Verdict.APPROVE)
            assert (await w.until_closed(case)).result == "offboarded"
    assert_holds(await whole_log(w.people["una"]))


async def test_whoever_comes_to_own_what_nobody_owned_is_asked(w: World, tmp_path: Path) -> None:
    """I5, I10: till then whoever has the role was; of an order, who gave it confirms nothing."""
    async with (
        person(w, "olga", "identity-owner") as olga,
        person(w, "otto", "identity-owner") as otto,
        person(w, "mira", "identity-owner") as mira,
    ):
        await reviews_published(w)
        await w.admin.act("identity.register", BOT, registration(owner=None))
        async with working(w):
            await begin_campaign(w.admin, "autumn", (BOT,))
            anybodys = await _asks(w, None)
            await w.admin.act("identity.register", BOT, registration(owner=OLGA))
            await _decides_no_more(otto, anybodys)
            await olga.decide(await _asks(w, OLGA), Verdict.APPROVE)
            assert (await w.until_closed(anybodys.case)).result == "kept"
        await published(w)
        said = registration(owner=OLGA, credential="api-key", credential_since=OLD)
        await w.admin.import_identities("aws", [ImportedIdentity(identity=KEY, said=said)])
        async with keeping(w, tmp_path):
            case = await ordered(w, olga, KEY, Goal.OFFBOARD)
            others = await _asks(w, None)
            await w.admin.act("identity.register", KEY, said.model_copy(update={"owner": OTTO}))
            await _decides_no_more(mira, others)
            await otto.decide(await _asks(w, OTTO), Verdict.APPROVE)
            assert (await w.until_closed(case)).result == "offboarded"
    assert_holds(await whole_log(w.people["una"]))
