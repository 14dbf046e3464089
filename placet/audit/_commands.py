"""What a workflow's code asks for when it runs again, held against what the history says.

Temporal's Replayer compares the kinds of commands and their order, but accepts other arguments,
another time on a timer and another result. So the commands are kept as the code gives them, and
compared field by field.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.workflow import Info

from placet.audit._states import State, Watch
from placet.model import payloads_digest

Fields = dict[str, object]
"""What one command asks for, by name."""

ACTIVITY, TIMER, RESULT = "activity", "timer", "result"
KINDS = (ACTIVITY, TIMER, RESULT)


class RecordingRunner(WorkflowRunner):
    """Runs workflow code as another runner does, and keeps its commands by kind, in order.

    With a ``watch`` it keeps the workflow's states as well, by the number of the event at which
    Temporal gave the code its task.
    """

    def __init__(self, runner: WorkflowRunner, watch: Watch | None = None) -> None:
        self._runner = runner
        self._watch = watch
        self.commands: dict[str, list[Fields]] = {}
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
        self.commands = {kind: [] for kind in KINDS}
        self.states = {}
        return _Recording(self._runner.create_instance(det), self)

    def stepped(self, act: WorkflowActivation) -> None:
        """The code has run as far as it could; a state is taken, unless it was only forgotten."""
        if self._watch is not None and not all(
            each.HasField("remove_from_cache") for each in act.jobs
        ):
            self.states[act.history_length] = self._watch.state()


class _Recording(WorkflowInstance):
    def __init__(self, instance: WorkflowInstance, runner: RecordingRunner) -> None:
        self._instance = instance
        self._runner = runner
        self._commands = runner.commands

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        completion = self._instance.activate(act)
        self._runner.stepped(act)
        given = completion.successful.commands
        # A timer that ends in the step that starts it never becomes an event.
        gone = {each.cancel_timer.seq for each in given if each.HasField("cancel_timer")}
        for each in given:
            if not (each.HasField("start_timer") and each.start_timer.seq in gone):
                self._keep(each)
        return completion

    def _keep(self, command: WorkflowCommand) -> None:
        if command.HasField("schedule_activity"):
            activity = command.schedule_activity
            self._commands[ACTIVITY].append(
                {
                    "id": activity.activity_id,
                    "type": activity.activity_type,
                    "task queue": activity.task_queue,
                    "input": _digest(activity.arguments),
                    "start-to-close timeout": _seconds(activity.start_to_close_timeout),
                    "heartbeat timeout": _seconds(activity.heartbeat_timeout),
                }
            )
        elif command.HasField("start_timer"):
            timer = command.start_timer
            self._commands[TIMER].append(
                {"id": str(timer.seq), "time": _seconds(timer.start_to_fire_timeout)}
            )
        elif command.HasField("complete_workflow_execution"):
            result = command.complete_workflow_execution
            given = [result.result] if result.HasField("result") else []
            self._commands[RESULT].append({"value": _digest(given)})

    def get_serialization_context(self, command_info: Any) -> Any:
        return self._instance.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> Any:
        return self._instance.get_external_store_context(command_info)

    def get_info(self) -> Info:
        return self._instance.get_info()

    def get_thread_id(self) -> int | None:
        return self._instance.get_thread_id()


def differences(
    commands: Mapping[str, list[Fields]],
    events: Sequence[HistoryEvent],
    *,
    whole: bool,
    cut: bool = False,
) -> Iterator[tuple[int, str]]:
    """The first event of each kind that the code did not ask for, with what differs.

    ``whole``: the code ran to the end, so that what it asked for beyond the history counts, too;
    that is at the last event. ``cut``: a person has ended the case, so that the history may end
    before what the code asked for last.
    """
    for kind in KINDS:
        told = [(event.event_id, fields) for event in events if (fields := _of(event, kind))]
        for given, event in zip_longest(commands.get(kind, []), told):
            if given is None or event is None:
                if whole and event is not None:
                    yield event[0], f"the workflow's code asks for no such {kind}"
                elif whole and not cut:
                    yield events[-1].event_id, f"the code asks for one more {kind}: {given}"
                break
            number, fields = event
            other = [name for name, value in fields.items() if given[name] != value]
            if other:
                yield number, f"the workflow's code gives the {kind} another {', '.join(other)}"
                break


def _of(event: HistoryEvent, kind: str) -> Fields | None:
    if kind == ACTIVITY and event.HasField("activity_task_scheduled_event_attributes"):
        activity = event.activity_task_scheduled_event_attributes
        return {
            "id": activity.activity_id,
            "type": activity.activity_type.name,
            "task queue": activity.task_queue.name,
            "input": _digest(activity.input.payloads),
            "start-to-close timeout": _seconds(activity.start_to_close_timeout),
            "heartbeat timeout": _seconds(activity.heartbeat_timeout),
        }
    if kind == TIMER and event.HasField("timer_started_event_attributes"):
        timer = event.timer_started_event_attributes
        return {"id": timer.timer_id, "time": _seconds(timer.start_to_fire_timeout)}
    if kind == RESULT and event.HasField("workflow_execution_completed_event_attributes"):
        result = event.workflow_execution_completed_event_attributes.result
        return {"value": _digest(result.payloads)}
    return None


def _seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9


def _digest(payloads: Sequence[Payload]) -> str:
    try:
        return payloads_digest(each.data for each in payloads)
    except ValueError:
        return "unreadable"
