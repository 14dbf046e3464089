"""What the authority started a case with, held against what Temporal says before it is sealed."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from temporalio.api.common.v1 import WorkflowType
from temporalio.api.history.v1 import (
    HistoryEvent,
    WorkflowExecutionContinuedAsNewEventAttributes,
    WorkflowExecutionStartedEventAttributes,
)
from temporalio.api.taskqueue.v1 import TaskQueue

from placet.authority._histories import Run
from placet.authority._reconciling import misfits
from placet.ledger import seal_runs
from placet.payloads import Start, start_of

CASE, RUN, SALT = f"case-{26 * '1'}", "run-1", "c2FsdHNhbHQ"


def started_with() -> Start:
    """What the authority asks for."""
    return start_of(
        case=CASE,
        process="parcel-check",
        version=1,
        subject="depot/D1/parcel/1",
        opened_at=datetime(2026, 11, 28, tzinfo=UTC),
        workflow_type="ParcelCheck",
        task_queue="orchestrator",
        record_tag="tag",
        fairness_key="key",
    )


def first_event(start: Start) -> HistoryEvent:
    """The event that Temporal writes of it."""
    return HistoryEvent(
        event_id=1,
        user_metadata=start.metadata,
        workflow_execution_started_event_attributes=WorkflowExecutionStartedEventAttributes(
            workflow_type=WorkflowType(name=start.workflow_type),
            task_queue=TaskQueue(name=start.task_queue),
            input=start.input,
            search_attributes=start.attributes,
            memo=start.memo,
            priority=start.priority,
            original_execution_run_id=RUN,
        ),
    )


def found(event: HistoryEvent, run: str = RUN) -> list[str]:
    """What the authority finds wrong with a history of this one event."""
    history = Run(run, (event,), ())
    seal = seal_runs([history.archived()], SALT)
    return misfits([history], started_with(), seal, [RUN], [], [])


def continuation(of: HistoryEvent) -> tuple[HistoryEvent, HistoryEvent]:
    """The end of a run whose stage has moved on, and the beginning of the one that continues it."""
    end = HistoryEvent(
        event_id=2,
        workflow_execution_continued_as_new_event_attributes=(
            WorkflowExecutionContinuedAsNewEventAttributes(
                new_execution_run_id="run-2",
                search_attributes=_told(of).search_attributes,
                memo=_told(of).memo,
            )
        ),
    )
    left = end.workflow_execution_continued_as_new_event_attributes
    left.search_attributes.indexed_fields["PlacetStage"].data = b'"waiting"'
    after = HistoryEvent()
    after.CopyFrom(of)
    after.ClearField("user_metadata")
    told = _told(after)
    told.search_attributes.CopyFrom(left.search_attributes)
    told.original_execution_run_id = "run-2"
    told.continued_execution_run_id = RUN
    return end, after


def found_in_chain(begun: HistoryEvent, end: HistoryEvent, after: HistoryEvent) -> list[str]:
    """What the authority finds wrong with two runs of which the second continues the first."""
    histories = [Run(RUN, (begun, end), ()), Run("run-2", (after,), ())]
    seal = seal_runs([each.archived() for each in histories], SALT)
    return misfits(histories, started_with(), seal, [RUN, "run-2"], [], [])


def _told(event: HistoryEvent) -> WorkflowExecutionStartedEventAttributes:
    return event.workflow_execution_started_event_attributes


CHANGES: dict[str, Callable[[HistoryEvent], object]] = {
    "workflow type": lambda e: setattr(_told(e).workflow_type, "name", "Other"),
    "task queue": lambda e: setattr(_told(e).task_queue, "name", "a-thief"),
    "input": lambda e: setattr(_told(e).input.payloads[0], "data", b"{}"),
    "search attributes": lambda e: _told(e).search_attributes.indexed_fields.pop("PlacetRecord"),
    "memo": lambda e: _told(e).memo.fields.clear(),
    "summary": lambda e: setattr(e.user_metadata.summary, "data", b'"other"'),
    "details": lambda e: e.user_metadata.ClearField("details"),
    "priority": lambda e: setattr(_told(e).priority, "fairness_key", "other"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_case_that_was_started_otherwise_is_not_sealed(name: str) -> None:
    """I9: nor is one whose record or turn in Temporal's lists was changed."""
    event = first_event(started_with())
    assert found(event) == []
    CHANGES[name](event)
    wrong = f"event 1: another {name} than it was started with"
    assert found(event) == [f"run {RUN} {wrong}"]
    assert f"run run-2 {wrong}" in found(event, "run-2"), "a reset begins with the same event"


@pytest.mark.parametrize("name", CHANGES)
def test_a_case_that_was_continued_otherwise_is_not_sealed(name: str) -> None:
    """I9: a continuation begins as the run before left it, with no other record or turn."""
    begun = first_event(started_with())
    end, after = continuation(begun)
    assert found_in_chain(begun, end, after) == []
    if name == "details":  # a continuation has none, so it can only be given some
        after.user_metadata.details.data = b'"other"'
    else:
        CHANGES[name](after)
    assert found_in_chain(begun, end, after) == [
        f"run run-2 event 1: another {name} than it was started with"
    ]
