"""The states of a workflow while its code runs again: its object, and where its code stands.

1. Nothing is asked of the process: an interceptor sees the workflow's object, and the coroutines of
   its tasks say which line each waits at, with its local variables.
2. Of the engine's functions it is told where they stand, and not what they keep in hand.
3. A state is plain data, the same for the same history: no address, no order of a set.
"""

import asyncio
import dataclasses
from collections.abc import Coroutine, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from types import FrameType
from typing import Any

from pydantic import BaseModel, JsonValue
from temporalio import workflow
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

State = dict[str, JsonValue]
"""A workflow's attributes, its functions' local variables, and where its code stands, by name."""

WHERE = "where"
"""The one name of a state that is no variable: the functions that wait, outermost first."""
_NOT_SHOWN = ("temporalio", "asyncio", "placet.audit")
_ENGINE = "placet."
_MAX_TEXT, _MAX_MEMBERS, _MAX_DEPTH = 2000, 200, 8


class Watch(Interceptor):
    """Sees the object and the event loop of the one workflow that is replayed."""

    def __init__(self) -> None:
        self._object: object | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002, ARG002 - the SDK's name for it
    ) -> type[WorkflowInboundInterceptor]:
        """An interceptor that tells this watch what it runs in."""
        watch = self

        class Seen(WorkflowInboundInterceptor):
            async def execute_workflow(
                self,
                input: ExecuteWorkflowInput,  # noqa: A002 - the SDK's name for it
            ) -> Any:
                watch.see(workflow.instance(), asyncio.get_running_loop())
                return await super().execute_workflow(input)

        return Seen

    def see(self, instance: object, loop: asyncio.AbstractEventLoop) -> None:
        """Watch this workflow from now on."""
        self._object, self._loop = instance, loop

    def state(self) -> State:
        """The state now; empty before the workflow has begun."""
        if self._object is None or self._loop is None:
            return {}
        chains = [list(_frames(task.get_coro())) for task in asyncio.all_tasks(self._loop)]
        told = sorted((_told(each) for each in chains if each), key=repr)
        state: State = {
            WHERE: [" > ".join(where) for where, _ in told],
            **{f"self.{name}": as_data(value) for name, value in vars(self._object).items()},
        }
        for _, variables in told:
            for name, value in variables.items():
                state[_free(state, name, value)] = value
        return dict(sorted(state.items(), key=lambda each: (each[0] != WHERE, each[0])))


def _free(state: State, name: str, value: JsonValue) -> str:
    """A name for a variable: functions that run side by side have the same ones."""
    tried, number = name, 1
    while tried in state and state[tried] != value:
        number += 1
        tried = f"{name} ({number})"
    return tried


def _frames(coroutine: Any) -> Iterator[FrameType]:
    """The frames of the process's own functions, from the outermost to where the code waits."""
    while isinstance(coroutine, Coroutine):
        frame: FrameType | None = getattr(coroutine, "cr_frame", None)
        if frame is None:
            return
        if not _module(frame).startswith(_NOT_SHOWN):
            yield frame
        coroutine = getattr(coroutine, "cr_await", None)


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))


def _told(frames: list[FrameType]) -> tuple[tuple[str, ...], State]:
    """Where these functions stand, and the process's own variables among theirs."""
    where = tuple(f"{each.f_code.co_qualname}:{each.f_lineno}" for each in frames)
    variables = {
        f"{each.f_code.co_name}.{name}": as_data(value)
        for each in frames
        if not _module(each).startswith(_ENGINE)
        for name, value in each.f_locals.items()
        if name not in {"self", "_"}
    }
    return where, variables


def as_data(value: object, depth: int = 0) -> JsonValue:
    """A value as data; what has no plain form is told by its type alone."""
    if isinstance(value, Enum):
        return as_data(value.value, depth)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value if len(value) <= _MAX_TEXT else f"{value[:_MAX_TEXT]}…"
    if isinstance(value, Decimal | timedelta):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if depth < _MAX_DEPTH:
        if isinstance(value, BaseModel):
            return as_data(value.model_dump(mode="json"), depth + 1)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
            return as_data(fields, depth + 1)
        if isinstance(value, Mapping):
            members = list(value.items())[:_MAX_MEMBERS]
            return {str(name): as_data(each, depth + 1) for name, each in members}
        if isinstance(value, list | tuple):
            return [as_data(each, depth + 1) for each in value[:_MAX_MEMBERS]]
        if isinstance(value, set | frozenset):
            return sorted((as_data(each, depth + 1) for each in value), key=repr)[:_MAX_MEMBERS]
    named = value if isinstance(value, type) else type(value)
    return f"<{named.__name__}>"
