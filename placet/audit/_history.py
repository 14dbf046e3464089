"""An archived history read once: its events, and each activity from its schedule to its end."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from placet.audit._sealed import spelled_as_kept
from placet.model import CaseArchive

CLOCKS = timedelta(seconds=5)
"""How far two clocks may be apart (PROTOCOL.md: clock skew)."""


class BadHistory(Exception):
    """The archive is no history that Temporal could have written; the message says why."""


@dataclass
class Activity:
    """One activity of a history; ``started`` and ``ended`` are missing if it never came to that."""

    scheduled: HistoryEvent
    started: HistoryEvent | None = None
    ended: HistoryEvent | None = None

    @property
    def id(self) -> str:
        """Its id in the run."""
        return self.scheduled.activity_task_scheduled_event_attributes.activity_id

    @property
    def type(self) -> str:
        """Its type."""
        return self.scheduled.activity_task_scheduled_event_attributes.activity_type.name

    @property
    def attempt(self) -> int:
        """The attempt that the history keeps: the last one."""
        if self.started is None:
            return 1
        return self.started.activity_task_started_event_attributes.attempt or 1


_ENDS = (
    "activity_task_completed_event_attributes",
    "activity_task_failed_event_attributes",
    "activity_task_timed_out_event_attributes",
    "activity_task_canceled_event_attributes",
)


_NUMBERS = dict(EventType.items())
_STARTED = "workflow_execution_started_event_attributes"
_TASK_SCHEDULED = "workflow_task_scheduled_event_attributes"
_TASK_STARTED = "workflow_task_started_event_attributes"
_TASK_COMPLETED = "workflow_task_completed_event_attributes"
_TASK_ENDS = {
    _TASK_COMPLETED,
    "workflow_task_failed_event_attributes",
    "workflow_task_timed_out_event_attributes",
}
_TERMINATED = "workflow_execution_terminated_event_attributes"
_SCHEDULED_ID, _STARTED_ID = "scheduled_event_id", "started_event_id"
_TASK_COMPLETED_ID = "workflow_task_completed_event_id"
_REFERENCES: dict[str, dict[str, set[str]]] = {
    _TASK_STARTED: {_SCHEDULED_ID: {_TASK_SCHEDULED}},
    **{end: {_SCHEDULED_ID: {_TASK_SCHEDULED}, _STARTED_ID: {_TASK_STARTED}} for end in _TASK_ENDS},
    **{
        name: {_STARTED_ID: {"timer_started_event_attributes"}}
        for name in ("timer_fired_event_attributes", "timer_canceled_event_attributes")
    },
}
"""Which event another one's reference may name."""


@dataclass(frozen=True)
class Run:
    """One run of a case's workflow, as it was archived.

    ``ids`` are its id and those of the runs that it goes on from: before ``fork``, the event of its
    reset, everything is theirs.
    """

    case: str
    run_id: str
    history: WorkflowHistory
    ids: tuple[str, ...]
    fork: int = 0

    @property
    def events(self) -> Sequence[HistoryEvent]:
        """Its events, in order."""
        return self.history.events

    def ids_at(self, event: HistoryEvent) -> tuple[str, ...]:
        """The runs in which an event may have happened: the run's own, or one that it copied."""
        return self.ids if event.event_id < self.fork else (self.run_id,)


def read_runs(archive: CaseArchive) -> Iterator[Run]:
    """Read an archive's runs, in order.

    Raises:
        BadHistory: one is not Temporal's JSON of a history, or its events are not numbered from
            1 on, or the first does not start a run.
    """
    before: tuple[str, ...] = ()
    for each in archive.runs:
        history = _read(archive.workflow_id, each.history)
        run = Run(archive.case, each.run_id, history, (each.run_id, *before), _fork(history.events))
        before = run.ids
        yield run


def _read(workflow_id: str, text: str) -> WorkflowHistory:
    try:
        history = WorkflowHistory.from_json(workflow_id, text)
        same = json.loads(history.to_json()) == json.loads(text)
    except Exception as error:  # noqa: BLE001 - whatever a forged file provokes in the parser
        raise BadHistory(f"{type(error).__name__}: {error}") from None
    if not history.events:
        raise BadHistory("it has no events")
    for number, event in enumerate(history.events, 1):
        if event.event_id != number:
            raise BadHistory(f"event {event.event_id} stands where event {number} should")
    first = history.events[0]
    if not first.workflow_execution_started_event_attributes.original_execution_run_id:
        raise BadHistory("event 1 does not start a run")
    if not same or not spelled_as_kept(text):
        raise BadHistory("it holds members that are none of a history's, or spells them otherwise")
    return history


def _fork(events: Sequence[HistoryEvent]) -> int:
    """The event at which a reset began this run; 0 if none did."""
    for event in reversed(events):
        if event.workflow_task_failed_event_attributes.new_run_id:
            return event.event_id
    return 0


def misfits(events: Sequence[HistoryEvent]) -> Iterator[tuple[HistoryEvent, str]]:
    """Events that Temporal never writes after those before them, with what is wrong.

    The Replayer must not be given such a history: it would wait for ever.
    """
    seen: dict[int, str] = {}
    before = ""
    for event in events:
        name = event.WhichOneof("attributes") or ""
        if event.event_type != _NUMBERS.get(_type_of(name)):
            yield event, f"its type is not that of its attributes, {name or 'none'}"
        ends = name in _TASK_ENDS and _refers(event, _STARTED_ID) > 0
        if ends != (before == _TASK_STARTED) and name != _TERMINATED:
            yield event, "a started workflow task, and nothing else, is followed by its end"
        for field, kinds in _REFERENCES.get(name, {}).items():
            number = _refers(event, field)
            if (number or field == _SCHEDULED_ID) and seen.get(number) not in kinds:
                yield event, f"{field} names event {number}, which is {seen.get(number, 'later')}"
        if name == _STARTED and event.event_id != 1:
            yield event, "a run starts once"
        completed = _refers(event, _TASK_COMPLETED_ID)
        if completed and seen.get(completed) != _TASK_COMPLETED:
            yield event, f"event {completed} is no completed workflow task"
        seen[event.event_id] = before = name
    if before == _TASK_STARTED:
        yield events[-1], "the workflow task has no end"
    if _TASK_SCHEDULED not in seen.values():
        yield events[-1], "the workflow never had a task"


def _type_of(attributes: str) -> str:
    return "EVENT_TYPE_" + attributes.removesuffix("_event_attributes").upper()


def _refers(event: HistoryEvent, field: str) -> int:
    return getattr(getattr(event, event.WhichOneof("attributes") or "", None), field, 0)


def activities(events: Iterable[HistoryEvent]) -> tuple[list[Activity], list[HistoryEvent]]:
    """The activities in the order of their schedule, and the events of none of them."""
    found: dict[int, Activity] = {}
    strays: list[HistoryEvent] = []
    for event in events:
        name = event.WhichOneof("attributes") or ""
        if name == "activity_task_scheduled_event_attributes":
            found[event.event_id] = Activity(event)
        elif name == "activity_task_started_event_attributes" or name in _ENDS:
            activity = found.get(getattr(event, name).scheduled_event_id)
            taken = activity is None or (
                activity.ended if name in _ENDS else activity.started or activity.ended
            )
            if activity is None or taken:
                strays.append(event)
            elif name in _ENDS:
                activity.ended = event
            else:
                activity.started = event
    return list(found.values()), strays


BEGINNING = datetime.min.replace(tzinfo=UTC)


def time_of(event: HistoryEvent) -> datetime:
    """When it happened by Temporal's clock; long ago if it does not say so."""
    try:
        return event.event_time.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):  # a forged stamp outside of the calendar
        return BEGINNING
