"""Asks for grants that what Temporal shows, or how the case stands, does not bear out."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from placet.authority._cases import Cases
from placet.authority._checkpoints import Checkpoints
from placet.authority._definitions import Definitions
from placet.authority._evidence import pack
from placet.authority._facts import FetchedFacts
from placet.authority._judging import Judge
from placet.authority._running_steps import Ask, Denial
from placet.authority._store import Case, CaseRun, Grant, GrantUseRow, PartRow, Registered, Tx
from placet.authority._temporal import Execution, RunningActivity
from placet.model import EnrolIdentity, Part, PublishPolicy, RequestedDetails, StopCase, system_urn
from placet.tokens import GrantClaims, SigningKey
from tests.harness.acting import Acting, acting
from tests.harness.crowd import NOON, SALT, Asked, number_id, parcel_case, put
from tests.harness.granting import Granted, enrolled, grant, proof, sender
from tests.harness.processes import DEFINITION, POLICIES, SCHEMA, matrix

pytestmark = pytest.mark.asyncio(loop_scope="module")
SCALE, ORCHESTRATOR, LATE = "agent:scale", "agent:orchestrator", "agent:carrier"
WHY = {"reason": "a test"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Acting]:
    """An authority with the parcel process and its agents."""
    async with acting(tmp_path_factory.mktemp("steps")) as made:
        await made.act("ada", "process.publish", DEFINITION.name, DEFINITION)
        await made.act("ada", "matrix.publish", DEFINITION.name, matrix())
        body = PublishPolicy(policies=POLICIES, cedar_schema=SCHEMA)
        await made.act("ada", "policy.publish", DEFINITION.name, body)
        for agent in (SCALE, ORCHESTRATOR, LATE):
            made.keys[agent] = await enrolled(made, agent)
        yield made


def running(step: str = "weigh", agent: str = "scale", **changed: Any) -> Execution:
    """A case's execution with one step that runs, with members changed."""
    activity = RunningActivity("7", step, 1, NOON, agent, None)
    activity = replace(activity, **changed.pop("activity", {}))
    plain = Execution("first", "first", "ParcelCheck", "orchestrator", True, "RUNNING", (activity,))
    return replace(plain, **changed)


async def opened(at: Acting, number: int, **more: Any) -> Case:
    """A case in the store, whose first run is its own."""
    case = parcel_case(number, **{"first_run_id": "first", **more})
    await at.write(lambda tx: tx.add(case))
    return case


def asked(case: str, record: str, step: str = "weigh", **changed: Any) -> RequestedDetails:
    """What an agent asks for, with members changed."""
    action = "parcel:weigh" if step == "weigh" else "checkpoint:open"
    activity = {
        "workflow_id": case,
        "run_id": "first",
        "activity_id": "7",
        "activity_type": step,
        "attempt": 1,
        **changed.pop("activity", {}),
    }
    said = {
        "locations": [system_urn("authority")],
        "actions": [action],
        "identifier": record,
        "case": case,
        "activity": activity,
        **changed,
    }
    return RequestedDetails.model_validate(said)


async def judge(
    at: Acting,
    agent: str,
    details: RequestedDetails,
    shown: Execution | None,
    facts: FetchedFacts = FetchedFacts(),  # noqa: B008 - it is frozen
) -> tuple[str, ...]:
    """Why it is denied; nothing if it is granted."""
    asks = sender(at, agent, at.keys[agent])
    ask = Ask(asks, details, facts, shown)
    answer = await at.write(lambda tx: Judge(at.core, Definitions()).decide(tx, ask))
    assert isinstance(answer, GrantClaims | Denial)
    return answer.reasons if isinstance(answer, Denial) else ()


async def now(at: Acting, case: Case) -> Case:
    """The case as it is now."""
    found = await at.core.store.read(lambda reader: reader.get(Case, case.id))
    assert found is not None
    return found


async def told(at: Acting, case: Case) -> list[str]:
    """The types of the entries about a case."""
    return [each["type"] for each in await at.entries() if each.get("case") == case.id]


_DENIED: dict[str, tuple[dict[str, Any], Execution | None, tuple[str, ...], str]] = {
    "good": ({}, running(), (), "open"),
    "names-a-model": ({"model": "small-1"}, running(), ("I1", "model"), "open"),
    "ended": ({}, running(running=False), ("I1", "workflow_status"), "open"),
    "another-type": (
        {},
        running(activity={"activity_type": "reweigh"}),
        ("I1", "activity_type"),
        "open",
    ),
    "another-queue": (
        {},
        running(activity={"task_queue": "carrier"}),
        ("I1", "task_queue"),
        "open",
    ),
    "not-this-one": ({}, running(activity={"activity_id": "8"}), ("I1", "not_running"), "open"),
    "of-another-first-run": ({}, running(first_run_id="x"), ("I1", "execution"), "stopped"),
    "of-another-run": ({}, running(run_id="x"), ("I1", "execution"), "stopped"),
    "gone": ({}, None, ("I1", "execution"), "stopped"),
}


@pytest.mark.parametrize("name", _DENIED)
async def test_a_grant_is_of_the_step_that_runs_as_temporal_shows_it(at: Acting, name: str) -> None:
    """I1: whatever else the asker says; another execution stops the case."""
    changed, shown, reasons, status = _DENIED[name]
    case = await opened(at, 10 + list(_DENIED).index(name))
    assert await judge(at, SCALE, asked(case.id, case.subject, **changed), shown) == reasons
    assert (await now(at, case)).status == status
    alarm = ["case.alarm"] if shown is not None else []
    stopped = [*alarm, "case.stopped"] if status == "stopped" else []
    assert await told(at, case) == [*stopped, "grant.denied" if reasons else "grant.issued"]


async def test_a_case_that_is_opening_waits_and_one_that_is_closed_tells_of_another_run(
    at: Acting,
) -> None:
    """I1: the one is asked for again; of the other, people are told that someone has reset it."""
    opening = await opened(at, 30, status="opening")
    details = asked(opening.id, opening.subject)
    async with at.refuses(503, "the case is just being opened; ask again"):
        await judge(at, SCALE, details, running())
    closed = await opened(at, 31, status="closed", closed_at=at.core.clock())
    details = asked(closed.id, closed.subject)
    shown = running(run_id="second")
    for _ in range(2):
        assert await judge(at, SCALE, details, shown) == ("I1", "case_status", "case_closed")
    assert await told(at, closed) == ["case.alarm", "grant.denied", "grant.denied"]


async def test_a_run_that_was_the_cases_own_when_temporal_was_asked_stops_nothing(
    at: Acting,
) -> None:
    """I1: it is asked again; one that was met and never admitted stops the case."""
    for number, admitted in ((40, True), (41, False)):
        case = await opened(at, number, run_id="second")

        def earlier(tx: Tx, of: str = case.id, own: bool = admitted) -> None:
            tx.add(CaseRun(case_id=of, run_id="first", seq=0, admitted=own, at=tx.now))

        await at.write(earlier)
        details = asked(case.id, case.subject)
        if admitted:
            async with at.refuses(503, "the case goes on in another run than Temporal showed"):
                await judge(at, SCALE, details, running())
        else:
            assert await judge(at, SCALE, details, running()) == ("I1", "execution")
            assert (await now(at, case)).status == "stopped"


async def test_a_review_takes_the_actions_away_that_it_does_not_leave(at: Acting) -> None:
    """I10: what it leaves goes on."""
    for number, left, reasons in (
        (50, '["parcel:weigh"]', ()),
        (51, '["parcel:load"]', ("I10", "narrowed")),
        (52, None, ()),
    ):
        await at.write(lambda tx, left=left: tx.change(Registered, SCALE, narrowed_json=left))
        case = await opened(at, number)
        assert await judge(at, SCALE, asked(case.id, case.subject), running()) == reasons


_STOPS = {
    "its-running-step": ({}, running("open_checkpoint", "orchestrator"), "stopped"),
    "no-step": (
        {"activity": {"activity_type": "steal"}},
        running("open_checkpoint", "orchestrator"),
        "open",
    ),
    "another-action": (
        {"actions": ["case:close"]},
        running("open_checkpoint", "orchestrator"),
        "open",
    ),
    "no-running-workflow": (
        {},
        running("open_checkpoint", "orchestrator", running=False),
        "open",
    ),
    "no-running-step": (
        {"activity": {"activity_id": "8"}},
        running("open_checkpoint", "orchestrator"),
        "open",
    ),
}


async def test_a_suspended_orchestrators_key_stops_the_cases_whose_steps_run_alone(
    at: Acting,
) -> None:
    """I10: whoever has stolen it can't stop every case by asking for what does not run."""
    await at.act("ada", "agent.suspend", ORCHESTRATOR, WHY)
    for number, (name, (changed, shown, status)) in enumerate(_STOPS.items(), 60):
        case = await opened(at, number)
        details = asked(case.id, case.subject, **{"step": "open_checkpoint", **changed})
        assert await judge(at, ORCHESTRATOR, details, shown) == ("I10", "suspended"), name
        assert (await now(at, case)).status == status, name
    nowhere = asked(number_id("case", 99), "depot/D1/parcel/99", step="open_checkpoint")
    assert await judge(at, ORCHESTRATOR, nowhere, None) == ("I10", "suspended")
    await at.act("ada", "agent.resume", ORCHESTRATOR, WHY)


async def test_nothing_is_granted_or_asked_on_what_a_system_told_that_is_off_by_now(
    at: Acting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I3, I10: it was asked a moment before; the step is tried again, as when it is away."""
    key, told = at.keys[ORCHESTRATOR], FetchedFacts(systems=("depot",))
    body = EnrolIdentity(jwk=SigningKey.generate().public.jwk(), url="http://depot.test")
    await at.act("ada", "system.enrol", "system:depot", body)
    case = await opened(at, 65)
    details = asked(case.id, case.subject)
    assert await judge(at, SCALE, details, running(), told) == ()
    await at.act("ada", "system.suspend", "system:depot", WHY)
    async with at.refuses(503, "system depot is suspended"):
        await judge(at, SCALE, details, running(), told)

    async def fetched(*_: Any) -> FetchedFacts:
        return told

    monkeypatch.setattr(at.facts, "fetch", fetched)
    unseen = await opened(at, 66, run_id=None)
    opening = await grant(at, ORCHESTRATOR, key, case=unseen, action="checkpoint:open")
    checkpoints = Checkpoints(at.core, Definitions(), at.facts)
    async with at.refuses(503, "system depot is suspended"):
        await checkpoints.open(opening.claims(at), proof(at, key), "release")


# --- under a grant of the authority's own --------------------------------------------------------


async def test_no_case_is_closed_over_an_open_checkpoint_nor_twice_with_two_results(
    at: Acting,
) -> None:
    """I5: workflow code does not end a case while people are asked; what closed it stays."""
    await at.write(lambda tx: put(tx, Asked(70, process=DEFINITION.name, now=tx.now)))
    case = await now(at, parcel_case(70))
    key = at.keys[ORCHESTRATOR]
    closing = await grant(at, ORCHESTRATOR, key, case=case, action="case:close")
    cases = Cases(at.core, Definitions())
    async with at.refuses(409, "checkpoint release is still open"):
        await cases.close(closing.claims(at), proof(at, key), "returned")
    closed = await opened(at, 71, status="closed", result="returned", closed_at=at.core.clock())
    late = await grant(at, ORCHESTRATOR, key, case=closed, action="case:close")
    view = await cases.close(late.claims(at), proof(at, key), "returned")
    assert view.result == "returned"
    said = ("I1", "case_status", "case_closed")
    async with at.refuses(403, "the case is not open", *said):
        await cases.close(late.claims(at), proof(at, key), "dispatched")
    async with at.refuses(403, "the case is not open", *said):
        await cases.stop(late.claims(at), proof(at, key), StopCase(reason="look", admissions=0))


@pytest.mark.parametrize(
    ("number", "told_under", "told", "counts"),
    [
        (72, "nothing", [], False),
        (73, "the-weighing", [None], False),
        (74, "its-own", [None], True),
        (75, "an-earlier-try", [None], True),
        (76, "its-own", [None, 409], False),
        (77, "its-own", [None, 409, None], True),
        (78, "an-earlier-try", [None, 409, None, 200], True),
    ],
)
async def test_no_case_closes_with_what_its_system_never_did(
    at: Acting, number: int, told_under: str, told: list[int | None], counts: bool
) -> None:
    """I9, I11, I13: one agent's word that it was done is none; a try whose answer was lost counts."""
    steps = [
        each.model_copy(update={"system": "depot"}) if each.approval else each
        for each in DEFINITION.steps
    ]
    sent = DEFINITION.model_copy(update={"name": f"parcel-{number}", "steps": tuple(steps)})
    await at.act("ada", "process.publish", sent.name, sent)
    case, carrier = await opened(at, number, process=sent.name), at.keys[LATE]
    weighed = await grant(at, SCALE, at.keys[SCALE], case=case)
    dispatch = {"case": case, "step": "dispatch", "action": "parcel:dispatch", "system": "depot"}
    earlier = await grant(at, LATE, carrier, guarded=True, **dispatch)
    own = await grant(at, LATE, carrier, guarded=True, **dispatch)
    under = {"the-weighing": weighed, "its-own": own, "an-earlier-try": earlier}.get(told_under)
    await at.write(lambda tx: tx.add(_left(own)))
    if under is not None:
        for place, status in enumerate(told):
            use = _use(under, place, status)
            await at.write(lambda tx, use=use: tx.add(use))
    closing = await grant(at, ORCHESTRATOR, at.keys[ORCHESTRATOR], case=case, action="case:close")
    close = Cases(at.core, Definitions()).close
    asking = closing.claims(at), proof(at, at.keys[ORCHESTRATOR])
    if counts:
        assert (await close(*asking, "dispatched")).result == "dispatched"
        return
    said = "dispatched needs depot to have done it: dispatch has left a dispatched, and the ledger"
    async with at.refuses(409, said, "I13", "undone:depot"):
        await close(*asking, "dispatched")


def _left(granted: Granted) -> PartRow:
    part = Part(name="dispatched", record=granted.details.identifier, salt=SALT, data={})
    return PartRow(
        digest=part.digest,
        case_id=granted.case,
        name=part.name,
        record=part.record,
        grant_id=granted.id,
        agent=granted.agent,
        said=part.digest,
        salt=part.salt,
        content=pack(part),
        settled_at=NOON,
    )


def _use(granted: Granted, place: int, status: int | None) -> GrantUseRow:
    """What its system tells before it does what a grant is for, or of what came of it."""
    return GrantUseRow(
        id=f"use-{place}-{granted.id}",
        grant_id=granted.id,
        system="depot",
        stage="intent" if status is None else "result",
        action="parcel:dispatch",
        record=granted.details.identifier,
        status=status,
        at=NOON,
        entry=1_000_000 + place,
    )


async def test_no_checkpoint_is_opened_or_read_that_is_not_there(at: Acting) -> None:
    """I12: neither one that the process does not have, nor one that was never opened."""
    case, key = await opened(at, 80), at.keys[ORCHESTRATOR]
    opening = await grant(at, ORCHESTRATOR, key, case=case, action="checkpoint:open")
    checkpoints = Checkpoints(at.core, Definitions(), at.facts)
    async with at.refuses(404, "process parcel-check has no checkpoint 'unknown'"):
        await checkpoints.open(opening.claims(at), proof(at, key), "unknown")
    async with at.refuses(404, "the case has no checkpoint 'release' yet", "no_approval"):
        await checkpoints.outcome(opening.claims(at), proof(at, key), "release")


async def test_a_database_that_was_put_back_knows_no_later_grants(at: Acting) -> None:
    """I12: nor their cases; whoever holds one hears so, whatever they ask for."""
    key = at.keys[ORCHESTRATOR]
    kept = await grant(at, ORCHESTRATOR, key, action="checkpoint:open")
    lost = await grant(at, ORCHESTRATOR, key, action="checkpoint:open")
    await at.write(lambda tx: tx.remove(Grant, kept.id))
    await at.write(lambda tx: tx.remove(Grant, lost.id))
    await at.write(lambda tx: tx.remove(Case, lost.case))
    checkpoints = Checkpoints(at.core, Definitions(), at.facts)
    async with at.refuses(403, "the grant is no longer live", "I1", "grant_ended"):
        await checkpoints.outcome(kept.claims(at), proof(at, key), "release")
    async with at.refuses(404, "there is no such case"):
        await checkpoints.open(lost.claims(at), proof(at, key), "release")
    async with at.refuses(404, "there is no such case"):
        await Cases(at.core, Definitions()).close(lost.claims(at), proof(at, key), "returned")
    async with at.refuses(403, "the grant is no longer live", "I1", "grant_ended"):
        await checkpoints.outcome(lost.claims(at), proof(at, key), "release")
