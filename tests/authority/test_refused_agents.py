"""What agents and systems of record are refused once a grant has ended, or was never for that."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from placet.authority._definitions import Definitions
from placet.authority._key_ages import KeyAges
from placet.authority._payloads import PayloadService
from placet.authority._revoking import Revoking
from placet.authority._settlements import Settling
from placet.authority._store import Case, Grant, Registered
from placet.authority._uses import Uses
from placet.model import (
    AskKeys,
    GrantUses,
    Part,
    RotationClaims,
    SettlementAnswer,
    Settlements,
    SignedSettlement,
    UseClaims,
    UseStage,
    digest_json,
)
from placet.tokens import SigningKey, numeric_date, sign_grant, sign_rotation, sign_use
from tests.harness.acting import Acting, acting
from tests.harness.crowd import NOON, SALT
from tests.harness.granting import Granted, enrolled, grant, row_of, sender
from tests.harness.processes import DEFINITION

pytestmark = pytest.mark.asyncio(loop_scope="module")
SCALE, CARRIER, CUSTOMS = "agent:scale", "agent:carrier", "system:customs"
WHY = {"reason": "a test"}
UNREAD = "e30.e30.e30"
"""A client assertion: who sends is known already."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Acting]:
    """An authority with two agents, a system and the parcel process."""
    async with acting(tmp_path_factory.mktemp("agents")) as made:
        await made.act("ada", "process.publish", DEFINITION.name, DEFINITION)
        for principal in (SCALE, CARRIER, CUSTOMS):
            made.keys[principal] = await enrolled(made, principal)
        yield made


async def weighing(at: Acting, **more: Any) -> Granted:
    """A live grant for the first step."""
    return await grant(at, SCALE, at.keys[SCALE], **more)


# --- settling ------------------------------------------------------------------------------------


async def settle(at: Acting, granted: Granted, told: SignedSettlement) -> SettlementAnswer:
    """Settle it as its holder."""
    body = Settlements(client_assertion=UNREAD, settlements=(told,))
    settling = Settling(at.core, Definitions())
    answers = await settling.settle(sender(at, granted.agent, granted.key), body)
    return answers.settlements[0]


async def test_a_settlement_dated_before_its_grant_is_refused(at: Acting) -> None:
    """I12: an audit would find fault with the log for ever; one that is dated rightly counts."""
    granted = await weighing(at)
    await at.write(
        lambda tx: tx.change(Grant, granted.id, issued_at=tx.now + timedelta(seconds=121))
    )
    answer = await settle(at, granted, granted.settlement(at))
    assert (answer.status, answer.final) == ("refused", False)
    assert answer.reason == "it was signed before the grant was given"
    await at.write(lambda tx: tx.change(Grant, granted.id, issued_at=tx.now))
    assert (await settle(at, granted, granted.settlement(at))).status == "settled"


def part(record: str, salt: str = SALT) -> Part:
    """A weight of a record."""
    return Part(name="weight", record=record, salt=salt, data={"grams": 1})


async def test_a_settlement_is_told_once_and_another_is_refused(at: Acting) -> None:
    """I11: the same is answered the same; what else is said of the grant counts for nothing."""
    granted = await weighing(at)
    first = granted.settlement(at)
    assert (await settle(at, granted, first)).status == "settled"
    before, length = await at.rows(), len(await at.entries())
    again = await settle(at, granted, first)
    other = await settle(at, granted, granted.settlement(at, outcome="failed", error="it fell"))
    assert (again.status, other.status) == ("settled", "refused")
    assert other.reason == "the grant is already settled"
    assert (await at.rows(), len(await at.entries())) == (before, length)


@pytest.mark.parametrize("wrong", ["twice", "another-record", "no-step"])
async def test_a_part_is_left_once_by_its_step_about_its_record(at: Acting, wrong: str) -> None:
    """I13: nothing else is kept; it is refused for good."""
    granted = await weighing(at, step="steal" if wrong == "no-step" else "weigh")
    record = granted.details.identifier
    parts, said = {
        "twice": (
            (part(record), part(record, secrets.token_urlsafe(32))),
            "a part is named twice",
        ),
        "another-record": (
            (part("depot/D2/parcel/1"),),
            "part weight is about another record than the grant's",
        ),
        "no-step": ((part(record),), "the process has no such step"),
    }[wrong]
    before, length = await at.rows(), len(await at.entries())
    answer = await settle(at, granted, granted.settlement(at, parts=parts))
    assert (answer.status, answer.reason, answer.final) == ("refused", said, True)
    assert (await at.rows(), len(await at.entries())) == (before, length)


# --- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "status", "said", "reasons"),
    [
        ("another-agent", 404, "there is no such grant of this agent and key", ()),
        ("another-key", 404, "there is no such grant of this agent and key", ()),
        ("settled", 403, "the grant has ended", ("I1", "grant_ended")),
        ("expired", 403, "the grant has ended", ("I1", "grant_ended")),
        ("no-step", 403, "does not let this step read weight", ("I2", "not_an_input")),
        ("not-its-input", 403, "does not let this step read weight", ("I2", "not_an_input")),
    ],
)
async def test_settled_parts_are_read_under_a_live_grant_for_that(
    at: Acting, wrong: str, status: int, said: str, reasons: tuple[str, ...]
) -> None:
    """I2: what a case's other steps have left is shown to no other agent, and to none any more."""
    step = {"no-step": "steal", "not-its-input": "weigh"}.get(wrong, "reweigh")
    granted = await weighing(at, step=step, lasts=0 if wrong == "expired" else 60)
    if wrong == "settled":
        await settle(at, granted, granted.settlement(at))
    who = CARRIER if wrong == "another-agent" else SCALE
    proving = SigningKey.generate() if wrong == "another-key" else None
    async with at.refuses(status, said, *reasons):
        asks = sender(at, who, at.keys[who], proving)
        await Settling(at.core, Definitions()).inputs(asks, granted.id, "weight")


# --- off at once ---------------------------------------------------------------------------------


async def test_a_hold_ends_the_live_guarded_grants_on_its_record_and_below(at: Acting) -> None:
    """I10: at once, and no others: not a neighbour's whose name begins the same."""
    below, itself, beside, looking = [
        await grant(
            at, CARRIER, at.keys[CARRIER], record=record, guarded=guarded, action="parcel:dispatch"
        )
        for record, guarded in (
            ("depot/H1/parcel/1", True),
            ("depot/H1", True),
            ("depot/H10/parcel/1", True),
            ("depot/H1/parcel/2", False),
        )
    ]
    await at.act("ada", "hold.place", "depot/H1", WHY)
    for each in (below, itself):
        row = await row_of(at, each)
        assert (row.status, row.ended_for) == ("revoked", "hold")
    for each in (beside, looking):
        assert (await row_of(at, each)).status == "issued"
    told = [each["data"] for each in await at.entries() if each["type"] == "grant.revoked"]
    assert {each["grant"] for each in told if each["reason"] == "hold"} == {below.id, itself.id}


def _rotation(at: Acting, agent: str, key: SigningKey, following: SigningKey) -> str:
    claims = RotationClaims(
        iss=agent, aud=at.core.issuer, iat=numeric_date(at.core.clock()), sub=following.thumbprint
    )
    return sign_rotation(claims, key)


def _doors_of_agents(at: Acting, granted: Granted) -> Iterator[Awaitable[Any]]:
    """All that a worker asks with its key alone, or with a grant that it held."""
    agent, key, following = granted.agent, granted.key, SigningKey.generate()
    settling, ages = Settling(at.core, Definitions()), KeyAges(at.core)
    settled = Settlements(client_assertion=UNREAD, settlements=(granted.settlement(at),))
    yield settling.settle(sender(at, agent, key), settled)
    yield settling.inputs(sender(at, agent, key), granted.id, "weight")
    yield Revoking(at.core).revoke(sender(at, agent, key), "no.such.token")
    yield ages.standing(sender(at, agent, key))
    rotation = _rotation(at, agent, key, following)
    yield ages.rotate(sender(at, agent, key, following), rotation)
    payloads = PayloadService(at.core, Definitions())
    yield payloads.hand_out(sender(at, agent, key), granted.case, AskKeys())


@pytest.mark.parametrize(
    ("off", "changed", "reason"),
    [
        ("ended", {"ends_at": NOON}, "past_end_date"),
        ("unowned", {"owner": None}, "no_owner"),
        ("past-its-grace", {"owned_until": NOON}, "no_owner"),
    ],
)
async def test_an_agent_that_has_ended_or_has_no_owner_is_answered_nothing(
    at: Acting, off: str, changed: dict[str, Any], reason: str
) -> None:
    """I10: as one that is suspended, at every door; no grant is not all that its key opens."""
    agent = f"agent:{off}"
    key = await enrolled(at, agent)
    granted = await grant(at, agent, key, step="reweigh")
    await at.write(lambda tx: tx.change(Registered, agent, **changed))
    for asked in _doors_of_agents(at, granted):
        async with at.refuses(403, agent, "I10", reason):
            await asked


async def test_a_model_that_is_suspended_loses_its_live_grants_and_all_lose_theirs(
    at: Acting,
) -> None:
    """I10: one of them, or all; a step that asks none goes on."""
    one, two, none = [
        await weighing(at, **({} if model is None else {"model": model}))
        for model in ("small-1", "large-1", None)
    ]
    for model, expected in (
        ("small-1", ["revoked", "issued", "issued"]),
        ("*", ["revoked", "revoked", "issued"]),
    ):
        await at.act("ada", "model.suspend", model, WHY)
        last = (await at.entries())[-1]
        assert (last["type"], last["data"]["revoked_grants"]) == ("model.suspended", 1)
        assert [(await row_of(at, each)).status for each in (one, two, none)] == expected


# --- systems of record ---------------------------------------------------------------------------


async def customs_grant(at: Acting, **more: Any) -> Granted:
    """A live grant for what customs does."""
    return await grant(
        at, CARRIER, at.keys[CARRIER], system="customs", action="parcel:dispatch", **more
    )


async def use(
    at: Acting, granted: Granted, stage: UseStage, system: str = CUSTOMS, **changed: Any
) -> str | None:
    """Why customs, or another system, may not use it, if it may not."""
    said = {
        "iss": system,
        "aud": at.core.issuer,
        "iat": numeric_date(at.core.clock()),
        "jti": secrets.token_urlsafe(18),
        "sub": granted.id,
        "details_digest": digest_json(granted.details),
        "jkt": granted.key.thumbprint,
        "stage": stage,
        "action": granted.details.action,
        "record": granted.details.identifier,
        "status": 200,
        "used_at": numeric_date(at.core.clock()),
        **changed,
    }
    word = sign_use(UseClaims.model_validate(said), at.keys[system])
    body = GrantUses(client_assertion=UNREAD, uses=(word,))
    answer = await Uses(at.core).record(sender(at, system, at.keys[system]), body)
    return answer.refused.get(str(said["jti"]))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("revoked", "the grant is revoked"),
        ("expired", "the grant has expired"),
        ("stopped", "the case is not open"),
        ("held", "the record is on hold"),
        ("another-action", "the grant is for another action or record"),
        ("another-record", "the grant is for another action or record"),
    ],
)
async def test_an_intent_is_refused_once_its_grant_is_not_good_for_it(
    at: Acting, wrong: str, said: str
) -> None:
    """I4, I10: before anything is done; what is done already is told all the same."""
    granted = await customs_grant(at, lasts=0 if wrong == "expired" else 60)
    changed = {
        "another-action": {"action": "parcel:weigh"},
        "another-record": {"record": "depot/D2/parcel/1"},
    }.get(wrong, {})
    if wrong == "revoked":
        await at.write(lambda tx: tx.change(Grant, granted.id, status="revoked"))
    if wrong == "stopped":
        await at.write(lambda tx: tx.change(Case, granted.case, status="stopped"))
    if wrong == "held":
        await at.act("ada", "hold.place", granted.details.identifier, WHY)
    before, length = await at.rows(), len(await at.entries())
    assert await use(at, granted, UseStage.INTENT, **changed) == said
    assert (await at.rows(), len(await at.entries())) == (before, length)
    if not changed:
        assert await use(at, granted, UseStage.RESULT) is None


@pytest.mark.parametrize(
    ("told", "begun"),
    [
        (["intent-a", "result-a"], False),
        (["result-lost", "intent-b"], True),
        (["intent-b", "result-lost"], True),
        (["intent-b", "result-lost", "result-b"], False),
        (["intent-a", "intent-b", "result-b"], True),
        (["intent-a", "intent-b", "result-b", "result-a"], False),
        (["result-late", "intent-late"], False),
        (["result-late", "intent-late", "intent-b"], True),
        (["begun-a", "result-a"], False),
        (["begun-a", "ended-a"], False),
        (["intent-a", "ended-a"], False),
        (["ended-lost", "begun-b"], True),
        (["intent-a", "begun-b", "result-c"], True),
    ],
)
async def test_a_result_ends_the_intent_of_its_own_id(
    at: Acting, told: list[str], begun: bool
) -> None:
    """I11: one that comes late, of an intent that never came, ends none that is under way."""
    granted = await customs_grant(at, guarded=True)
    await at.write(lambda tx: tx.change(Grant, granted.id, entry=1))
    for each in told:
        ended = each.startswith(("result", "ended"))
        stage, status = (UseStage.RESULT, 503) if ended else (UseStage.INTENT, 0)
        assert await use(at, granted, stage, jti=f"{each}-{granted.id}", status=status) is None
    await at.write(lambda tx: tx.change(Grant, granted.id, status="revoked"))
    if begun:
        async with at.refuses(409, f"money may be moving: grant {granted.id}"):
            await at.act("ada", "case.end", granted.case, WHY)
    else:
        await at.act("ada", "case.end", granted.case, WHY)


async def test_no_use_is_taken_that_its_system_dates_before_its_grant(at: Acting) -> None:
    """I12: an audit would find fault with the log for ever."""
    granted = await customs_grant(at)
    then = numeric_date(at.core.clock())
    for stage in UseStage:
        said = await use(at, granted, stage, used_at=then - 121)
        assert said == "it was used before the grant was given"
        assert await use(at, granted, stage, used_at=then - 5) is None


async def test_a_grant_that_is_not_live_here_is_not_active(at: Acting) -> None:
    """I10: revoked, of a case that is not open, or of a database that was put back since."""

    async def active(granted: Granted) -> bool:
        claims = granted.claims(at)
        token = await at.core.keys.sign(at.core.clock(), lambda signer: sign_grant(claims, signer))
        asks = sender(at, CUSTOMS, at.keys[CUSTOMS])
        return (await Uses(at.core).introspect(asks, token)).active

    live, revoked, stopped, lost = [await customs_grant(at) for _ in range(4)]
    await at.write(lambda tx: tx.change(Grant, revoked.id, status="revoked"))
    await at.write(lambda tx: tx.change(Case, stopped.case, status="stopped"))
    await at.write(lambda tx: tx.remove(Grant, lost.id))
    assert [await active(each) for each in (live, revoked, stopped, lost)] == [
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("act", ["identity.end", "system.suspend", "system.offboard"])
async def test_a_system_that_is_off_is_told_and_believed_nothing(at: Acting, act: str) -> None:
    """I10: no revocations, no answer about a grant, and no use that it tells."""
    system = "system:" + act.replace(".", "-")
    key = at.keys[system] = await enrolled(at, system)
    granted = await grant(at, CARRIER, at.keys[CARRIER], system=system.removeprefix("system:"))
    assert (await Uses(at.core).revocations(sender(at, system, key), 0, 0)).complete
    await at.act("ada", act, system, WHY)
    reason = {"identity.end": "past_end_date"}.get(act, f"{act.partition('.')[2]}ed")
    for asked in (
        Uses(at.core).revocations(sender(at, system, key), 0, 0),
        Uses(at.core).introspect(sender(at, system, key), "no.such.token"),
        use(at, granted, UseStage.RESULT, system=system),
    ):
        async with at.refuses(403, system, "I10", reason):
            await asked
