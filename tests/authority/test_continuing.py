"""Which run continues a case's own: only what both histories say, of the case's own workflow."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.history.v1 import HistoryEvent

from placet.authority._continuing import continues
from placet.authority._histories import Run
from placet.authority._store import Case
from placet.model import CaseInput

CASE = Case(
    id="case-" + "0" * 26,
    process="parcel-check",
    version=1,
    subject="depot/D1/parcel/7",
    status="open",
    opened_by="operator:pat",
    opened_at=datetime(2026, 1, 1, tzinfo=UTC),
    workflow_id="case-" + "0" * 26,
    workflow_type="ParcelCheck",
    task_queue="orchestrator",
    request_id="r",
    run_id="one",
    first_run_id="one",
)


def runs() -> tuple[HistoryEvent, HistoryEvent]:
    """The last event of a run, and the first of the one that continues it."""
    last, first = HistoryEvent(event_id=9), HistoryEvent(event_id=1)
    last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id = "two"
    told = first.workflow_execution_started_event_attributes
    told.original_execution_run_id = "two"
    told.continued_execution_run_id = "one"
    told.first_execution_run_id = "one"
    told.workflow_type.name = "ParcelCheck"
    told.task_queue.name = "orchestrator"
    asked = CaseInput(case=CASE.id, subject=CASE.subject).model_dump_json().encode()
    told.input.CopyFrom(Payloads(payloads=[Payload(data=asked)]))
    return last, first


def found(last: HistoryEvent, *first: HistoryEvent) -> bool:
    return continues(CASE, Run("one", (last,), ()), Run("two", first, ()))


def of_first(name: str, value: str) -> Callable[[HistoryEvent, HistoryEvent], None]:
    def change(last: HistoryEvent, first: HistoryEvent) -> None:
        setattr(first.workflow_execution_started_event_attributes, name, value)

    return change


def other_input(last: HistoryEvent, first: HistoryEvent) -> None:
    asked = CaseInput(case=CASE.id, subject="depot/D1/parcel/8").model_dump_json().encode()
    first.workflow_execution_started_event_attributes.input.payloads[0].data = asked


def more_input(last: HistoryEvent, first: HistoryEvent) -> None:
    first.workflow_execution_started_event_attributes.input.payloads.add(data=b"{}")


def other_type(last: HistoryEvent, first: HistoryEvent) -> None:
    first.workflow_execution_started_event_attributes.workflow_type.name = "SkippingCheck"


def other_queue(last: HistoryEvent, first: HistoryEvent) -> None:
    first.workflow_execution_started_event_attributes.task_queue.name = "a-thief"


def into_another(last: HistoryEvent, first: HistoryEvent) -> None:
    last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id = "three"


def was_terminated(last: HistoryEvent, first: HistoryEvent) -> None:
    last.workflow_execution_terminated_event_attributes.reason = "enough"


OTHERS: dict[str, Callable[[HistoryEvent, HistoryEvent], None]] = {
    "another-case-s-run": of_first("first_execution_run_id", "zero"),
    "of-another-run": of_first("continued_execution_run_id", "zero"),
    "of-no-run": of_first("continued_execution_run_id", ""),
    "begun-elsewhere": of_first("original_execution_run_id", "zero"),
    "other-input": other_input,
    "more-input": more_input,
    "other-type": other_type,
    "other-queue": other_queue,
    "into-another": into_another,
    "was-terminated": was_terminated,
}


def test_what_both_histories_say_continues_the_case() -> None:
    """I1: the case's own workflow, on its own input, named at both ends."""
    assert found(*runs())


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_any_other_run_does_not_continue_the_case(name: str) -> None:
    """I1: one that was started, reset or taken by someone else stops the case."""
    last, first = runs()
    OTHERS[name](last, first)
    assert not found(last, first)


def test_a_reset_of_a_run_that_continues_the_case_is_a_reset() -> None:
    """I1: a person looks at it, whatever it once continued."""
    last, first = runs()
    reset = HistoryEvent(event_id=4)
    reset.workflow_task_failed_event_attributes.new_run_id = "three"
    assert not found(last, first, reset)
