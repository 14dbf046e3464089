"""What Temporal's server must have written, given the events before: each field is explained.

1. What the code asks for, and what a grant binds, is compared elsewhere; the rest of each event has
   to follow from those before it, or to be one of the few values that nobody can recompute
   (:mod:`placet.audit._fields`): who a client says that it is, the server's own numbers, and a
   failure's words.
2. An effect is not before its cause (:data:`placet.audit._history.CLOCKS` aside).
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from pydantic_core import from_json, to_json
from temporalio.api.common.v1 import Payload, Payloads, RetryPolicy, SearchAttributes
from temporalio.api.enums.v1 import RetryState, TaskQueueKind, TimeoutType
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent

from placet.audit._causes import attributes, kind
from placet.audit._fields import EXPLAINED, TASK, unexplained_fields
from placet.audit._history import CLOCKS, time_of
from placet.process import ADMITTED, BELL, ROUNDS

_PATIENT = 3
"""After so many tries of a workflow task, Temporal's server gives each further one longer."""

_LONGER = timedelta(minutes=12)
"""How much longer at the most: its ``workflowTaskRetryMaxInterval``, and a fifth for its jitter."""

_A_MOMENT = timedelta(seconds=5)
_COMMANDS = {
    "workflow_execution_continued_as_new",
    "activity_task_scheduled",
    "timer_started",
    "timer_canceled",
    "workflow_execution_completed",
    "workflow_execution_failed",
    "upsert_workflow_search_attributes",
}
_DELIVERED = (
    "activity_task_completed",
    "activity_task_failed",
    "activity_task_timed_out",
    "activity_task_canceled",
    "timer_fired",
    "workflow_execution_signaled",
    "workflow_execution_started",
    "workflow_execution_cancel_requested",
    "workflow_execution_unpaused",
    "workflow_execution_update",
    "workflow_execution_options_updated",
    "workflow_execution_time_skipping",
    "workflow_task_failed",
    "workflow_task_timed_out",
    "child_workflow_execution",
    "external_workflow_execution",
    "signal_external",
)
"""What a workflow task is scheduled for."""


def unexplained(case: str, events: Sequence[HistoryEvent]) -> Iterator[tuple[int, str, str]]:
    """Events that are not what the server writes after those before: number, name, what is wrong.

    Kinds of events that no governed workflow brings about are not judged here.
    """
    history = _History(case, events)
    for event in events:
        for name, found in history.next(event):
            yield event.event_id, name, found


class _History:
    """A history as it is read, event by event."""

    def __init__(self, case: str, events: Sequence[HistoryEvent]) -> None:
        self._case = case
        self._first = attributes(events[0])
        self._usual = self._first.workflow_task_timeout.ToTimedelta()
        self._by_number = {each.event_id: each for each in events}
        self._task = 0
        self._news: HistoryEvent | None = None
        self._pending = False
        self._failed = False
        self._requests: set[str] = set()
        self._cancelled: set[int] = set()
        self._attributes = dict(self._first.search_attributes.indexed_fields)
        self._apart = False
        self._skipped = any(kind(each).endswith("time_skipping_transitioned") for each in events)

    def next(self, event: HistoryEvent) -> Iterator[tuple[str, str]]:
        """What is wrong with the next event."""
        name, told = kind(event), attributes(event)
        if name in EXPLAINED:
            yield from unexplained_fields(event, name, told)
        if name in _COMMANDS and told.workflow_task_completed_event_id != self._task:
            yield "event-reference", f"it is of task {self._task}, not of another"
        if name in _COMMANDS and self._apart:
            yield "history-order", "a task's end and what its code asked for are written at once"
        yield from self._caused(event, told)
        yield from self._of_kind(event, name, told)
        if name == "workflow_task_completed":
            self._task, self._apart = event.event_id, False
        elif name == "upsert_workflow_search_attributes":
            self._attributes |= dict(told.search_attributes.indexed_fields)
        elif name == "activity_task_cancel_requested":
            self._cancelled.add(told.scheduled_event_id)
        elif name == "workflow_task_scheduled":
            self._pending = True
        elif name == "workflow_task_started":
            self._news, self._pending = None, False
        if name in {"workflow_task_completed", "workflow_task_failed", "workflow_task_timed_out"}:
            # Waiting for a worker that is gone counts as no attempt.
            self._failed = name != "workflow_task_completed" and told.started_event_id > 0
            self._pending = False  # one may time out on the queue of a worker that is gone
        if name.startswith(_DELIVERED):
            self._news = event
            self._apart = self._apart or name != "activity_task_canceled"

    def _caused(self, event: HistoryEvent, told: Any) -> Iterator[tuple[str, str]]:
        if time_of(event) < time_of(self._by_number[1]) - CLOCKS:
            yield "time-order", "it is before the run began"
        for field in (TASK, "scheduled_event_id", "started_event_id"):
            cause = self._by_number.get(getattr(told, field, 0))
            if cause is None:
                continue
            # A worker may have taken an activity before a later event was written; its start is
            # written with its end.
            if time_of(event) < time_of(cause) - CLOCKS:
                yield "time-order", f"it is before event {cause.event_id}, which caused it"

    def _of_kind(self, event: HistoryEvent, name: str, told: Any) -> Iterator[tuple[str, str]]:
        match name:
            case "workflow_execution_started":
                yield from self._started(told)
            case "workflow_task_scheduled":
                yield from self._scheduled(event, told)
            case "workflow_task_timed_out":
                yield from self._timed_out(told)
            case "activity_task_scheduled":
                if told.task_queue.kind != TaskQueueKind.TASK_QUEUE_KIND_NORMAL:
                    yield "field-unexplained", "its task queue is of another kind"
            case "activity_task_started":
                if told.attempt < 1:
                    yield "field-unexplained", "it has no attempt"
            case "activity_task_completed" | "activity_task_failed":
                yield from self._activity_ended(name, told)
            case "timer_fired" | "timer_canceled":
                yield from self._timer(event, told)
            case "workflow_execution_continued_as_new":
                yield from self._continued(told)
            case "workflow_execution_signaled":
                if told.signal_name not in {BELL, ADMITTED}:
                    yield "signal-unexplained", f"no authority sends a {told.signal_name}"
                if told.request_id in self._requests:
                    yield "signal-twice", "Temporal takes a request once"
                self._requests.add(told.request_id)
            case _:
                pass

    def _activity_ended(self, name: str, told: Any) -> Iterator[tuple[str, str]]:
        started = self._by_number.get(told.started_event_id)
        if started is None or kind(started) != "activity_task_started":
            yield "event-reference", "it ended and names no start"
        elif attributes(started).scheduled_event_id != told.scheduled_event_id:
            yield "event-reference", "it names the start of another activity"
        elif name == "activity_task_failed":
            yield from self._given_up(told, attributes(started).attempt)
        if name == "activity_task_completed":
            yield from _result(told.result)

    def _given_up(self, told: Any, attempt: int) -> Iterator[tuple[str, str]]:
        """Why it was not tried again follows from its failure, its attempts and its time."""
        scheduled = self._by_number.get(told.scheduled_event_id)
        if scheduled is None or kind(scheduled) != "activity_task_scheduled":
            return  # it is of no activity, and judged where activities are
        asked = attributes(scheduled)
        if told.scheduled_event_id in self._cancelled:
            expected = RetryState.RETRY_STATE_CANCEL_REQUESTED
        elif _is_final(told.failure, asked.retry_policy):
            expected = RetryState.RETRY_STATE_NON_RETRYABLE_FAILURE
        elif 0 < asked.retry_policy.maximum_attempts <= attempt:
            expected = RetryState.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED
        else:
            expected = RetryState.RETRY_STATE_TIMEOUT
        if told.retry_state != expected:
            yield "field-unexplained", "it says another reason for which it was not tried again"

    def _continued(self, told: Any) -> Iterator[tuple[str, str]]:
        kept = ("workflow_type", "task_queue", "workflow_task_timeout")
        if [getattr(told, e) for e in kept] != [getattr(self._first, e) for e in kept]:
            yield "field-unexplained", "it continues as another workflow"
        memo, begun = dict(told.memo.fields), dict(self._first.memo.fields)
        memo.pop(ROUNDS, None)  # the code's, and compared with it
        begun.pop(ROUNDS, None)
        if memo != begun:
            yield "field-unexplained", "its memo is not the run's"
        if _set(told.search_attributes) != _set(SearchAttributes(indexed_fields=self._attributes)):
            yield "field-unexplained", "its search attributes are not those that the run has"

    def _started(self, told: Any) -> Iterator[tuple[str, str]]:
        if told.workflow_id != self._case:
            yield "history-start", "it is of another workflow"
        goes_on = told.first_execution_run_id != told.original_execution_run_id
        if goes_on != bool(told.continued_execution_run_id):
            yield "history-start", "it goes on from a run that is not the case's"
        # Temporal lets a run that continues another wait for a moment.
        longest = _A_MOMENT if goes_on else timedelta(0)
        if told.attempt != 1 or told.first_workflow_task_backoff.ToTimedelta() > longest:
            yield "history-start", "the case was started once and at once"
        if told.task_queue.kind != TaskQueueKind.TASK_QUEUE_KIND_NORMAL:
            yield "field-unexplained", "its task queue is of another kind"

    def _scheduled(self, event: HistoryEvent, told: Any) -> Iterator[tuple[str, str]]:
        queue = told.task_queue
        named = {
            TaskQueueKind.TASK_QUEUE_KIND_NORMAL: queue.name,
            TaskQueueKind.TASK_QUEUE_KIND_STICKY: queue.normal_name if queue.name else "",
        }
        if named.get(queue.kind) != self._first.task_queue.name:
            yield "field-unexplained", "it is on another task queue than the workflow's"
        longer = told.start_to_close_timeout.ToTimedelta() - self._usual
        if longer and not (told.attempt > _PATIENT and timedelta(0) < longer <= _LONGER):
            yield "field-unexplained", "its timeout is not the workflow's"
        if self._news is None or self._pending:
            yield "task-without-cause", "nothing had happened that the code is run for"
        elif time_of(event) < time_of(self._news) - CLOCKS:
            yield "time-order", f"it is before event {self._news.event_id}, which caused it"
        if told.attempt < 1 or (told.attempt > 1 and not self._failed):
            yield "field-unexplained", "it is another attempt than the one before leaves"

    def _timed_out(self, told: Any) -> Iterator[tuple[str, str]]:
        began = told.started_event_id > 0
        if told.timeout_type != (
            TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE
            if began
            else TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START
        ):
            yield "field-unexplained", "it says another timeout than the task's"
        if not began and not self._pending:
            yield "event-reference", "no workflow task waited for a worker"

    def _timer(self, event: HistoryEvent, told: Any) -> Iterator[tuple[str, str]]:
        started = self._by_number.get(told.started_event_id)
        if started is None or kind(started) != "timer_started":
            yield "event-reference", "it names no timer that was started"
            return
        timer = attributes(started)
        if told.timer_id != timer.timer_id:
            yield "event-reference", f"event {started.event_id} started another timer"
        if kind(event) == "timer_canceled":
            if event.user_metadata != started.user_metadata:
                yield "field-unexplained", "its summary is not its timer's"
        elif not self._skipped:
            due = time_of(started) + _span(timer.start_to_fire_timeout.ToTimedelta())
            if time_of(event) < due - CLOCKS:
                yield "timer-early", f"the timer of event {started.event_id} was not due"


def _span(delta: timedelta) -> timedelta:
    """A timer's time; the longest that a calendar holds for one that a forger made."""
    return min(delta, timedelta(days=366 * 100))


def _result(result: Payloads) -> Iterator[tuple[str, str]]:
    for payload in result.payloads:
        if not _as_encoded(payload):
            yield "payload-spelling", "its result is not as a worker encodes it"


def _set(attributes: SearchAttributes) -> dict[str, Payload]:
    """Those that have a value: one that the code has unset may stand there as a null."""
    return {name: each for name, each in attributes.indexed_fields.items() if each.data}


def _is_final(failure: Failure, policy: RetryPolicy) -> bool:
    """Whether Temporal's server tries no activity again that ended so."""
    application = failure.application_failure_info
    return (
        application.non_retryable
        or application.type in policy.non_retryable_error_types
        or failure.HasField("canceled_failure_info")
        or failure.HasField("terminated_failure_info")
    )


def _as_encoded(payload: Payload) -> bool:
    """Whether a payload is spelled as the SDK's converter spells it."""
    if dict(payload.metadata) != {"encoding": b"json/plain"}:
        return dict(payload.metadata) == {"encoding": b"binary/null"} and not payload.data
    try:
        return to_json(from_json(payload.data)) == payload.data
    except ValueError:
        return False
