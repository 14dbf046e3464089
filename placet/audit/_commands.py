"""What a workflow's code asks for when it runs again, held against what the history says.

Temporal's Replayer compares the kinds of commands and their order, but accepts other arguments,
another time on a timer and another result. So the commands are kept as the code gives them, task by
task, and compared with the events of that task, field by field.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.sdk.v1 import UserMetadata
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.workflow import Info

from placet.audit._states import State, Watch
from placet.model import SearchAttribute
from placet.process import ROUNDS

Fields = dict[str, object]
"""What one command asks for, by name; ``kind`` is what it is."""

KIND = "kind"
_COMMANDS = {
    "schedule_activity": "activity",
    "start_timer": "timer",
    "cancel_timer": "timer's end",
    "complete_workflow_execution": "result",
    "fail_workflow_execution": "failure",
    "cancel_workflow_execution": "cancellation",
    "continue_as_new_workflow_execution": "next run",
    "start_child_workflow_execution": "child",
    "request_cancel_activity": "activity's cancellation",
    "request_cancel_external_workflow_execution": "another's cancellation",
    "signal_external_workflow_execution": "signal to another",
    "modify_workflow_properties": "change of properties",
    "upsert_workflow_search_attributes": "search attributes",
}
"""Commands that become an event, and what they are called; all others leave none of their own."""
_EVENTS = {
    "activity_task_scheduled": "activity",
    "timer_started": "timer",
    "timer_canceled": "timer's end",
    "workflow_execution_completed": "result",
    "workflow_execution_failed": "failure",
    "workflow_execution_canceled": "cancellation",
    "workflow_execution_continued_as_new": "next run",
    "start_child_workflow_execution_initiated": "child",
    "activity_task_cancel_requested": "activity's cancellation",
    "request_cancel_external_workflow_execution_initiated": "another's cancellation",
    "signal_external_workflow_execution_initiated": "signal to another",
    "workflow_properties_modified": "change of properties",
    "upsert_workflow_search_attributes": "search attributes",
}


class RecordingRunner(WorkflowRunner):
    """Runs workflow code as another runner does, and keeps its commands, in order.

    They are kept by the number of the event at which Temporal gave the code its task. With a
    ``watch`` the workflow's states are kept as well, by the same.
    """

    def __init__(self, runner: WorkflowRunner, watch: Watch | None = None) -> None:
        self._runner = runner
        self._watch = watch
        self.commands: dict[int, list[Fields]] = {}
        self.states: dict[int, State] = {}

    def prepare_workflow(self, defn: Any) -> None:
        """As the runner does."""
        self._runner.prepare_workflow(defn)

    def set_worker_level_failure_exception_types(
        self, types: Sequence[type[BaseException]]
    ) -> None:
        """As the runner does."""
        self._runner.set_worker_level_failure_exception_types(types)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """One run from its beginning; what an earlier instance gave is forgotten."""
        self.commands, self.states = {}, {}
        return _Recording(self._runner.create_instance(det), self)

    def stepped(self, act: WorkflowActivation, given: Sequence[WorkflowCommand]) -> None:
        """The code has run as far as it could."""
        if all(each.HasField("remove_from_cache") for each in act.jobs):
            return  # the instance is only forgotten
        # A timer that ends in the step that starts it never becomes an event.
        started = {each.start_timer.seq for each in given if each.HasField("start_timer")}
        ended = {each.cancel_timer.seq for each in given if each.HasField("cancel_timer")}
        kept = self.commands.setdefault(act.history_length, [])
        kept += [
            fields
            for each in given
            if _timer(each) not in started & ended and (fields := _asked(each)) is not None
        ]
        if self._watch is not None:
            self.states[act.history_length] = self._watch.state()


class _Recording(WorkflowInstance):
    def __init__(self, instance: WorkflowInstance, runner: RecordingRunner) -> None:
        self._instance = instance
        self._runner = runner

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        completion = self._instance.activate(act)
        self._runner.stepped(act, completion.successful.commands)
        return completion

    def get_serialization_context(self, command_info: Any) -> Any:
        return self._instance.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> Any:
        return self._instance.get_external_store_context(command_info)

    def get_info(self) -> Info:
        return self._instance.get_info()

    def get_thread_id(self) -> int | None:
        return self._instance.get_thread_id()


def differences(
    commands: Mapping[int, Sequence[Fields]], events: Sequence[HistoryEvent]
) -> Iterator[tuple[int, str]]:
    """The first event that the code did not ask for, with what differs.

    Temporal writes a task's end and the events of its commands at once: so each is there, whatever
    became of the run. Tasks that a replay which failed never came to are not compared.
    """
    for task in _tasks(events):
        given = commands.get(task.started)
        if given is None and not task.events:
            continue
        if given is None:
            return
        for asked, event in zip_longest(given, task.events):
            if event is None:
                number = task.ended + len(task.events) + 1
                yield number, f"the code asks for one more {asked[KIND]} here: {_words(asked)}"
                return
            if asked is None:
                yield event.event_id, f"the workflow's code asks for no {_kind(event)} here"
                return
            said = _said(event)
            other = [name for name, value in said.items() if asked.get(name) != value]
            if asked[KIND] != said[KIND]:
                yield event.event_id, f"the code asks for a {asked[KIND]}, not a {said[KIND]}"
                return
            if other:
                found = f"the workflow's code gives the {said[KIND]} another {', '.join(other)}"
                yield event.event_id, found
                return


@dataclass
class _Task:
    """A task that came to its end: the events of its start, its end and its commands."""

    started: int
    ended: int
    events: list[HistoryEvent] = field(default_factory=list)


def _tasks(events: Sequence[HistoryEvent]) -> list[_Task]:
    found: list[_Task] = []
    for event in events:
        if event.HasField("workflow_task_completed_event_attributes"):
            started = event.workflow_task_completed_event_attributes.started_event_id
            found.append(_Task(started, event.event_id))
        elif found and _kind(event) is not None:
            found[-1].events.append(event)
    return found


def _kind(event: HistoryEvent) -> str | None:
    name = (event.WhichOneof("attributes") or "").removesuffix("_event_attributes")
    return _EVENTS.get(name)


def _timer(command: WorkflowCommand) -> int | None:
    if command.HasField("start_timer"):
        return command.start_timer.seq
    return command.cancel_timer.seq if command.HasField("cancel_timer") else None


def _asked(command: WorkflowCommand) -> Fields | None:
    """What a command asks for; ``None`` if no event comes of it."""
    variant = command.WhichOneof("variant") or ""
    if variant not in _COMMANDS:
        return None
    asked = getattr(command, variant)
    fields: Fields = {KIND: _COMMANDS[variant]}
    if variant == "schedule_activity":
        fields |= _activity(asked, asked.activity_type, asked.arguments, asked.headers)
        fields |= {"task queue": asked.task_queue, "summary": _summary(command.user_metadata)}
    elif variant == "start_timer":
        fields |= {"id": str(asked.seq), "time": _seconds(asked.start_to_fire_timeout)}
        fields |= {"summary": _summary(command.user_metadata)}
    elif variant == "cancel_timer":
        fields |= {"id": str(asked.seq)}
    elif variant == "complete_workflow_execution":
        fields |= {"value": _plain([asked.result] if asked.HasField("result") else [])}
    elif variant == "fail_workflow_execution":
        fields |= _failure(asked.failure)
    elif variant == "continue_as_new_workflow_execution":
        fields |= {"input": _plain(asked.arguments), "rounds": _rounds(asked.memo)}
    elif variant == "upsert_workflow_search_attributes":
        fields |= _asked_attributes(asked.search_attributes.indexed_fields)
    return fields


def _said(event: HistoryEvent) -> Fields:
    """What an event says that the code asked for."""
    name = event.WhichOneof("attributes") or ""
    told = getattr(event, name)
    fields: Fields = {KIND: _kind(event)}
    match name.removesuffix("_event_attributes"):
        case "activity_task_scheduled":
            fields |= _activity(
                told, told.activity_type.name, told.input.payloads, told.header.fields
            )
            fields |= {"task queue": told.task_queue.name, "summary": _summary(event.user_metadata)}
        case "timer_started":
            fields |= {"id": told.timer_id, "time": _seconds(told.start_to_fire_timeout)}
            fields |= {"summary": _summary(event.user_metadata)}
        case "timer_canceled":
            fields |= {"id": told.timer_id}
        case "workflow_execution_completed":
            fields |= {"value": _plain(told.result.payloads)}
        case "workflow_execution_failed":
            fields |= _failure(told.failure)
        case "workflow_execution_continued_as_new":
            fields |= {"input": _plain(told.input.payloads), "rounds": _rounds(told.memo.fields)}
        case "upsert_workflow_search_attributes":
            fields |= _said_attributes(told.search_attributes.indexed_fields)
        case _:
            pass
    return fields


_TIMEOUTS = ("schedule_to_close", "schedule_to_start", "start_to_close", "heartbeat")


def _activity(
    told: Any, type_: str, payloads: Sequence[Payload], headers: Mapping[str, Payload]
) -> Fields:
    return {
        "id": told.activity_id,
        "type": type_,
        "input": _plain(payloads),
        "headers": {name: _plain([each]) for name, each in headers.items()},
        **{
            f"{each.replace('_', '-')} timeout": _seconds(getattr(told, f"{each}_timeout"))
            for each in _TIMEOUTS
        },
        "retry policy": _bytes(told.retry_policy),
        "priority": _bytes(told.priority),
    }


_OURS = frozenset[str](SearchAttribute)


def _asked_attributes(fields: Mapping[str, Payload]) -> Fields:
    """Values by name. The SDK says no type of one that the code unsets: Temporal's server does."""
    found: dict[str, object] = {}
    for name, each in fields.items():
        unset = {"type": b"Keyword"} if "type" not in each.metadata and name in _OURS else {}
        found[name] = _plain([Payload(metadata={**each.metadata, **unset}, data=each.data)])
    return {"values": found}


def _said_attributes(fields: Mapping[str, Payload]) -> Fields:
    """The same, as the event has them; another unset one's type is the server's."""
    found: dict[str, object] = {}
    for name, each in fields.items():
        told = dict(each.metadata)
        if name not in _OURS and not each.data:
            told.pop("type", None)
        found[name] = _plain([Payload(metadata=told, data=each.data)])
    return {"values": found}


def _failure(failure: Failure) -> Fields:
    """What a failed workflow says; where in the code it was raised is not compared."""
    info = failure.application_failure_info
    return {"message": failure.message, "type": info.type, "details": _plain(info.details.payloads)}


def _summary(metadata: UserMetadata) -> object:
    return _plain([metadata.summary] if metadata.HasField("summary") else [])


def _rounds(memo: Mapping[str, Payload]) -> object:
    """How many rounds the code says are done; the rest of a memo Temporal carries on by itself."""
    return _plain([memo[ROUNDS]] if ROUNDS in memo else [])


def _seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9


def _plain(payloads: Sequence[Payload]) -> tuple[tuple[bytes, tuple[tuple[str, bytes], ...]], ...]:
    return tuple((each.data, tuple(sorted(each.metadata.items()))) for each in payloads)


def _bytes(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


def _words(asked: Fields) -> str:
    return ", ".join(v for name, v in asked.items() if name != KIND and isinstance(v, str))
