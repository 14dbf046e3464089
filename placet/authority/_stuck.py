"""Where a workflow is stuck, read from what Temporal shows of it. Pure.

1. (I7) A failure's words are the agent's or Temporal's: they come out short, harmless to a
   terminal, and without what looks like a token. Names that are no names do not come out at all.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import PendingActivityState, PendingWorkflowTaskState
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import PendingActivityInfo

from placet.authority._alarms import spelled_out
from placet.authority._temporal import Execution
from placet.payloads import Keyring, decrypt_messages
from placet.telemetry import without_tokens

AFTER = timedelta(minutes=1)
"""For how long a step stands before it is told: retries and restarts take seconds."""

TRIES = 3
"""Failures after which a step that is tried again and again stands."""

_WAITS = {
    PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED,
    PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED,
}
_PAUSED = Failure(message="someone has paused it in Temporal")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Stuck:
    """A step that has failed or waits; ``step`` is the workflow's type where its own code does.

    ``since`` is when it was first to be taken, where ``describe`` says so.
    """

    place: str
    step: str
    agent: str
    failures: int
    since: datetime | None
    untaken_since: datetime | None
    failure: Failure | None = None


@dataclass(frozen=True)
class Failed:
    """The step for whose failure a workflow has failed; ``kind`` is the failure's."""

    step: str
    agent: str
    at: datetime
    kind: str | None
    failure: Failure


def stuck(execution: Execution, now: datetime) -> Stuck | None:
    """What keeps a workflow from going on, if anything does; always the same one of several."""
    found = [*_steps(execution, now), *_own_code(execution, now)]
    return min(found, key=lambda each: each.place, default=None)


def lasts(since: datetime, now: datetime) -> bool:
    """Whether it is worth telling."""
    return now - since >= AFTER


def _steps(execution: Execution, now: datetime) -> Iterator[Stuck]:
    for each in execution.pending:
        failures = max(0, each.attempt - 1)
        due = each.scheduled_time.ToDatetime(tzinfo=UTC)
        waits = each.state in _WAITS
        if failures >= TRIES or (waits and lasts(_quiet_since(each), now)):
            yield Stuck(
                place=f"{execution.run_id}/{each.activity_id}",
                step=_name(each.activity_type.name),
                agent=_name(each.activity_options.task_queue.name),
                failures=failures,
                since=None if failures else due,
                untaken_since=due if waits and lasts(due, now) else None,
                failure=_PAUSED if each.paused else each.last_failure if failures else None,
            )


def _quiet_since(pending: PendingActivityInfo) -> datetime:
    """When anybody last worked on it; if nobody has yet, when it was to be taken."""
    last = _time(pending.last_attempt_complete_time)
    return last or pending.scheduled_time.ToDatetime(tzinfo=UTC)


def _own_code(execution: Execution, now: datetime) -> Iterator[Stuck]:
    task = execution.task
    if task is None:
        return
    due = task.scheduled_time.ToDatetime(tzinfo=UTC)
    waits = task.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED
    untaken = waits and lasts(due, now)
    if untaken or task.attempt > TRIES:
        yield Stuck(
            place=f"{execution.run_id}/",
            step=_name(execution.workflow_type),
            agent=_name(execution.task_queue),
            failures=max(0, task.attempt - 1),
            since=_time(task.original_scheduled_time) or due,
            untaken_since=due if untaken else None,
        )


def scheduled(events: Sequence[HistoryEvent], of: Stuck) -> datetime | None:
    """When a step was first to be taken, if a run's last events say so."""
    for event in events:
        told = event.activity_task_scheduled_event_attributes
        if told.activity_id and of.place.endswith(f"/{told.activity_id}"):
            return event.event_time.ToDatetime(tzinfo=UTC)
    return None


def failed_task(events: Sequence[HistoryEvent]) -> Failure | None:
    """How the workflow's own code has failed last, as its run's last events (newest first) say."""
    for event in events:
        if event.HasField("workflow_task_failed_event_attributes"):
            return event.workflow_task_failed_event_attributes.failure
    return None


def failed(execution: Execution, events: Sequence[HistoryEvent]) -> Failed | None:
    """For which step's failure a workflow has failed, by its last events, the newest first."""
    if not events or not events[0].HasField("workflow_execution_failed_event_attributes"):
        return None
    failure = events[0].workflow_execution_failed_event_attributes.failure
    step, agent = execution.workflow_type, execution.task_queue
    of_step = _of_step(failure)
    if of_step is not None:
        told = of_step.activity_failure_info
        step, failure = told.activity_type.name, of_step.cause
        agent = _queue(events, told.scheduled_event_id)
    kind = failure.application_failure_info.type
    return Failed(
        step=_name(step),
        agent=_name(agent),
        at=events[0].event_time.ToDatetime(tzinfo=UTC),
        kind=kind if _NAME.fullmatch(kind) else None,
        failure=failure,
    )


def _of_step(failure: Failure) -> Failure | None:
    while not failure.HasField("activity_failure_info"):
        if not failure.HasField("cause"):
            return None
        failure = failure.cause
    return failure


def _queue(events: Sequence[HistoryEvent], scheduled_event: int) -> str:
    for event in events:
        if event.event_id == scheduled_event:
            return event.activity_task_scheduled_event_attributes.task_queue.name
    return ""


def said_of(failure: Failure, ring: Keyring) -> str | None:
    """What a failure says, fit to be shown; ``None`` if that is nothing, or does not open."""
    shown = Failure()
    shown.CopyFrom(failure)
    shown.ClearField("cause")
    message = shown.message
    if shown.HasField("encoded_attributes"):
        closed = decrypt_messages(ring, [shown])
        message = "" if closed else _message(shown.encoded_attributes.data)
    words = (shown.application_failure_info.type, " ".join(message.split()))
    return spelled_out([without_tokens(": ".join(filter(None, words)))])[0] or None


def _message(attributes: bytes) -> str:
    try:
        return str(json.loads(attributes)["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def _time(moment: Timestamp) -> datetime | None:
    return moment.ToDatetime(tzinfo=UTC) if moment.seconds else None


def _name(said: str) -> str:
    return said if _NAME.fullmatch(said) else "?"
