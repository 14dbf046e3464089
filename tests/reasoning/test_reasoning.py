"""A model reasons in a case, each of its calls a governed step: held, recorded, replayed."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic_ai.messages import (
    BinaryContent,
    FilePart,
    ModelMessage,
    ModelResponse,
    ThinkingPart,
    ToolCallPart,
)

from placet.agent import CurrentGrant, _governor
from placet.agent._errors import unavailable
from placet.agent.reasoning import thinking
from placet.client import AuthorityError
from placet.model import ProcessDefinition, Reason, Settlement, Tool, answered_digest, asked_digest
from tests.reasoning.process import DEFINITION, PAGE, READING
from tests.reasoning.room import TAKEN, Room, Said, told

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.timeout(180)]


def _concludes(turn: int, messages: Sequence[ModelMessage]) -> Said:
    if turn == 0:
        return ModelResponse(
            parts=[
                ThinkingPart(content="the slip first"),
                ToolCallPart(tool_name="read_slip", args={"page": 2}),
            ],
            model_name="scripted-1",
        )
    assert "page 2: a slip of depot/D1/parcel/" in told(messages)[0]
    return [("conclude", {"says": "it is a slip", "heavy": True})]


async def test_a_model_reads_through_a_tool_and_concludes(reading: Room) -> None:
    """I13: each call is a step under a grant of its own; what was said is settled and can be read."""
    case, result = await reading.play(_concludes)
    assert result == "concluded"
    issued = await reading.entries(case, "grant.issued")
    steps = [each["data"]["activity"]["activity_type"] for each in issued]
    assert steps == ["think", "read_slip", "think", "close_case"]
    models = [each["data"].get("model") for each in issued]
    assert models == ["scripted", None, "scripted", None]
    said = await reading.conversation(case)
    first, last = said.turns
    assert (first.answered_by, first.thought) == ("scripted-1", "the slip first")
    assert last.conclusion == {"says": "it is a slip", "heavy": True, "pages": []}
    assert first.tokens > 0 and first.cost is not None
    before = said.model_copy(update={"turns": said.turns[:1]})
    assert last.request_digest == asked_digest(before, last.told)
    assert last.response_digest == answered_digest(last)
    settled = await reading.entries(case, "grant.settled")
    kept = [await _words(reading, each["data"]["reasoning_digest"]) for each in settled[:3:2]]
    assert kept[0].startswith("scripted-1: ") and "read_slip depot/D1/parcel/" in kept[0]


async def _words(reading: Room, digest: str) -> str:
    found = await reading.world.people["una"].get(f"/v1/kept/{digest}")
    return str(found["content"])


async def test_what_is_denied_is_a_fact_for_the_model_and_for_the_ledger(reading: Room) -> None:
    """I2, I3: other records and actions are denied when the call is made; it may go on without."""

    def asks(turn: int, messages: Sequence[ModelMessage]) -> Said:
        match turn:
            case 0:
                return [
                    ("read_slip", {"record": "depot/D1/parcel/3"}),
                    ("send_off", {}),
                    ("read_earlier", {"record": "depot/D1/parcel/9"}),
                ]
            case _:
                facts = told(messages)
                assert facts[0].startswith("denied: I2, out_of_scope"), facts
                assert facts[1].startswith("denied: I3"), facts
                assert "a slip of depot/D1/parcel/9" in facts[2]
                return [("conclude", {"says": "denied twice"})]

    case, result = await reading.play(asks)
    assert result == "concluded"
    denied = await reading.entries(case, "grant.denied")
    assert [each["data"]["reasons"][0] for each in denied] == ["I2", "I3"]


async def test_a_tool_that_is_allowed_is_denied_for_too_much(reading: Room) -> None:
    """I3: the amount is asked for with the call; policy says how much, and no more is granted."""
    amounts = ["20.01", "-1.00", "1e1", "20.00"]

    def asks(turn: int, messages: Sequence[ModelMessage]) -> Said:
        if turn and turn < 4:
            assert told(messages)[0].startswith("denied: I3" if turn == 1 else "not done: ")
        if turn < 4:
            return [("charge", {"amount": amounts[turn]})]
        assert "charged 20.00" in told(messages)[0]
        return [("conclude", {"says": "charged"})]

    before = len(TAKEN)
    case, result = await reading.play(asks)
    assert result == "concluded"
    assert [each for each, _ in TAKEN[before:]] == ["charge 20.00"]
    issued, denied = [await reading.entries(case, f"grant.{how}") for how in ("issued", "denied")]
    assert [each["data"].get("amount") for each in denied] == ["20.01"]
    assert denied[0]["data"]["policies"] == ["charges-little"]
    assert {each["data"].get("amount") for each in issued} == {None, "20.00"}


async def test_a_worker_that_keeps_the_amount_back_gets_no_grant(
    reading: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I3: the process says which tools have an amount, and not the worker."""
    monkeypatch.setattr("placet.agent._governed.ToolRequest", int)  # no request is one

    def asks(turn: int, messages: Sequence[ModelMessage]) -> Said:
        if turn == 0:
            return [("charge", {"amount": "20.00"})]
        return [("conclude", {"says": told(messages)[0]})]

    case, _ = await reading.play(asks)
    said = (await reading.conversation(case)).turns[-1].conclusion
    assert said is not None and str(said["says"]).startswith("denied: I3, amount")


async def test_a_step_that_is_tried_again_asks_no_second_time(
    reading: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I11: the budget holds for what the provider was asked, however often settling fails."""
    real = _governor._settle
    tries: Counter[str] = Counter()
    asked: list[int] = []

    async def settle(link: Any, grant: CurrentGrant, settlement: Settlement, until: float) -> None:
        step = grant.details.activity
        tries[step.activity_id] += settlement.outcome == "completed"
        if step.activity_type == "think" and tries[step.activity_id] in {1, 2}:
            raise unavailable("the authority is away")
        await real(link, grant, settlement, until)

    def asks(turn: int, _: Sequence[ModelMessage]) -> Said:
        asked.append(turn)
        return [("read_slip", {"page": turn})]

    monkeypatch.setattr(_governor, "_settle", settle)
    case, result = await reading.play(asks)
    turns = (await reading.conversation(case)).turns
    assert (result, asked) == ("model_calls", list(range(len(turns))))
    assert len(turns) == READING.budget.model_calls


async def test_who_is_denied_again_and_again_is_stopped(reading: Room) -> None:
    """I2: the model does not go on trying for ever, and nothing of it was done."""
    before = len(TAKEN)
    case, result = await reading.play(
        lambda turn, _: [("read_slip", {"record": f"depot/D2/parcel/{turn + 1}"})]
    )
    assert result == "refused"
    assert len(await reading.entries(case, "grant.denied")) == 4
    assert TAKEN[before:] == []


async def test_a_tool_that_the_process_does_not_have_does_not_exist(reading: Room) -> None:
    """I2: not even a step of the process, or the model's own; nothing is asked of the authority."""
    names = ("burn", "think", "close_case", "DROP TABLE grant", "../read_slip", "read_slip\0")

    def asks(turn: int, _: Sequence[ModelMessage]) -> Said:
        return [(name, {}) for name in names] if turn == 0 else [("conclude", {"says": "no"})]

    before = len(TAKEN)
    case, result = await reading.play(asks)
    assert (result, TAKEN[before:]) == ("refused", [])
    assert await reading.entries(case, "grant.denied") == []
    (turn,) = (await reading.conversation(case)).turns
    assert [each.called.refused for each in turn.uses] == ["unknown"] * len(names)


BAD_ARGUMENTS = {
    "no-json": "{",
    "a-list": "[]",
    "another-name": '{"sql": "1; DROP TABLE grant_"}',
    "a-path": '{"record": "../../etc/passwd"}',
    "no-record": '{"record": "depot"}',
    "another-kind": '{"page": "1"}',
    "a-truth": '{"page": true}',
    "not-a-number": '{"page": NaN}',
    "too-large": '{"page": 90071992547409930}',
    "half-a-pair": '{"page": "\\ud800"}',
    "deep": '{"page": ' + "[" * 3000 + "]" * 3000 + "}",
    "oversize": json.dumps({"record": "depot/D1/" + "x" * 100_000}),
}


async def test_arguments_that_do_not_fit_are_told_and_never_taken(reading: Room) -> None:
    """I12: each is answered with what is wrong, and the model may do better."""
    kinds = list(BAD_ARGUMENTS)

    def asks(turn: int, messages: Sequence[ModelMessage]) -> Said:
        if turn * 5 < len(kinds):
            return [("read_slip", BAD_ARGUMENTS[kind]) for kind in kinds[turn * 5 : turn * 5 + 5]]
        assert all(each.startswith("not done: ") for each in told(messages))
        return [("conclude", {"says": "nothing"})]

    before = len(TAKEN)
    case, result = await reading.play(asks)
    assert (result, TAKEN[before:]) == ("concluded", [])
    turns = (await reading.conversation(case)).turns
    uses = [each for turn in turns[:-1] for each in turn.uses]
    assert [each.called.refused for each in uses] == ["malformed"] * len(kinds)
    assert all(each.problem for each in uses)


async def test_an_answer_in_no_form_is_refused_with_what_is_wrong(reading: Room) -> None:
    """I12: the model may mend it; what it answers at last is in the form."""

    def asks(turn: int, messages: Sequence[ModelMessage]) -> Said:
        match turn:
            case 0:
                return [("conclude", {"says": 5})]
            case 1:
                assert "says: Input should be a valid string" in told(messages)[0]
                return "I have said it all."
            case 2:
                assert told(messages) == ["Use your tools, or conclude: words alone end nothing."]
                return [("conclude", {"says": "x", "secret": "more"})]
            case _:
                return [("conclude", {"says": "at last"})]

    case, result = await reading.play(asks)
    assert result == "concluded"
    assert (await reading.conversation(case)).turns[-1].conclusion == {
        "says": "at last",
        "heavy": False,
        "pages": [],
    }


@pytest.mark.parametrize(
    ("ending", "script"),
    [
        ("model_calls", lambda turn, _: "on and on"),
        ("tool_calls", lambda turn, _: [("read_slip", {})] * 13),
        ("tokens", lambda turn, _: "word " * 60_000),
        ("cost", lambda turn, _: "word " * 11_000),
    ],
)
async def test_a_budget_that_is_reached_ends_it(reading: Room, ending: str, script: object) -> None:
    """I12: an endless loop, or a thousand calls, end with what was spent."""
    case, result = await reading.play(script)  # type: ignore[arg-type]  # a script of its own
    assert result == ending
    assert len((await reading.conversation(case)).turns) <= 8


@pytest.mark.parametrize(
    ("ending", "said", "why"),
    [
        ("no_answer", OSError("refused"), "scripted: OSError, 2 times"),
        (
            "unreadable",
            ModelResponse(parts=[FilePart(content=BinaryContent(b"x", media_type="image/png"))]),
            "an answer with a file part",
        ),
        ("unreadable", KeyError("choices"), "the answer can't be read (KeyError)"),
    ],
)
async def test_a_provider_that_fails_ends_it_with_what_happened(
    reading: Room, ending: str, said: Said, why: str
) -> None:
    """I12: the case goes on, and what went wrong is on the record."""
    case, result = await reading.play(lambda turn, _: said)
    assert result == ending
    assert (await reading.conversation(case)).turns[-1].why == why


async def test_a_provider_that_changes_its_model_under_the_name_ends_it(reading: Room) -> None:
    """I12: what another model says in a conversation is not taken."""

    def asks(turn: int, _: Sequence[ModelMessage]) -> Said:
        call = ToolCallPart(tool_name="conclude", args={"says": "done"})
        if turn == 0:
            call = ToolCallPart(tool_name="read_slip", args={})
        return ModelResponse(parts=[call], model_name=f"scripted-{turn}")

    case, result = await reading.play(asks)
    assert result == "other_model"
    last = (await reading.conversation(case)).turns[-1]
    assert (last.conclusion, last.why) == (None, "scripted-0 answered before, and scripted-1 now")


@pytest.mark.parametrize("model", ["scripted", "*"])
async def test_a_model_that_is_stopped_is_asked_nothing_more(reading: Room, model: str) -> None:
    """I10: not even what it is just saying counts; others than administrators stop nothing."""
    admin, stopped = reading.world.admin, asyncio.Event()
    speaking = asyncio.Event()

    def asks(turn: int, _: Sequence[ModelMessage]) -> Said:
        if turn == 0:
            return [("read_slip", {})]
        speaking.set()
        return [("conclude", {"says": "too late"})]

    reading.pauses.append((speaking, stopped))
    case = await reading.open(asks)
    await speaking.wait()
    why = Reason(reason="it was captured")
    with pytest.raises(AuthorityError, match="needs the role"):
        await reading.world.people["una"].act("model.suspend", model, why)
    await admin.act("model.suspend", model, why)
    assert await admin.stopped_models() == (model,)
    with pytest.raises(AuthorityError, match="suspended already"):
        await admin.act("model.suspend", model, why)
    stopped.set()
    assert (await reading.world.until_closed(case)).result == "stopped"
    assert len((await reading.conversation(case)).turns) == 1
    revoked = await reading.entries(case, "grant.revoked")
    assert [each["data"]["reason"] for each in revoked] == ["model_suspended"]
    assert (await reading.entries(case, "grant.denied"))[-1]["data"]["reasons"] == [
        "I10",
        "model_suspended",
    ]
    await admin.act("model.resume", model, Reason(reason="it was looked at"))
    with pytest.raises(AuthorityError, match="is not suspended"):
        await admin.act("model.resume", model, why)
    assert (await reading.play(_concludes))[1] == "concluded"


_CHARGE = DEFINITION.reasonings[0].tool("charge")  # type: ignore[index]  # it has one


@pytest.mark.parametrize(
    "change", [{"amount": "page"}, {"arguments": ()}, {"arguments": (PAGE,), "amount": "page"}]
)
async def test_an_amount_is_an_argument_of_money(change: dict[str, object]) -> None:
    """I12: a process that says otherwise can't be published."""
    assert _CHARGE is not None
    with pytest.raises(ValueError, match="is no argument of money that is required"):
        Tool.model_validate({**_CHARGE.model_dump(), **change})


async def test_the_amount_of_a_guarded_step_is_peoples() -> None:
    """I5: a model says no amount where people do."""
    steps = [
        each.model_copy(update={"approval": "dispatch"}) if each.activity_type == "charge" else each
        for each in DEFINITION.steps
    ]
    with pytest.raises(ValueError, match="its amount is what people fixed"):
        ProcessDefinition.model_validate(
            {
                **{name: getattr(DEFINITION, name) for name in ProcessDefinition.model_fields},
                "steps": steps,
                "checkpoints": [
                    {"name": "dispatch", "title": "x", "evidence": ["slip"], "proposal": "slip"}
                ],
            }
        )


async def test_a_reasoning_has_to_be_the_process_own() -> None:
    """A worker that would ask a model for what no process lets it does not start."""
    with pytest.raises(LookupError, match="no reasoning 'gossip'"):
        thinking(DEFINITION, "gossip", None, None, None)  # type: ignore[arg-type]  # it comes first
