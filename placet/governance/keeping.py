"""What the keeping agent does: it calls owners' own tools as ordered, and hands in the proof.

It decides nothing: whether a tool may be called now is the authority's word, and so is what counts
as proven.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from temporalio import activity

from placet.agent import current_grant, governed, read_answer
from placet.governance._orders import LOOK, OFFBOARD, ROTATE, ROTATE_CONFIRMED
from placet.governance._requests import SeenOrder, ToolRun
from placet.governance._tools import BadTools, Tool, ToolFailed, Tools, call, read_tools
from placet.kill import kill_point
from placet.model import (
    NO_PROOF,
    Part,
    Problem,
    Proposal,
    Proven,
    ShownOrder,
    ToolFailure,
    ToolProof,
    ToolTask,
)
from placet.process import StepRequest

__all__ = ["BadTools", "Tool", "Tools", "keeper_activities", "read_tools"]

_UNSURE = "an earlier call of the tool was begun and told nothing: it may have done it"


@activity.defn(name=LOOK)
@governed(action="identity:order", system="authority")
async def look_at_order(request: StepRequest) -> SeenOrder:
    """Leave what people are shown of an order."""
    answer = await current_grant().request("GET", f"/v1/cases/{request.case}/order")
    told = read_answer(answer, Part)
    shown = ShownOrder.model_validate(told.data, strict=False)
    return SeenOrder(part=current_grant().keep_part(told), confirm=shown.confirm)


def keeper_activities(tools: Tools) -> tuple[Callable[..., Any], ...]:
    """The activities of the agent ``identity-keeper``, with the tools that it may call."""

    @activity.defn(name=ROTATE)
    @governed(action="identity:rotate", system="authority")
    async def rotate_identity(request: StepRequest) -> ToolRun:
        return await _call(tools, request)

    @activity.defn(name=ROTATE_CONFIRMED)
    @governed(action="identity:rotate", system="authority")
    async def rotate_confirmed(request: StepRequest) -> ToolRun:
        return await _call(tools, request)

    @activity.defn(name=OFFBOARD)
    @governed(action="identity:offboard", system="authority")
    async def offboard_identity(request: StepRequest) -> ToolRun:
        return await _call(tools, request)

    return (look_at_order, rotate_identity, rotate_confirmed, offboard_identity)


async def _call(tools: Tools, request: StepRequest) -> ToolRun:
    """One try: the tool is called if the authority says so, and what came of it is left."""
    task = read_answer(await _ask(request, "tool"), ToolTask)
    proof = task.proof
    if proof is None:
        if task.unsure:
            return _failed(task, _UNSURE)
        try:
            proof = await _proof(tools, task)
        except ToolFailed as error:
            return _failed(task, str(error))
    kill_point("tool.before-proof")
    answer = await _ask(request, "tool-proof", proof)
    if answer.status == HTTPStatus.CONFLICT:
        problem = Problem.model_validate_json(answer.body)
        if NO_PROOF in problem.reasons:
            return _failed(task, problem.error_description)
    done = read_answer(answer, Proven)
    return ToolRun(part=current_grant().keep("proof", done), done=True)


async def _ask(request: StepRequest, what: str, body: BaseModel | None = None) -> Any:
    path = f"/v1/cases/{request.case}/{what}"
    return await current_grant().request("POST", path, json=body)


async def _proof(tools: Tools, task: ToolTask) -> ToolProof:
    tool = tools.tool(task.source, task.goal)
    if tool is None:
        raise ToolFailed(f"there is no tool to {task.goal} what {task.source} names")
    return await call(tool, task)


def _failed(task: ToolTask, why: str) -> ToolRun:
    failure = ToolFailure(
        order=task.order, identity=task.identity, goal=task.goal, tries=task.tries, why=why[:300]
    )
    return ToolRun(part=current_grant().keep("failure", failure, Proposal()), done=False)
