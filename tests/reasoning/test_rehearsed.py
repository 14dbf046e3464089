"""A reasoning's steps in a test of one's own: each from what the one before has left."""

from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from placet.agent.reasoning import thinking
from placet.agent.reasoning.models import ModelMind
from placet.agent.testing import CASE, Rehearsal
from placet.model import CallResult, CallStatus, Conversation
from placet.process import ThinkRequest, ToolRequest
from tests.reasoning.process import DEFINITION
from tests.reasoning.room import Answer, brief, read_slip

RECORD = "depot/D1/parcel/7"


def scripted(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    """A model that reads the slip, and says what the tool said."""
    if len(messages) == 1:
        return ModelResponse(parts=[ToolCallPart("read_slip", {"page": 2})])
    (told,) = messages[-1].parts
    return ModelResponse(parts=[ToolCallPart("conclude", {"says": str(told.content)})])  # type: ignore[union-attr]  # a tool's return


think = thinking(
    DEFINITION, "reading", ModelMind(FunctionModel(scripted), "scripted"), brief, Answer
)


def turn(number: int, *results: CallResult) -> ThinkRequest:
    return ThinkRequest(case=CASE, record=RECORD, reasoning="reading", turn=number, results=results)


async def test_a_reasoning_is_rehearsed_turn_by_turn() -> None:
    """I13: what the model is told, and what it concludes, is in the parts that are left."""
    first = Rehearsal(DEFINITION, inputs={"conversation": (), "slip": ()})
    thought = await first.take(think, turn(1))
    (call,) = thought.calls
    asked = first.parts["conversation"]

    tool = Rehearsal(DEFINITION, inputs={"conversation": asked})
    request = ToolRequest(case=CASE, record=RECORD, reasoning="reading", turn=1, key=call.key)
    slip = await tool.take(read_slip, request)

    last = Rehearsal(DEFINITION, inputs={"conversation": asked, "slip": tool.parts["slip"]})
    done = CallResult(key=call.key, status=CallStatus.DONE, digest=slip.digest)
    assert (await last.take(think, turn(2, done))).concluded
    said = Conversation.model_validate(last.parts["conversation"].data)
    assert f"page 2: a slip of {RECORD}" in str(said.turns[-1].conclusion)
