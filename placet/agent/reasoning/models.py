"""Any model that Pydantic AI knows, as a mind. Needs the extra ``placet[llm]``."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from pydantic_ai.direct import model_request
from pydantic_ai.exceptions import AgentRunError, UserError
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import Model, ModelRequestParameters, infer_model
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from placet.agent.reasoning._mind import Answered, NoAnswer, Question, RawCall, Unreadable
from placet.model import Told, Turn

_LONGEST_ANSWER = 8_192  # tokens
_NUDGE = "Use your tools, or conclude: words alone end nothing."


@dataclass(frozen=True)
class Price:
    """Dollars for a million tokens, where Pydantic AI knows no price of the model."""

    told: Decimal
    said: Decimal


class ModelMind:
    """A model by its name at Pydantic AI, such as ``openai:gpt-5``, or a model of one's own.

    ``answers_as`` is what the provider must call the model in its answers; another name ends the
    reasoning. ``seconds`` is how long one try may take, and ``tries`` how many there are.
    """

    def __init__(
        self,
        model: Model | str,
        name: str | None = None,
        *,
        answers_as: str | None = None,
        price: Price | None = None,
        seconds: float = 120,
        tries: int = 3,
        pause: float = 1.0,
    ) -> None:
        self._model = model if isinstance(model, Model) else _infer(model)
        self._name = name or (model if isinstance(model, str) else model.model_id)
        self._answers_as = answers_as
        self._price = price
        self._seconds = seconds
        self._tries = tries
        self._pause = pause

    @property
    def name(self) -> str:
        """The model as settings name it."""
        return self._name

    async def take_turn(self, question: Question) -> Answered:
        """Ask the provider, again if it fails.

        Raises:
            NoAnswer: it failed each time, or was too slow.
            Unreadable: what it said is no response of a model, or another model's.
        """
        why = "never asked"
        for number in range(1, self._tries + 1):
            try:
                async with asyncio.timeout(self._seconds):
                    response = await self._ask(question)
            except TimeoutError:
                why = f"no answer in {self._seconds:g} seconds"
            except (AgentRunError, UserError, OSError, RuntimeError) as error:
                why = f"{type(error).__name__}"
            except Exception as error:  # noqa: BLE001 - a provider's library may raise anything
                raise Unreadable(f"the answer can't be read ({type(error).__name__})") from None
            else:
                return self._read(response)
            if number < self._tries:
                await asyncio.sleep(self._pause * 2 ** (number - 1))
        raise NoAnswer(f"{self._name}: {why}, {self._tries} times")

    async def _ask(self, question: Question) -> ModelResponse:
        tools = [
            ToolDefinition(
                name=each.name,
                description=each.description,
                parameters_json_schema=dict(each.schema),
            )
            for each in question.tools
        ]
        return await model_request(
            self._model,
            _messages(question),
            model_settings=ModelSettings(max_tokens=min(_LONGEST_ANSWER, question.tokens)),
            model_request_parameters=ModelRequestParameters(function_tools=tools),
        )

    def _read(self, response: ModelResponse) -> Answered:
        if self._answers_as is not None and response.model_name != self._answers_as:
            raise Unreadable(f"{response.model_name} answered, and {self._answers_as} was expected")
        said, thought, calls = [], [], []
        for part in response.parts:
            match part:
                case TextPart():
                    said.append(part.content)
                case ThinkingPart():
                    thought.append(part.content)
                case ToolCallPart():
                    calls.append(RawCall(str(part.tool_name), _text(part.args)))
                case _:
                    raise Unreadable(f"an answer with a {part.part_kind} part")
        usage = response.usage
        return Answered(
            answered_by=response.model_name,
            said="\n".join(said),
            thought="\n".join(thought),
            calls=tuple(calls),
            tokens=usage.input_tokens + usage.output_tokens,
            cost=self._cost(response),
        )

    def _cost(self, response: ModelResponse) -> Decimal | None:
        usage = response.usage
        if self._price is not None:
            dollars = usage.input_tokens * self._price.told + usage.output_tokens * self._price.said
            return _up(dollars / 1_000_000)
        try:
            return _up(response.cost().total_price)
        except (AssertionError, LookupError, ValueError):  # nobody knows the price
            return None


class BadModel(ValueError):
    """No provider knows such a model, or its provider lacks something; the message says what."""


def _infer(name: str) -> Model:
    try:
        return infer_model(name)
    except (ImportError, UserError, ValueError) as error:
        raise BadModel(f"{name}: {str(error).splitlines()[0][:300]}") from None


def _up(dollars: Decimal) -> Decimal:
    """Whole cents, never less than it was."""
    cents = (dollars * 100).to_integral_value(rounding="ROUND_CEILING")
    return Decimal(cents) / 100


def _text(arguments: object) -> str:
    if arguments is None:
        return "{}"
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


def _messages(question: Question) -> list[ModelMessage]:
    """The conversation in Pydantic AI's words."""
    conversation = question.conversation
    found: list[ModelMessage] = []
    told: Sequence[Told] = ()
    parts: list[UserPromptPart | ToolReturnPart] = [UserPromptPart(content=conversation.opening)]
    for number, turn in enumerate(conversation.turns):
        if number:
            parts = _returns(number, conversation.turns[number - 1], turn.told)
        found += [
            ModelRequest(parts=parts, instructions=conversation.instructions),
            _response(number + 1, turn),
        ]
    if conversation.turns:
        told = question.told
        parts = _returns(len(conversation.turns), conversation.turns[-1], told)
    return [*found, ModelRequest(parts=parts, instructions=conversation.instructions)]


def _returns(
    number: int, turn: Turn, told: Sequence[Told]
) -> list[UserPromptPart | ToolReturnPart]:
    """What a turn's calls gave; a turn without any gets a word instead."""
    texts = {each.result.key: each.text for each in told}
    if not turn.uses:
        return [UserPromptPart(content=_NUDGE)]
    return [
        ToolReturnPart(
            tool_name=each.name or "unnamed",
            content="\n".join(
                part for part in (texts.get(each.called.key, ""), each.problem) if part
            ),
            tool_call_id=f"t{number}-{each.called.key}",
        )
        for each in turn.uses
    ]


def _response(number: int, turn: Turn) -> ModelResponse:
    parts: list[TextPart | ToolCallPart] = [TextPart(content=turn.said)] if turn.said else []
    parts += [
        ToolCallPart(
            tool_name=each.name or "unnamed",
            args=each.arguments,
            tool_call_id=f"t{number}-{each.called.key}",
        )
        for each in turn.uses
    ]
    return ModelResponse(parts=parts or [TextPart(content="…")], model_name=turn.answered_by)
