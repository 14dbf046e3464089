"""What makes an activity a governed step, and what its grant is asked for.

Local activities can't be governed: Temporal does not show them.
"""

import inspect
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError
from temporalio import activity
from temporalio.worker import ExecuteActivityInput

from placet.agent._errors import UngovernedActivity, ungoverned
from placet.model import Action, ActivityRef, ModelName, Name, RequestedDetails, system_urn
from placet.process import StepRequest, ToolRequest

_MARK = "__placet_governed__"
_F = TypeVar("_F", bound=Callable[..., Any])
_SPELLING: TypeAdapter[tuple[str, str, str | None]] = TypeAdapter(
    tuple[Action, Name, ModelName | None]
)
_MEMBERS = ("action, as object:verb", "system, a name", "model, a name")


def governed(*, action: str, system: str, model: str | None = None) -> Callable[[_F], _F]:
    """Mark an activity as a governed step: one action, at one system of record.

    The activity is ``async`` and its one argument is a :class:`placet.process.StepRequest`.
    ``model`` names the language model that it asks.

    Raises:
        TypeError: the function is not ``async``.
        ValueError: the action is not spelled ``object:verb``, or a name not as names are.
    """
    try:
        _SPELLING.validate_python((action, system, model))
    except ValidationError as error:
        first = error.errors()[0]
        member = _MEMBERS[int(first["loc"][0])]
        raise ValueError(f"@governed needs {member}: {first['input']!r} is none") from None

    def mark(function: _F) -> _F:
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"{function.__name__}: a governed activity is async")
        setattr(function, _MARK, (action, system, model))
        return function

    return mark


def mark_of(function: Callable[..., Any]) -> tuple[str, str, str | None] | None:
    """The action, system and model that an activity was marked with."""
    mark: tuple[str, str, str | None] | None = getattr(function, _MARK, None)
    return mark


def require_governed(activities: Sequence[Callable[..., Any]], systems: Collection[str]) -> None:
    """Refuse activities that no step could be taken with, by a worker that knows these systems.

    Raises:
        UngovernedActivity: one lacks ``@governed``, does not take one request, or is for a system
            of which the worker has no address; it names the first.
    """
    for function in activities:
        name = getattr(function, "__qualname__", repr(function))
        mark = mark_of(function)
        if mark is None:
            raise UngovernedActivity(
                f"activity {name} is not governed; mark it with @governed(action=…, system=…)"
            )
        if not _takes_a_request(function):
            raise UngovernedActivity(
                f"activity {name} takes another argument than one StepRequest: "
                f"async def {function.__name__}(request: StepRequest)"
            )
        _, system, _ = mark
        if system not in {"authority", *systems}:
            raise UngovernedActivity(
                f"activity {name} is for the system {system!r}, and the worker has no address for "
                "it; name it in AgentConfig's systems"
            )


def _takes_a_request(function: Callable[..., Any]) -> bool:
    try:
        types = get_type_hints(function)
    except NameError:  # of what only type checkers import; its first step will tell
        return True
    given = [types.get(name) for name in inspect.signature(function).parameters]
    return len(given) == 1 and isinstance(given[0], type) and issubclass(given[0], StepRequest)


def requested_details(step: ExecuteActivityInput) -> RequestedDetails:
    """What to ask a grant for: from the mark, Temporal's own info, and the request's record.

    Raises:
        ApplicationError: this activity can't be governed (terminal).
    """
    info = activity.info()
    if info.is_local:
        raise ungoverned("a local activity can't be governed: Temporal does not show it")
    mark = mark_of(step.fn)
    if mark is None:
        raise ungoverned(f"activity {info.activity_type} is not governed")
    request = step.args[0] if len(step.args) == 1 else None
    if not isinstance(request, StepRequest):
        raise ungoverned(f"activity {info.activity_type}: its one argument is a StepRequest")
    if request.case != info.workflow_id or info.workflow_id is None:
        raise ungoverned("the request names another case than the workflow's")
    return details_of(request, mark)


def details_of(request: StepRequest, mark: tuple[str, str, str | None]) -> RequestedDetails:
    """What the activity that runs here asks for, by its request and its mark."""
    action, system, model = mark
    return RequestedDetails(
        locations=(system_urn(system),),
        actions=(action,),
        identifier=request.record,
        case=request.case,
        activity=running_activity(),
        model=model,
        amount=request.amount if isinstance(request, ToolRequest) else None,
    )


def running_activity() -> ActivityRef:
    """The activity that runs here, as Temporal tells it."""
    info = activity.info()
    return ActivityRef(
        workflow_id=info.workflow_id or "",
        run_id=info.workflow_run_id or "",
        activity_id=info.activity_id,
        activity_type=info.activity_type,
        attempt=info.attempt,
    )
