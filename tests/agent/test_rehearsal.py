"""What an agent's own tests have to take its steps with."""

from decimal import Decimal
from typing import Any

import pytest
from temporalio import activity
from temporalio.exceptions import ApplicationError

from placet.agent import (
    Answer,
    NotGoverned,
    UngovernedActivity,
    current_grant,
    governed,
    read_answer,
    require_ok,
)
from placet.agent.reasoning import asked_for
from placet.agent.testing import CASE, Asked, Rehearsal
from placet.model import (
    Called,
    Conversation,
    InputPart,
    Model,
    PartRef,
    Proposal,
    SettlementOutcome,
    Turn,
    Use,
)
from placet.process import StepRequest, ToolRequest
from tests.harness.processes import DEFINITION as PARCELS
from tests.reasoning.process import DEFINITION as ROOM
from tests.reasoning.process import READING

DIGEST = "sha-256:" + "A" * 43
REQUEST = StepRequest(case=CASE, record="depot/D1/parcel/7")


PROCESS = PARCELS.model_copy(
    update={
        "steps": tuple(
            each.model_copy(update={"system": "depot"})
            if each.activity_type in {"weigh", "dispatch"}
            else each
            for each in PARCELS.steps
        )
    }
)


class Slip(Model):
    """What is on a parcel."""

    weight: str


@activity.defn
@governed(action="parcel:weigh", system="depot")
async def weigh(request: StepRequest) -> PartRef:
    """Ask what it weighs, and propose it."""
    grant = current_grant()
    slip = read_answer(await grant.request("GET", f"/{request.record}"), Slip)
    grant.reason("it says so")
    amount = Decimal(slip.weight)
    return grant.keep("weight", slip, Proposal(amount=amount, requested=amount))


@activity.defn
@governed(action="parcel:dispatch", system="depot")
async def dispatch(request: StepRequest) -> str:
    """Send what was weighed, as far as people let it."""
    grant = current_grant()
    weighed = [Slip.model_validate(each.part.data) for each in await grant.inputs("weight")]
    body = Slip(weight=f"{grant.details.max_amount}")
    require_ok(await grant.request("POST", f"/{request.record}/sent", json=body))
    return f"{[each.weight for each in weighed]} {grant.record} {grant.details.payments_digest}"


async def test_a_step_is_taken_with_what_the_test_gives_it() -> None:
    rehearsal = Rehearsal(PROCESS, answers={"GET /depot/D1/parcel/7": Slip(weight="80.00")})
    ref = await rehearsal.take(weigh, REQUEST)
    assert (ref.name, ref.record) == ("weight", REQUEST.record)
    assert rehearsal.asked == [Asked("GET", "/depot/D1/parcel/7", None)]
    assert Slip.model_validate(rehearsal.parts["weight"].data).weight == "80.00"
    proposal = rehearsal.parts["weight"].proposal
    assert proposal is not None
    assert proposal.amount == Decimal("80.00")
    assert rehearsal.settlement is not None
    assert rehearsal.settlement.reasoning == "it says so"
    with pytest.raises(NotGoverned):
        current_grant()


async def test_a_guarded_step_finds_what_people_fixed() -> None:
    rehearsal = Rehearsal(
        PROCESS,
        inputs={"weight": [Slip(weight="1.00"), Slip(weight="2.00")]},
        answers={"POST /depot/D1/parcel/7/sent": Answer(204, b"", {})},
        max_amount=Decimal("80.00"),
        payments_digest=DIGEST,
    )
    said = await rehearsal.take(dispatch, REQUEST)
    assert said == f"['1.00', '2.00'] depot/D1/parcel/7 {DIGEST}"
    assert rehearsal.asked[0].json == Slip(weight="80.00")
    assert rehearsal.parts == {}


async def test_a_tool_finds_what_the_model_asked_it_for() -> None:
    """A model's tool knows itself by the activity's name, which may not be the function's."""

    @activity.defn(name="read_slip")
    @governed(action="parcel:look", system="authority")
    async def look(request: ToolRequest) -> PartRef:
        given = await asked_for(request, ROOM, READING)
        return current_grant().keep("slip", Slip(weight=f"page {given['page']}"))

    called = Called(key="c1", tool="read_slip", record=REQUEST.record)
    turn = Turn(
        model="test:one",
        request_digest=DIGEST,
        uses=(Use(called=called, name="read_slip", arguments='{"page": 3}'),),
    )
    said = Conversation(
        reasoning="reading",
        instructions="Read.",
        opening="this",
        instructions_digest=DIGEST,
        tools_digest=DIGEST,
        turns=(turn,),
    )
    rehearsal = Rehearsal(ROOM, inputs={"conversation": said})
    request = ToolRequest(
        case=CASE, record=REQUEST.record, reasoning="reading", turn=1, key=called.key
    )
    await rehearsal.take(look, request)
    assert rehearsal.parts["slip"].data == {"weight": "page 3"}


@pytest.mark.parametrize(
    ("answer", "kind", "final"),
    [
        (Answer(503, b"", {}), "Unavailable", False),
        (Answer(403, b"{}", {}), "GrantDenied", True),
        (Answer(200, b"{}", {}), "Unavailable", False),
    ],
)
async def test_a_systems_no_is_the_steps_as_in_a_case(
    answer: Answer, kind: str, final: bool
) -> None:
    rehearsal = Rehearsal(PROCESS, answers={"GET /depot/D1/parcel/7": answer})
    with pytest.raises(ApplicationError) as failed:
        await rehearsal.take(weigh, REQUEST)
    assert (failed.value.type, failed.value.non_retryable) == (kind, final)
    assert rehearsal.settlement is not None
    assert rehearsal.settlement.outcome is SettlementOutcome.FAILED


@pytest.mark.parametrize(
    ("body", "said", "reasons"),
    [
        (b'{"error": "gone", "error_description": "was sent"}', "404: was sent", ("gone",)),
        (b'{"detail": "no such parcel"}', "404: no such parcel", ("http_404",)),
        (b'{"title": "Not Found", "status": 404}', "404: Not Found", ("http_404",)),
        (b'{"detail": [{"msg": "x"}]}', "404: no reason was given", ("http_404",)),
        (b"[" * 100_000, "404: no reason was given", ("http_404",)),
        (b"<h1>404</h1>", "404: no reason was given", ("http_404",)),
    ],
)
async def test_a_systems_no_in_another_form_is_told_too(
    body: bytes, said: str, reasons: tuple[str, ...]
) -> None:
    """Its words to the worker's log; the case and the ledger get reasons or the status alone."""
    rehearsal = Rehearsal(PROCESS, answers={"GET /depot/D1/parcel/7": Answer(404, body, {})})
    with pytest.raises(ApplicationError) as failed:
        await rehearsal.take(weigh, REQUEST)
    assert (failed.value.message, tuple(failed.value.details)) == (said, reasons)


async def test_an_answer_in_a_wrong_form_names_the_place() -> None:
    answer = Answer(200, b'{"weight": 80}', {})
    with pytest.raises(ApplicationError, match="no Slip: weight: Input should be a valid string"):
        await Rehearsal(PROCESS, answers={"GET /depot/D1/parcel/7": answer}).take(weigh, REQUEST)


async def test_what_was_left_before_is_read_as_it_was_left() -> None:
    """A part of another rehearsal keeps its record, its proposal and its digest."""
    before = Rehearsal(PROCESS, answers={"GET /depot/D1/parcel/7": Slip(weight="80.00")})
    ref = await before.take(weigh, REQUEST)
    part = before.parts["weight"]
    read: list[InputPart] = []

    @activity.defn(name="dispatch")
    @governed(action="parcel:dispatch", system="depot")
    async def look(request: StepRequest) -> None:  # noqa: ARG001 - the step's own
        read.extend(await current_grant().inputs("weight"))

    await Rehearsal(PROCESS, inputs={"weight": part}).take(look, REQUEST)
    assert [(each.part, each.digest) for each in read] == [(part, ref.digest)]
    other = part.model_copy(update={"name": "slip"})
    with pytest.raises(AssertionError, match="given as 'weight' is a 'slip'"):
        await Rehearsal(PROCESS, inputs={"weight": other}).take(look, REQUEST)


async def test_a_proposal_that_people_would_be_shown_too_little_with_fails() -> None:
    """I5: evidence that its step was given and did not read is not shown."""
    answers = {"GET /depot/D1/parcel/7": Slip(weight="80.00")}
    unread = Rehearsal(PROCESS, inputs={"cuts": Slip(weight="1.00")}, answers=answers)
    with pytest.raises(AssertionError, match="not be shown 'cuts' at release: .* 'weight' did not"):
        await unread.take(weigh, REQUEST)
    await Rehearsal(PROCESS, inputs={"cuts": ()}, answers=answers).take(weigh, REQUEST)


async def test_what_the_test_did_not_give_is_named() -> None:
    with pytest.raises(AssertionError, match=r"no answer to GET /depot/D1/parcel/7; it has \[\]"):
        await Rehearsal(PROCESS).take(weigh, REQUEST)
    with pytest.raises(AssertionError, match=r"no input 'weight'; it has \['slip'\]"):
        await Rehearsal(PROCESS, inputs={"slip": Slip(weight="1.00")}).take(dispatch, REQUEST)


async def test_a_step_that_sends_out_its_token_is_found_out() -> None:
    """I7: here, and not only where a case would end by it."""

    @activity.defn
    @governed(action="parcel:weigh", system="depot")
    async def weigh(request: StepRequest) -> str:
        return current_grant()._held.token

    rehearsal = Rehearsal(PROCESS)
    with pytest.raises(ApplicationError, match="tried to send out its own token"):
        await rehearsal.take(weigh, REQUEST)
    assert rehearsal.settlement is not None
    assert rehearsal.settlement.outcome is SettlementOutcome.LEAKED


async def test_a_result_that_temporal_would_not_take_is_not_settled_as_done() -> None:
    """I4: what never reaches the workflow was not completed; the next try may be smaller."""

    @activity.defn(name="weigh")
    @governed(action="parcel:weigh", system="depot")
    async def tells(request: StepRequest) -> str:
        return "x" * sizes.pop()

    sizes, rehearsal = [1_990_000, 2_000_000], Rehearsal(PROCESS)
    with pytest.raises(ApplicationError, match=r"result has 20000\d\d bytes, .* keep it as a part"):
        await rehearsal.take(tells, REQUEST)
    assert rehearsal.settlement is not None
    assert rehearsal.settlement.outcome is SettlementOutcome.FAILED
    assert len(await rehearsal.take(tells, REQUEST)) == 1_990_000
    assert rehearsal.settlement.outcome is SettlementOutcome.COMPLETED


async def test_a_step_that_no_worker_takes_is_not_rehearsed() -> None:
    @activity.defn
    async def unmarked(request: StepRequest) -> None:
        """Has no mark."""

    @activity.defn(name="weigh")
    @governed(action="parcel:weigh", system="depot")
    async def nonsense(request: StepRequest) -> object:
        return object()

    with pytest.raises(UngovernedActivity, match="unmarked is not governed"):
        await Rehearsal(PROCESS).take(unmarked, REQUEST)
    with pytest.raises(Exception, match="Unable to serialize unknown type"):
        await Rehearsal(PROCESS).take(nonsense, REQUEST)


def made(name: str, action: str, system: str, reads: str, leaves: str) -> Any:
    """A step that may be misspelt in each of these."""

    @activity.defn(name=name)
    @governed(action=action, system=system)
    async def step(request: StepRequest) -> None:
        await current_grant().inputs(reads)
        current_grant().keep(leaves, Slip(weight="1.00"))

    return step


RIGHT = ("dispatch", "parcel:dispatch", "depot", "weight", "dispatched")


@pytest.mark.parametrize(
    ("place", "wrong", "said"),
    [
        (0, "dispach", "the definition parcel-check has no step 'dispach'"),
        (1, "parcel:dispach", "marked as parcel:dispach at depot; .* says parcel:dispatch at"),
        (2, "dept", "marked as parcel:dispatch at dept; .* says parcel:dispatch at depot"),
        (3, "wait", "does not let dispatch read 'wait'"),
        (4, "dispached", "does not let the step leave 'dispached'"),
    ],
)
async def test_what_is_misspelt_is_held_against_the_definition(
    place: int, wrong: str, said: str
) -> None:
    """I2: the first case would be stopped by it, or ended."""
    inputs = {"weight": Slip(weight="1.00")}
    await Rehearsal(PROCESS, inputs=inputs).take(made(*RIGHT), REQUEST)
    misspelt = [*RIGHT]
    misspelt[place] = wrong
    with pytest.raises(AssertionError, match=said):
        await Rehearsal(PROCESS, inputs=inputs).take(made(*misspelt), REQUEST)
