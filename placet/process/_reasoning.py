"""Reasoning as a workflow orders it: the model is asked, its calls are taken one by one, again.

1. Each call of the model and each call of a tool is a governed step of its own, with its own grant
   (I1, I2, I3). What the model says can't make a step: it names a tool that the signed process
   has for it, or nothing is scheduled.
2. A denial is a fact that the model is told, and counted; a budget that is reached ends it. So it
   ends by itself, whatever the model does (I12).
3. No text of a document, of a tool's result or of the model comes here: keys, records and digests
   alone, and a call's amount (I7). Arguments stay in the conversation: the tool's step reads them.
"""

from datetime import datetime, timedelta

from pydantic import Field
from temporalio import workflow
from temporalio.exceptions import ActivityError, TimeoutError, TimeoutType  # noqa: A004 - Temporal's

from placet.model import (
    Budget,
    Called,
    CallResult,
    CallStatus,
    CaseId,
    Ending,
    Identifier,
    Model,
    Money,
    PartRef,
    Reasoning,
    RecordId,
    Spent,
    Trouble,
)
from placet.process._refused import refused_for
from placet.process._requests import StepRequest
from placet.process._workflow import GovernedWorkflow

_REASONS = 8


class ThinkRequest(StepRequest):
    """Ask the model once: its turn's number, and what became of the calls of the turn before."""

    reasoning: Identifier
    turn: int = Field(ge=1)
    results: tuple[CallResult, ...] = ()
    spent: Spent = Spent()


class Thought(Model):
    """What came of it: the conversation's part, and the calls that the model asks for."""

    part: PartRef
    calls: tuple[Called, ...] = ()
    concluded: bool = False
    trouble: Trouble | None = None
    tokens: int = 0
    cost: Money = Field(default="0.00", validate_default=True)


class ToolRequest(StepRequest):
    """Do what the model asked for: the call's key in a turn of a reasoning's conversation.

    ``amount`` is the call's, where its tool has one: the step's grant is asked for that much.
    """

    reasoning: Identifier
    turn: int = Field(ge=1)
    key: Identifier
    amount: Money | None = None


class Reasoned(Model):
    """How a reasoning ended, what it took, and the last part of its conversation.

    ``results`` is what became of the last turn's calls, which the model was told no more.
    """

    reasoning: Identifier
    ending: Ending
    spent: Spent
    part: PartRef | None = None
    reasons: tuple[str, ...] = ()
    results: tuple[CallResult, ...] = ()


class ReasoningWorkflow(GovernedWorkflow):
    """A workflow whose process lets models reason. Subclasses set ``definition``."""

    async def reason(self, name: str, case: CaseId, subject: RecordId) -> Reasoned:
        """Let a model reason until it concludes, or something ends it. It never raises for that."""
        reasoning = self.definition.reasoning(name)
        if reasoning is None:
            raise LookupError(f"the process has no reasoning {name}")
        budget, until = reasoning.budget, _until(reasoning.budget)
        spent, turn, part = Spent(), 0, None
        results: tuple[CallResult, ...] = ()
        while True:
            reached = _reached(budget, spent, until)
            if reached is not None:
                return Reasoned(
                    reasoning=name, ending=reached, spent=spent, part=part, results=results
                )
            turn += 1
            request = ThinkRequest(
                case=case, record=subject, reasoning=name, turn=turn, results=results, spent=spent
            )
            try:
                thought = await self.step(
                    reasoning.think, request, Thought, within=until - workflow.now()
                )
            except ActivityError as error:
                ending, reasons = _failed(error)
                return Reasoned(
                    reasoning=name,
                    ending=ending,
                    spent=spent,
                    part=part,
                    reasons=reasons,
                    results=results,
                )
            part = thought.part
            spent = _add(spent, thought)
            if thought.trouble is not None or thought.concluded:
                ending = Ending(thought.trouble or Ending.CONCLUDED)
                return Reasoned(reasoning=name, ending=ending, spent=spent, part=part)
            taken = [
                await self._take(reasoning, request, called, number, spent, until)
                for number, called in enumerate(thought.calls)
            ]
            results = tuple(taken)
            refused = sum(each.status.refused for each in taken)
            spent = spent.model_copy(
                update={
                    "tool_calls": spent.tool_calls + len(taken),
                    "refusals": spent.refusals + refused,
                }
            )

    async def _take(
        self,
        reasoning: Reasoning,
        asked: ThinkRequest,
        called: Called,
        number: int,
        spent: Spent,
        until: datetime,
    ) -> CallResult:
        """Take one call as a step of its own, or say why not."""
        tool = reasoning.tool(called.tool or "")
        if called.refused is not None or tool is None or called.record is None:
            return CallResult(key=called.key, status=called.refused or CallStatus.UNKNOWN)
        left = until - workflow.now()
        if spent.tool_calls + number >= reasoning.budget.tool_calls or left <= timedelta():
            return CallResult(key=called.key, status=CallStatus.SPENT)
        request = ToolRequest(
            case=asked.case,
            record=called.record,
            reasoning=reasoning.name,
            turn=asked.turn,
            key=called.key,
            amount=called.amount,
        )
        try:
            part = await self.step(tool.step, request, PartRef, within=left)
        except ActivityError as error:
            reasons = refused_for(error)
            status = CallStatus.DENIED if reasons else CallStatus.FAILED
            return CallResult(
                key=called.key, status=status, reasons=tuple(r[:200] for r in reasons[:_REASONS])
            )
        return CallResult(key=called.key, status=CallStatus.DONE, digest=part.digest)


def _until(budget: Budget) -> datetime:
    return workflow.now() + timedelta(seconds=budget.seconds)


def _reached(budget: Budget, spent: Spent, until: datetime) -> Ending | None:
    """The budget that is reached, if any."""
    if spent.refusals >= budget.refusals:
        return Ending.REFUSED
    if spent.model_calls >= budget.model_calls:
        return Ending.MODEL_CALLS
    if spent.tool_calls > budget.tool_calls:
        return Ending.TOOL_CALLS
    if spent.tokens >= budget.tokens:
        return Ending.TOKENS
    if spent.cost > 0 and spent.cost >= budget.cost:
        return Ending.COST
    if workflow.now() >= until:
        return Ending.SECONDS
    return None


def _failed(error: ActivityError) -> tuple[Ending, tuple[str, ...]]:
    """Why the model could not be asked: denied, out of time, or broken."""
    reasons = refused_for(error)
    if reasons:
        return Ending.STOPPED, reasons[:_REASONS]
    if isinstance(error.cause, TimeoutError) and error.cause.type in {
        TimeoutType.SCHEDULE_TO_CLOSE,
        TimeoutType.SCHEDULE_TO_START,
    }:
        return Ending.SECONDS, ()
    return Ending.FAILED, ()


def _add(spent: Spent, thought: Thought) -> Spent:
    return spent.model_copy(
        update={
            "model_calls": spent.model_calls + 1,
            "tokens": spent.tokens + thought.tokens,
            "cost": spent.cost + thought.cost,
        }
    )
