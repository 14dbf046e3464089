"""What a turned orchestrator, or an agent under review, makes of what people have signed."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.worker import Worker

from placet.agent import governed
from placet.cli import begin_campaign
from placet.governance import IdentityOffboarding, IdentityReview
from placet.governance._requests import ReviewEnd, SeenOrder
from placet.governance.keeping import Tools, keeper_activities
from placet.governance.steps import carry_out_review, look_at_identity
from placet.model import CheckpointView, Goal, ImportedIdentity, PartRef, Reason, Verdict
from placet.process import StepRequest
from tests.admitting import admit
from tests.harness.logs import assert_holds, whole_log
from tests.harness.turned_governance import AsksSomeoneElse, AsksTheOwnerAgain, LetsItFall
from tests.harness.world import World, until
from tests.spine.test_identities import registration
from tests.spine.test_orders import OLD, ordered
from tests.spine.test_orders import published as orders_published
from tests.spine.test_reviews import person
from tests.spine.test_reviews import published as reviews_published

pytestmark = pytest.mark.asyncio(loop_scope="module")
OLGA, BOT, KEEPER, KEY = "operator:olga", "bot:nightly", "agent:identity-keeper", "api-key:aws/one"
WHY = Reason(reason="a key was lost")


@contextlib.asynccontextmanager
async def working(
    w: World, workflows: Sequence[type], **of: Sequence[Callable[..., Any]]
) -> AsyncIterator[None]:
    """Who orders the steps, with this code, and the agents who do them."""
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(w.workers(workflows=workflows, only=("orchestrator",)))
        for name, activities in of.items():
            agent = f"identity-{name}"
            client = await w.agent_client(agent)
            worker = Worker(client, task_queue=agent, activities=list(activities))
            await stack.enter_async_context(worker)
        yield


async def asks(w: World, name: str) -> CheckpointView:
    """The open checkpoint of a name."""

    async def look() -> CheckpointView | None:
        found = [each for each in await w.people["una"].checkpoints("open") if each.name == name]
        return await w.people["una"].checkpoint(found[0].id) if found else None

    return await until(look)


async def times_asked(w: World) -> int:
    return len(await w.entries("checkpoint.opened"))


async def test_an_owner_who_has_answered_is_not_asked_again_nor_by_silence(w: World) -> None:
    """I5, I11: however the identity has changed since; silence would take the place of a word."""

    @activity.defn(name="look_at_identity")
    @governed(action="identity:look", system="authority")
    async def looks(request: StepRequest) -> PartRef:
        if await times_asked(w):
            said = registration(owner=OLGA, purpose="something else")
            await w.admin.act("identity.register", BOT, said)
        seen: PartRef = await look_at_identity(request)
        return seen

    async with person(w, "olga", "identity-owner") as olga:
        await reviews_published(w)
        await w.admin.act("identity.register", BOT, registration(owner=OLGA))
        async with working(w, (AsksTheOwnerAgain,), reviewer=(looks, carry_out_review)):
            await begin_campaign(w.admin, "autumn", (BOT,))
            first = await asks(w, "recertification")
            await olga.decide(first, Verdict.APPROVE)
            assert (await w.until_closed(first.case)).result == "kept"
    assert await times_asked(w) == 1
    assert_holds(await whole_log(w.people["una"]))


async def test_an_owners_word_does_not_fall_with_its_case(w: World) -> None:
    """I5, I10: what an owner has ended is ended before its case closes, whatever it closes with."""
    async with person(w, "olga", "identity-owner") as olga:
        await reviews_published(w)
        await w.admin.act("identity.register", BOT, registration(owner=OLGA))
        steps = (look_at_identity, carry_out_review)
        async with working(w, (LetsItFall,), reviewer=steps):
            await begin_campaign(w.admin, "autumn", (BOT,))
            view = await asks(w, "recertification")
            await olga.decide(view, Verdict.REJECT, reason_code="end")

            async def stopped() -> str | None:
                return (await w.people["una"].case(view.case)).stopped_for

            assert "undone:authority" in await until(stopped)


async def test_who_has_said_no_to_an_order_is_not_passed_over_for_someone_else(
    w: World, tmp_path: Path
) -> None:
    """I5, I11: the order has ended, whatever its inventory tells since."""
    look, *_ = keeper_activities(Tools())

    @activity.defn(name="look_at_order")
    @governed(action="identity:order", system="authority")
    async def looks(request: StepRequest) -> SeenOrder:
        if await times_asked(w):
            row = ImportedIdentity(identity=KEY, said=said, last_used=OLD + timedelta(days=1))
            await w.admin.import_identities("aws", [row])
        seen: SeenOrder = await look(request)
        return seen

    async with (
        person(w, "olga", "identity-owner") as olga,
        person(w, "otto", "identity-owner") as otto,
    ):
        await orders_published(w)
        said = registration(owner=OLGA, credential="api-key", credential_since=OLD)
        await w.admin.import_identities("aws", [ImportedIdentity(identity=KEY, said=said)])
        async with working(w, (AsksSomeoneElse,), keeper=(looks,)):
            case = await ordered(w, olga, KEY, Goal.OFFBOARD)
            view = await asks(w, "confirmation")
            await otto.decide(view, Verdict.REJECT, reason_code="in_use")
            assert (await w.until_closed(case)).result == "rejected"
    assert await times_asked(w) == 1
    assert_holds(await whole_log(w.people["una"]))


async def test_who_may_decide_nothing_more_keeps_nothing_more(w: World) -> None:
    """I5, I10: suspended after the word, and before it is carried out; resumed, it counts again."""

    @activity.defn(name="carry_out_review")
    @governed(action="identity:carry-out", system="authority")
    async def carries_out_late(request: StepRequest) -> ReviewEnd:
        if not await w.entries("operator.suspended"):
            await w.admin.act("operator.suspend", OLGA, WHY)
        done: ReviewEnd = await carry_out_review(request)
        return done

    async with person(w, "olga", "identity-owner") as olga:
        await reviews_published(w)
        await w.admin.act("identity.register", BOT, registration(owner=OLGA))
        steps = (look_at_identity, carries_out_late)
        async with working(w, (IdentityReview,), reviewer=steps):
            await begin_campaign(w.admin, "autumn", (BOT,))
            view = await asks(w, "recertification")
            await olga.decide(view, Verdict.APPROVE)

            async def stopped() -> str | None:
                return (await w.people["una"].case(view.case)).stopped_for

            assert "I5, approver_not_active" in await until(stopped)
            assert not await w.entries("identity.reviewed")
            await w.admin.act("operator.resume", OLGA, WHY)
            await admit(w.admin, view.case, "she is back")
            assert (await w.until_closed(view.case)).result == "kept"
    assert_holds(await whole_log(w.people["una"]))


async def test_an_owner_leaves_what_was_used_when_they_were_shown_it(w: World) -> None:
    """I5, I10: what its agent does afterwards, before that is carried out, gives it nothing back."""
    look, *_ = keeper_activities(Tools())

    @activity.defn(name="carry_out_review")
    @governed(action="identity:carry-out", system="authority")
    async def carries_out_late(request: StepRequest) -> ReviewEnd:
        await ordered(w, w.admin, KEY, Goal.OFFBOARD)
        await asks(w, "confirmation")
        done: ReviewEnd = await carry_out_review(request)
        return done

    async with person(w, "olga", "identity-owner") as olga:
        await orders_published(w)
        await reviews_published(w)
        said = registration(owner=OLGA, credential="api-key", credential_since=OLD)
        await w.admin.import_identities("aws", [ImportedIdentity(identity=KEY, said=said)])
        await w.admin.act("identity.register", KEEPER, registration(owner=OLGA))
        workflows = (IdentityReview, IdentityOffboarding)
        steps = (look_at_identity, carries_out_late)
        async with working(w, workflows, reviewer=steps, keeper=(look,)):
            await begin_campaign(w.admin, "autumn", (KEEPER,))
            view = await asks(w, "recertification")
            await olga.decide(view, Verdict.REJECT, reason_code="narrow")
            assert (await w.until_closed(view.case)).result == "narrowed"
    assert (await w.admin.registered(KEEPER)).narrowed_to == ()
    assert_holds(await whole_log(w.people["una"]))
