"""The orchestrator's steps: open a checkpoint, read its outcome, stop or close the case.

They are governed like any other, by grants for the authority itself. The workflow gets back what
the authority says; it vouches for nothing.
"""

import json
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from temporalio import activity

from placet.agent._errors import denied, unavailable
from placet.agent._governed import governed
from placet.agent._grant import Answer, current_grant
from placet.model import CloseCase, OpenCheckpoint, Outcome, Problem, StopCase, first_error
from placet.process import (
    CLOSE_CASE,
    OPEN_CHECKPOINT,
    READ_OUTCOME,
    STOP_CASE,
    CheckpointRequest,
    CloseRequest,
    StopRequest,
)

_M = TypeVar("_M", bound=BaseModel)
_WORDS = 300
"""Characters that are told of an answer whose form is not ours."""


@activity.defn(name=OPEN_CHECKPOINT)
@governed(action="checkpoint:open", system="authority")
async def open_checkpoint(request: CheckpointRequest) -> Outcome:
    """Open a checkpoint, or find the one that asks the same."""
    return _outcome(
        await current_grant().request(
            "POST",
            f"/v1/cases/{request.case}/checkpoints",
            json=OpenCheckpoint(checkpoint=request.checkpoint),
        )
    )


@activity.defn(name=READ_OUTCOME)
@governed(action="outcome:read", system="authority")
async def read_outcome(request: CheckpointRequest) -> Outcome:
    """Read what came of a checkpoint so far."""
    path = f"/v1/cases/{request.case}/checkpoints/{request.checkpoint}/outcome"
    return _outcome(await current_grant().request("GET", path))


@activity.defn(name=CLOSE_CASE)
@governed(action="case:close", system="authority")
async def close_case(request: CloseRequest) -> CloseRequest:
    """Close the case with its result."""
    answer = await current_grant().request(
        "POST", f"/v1/cases/{request.case}/close", json=CloseCase(result=request.result)
    )
    require_ok(answer)
    return request


@activity.defn(name=STOP_CASE)
@governed(action="case:stop", system="authority")
async def stop_case(request: StopRequest) -> StopRequest:
    """Stop the case for a person to look at."""
    body = StopCase(reason=request.reason, admissions=request.admissions)
    answer = await current_grant().request("POST", f"/v1/cases/{request.case}/stop", json=body)
    require_ok(answer)
    return request


ORCHESTRATION = (open_checkpoint, read_outcome, stop_case, close_case)
"""The activities of every orchestrator's worker."""


def require_ok(answer: Answer) -> None:
    """Require a 2xx answer.

    Raises:
        ApplicationError: refused (terminal, with the reasons of the system's ``Problem``, or with
            ``http_404`` where it told in another form), or the grant has ended (retryable).
    """
    if 200 <= answer.status < 300:
        return
    problem = _problem(answer)
    if answer.status == 401 or "grant_ended" in problem.reasons:
        # The grant ended under the step; the next attempt asks anew, and is told no if it is no.
        raise unavailable(f"{answer.status}: {problem.error_description}")
    reasons = problem.reasons or (problem.error,)
    raise denied(f"{answer.status}: {problem.error_description}", reasons)


def read_answer(answer: Answer, model: type[_M]) -> _M:
    """Read a 2xx answer's body as a model.

    Raises:
        ApplicationError: refused (terminal), or in a wrong form (retryable).
    """
    require_ok(answer)
    try:
        return model.model_validate_json(answer.body)
    except ValidationError as error:
        member, said = first_error(error)
        where = f"{member}: " if member else ""
        raise unavailable(f"the answer is no {model.__name__}: {where}{said}") from None


def _outcome(answer: Answer) -> Outcome:
    return read_answer(answer, Outcome)


def _problem(answer: Answer) -> Problem:
    try:
        return Problem.model_validate_json(answer.body)
    except ValidationError:
        said = _words(answer.body) or "no reason was given"
        return Problem(error=f"http_{answer.status}", error_description=said)


def _words(body: bytes) -> str:
    """What an answer of another form than ours says: FastAPI's ``detail``, RFC 9457's, or none."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    found = said.get("detail") or said.get("title") if isinstance(said, dict) else None
    return found[:_WORDS] if isinstance(found, str) else ""
