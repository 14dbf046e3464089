"""Steps of reviews and of orders: what they are refused, and what comes of what people said."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from placet.authority._campaigns import Campaigns
from placet.authority._carried_out import require_carried_out
from placet.authority._definitions import Definitions
from placet.authority._evidence import keep_part
from placet.authority._orders import Orders
from placet.authority._store import (
    Case,
    Checkpoint,
    Identity,
    OrderRow,
    Registered,
    Tx,
)
from placet.model import (
    ANOTHER_TRY,
    NARROW,
    RECERTIFICATION,
    REVIEW_PROCESS,
    ROTATION_PROCESS,
    CarriedOut,
    Evidence,
    Goal,
    Part,
    Proven,
    Reviewed,
    Standing,
    StartCampaign,
    ToolProof,
    ToolTask,
    canonical_json,
    spell_id,
)
from tests.harness.acting import Acting, acting
from tests.harness.crowd import Asked, number_id, parcel_case, put
from tests.harness.granting import Granted, enrolled, grant, proof
from tests.harness.processes import DEFINITION
from tests.spine.test_identities import registration

pytestmark = pytest.mark.asyncio(loop_scope="module")
REVIEWER, SCALE, BOT = "agent:identity-reviewer", "agent:scale", "bot:nightly"
WHY = {"reason": "a test"}
NO_ITEM = (404, "the case is about no identity of a campaign")
UNDONE = ("I13", "undone:authority")
UNDECIDED = (409, "the owner has not decided", "I5", "undecided")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Acting]:
    """An authority with identities of ours and of others, and a campaign on each of them."""
    async with acting(tmp_path_factory.mktemp("reviews")) as made:
        await made.act("ada", "process.publish", DEFINITION.name, DEFINITION)
        await made.enrol("bea", "administrator")
        for agent in (REVIEWER, SCALE):
            made.keys[agent] = await enrolled(made, agent)
        for name in ("nightly", "old"):
            said = registration().model_dump(mode="json", exclude_none=True)
            rows = [{"identity": f"bot:{name}", "said": said}]
            await made.act("ada", "identity.import", "iam", {"rows": rows})
        await start(made, "winter", BOT)
        yield made


# --- reviews -------------------------------------------------------------------------------------


async def start(at: Acting, campaign: str, *identities: str) -> None:
    await at.act("bea", "campaign.start", campaign, StartCampaign(identities=identities))


async def reviewing(
    at: Acting,
    number: int,
    subject: str,
    status: str = "open",
    reason: str | None = None,
    process: str = REVIEW_PROCESS,
) -> Granted:
    """A live grant in a case about it, whose owner was asked; or decided, if a status says so."""
    asked = Asked(
        number,
        process=process,
        name=RECERTIFICATION,
        subject=subject,
        status=status,
        now=at.core.clock(),
    )

    def ask(tx: Tx) -> Case:
        put(tx, asked)
        row, case = tx.get(Checkpoint, asked.id), tx.get(Case, asked.case)
        assert row is not None
        assert case is not None
        if reason is not None:
            said = (row.outcome_json or "").replace("{", f'{{"reason_code":"{reason}",', 1)
            tx.change(Checkpoint, row.id, outcome_json=said)
        return case

    case = await at.write(ask)
    key = at.keys[REVIEWER]
    granted = await grant(at, REVIEWER, key, case=case, action="identity:carry-out")
    if reason == NARROW:
        part = await look(at, granted)
        await at.write(lambda tx: _show(tx, asked, part))
    return granted


def _show(tx: Tx, asked: Asked, part: Part) -> None:
    """Let its owner have been shown what was told."""
    digest, row = (
        keep_part(tx, part, case=asked.case, author=REVIEWER),
        tx.get(Checkpoint, asked.id),
    )
    assert row is not None
    evidence = Evidence.model_validate_json(row.evidence_json)
    items = (evidence.items[0].model_copy(update={"digest": digest}),)
    shown = canonical_json(evidence.model_copy(update={"items": items})).decode()
    tx.change(Checkpoint, asked.id, evidence_json=shown)


async def close(at: Acting, case: str) -> None:
    """Its workflow has closed it."""
    now = at.core.clock()
    await at.write(lambda tx: tx.change(Case, case, status="closed", closed_at=now))


async def look(at: Acting, granted: Granted) -> Part:
    return await Campaigns(at.core, Definitions()).look(granted.claims(at), proof(at, granted.key))


async def carry_out(at: Acting, granted: Granted) -> CarriedOut:
    campaigns = Campaigns(at.core, Definitions())
    return await campaigns.carry_out(granted.claims(at), proof(at, granted.key))


@pytest.mark.parametrize(
    ("number", "subject"),
    [
        (101, "campaign/winter/identity/9"),
        (102, "campaign/winter/identity/one"),
        (103, "depot/D1/parcel/1"),
        (104, "campaign/winter"),
        (105, "campaign/winter/identity/01"),
        (106, "campaign/winter/other/1"),
    ],
)
async def test_a_case_about_no_identity_of_a_campaign_reviews_none(
    at: Acting, number: int, subject: str
) -> None:
    """I2: whatever record a process lets a case be about; each has one spelling."""
    granted = await reviewing(at, number, subject, "approved")
    async with at.refuses(*NO_ITEM):
        await look(at, granted)
    async with at.refuses(*NO_ITEM):
        await carry_out(at, granted)


async def test_nothing_follows_before_the_owner_has_decided_and_one_case_reviews(
    at: Acting,
) -> None:
    """I5, I11: not unasked, not while it is open; a second case waits until the first is closed."""
    await start(at, "spring", BOT)
    subject = "campaign/spring/identity/1"
    case = parcel_case(900, process=REVIEW_PROCESS, subject=subject)
    key = at.keys[REVIEWER]
    unasked = await grant(at, REVIEWER, key, case=case, action="identity:carry-out")
    async with at.refuses(*UNDECIDED):
        await carry_out(at, unasked)
    await close(at, case.id)
    first = await reviewing(at, 110, subject)
    await look(at, first)
    async with at.refuses(*UNDECIDED):
        await carry_out(at, first)
    second = await reviewing(at, 111, subject, "approved", process="another-review")
    busy = (409, f"{first.case} reviews this identity", "I11", "reviewed")
    async with at.refuses(*busy):
        await carry_out(at, second)
    await close(at, first.case)
    await look(at, second)  # the first case is over, so the second takes its place
    done = await carry_out(at, second)
    assert done.outcome is Reviewed.KEPT
    length = len(await at.entries())
    assert await carry_out(at, second) == done
    assert len(await at.entries()) == length
    async with at.refuses(409, "this identity was reviewed in this campaign", "I11", "reviewed"):
        await look(at, second)
    await close(at, second.case)
    third = await reviewing(at, 112, subject, "rejected")
    async with at.refuses(409, f"{second.case} reviews this identity", "I11", "reviewed"):
        await carry_out(at, third)


async def test_what_was_narrowed_stays_narrowed_and_an_end_is_an_end(at: Acting) -> None:
    """I10: a second review gives back no action that the first one took; then it is off."""
    key = at.keys[SCALE]
    used = await grant(at, SCALE, key, action="parcel:weigh")
    await start(at, "narrow", SCALE)
    done = await carry_out(
        at, await reviewing(at, 120, "campaign/narrow/identity/1", "rejected", NARROW)
    )
    assert (done.outcome, done.actions, done.revoked_grants) == (
        Reviewed.NARROWED,
        ("parcel:weigh",),
        1,
    )
    assert used.details.action in done.actions
    loads, sleeps = (
        DEFINITION.steps[0].model_copy(
            update={"activity_type": name, "action": f"parcel:{name}", "agent": agent}
        )
        for name, agent in (("load", "scale"), ("store", "sleeper"))
    )
    steps = (*DEFINITION.steps, loads, sleeps)
    more = DEFINITION.model_copy(update={"version": 2, "steps": steps})
    await at.act("ada", "process.publish", DEFINITION.name, more)
    await grant(at, SCALE, key, action="parcel:load")
    await start(at, "again", SCALE)
    again = await carry_out(
        at, await reviewing(at, 121, "campaign/again/identity/1", "rejected", NARROW)
    )
    assert again.actions == ("parcel:weigh",)
    await start(at, "end", SCALE)
    ended = await carry_out(at, await reviewing(at, 122, "campaign/end/identity/1", "rejected"))
    assert ended.outcome is Reviewed.ENDED
    known = await _known(at, SCALE)
    assert (known.status, known.status_by) == ("offboarded", "system:authority")


async def test_what_was_used_long_ago_is_not_used(at: Acting) -> None:
    """I10: who did nothing for as long as the rules name is left nothing by a narrowing."""
    agent = "agent:sleeper"
    key = await enrolled(at, agent)
    await grant(at, agent, key, action="parcel:store")
    at.now[0] += timedelta(days=91)
    await start(at, "asleep", agent)
    narrowed = await reviewing(at, 125, "campaign/asleep/identity/1", "rejected", NARROW)
    done = await carry_out(at, narrowed)
    assert (done.outcome, done.actions) == (Reviewed.NARROWED, ())


async def test_silence_suspends_nobody_back_in_who_has_left(at: Acting) -> None:
    """I10: an agent that was offboarded meanwhile is not merely suspended; another's is."""
    agent = "agent:leaver"
    await enrolled(at, agent)
    await start(at, "silent", agent, BOT)
    await at.act("ada", "agent.offboard", agent, WHY)
    for number, identity in ((1, agent), (2, BOT)):
        subject = f"campaign/silent/identity/{number}"
        done = await carry_out(at, await reviewing(at, 130 + number, subject, "expired"))
        assert (done.outcome, done.identity) == (Reviewed.SUSPENDED, identity)
    assert (await _known(at, agent)).status == "offboarded"
    bot = await at.core.store.read(lambda reader: reader.get(Registered, BOT))
    assert bot is not None
    assert bot.suspended_for == "review_unanswered"


async def test_a_review_closes_with_what_was_carried_out_in_it_and_with_nothing_else(
    at: Acting,
) -> None:
    """I10, I13: an agent that tells what came of it, and has not asked for that, has done nothing."""
    await start(at, "closing", BOT)
    granted = await reviewing(at, 140, "campaign/closing/identity/1", "approved")
    said = f"needs the review of {BOT} to have come to that"
    for result in Reviewed:
        async with at.refuses(409, f"{result} {said}", *UNDONE):
            await closing(at, granted, result)
    assert (await carry_out(at, granted)).outcome is Reviewed.KEPT
    for result in set(Reviewed) - {Reviewed.KEPT}:
        async with at.refuses(409, f"{result} {said}", *UNDONE):
            await closing(at, granted, result)
    await closing(at, granted, Reviewed.KEPT)
    subject = "campaign/closing/identity/1"
    other = await reviewing(at, 141, subject, "approved", process="another-review")
    await at.write(lambda tx: tx.change(Case, granted.case, process="the-review-before"))
    await at.write(lambda tx: tx.change(Case, other.case, process=REVIEW_PROCESS))
    async with at.refuses(409, f"kept {said}", *UNDONE):
        await closing(at, other, Reviewed.KEPT)


async def closing(at: Acting, granted: Granted, result: str) -> None:
    """Ask whether its case may close so."""

    def ask(tx: Tx) -> None:
        case = tx.get(Case, granted.case)
        assert case is not None
        require_carried_out(tx, case, result)

    await at.write(ask)


async def _known(at: Acting, principal: str) -> Identity:
    found = await at.core.store.read(lambda reader: reader.get(Identity, principal))
    assert found is not None
    return found


# --- orders --------------------------------------------------------------------------------------


def _order(number: int) -> str:
    return spell_id("order", number.to_bytes(16))


async def ordered(at: Acting, number: int, **more: Any) -> Granted:
    """A live grant in the case of an order to rotate."""
    record = f"identity-order/{_order(number)}"
    case = parcel_case(1000 + number, **{"process": ROTATION_PROCESS, "subject": record, **more})

    def put_order(tx: Tx) -> None:
        tx.add(
            OrderRow(
                id=_order(number),
                identity="bot:old",
                goal=Goal.ROTATE.value,
                source="iam",
                ordered_by="operator:ada",
                ordered_at=tx.now,
                entry=1,
                confirm=False,
            )
        )

    await at.write(put_order)
    key = at.keys[REVIEWER]
    return await grant(at, REVIEWER, key, case=case, action="identity:rotate")


async def begin(at: Acting, granted: Granted) -> ToolTask:
    return await Orders(at.core).begin(granted.claims(at), proof(at, granted.key))


async def prove(at: Acting, granted: Granted, told: ToolProof) -> Proven:
    return await Orders(at.core).prove(granted.claims(at), proof(at, granted.key), told)


def proven(authority: Acting, **changed: Any) -> ToolProof:
    """What a tool answers, with members changed."""
    said = {"credential": "AKIA-2", "at": authority.core.clock(), "earlier": Standing.DISABLED}
    return ToolProof.model_validate({**said, **changed})


@pytest.mark.parametrize(
    "changed",
    [
        {"process": "parcel-check"},
        {"subject": "depot/D1/parcel/1"},
        {"subject": f"identity-order/{_order(999)}"},
    ],
    ids=["another-process", "no-order", "an-unknown-order"],
)
async def test_a_case_of_another_process_or_about_no_order_calls_no_tool(
    at: Acting, changed: dict[str, str]
) -> None:
    """I2: an order is its own process's, whatever case names it."""
    numbers = {"parcel-check": 1, "depot/D1/parcel/1": 2}
    number = numbers.get(next(iter(changed.values())), 3)
    granted = await ordered(at, number, **changed)
    async with at.refuses(404, "the case is about no such order"):
        await begin(at, granted)
    async with at.refuses(404, "the case is about no such order"):
        await prove(at, granted, proven(at))


async def test_a_tool_is_begun_once_by_a_try_and_proves_what_it_did(at: Acting) -> None:
    """I11, I12: asked again the answer is the same; what nobody began, or proves nothing, is not
    taken, nor another proof once there is one."""
    granted = await ordered(at, 10)
    async with at.refuses(409, "this try did not call the tool", "I11", "not_begun"):
        await prove(at, granted, proven(at))
    begun = await begin(at, granted)
    length = len(await at.entries())
    assert (begun.tries, begun.unsure) == (1, False)
    assert await begin(at, granted) == begun
    assert len(await at.entries()) == length
    late = proven(at, at=at.core.clock() - timedelta(days=1))
    said = "the tool's answer proves nothing: at: before it was ordered"
    async with at.refuses(409, said, "I12", "no_proof"):
        await prove(at, granted, late)
    done = await prove(at, granted, proven(at))
    length = len(await at.entries())
    assert await prove(at, granted, done.proof) == done
    assert len(await at.entries()) == length
    async with at.refuses(409, "it was proven otherwise", "I11", "proven"):
        await prove(at, granted, proven(at, credential="AKIA-3"))
    assert (await begin(at, granted)).proof == done.proof


async def test_another_try_waits_for_a_persons_word(at: Acting) -> None:
    """I11: while people are asked, and have not said yes, nothing is called again."""
    first = await ordered(at, 11)
    await begin(at, first)
    case = await at.core.store.read(lambda reader: reader.get(Case, first.case))
    assert case is not None
    second = await grant(at, REVIEWER, first.key, case=case, action="identity:rotate")
    for status, unsure in ((None, True), ("open", True), ("rejected", True), ("approved", False)):
        if status is not None:
            await at.write(lambda tx, status=status: _ask(tx, first.case, status))
        assert (await begin(at, second)).unsure is unsure


def _ask(tx: Tx, case: str, status: str) -> None:
    checkpoint = number_id("ckpt", 700)
    if tx.get(Checkpoint, checkpoint) is None:
        put(tx, Asked(700, name=ANOTHER_TRY, process=ROTATION_PROCESS, now=tx.now))
    tx.change(Checkpoint, checkpoint, case_id=case, status=status, entry=10_000)


async def test_an_order_ends_with_its_case(at: Acting) -> None:
    """I5, I11: who may open a case, and may order nothing, has no ended order carried out in another."""
    first = await ordered(at, 14)
    await Orders(at.core).look(first.claims(at), proof(at, first.key))
    await close(at, first.case)
    another = parcel_case(1900, process=ROTATION_PROCESS, subject=first.details.identifier)
    second = await grant(at, REVIEWER, first.key, case=another, action="identity:rotate")
    asked = [
        lambda: Orders(at.core).look(second.claims(at), proof(at, second.key)),
        lambda: begin(at, second),
        lambda: prove(at, second, proven(at)),
    ]
    for each in asked:
        async with at.refuses(404, "the case is about no such order"):
            await each()


async def test_an_order_closes_as_done_once_it_is_proven(at: Acting) -> None:
    """I10, I13: an agent that has called no tool has rotated nothing; what it proved stands."""
    granted = await ordered(at, 13)
    await Orders(at.core).look(granted.claims(at), proof(at, granted.key))
    unproven = (409, "rotated needs a proof of the owner's tool for bot:old", *UNDONE)
    async with at.refuses(*unproven):
        await closing(at, granted, "rotated")
    await begin(at, granted)
    async with at.refuses(*unproven):
        await closing(at, granted, "rotated")
    await prove(at, granted, proven(at))
    for result in ("given_up", "too_many_rounds"):
        async with at.refuses(409, f"bot:old was rotated, and not {result}", *UNDONE):
            await closing(at, granted, result)
    await closing(at, granted, "rotated")


async def test_no_tool_is_begun_for_an_identity_that_has_ended(at: Acting) -> None:
    """I10: its credential is not made anew; a case closes so once it has ended, and not before."""
    granted = await ordered(at, 12)
    async with at.refuses(409, "ended_before needs bot:old to have ended, and it has not", *UNDONE):
        await closing(at, granted, "ended_before")
    await at.act("ada", "identity.end", "bot:old", WHY)
    await closing(at, granted, "ended_before")
    async with at.refuses(409, "the identity has ended", "I10", "past_end_date"):
        await begin(at, granted)
