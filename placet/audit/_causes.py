"""What an event of a history says in words, and which events led to it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent

_REFERENCES = (
    "workflow_task_completed_event_id",
    "scheduled_event_id",
    "started_event_id",
    "initiated_event_id",
    "accepted_event_id",
    "activity_task_scheduled_event_id",
)
_NO_NEWS = (
    "workflow_task_",
    "activity_task_scheduled",
    "activity_task_started",
    "timer_started",
    "timer_canceled",
    "marker_recorded",
    "upsert_",
)
"""What brings the code nothing that it would be run for."""
_STARTED, _COMPLETED = "workflow_task_started", "workflow_task_completed"
_MARKS = {
    "workflow_execution_terminated": "terminated",
    "workflow_execution_paused": "paused",
    "workflow_execution_unpaused": "goes on after a pause",
    "workflow_execution_time_skipping_transitioned": "time was skipped",
    "workflow_execution_options_updated": "execution options changed",
    "workflow_execution_cancel_requested": "cancellation requested",
    "activity_properties_modified_externally": "activity changed from outside",
    "workflow_properties_modified_externally": "workflow changed from outside",
    "workflow_execution_continued_as_new": "continued as a new run",
    "workflow_execution_timed_out": "timed out",
}


def kind(event: HistoryEvent) -> str:
    """The event's kind, as its attributes have it: ``activity_task_scheduled``."""
    return (event.WhichOneof("attributes") or "unknown").removesuffix("_event_attributes")


def attributes(event: HistoryEvent) -> Any:
    """The event's attributes."""
    return getattr(event, event.WhichOneof("attributes") or "", None)


def causes(events: Sequence[HistoryEvent]) -> dict[int, tuple[int, ...]]:
    """For each event those that led to it.

    A workflow task was scheduled, and its code ran, because of what had happened since the task
    before was started; all else names its cause itself.
    """
    found: dict[int, tuple[int, ...]] = {}
    news: list[int] = []
    given: tuple[int, ...] = ()
    for event in events:
        name = kind(event)
        if name == "workflow_task_scheduled":
            found[event.event_id] = tuple(news)
            continue
        if name == _STARTED:
            given, news = tuple(news), []
        if not name.startswith(_NO_NEWS):
            news.append(event.event_id)
        if name == _COMPLETED:
            found[event.event_id] = given
        else:
            found[event.event_id] = tuple(_named(event))
    return found


def _named(event: HistoryEvent) -> Iterator[int]:
    told = attributes(event)
    numbers = (int(getattr(told, name, 0)) for name in _REFERENCES)
    yield from sorted({each for each in numbers if 0 < each < event.event_id})


def marks(events: Sequence[HistoryEvent]) -> dict[int, tuple[str, ...]]:
    """Events that changed how the case ran, with what they are called."""
    found: dict[int, tuple[str, ...]] = {}
    worker: tuple[str, ...] = ()
    for event in events:
        name, told = kind(event), attributes(event)
        called = [_MARKS[name]] if name in _MARKS else []
        if name == "workflow_task_failed":
            reset = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW
            called.append("reset" if told.cause == reset else "the code failed at this task")
        elif name == _COMPLETED:
            # A task says only what is new of the worker; what it leaves out is as before.
            known = worker or ("", "", "", "")
            version = tuple(new or old for new, old in zip(_version(told), known, strict=True))
            if any(old not in {"", new} for new, old in zip(version, known, strict=True)):
                called.append(f"another worker version: {' '.join(filter(None, version))}")
            worker = version
        elif name == "workflow_execution_started" and told.continued_execution_run_id:
            called.append("continues another run")
        if called:
            found[event.event_id] = tuple(called)
    return found


def _version(told: Any) -> tuple[str, ...]:
    """The version of the worker that ran the code, as far as it says one."""
    deployed = told.deployment_version
    return (
        told.worker_version.build_id,
        f"{deployed.deployment_name} {deployed.build_id}".strip(),
        told.sdk_metadata.sdk_name,
        told.sdk_metadata.sdk_version,
    )


def describe(event: HistoryEvent, names: Mapping[int, str]) -> str:
    """An event in words; ``names`` are those of the activities and timers, by their event."""
    name, told = kind(event), attributes(event)
    words = name.replace("_", " ")
    match name:
        case "activity_task_scheduled":
            return f"{words}: {told.activity_type.name} for {told.task_queue.name}"
        case "timer_started":
            return f"{words}: {told.start_to_fire_timeout.ToJsonString()}"
        case "workflow_execution_signaled":
            return f"{words}: {told.signal_name}"
        case "workflow_execution_started":
            return f"{words}: {told.workflow_type.name}"
        case "workflow_execution_terminated":
            return f"{words}: {told.reason}"
        case "activity_task_failed" | "workflow_task_failed":
            of = names.get(getattr(told, "scheduled_event_id", 0), "")
            return f"{words}: {of}{': ' if of else ''}{told.failure.message}"
        case _:
            number = getattr(told, "scheduled_event_id", 0) or getattr(told, "started_event_id", 0)
            of = names.get(number, "")
            return f"{words}: {of}" if of and not name.startswith("workflow") else words


def named(events: Sequence[HistoryEvent]) -> dict[int, str]:
    """What activities and timers are called, by the event that scheduled them."""
    found: dict[int, str] = {}
    for event in events:
        if kind(event) == "activity_task_scheduled":
            found[event.event_id] = attributes(event).activity_type.name
        elif kind(event) == "timer_started":
            found[event.event_id] = f"timer {attributes(event).timer_id}"
    return found
