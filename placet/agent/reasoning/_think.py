"""The step that asks a model once: what it is told, what it says, and what is kept of both.

1. The conversation comes from what was settled (I13), not from the workflow, and grows by one turn:
   a retry takes the same turn again, and the turns before stay to the letter (I11). What was said
   is kept until it is settled: whoever asked once for a turn asks for it no second time.
2. Trouble with a provider is an answer: it is settled and ends the reasoning (I12). Only where the
   authority or Temporal is away is the step tried again.
3. The model's word names nobody's record and makes no step; see ``_tools``.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, JsonValue, ValidationError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from placet.agent._governed import governed
from placet.agent._grant import current_grant
from placet.agent.reasoning._mind import (
    MAX_CALLS,
    Answered,
    Mind,
    MindError,
    NoAnswer,
    Question,
    RawCall,
    ToolSpec,
)
from placet.agent.reasoning._tools import clean, read_call, refused, tool_specs
from placet.model import (
    CENT,
    CONCLUDE,
    MAX_ARGUMENTS,
    MAX_TOLD,
    CallResult,
    CallStatus,
    Conversation,
    InputPart,
    ProcessDefinition,
    Reasoning,
    Told,
    Trouble,
    Turn,
    Use,
    answered_digest,
    asked_digest,
    digest_bytes,
    digest_json,
    quantity,
)
from placet.process import ThinkRequest, Thought

_MAX_SAID = 40_000
MAX_CONCLUSION = 200_000
"""Characters of an answer; a longer one is refused unread."""

_KEPT = 200
"""Turns that a worker keeps in case they are asked for again; it takes fewer at the same time."""


@dataclass(frozen=True)
class Brief:
    """What a model is told at the beginning: what it is to do, and on what."""

    instructions: str
    opening: str


def thinking(
    definition: ProcessDefinition,
    name: str,
    mind: Mind,
    brief: Callable[[], Awaitable[Brief]],
    form: type[BaseModel],
    *,
    tell: Callable[[InputPart], str] | None = None,
) -> Callable[..., Any]:
    """The activity that asks ``mind`` for the reasoning of that name.

    ``brief`` is called in the step, under its grant; ``form`` is what an answer must fit, and
    ``tell`` spells a tool's result for the model.

    Raises:
        LookupError: the process has no such reasoning.
    """
    reasoning = definition.reasoning(name)
    step = None if reasoning is None else definition.step(reasoning.think)
    if reasoning is None or step is None:
        raise LookupError(f"the process has no reasoning {name!r}")
    thinker = _Thinker(definition, reasoning, mind, brief, form, tell or _as_json)

    @activity.defn(name=step.activity_type)
    @governed(action=step.action, system=step.system, model=mind.name)
    async def think(request: ThinkRequest) -> Thought:
        return await thinker.think(request)

    return think


class _Thinker:
    def __init__(
        self,
        definition: ProcessDefinition,
        reasoning: Reasoning,
        mind: Mind,
        brief: Callable[[], Awaitable[Brief]],
        form: type[BaseModel],
        tell: Callable[[InputPart], str],
    ) -> None:
        self._definition = definition
        self._reasoning = reasoning
        self._mind = mind
        self._brief = brief
        self._form = form
        self._tell = tell
        self._taken: dict[tuple[str | None, str], Turn] = {}

    async def think(self, request: ThinkRequest) -> Thought:
        """Take one turn, and leave the conversation with it."""
        grant = current_grant()
        tools = tool_specs(self._definition, self._reasoning, request.record, self._form)
        before = await self._before(request, tools)
        told = tuple([await self._told(each) for each in request.results])
        left = max(self._reasoning.budget.tokens - request.spent.tokens, 1)
        question = Question(request.case, before, told, tools, request.spent, left)
        turn = await self._turn(question)
        said = before.model_copy(update={"turns": (*before.turns, turn)})
        part = grant.keep(self._reasoning.conversation, said)
        grant.reason(_spoken(turn))
        calls = () if turn.conclusion is not None else tuple(each.called for each in turn.uses)
        return Thought(
            part=part,
            calls=calls,
            concluded=turn.conclusion is not None,
            trouble=turn.trouble,
            tokens=turn.tokens,
            cost=turn.cost or Decimal("0.00"),
        )

    async def _before(self, request: ThinkRequest, tools: tuple[ToolSpec, ...]) -> Conversation:
        """The conversation up to this turn."""
        if request.turn > 1:
            for settled in await current_grant().inputs(self._reasoning.conversation):
                if settled.part.record != request.record:
                    continue
                found = Conversation.model_validate(settled.part.data)
                if len(found.turns) >= request.turn - 1:
                    return found.model_copy(update={"turns": found.turns[: request.turn - 1]})
            raise ApplicationError(
                f"turn {request.turn} has no turn before it", type="StepRefused", non_retryable=True
            )
        brief = await self._brief()
        shown: list[JsonValue] = [[t.name, t.description, dict(t.schema)] for t in tools]
        return Conversation(
            reasoning=self._reasoning.name,
            instructions=brief.instructions,
            opening=clean(brief.opening),
            instructions_digest=digest_bytes(brief.instructions.encode()),
            tools_digest=digest_json(shown),
        )

    async def _told(self, result: CallResult) -> Told:
        if result.status is not CallStatus.DONE:
            return Told(result=result, text=_fact(result))
        tools = {each.result for each in self._reasoning.tools}
        for name in sorted(tools):
            for settled in await current_grant().inputs(name):
                if settled.digest == result.digest:
                    return Told(result=result, text=_cut(self._tell(settled), MAX_TOLD))
        return Told(result=result, text="its result has been replaced by a later one")

    async def _turn(self, question: Question) -> Turn:
        """The turn that an earlier try of this step took, or a new one."""
        asked = asked_digest(question.conversation, question.told)
        info = activity.info()
        step = (info.workflow_run_id, info.activity_id)
        taken = self._taken.get(step)
        if taken is not None and taken.request_digest == asked:
            return taken
        turn = await self._ask(question, asked)
        self._taken[step] = turn
        if len(self._taken) > _KEPT:
            del self._taken[next(iter(self._taken))]
        return turn

    async def _ask(self, question: Question, asked: str) -> Turn:
        """Ask the model; whatever it does is a turn."""
        try:
            answered = await self._mind.take_turn(question)
        except MindError as error:
            trouble = Trouble.NO_ANSWER if isinstance(error, NoAnswer) else Trouble.UNREADABLE
            return Turn(
                told=question.told,
                model=self._mind.name,
                request_digest=asked,
                trouble=trouble,
                why=clean(str(error))[:500],
            )
        return self._kept(question, answered, asked)

    def _kept(self, question: Question, answered: Answered, asked: str) -> Turn:
        subject = current_grant().record
        uses: list[Use] = []
        conclusion: dict[str, JsonValue] | None = None
        used: set[tuple[str | None, str | None]] = set()
        for number, call in enumerate(answered.calls[:MAX_CALLS], 1):
            if call.name == CONCLUDE:
                use, conclusion = self._conclude(number, call)
            else:
                use = read_call(self._definition, self._reasoning, subject, number, call)
                use = _once(use, used)
            uses.append(use)
            if conclusion is not None:
                break
        turn = Turn(
            told=question.told,
            model=self._mind.name,
            answered_by=clean(answered.answered_by)[:200] if answered.answered_by else None,
            request_digest=asked,
            said=_cut(answered.said, _MAX_SAID - 200),
            thought=_cut(answered.thought, _MAX_SAID - 200),
            uses=tuple(uses),
            conclusion=conclusion,
            tokens=max(answered.tokens, 0),
            cost=None if answered.cost is None else answered.cost.quantize(CENT),
        )
        before = next((t.answered_by for t in question.conversation.turns if t.answered_by), None)
        if before is not None and turn.answered_by != before:
            why = f"{before} answered before, and {turn.answered_by or 'nobody'} now"
            turn = turn.model_copy(
                update={
                    "trouble": Trouble.OTHER_MODEL,
                    "why": why[:500],
                    "conclusion": None,
                }
            )
        return turn.model_copy(update={"response_digest": answered_digest(turn)})

    def _conclude(self, number: int, call: RawCall) -> tuple[Use, dict[str, JsonValue] | None]:
        """The model's answer, if it has the form that is asked for."""
        key = f"c{number}"
        text = clean(call.arguments)
        shown = _cut(text, MAX_ARGUMENTS)
        if len(text) > MAX_CONCLUSION:
            why = "the answer is too long"
            return refused(key, CONCLUDE, shown, CallStatus.MALFORMED, why), None
        try:
            found = self._form.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(str(each) for each in first["loc"])
            why = clean(f"{place}: {first['msg']}")[:500]
            return refused(key, CONCLUDE, shown, CallStatus.MALFORMED, why), None
        except RecursionError:
            why = "the answer is nested too deeply"
            return refused(key, CONCLUDE, shown, CallStatus.MALFORMED, why), None
        use = refused(key, CONCLUDE, shown, CallStatus.DONE, "the answer")
        said: dict[str, JsonValue] = json.loads(found.model_dump_json(exclude_none=True))
        return use, said


def _once(use: Use, used: set[tuple[str | None, str | None]]) -> Use:
    """A second call of a tool on the same record in one turn waits for the next turn."""
    called = use.called
    if called.refused is not None:
        return use
    if (called.tool, called.record) in used:
        again = called.model_copy(update={"refused": CallStatus.REPEATED})
        return use.model_copy(update={"called": again})
    used.add((called.tool, called.record))
    return use


def _fact(result: CallResult) -> str:
    """What a model is told of a call that was not done: a plain fact."""
    match result.status:
        case CallStatus.DENIED:
            return f"denied: {', '.join(result.reasons)}. It is not yours to have."
        case CallStatus.UNKNOWN:
            return "denied: there is no such tool."
        case CallStatus.MALFORMED:
            return "not done: the arguments do not fit."
        case CallStatus.REPEATED:
            return "not done: one call of a tool on a record at a time; ask again."
        case CallStatus.SPENT:
            return "not done: the budget of tool calls is spent."
        case _:
            return "not done: the tool failed."


def _spoken(turn: Turn) -> str:
    """A turn in a few words, for the ledger's side."""
    parts = [f"{turn.answered_by or turn.model}: {quantity(turn.tokens, 'token')}"]
    if turn.trouble is not None:
        parts.append(f"{turn.trouble}: {turn.why or ''}")
    parts += [f"{each.name} {each.called.record or each.problem or ''}" for each in turn.uses]
    if turn.said:
        parts.append(turn.said)
    return "\n".join(parts)[:9_000]


def _as_json(settled: InputPart) -> str:
    return json.dumps(settled.part.data, indent=1, ensure_ascii=False)


def _cut(text: str, longest: int) -> str:
    shown = clean(text)
    if len(shown) <= longest:
        return shown
    return f"{shown[:longest]}\n[cut here: {len(shown) - longest} characters more]"
