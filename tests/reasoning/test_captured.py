"""A model that is wholly captured, and providers that misbehave: what they get is nothing."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ThinkingPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from placet.agent import current_grant
from placet.agent.reasoning import Question, Unreadable
from placet.agent.reasoning.models import ModelMind
from placet.model import Conversation, Reason, Spent, digest_bytes
from tests.reasoning.process import HURRY
from tests.reasoning.room import TAKEN, Room, Said
from worker.__main__ import NoModel, WorkerSettings, mind_of

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.timeout(180)]


async def test_a_thousand_calls_are_no_more_than_the_budget(reading: Room) -> None:
    """I12: what is beyond it is never scheduled, and the conversation stays small."""

    def asks(turn: int, _: Sequence[ModelMessage]) -> Said:
        return [
            ("read_earlier", {"record": f"depot/D1/parcel/{number % 9 + 1}"})
            if number % 2
            else ("read_slip", {"page": number})
            for number in range(1_000)
        ]

    before = len(TAKEN)
    case, result = await reading.play(asks)
    assert result == "tool_calls"
    assert 0 < len(TAKEN) - before <= 12
    (turn,) = (await reading.conversation(case)).turns
    assert len(turn.uses) == 50


@pytest.mark.parametrize("where", ["said", "arguments", "thought"])
async def test_a_token_that_is_echoed_ends_the_step_and_stays_nowhere(
    reading: Room, where: str
) -> None:
    """I7: whoever speaks in the worker may know the step's token; it leaves in no form."""
    tokens: list[str] = []

    def asks(turn: int, _: Sequence[ModelMessage]) -> Said:
        token = current_grant()._held.token
        tokens.append(token)
        match where:
            case "said":
                return ModelResponse(parts=[TextPart(content=f"it is {token}")])
            case "arguments":
                return [("read_slip", {"record": token[:200]}), ("send", {"token": token})]
            case _:
                return ModelResponse(parts=[ThinkingPart(content=token)])

    case, result = await reading.play(asks)
    assert result == "failed"
    (settled,) = await _settled_thinking(reading, case)
    assert (settled["outcome"], settled["parts"]) == ("leaked", [])
    assert tokens[0].split(".")[2] not in json.dumps(await reading.entries(case))


async def _settled_thinking(reading: Room, case: str) -> list[dict[str, object]]:
    thinks = {
        each["data"]["grant"]
        for each in await reading.entries(case, "grant.issued")
        if each["data"]["activity"]["activity_type"] == "think"
    }
    entries = await reading.entries(case, "grant.settled")
    return [each["data"] for each in entries if each["data"]["grant"] in thinks]


async def test_a_provider_that_is_slow_each_time_ends_it(reading: Room) -> None:
    """I12: each try has its time, and then there is a finding."""
    begun = asyncio.Event()
    begun.set()
    reading.pauses += [(begun, asyncio.Event()), (begun, asyncio.Event())]
    case, result = await reading.play(lambda turn, _: "too late")
    assert result == "no_answer"
    (turn,) = (await reading.conversation(case)).turns
    assert turn.why == "scripted: no answer in 2 seconds, 2 times"


async def test_a_reasoning_that_takes_too_long_ends(reading: Room) -> None:
    """I12: the budget of seconds holds while the model is silent, and between its words."""
    begun = asyncio.Event()
    begun.set()
    reading.pauses += [(begun, asyncio.Event()), (begun, asyncio.Event())]
    case, result = await reading.play(lambda turn, _: "too late", HURRY)
    assert result == "seconds"
    reading.pauses.clear()
    assert await reading.entries(case, "case.closed")


async def test_an_agent_that_is_stopped_reasons_no_more(reading: Room) -> None:
    """I10: what its model is just saying counts for nothing, and the case ends."""
    admin, speaking, stopped = reading.world.admin, asyncio.Event(), asyncio.Event()

    def asks(turn: int, _: Sequence[ModelMessage]) -> Said:
        speaking.set()
        return [("conclude", {"says": "too late"})]

    reading.pauses.append((speaking, stopped))
    case = await reading.open(asks)
    await speaking.wait()
    await admin.act("agent.suspend", "agent:scale", Reason(reason="it was captured"))
    stopped.set()
    assert (await reading.world.until_closed(case)).result == "stopped"
    assert await _settled_thinking(reading, case) == []
    revoked = await reading.entries(case, "grant.revoked")
    assert [each["data"]["reason"] for each in revoked] == ["suspended"]
    await admin.act("agent.resume", "agent:scale", Reason(reason="it was looked at"))
    assert (await reading.play(lambda turn, _: [("conclude", {"says": "well"})]))[1] == "concluded"


async def test_a_provider_that_answers_as_another_model_than_was_set_is_not_heard() -> None:
    """I12: the setting names the version that must answer, from the first turn on."""

    def answer(_: list[ModelMessage], __: AgentInfo) -> ModelResponse:
        return ModelResponse(parts=[ToolCallPart(tool_name="conclude", args={})])

    mind = ModelMind(FunctionModel(answer, model_name="new"), "m:old", answers_as="old", tries=1)
    with pytest.raises(Unreadable, match="new answered, and old was expected"):
        await mind.take_turn(_question())


def _question() -> Question:
    said = Conversation(
        reasoning="reading",
        instructions="Read.",
        opening="depot/D1/parcel/1",
        instructions_digest=digest_bytes(b"Read."),
        tools_digest=digest_bytes(b"[]"),
    )
    return Question("case-1", said, (), (), Spent(), 100)


async def test_a_model_whose_price_is_set_costs_what_its_tokens_do(tmp_path: Path) -> None:
    """I12: a budget of money needs a price; without one the cost is unknown, and not nothing."""
    known = WorkerSettings(key_file=tmp_path, model="test", model_price=("1000", "0"))  # type: ignore[arg-type]  # as from the environment
    unknown = WorkerSettings(key_file=tmp_path, model="test")
    answers = [
        await mind_of("draw-reader", each).take_turn(_question()) for each in (known, unknown)
    ]
    assert answers[0].cost is not None and answers[0].cost > 0
    assert answers[1].cost is None
    with pytest.raises(NoModel, match="set PLACET_WORKER_MODEL"):
        mind_of("draw-reader", WorkerSettings(key_file=tmp_path))
    with pytest.raises(NoModel, match="PLACET_WORKER_MODEL: nobody:knows"):
        mind_of("draw-reader", WorkerSettings(key_file=tmp_path, model="nobody:knows"))
    with pytest.raises(ValidationError):
        WorkerSettings(key_file=tmp_path, model="test", model_price=("-1", "0"))  # type: ignore[arg-type]  # the same
