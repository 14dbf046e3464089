"""Each thing that a reconciliation looks for has a name and a place: planted, and found by both."""

import base64
import copy
import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHistory

from placet.audit import LogFiles, replay, verify
from placet.audit._shape import unexplained
from placet.model import HistorySeal, canonical_json
from placet.process import code_digest
from tests.audit.recording import (
    History,
    Recorded,
    changed_entry,
    find,
    forged_history,
    history_of,
    renumber,
    resigned,
)
from tests.audit.test_replay import (
    COMPLETED,
    FAILED,
    SCHEDULED,
    STARTED,
    TIMER,
    add_activity,
    event,
    fail_activity,
    remove_activity,
)
from tests.audit.test_verify import evidence_proposal
from tests.harness.parcels import ParcelCheck
from tests.harness.processes import DEFINITION

SIGNALED = "workflowExecutionSignaledEventAttributes"
TASK = "workflowTaskScheduledEventAttributes"
TIMED_OUT = "workflowTaskTimedOutEventAttributes"
Forge = Callable[[History], dict[str, Any]]
"""Changes a history and gives the event that it must be found at."""


def moved(found: dict[str, Any], by: timedelta) -> dict[str, Any]:
    moment = datetime.fromisoformat(found["eventTime"][:19]) + by
    found["eventTime"] = moment.isoformat() + found["eventTime"][19:]
    return found


def scheduled_late(history: History) -> dict[str, Any]:
    return moved(event(history, SCHEDULED, "dispatch"), timedelta(minutes=1))


def completed_early(history: History) -> dict[str, Any]:
    return moved(event(history, COMPLETED, "dispatch"), timedelta(minutes=-1))


def after_the_seal(history: History) -> dict[str, Any]:
    found: dict[str, Any] = history["events"][-1]
    return moved(found, timedelta(days=1))


def of_another_task(history: History) -> dict[str, Any]:
    found = event(history, SCHEDULED, "dispatch")
    found[SCHEDULED]["workflowTaskCompletedEventId"] = "4"
    return found


def task_for_nothing(history: History) -> dict[str, Any]:
    at = next(number for number, each in enumerate(history["events"]) if TASK in each)
    history["events"].insert(at, copy.deepcopy(history["events"][at]))
    history["events"][at]["eventId"] = "new"
    renumber(history)
    found: dict[str, Any] = history["events"][at + 1]
    return found


def with_a_header(history: History) -> dict[str, Any]:
    found = event(history, STARTED, "dispatch")
    found[STARTED]["buildIdRedirectCounter"] = "7"
    found["workerMayIgnore"] = True
    return found


def signal_of_a_stranger(history: History) -> dict[str, Any]:
    found = event(history, SIGNALED)
    found[SIGNALED]["signalName"] = "release_now"
    return found


def bell_before_anything(history: History) -> dict[str, Any]:
    return moved(event(history, SIGNALED), timedelta(minutes=-1))


def bell_twice(history: History) -> dict[str, Any]:
    at = history["events"].index(event(history, SIGNALED))
    history["events"].insert(at, copy.deepcopy(history["events"][at]))
    history["events"][at]["eventId"] = "new"
    renumber(history)
    found: dict[str, Any] = history["events"][at + 1]
    return found


def other_spelling(history: History) -> dict[str, Any]:
    found = event(history, COMPLETED, "weigh")
    (payload,) = found[COMPLETED]["result"]["payloads"]
    payload["metadata"]["encoding"] = "anNvbi9wcm90b2J1Zg=="
    return found


def timer_before_its_time(history: History) -> dict[str, Any]:
    """The timer that a bell had ended fires at once."""
    started = event(history, TIMER)
    at = history["events"].index(event(history, "timerCanceledEventAttributes"))
    found = history["events"][at]
    told = found.pop("timerCanceledEventAttributes")
    found.pop("userMetadata", None)
    found["eventType"] = "EVENT_TYPE_TIMER_FIRED"
    found["timerFiredEventAttributes"] = {
        "timerId": told["timerId"],
        "startedEventId": started["eventId"],
    }
    return dict(found)


IN_A_HISTORY: dict[str, tuple[Forge, str]] = {
    "scheduled-after-it-was-granted": (scheduled_late, "time-order"),
    "completed-before-it-was-settled": (completed_early, "time-order"),
    "after-the-seal": (after_the_seal, "time-order"),
    "of-another-task": (of_another_task, "event-reference"),
    "task-for-nothing": (task_for_nothing, "task-without-cause"),
    "field-of-nobody": (with_a_header, "field-unexplained"),
    "signal-of-a-stranger": (signal_of_a_stranger, "signal-unexplained"),
    "bell-before-anything": (bell_before_anything, "signal-unexplained"),
    "bell-twice": (bell_twice, "signal-twice"),
    "result-in-another-encoding": (other_spelling, "payload-spelling"),
    "timer-before-its-time": (timer_before_its_time, "timer-early"),
}


@pytest.mark.parametrize("name", sorted(IN_A_HISTORY))
async def test_what_does_not_fit_is_named_at_its_event(recorded: Recorded, name: str) -> None:
    """I9: without the seal, under the trouble's name."""
    forge, trouble = IN_A_HISTORY[name]
    where: list[str] = []
    files = forged_history(
        recorded.files, recorded.large, lambda each: where.append(str(forge(each)["eventId"]))
    )
    report = await replay(files, recorded.large, [ParcelCheck], sealed=False)
    place = f"{recorded.large} event {where[0]}"
    found = {(each.name, each.place) for each in report.troubles}
    assert (trouble, place) in found, found


def gone_with_its_worker(history: History) -> None:
    """A task waits on the queue of a worker that was killed, times out, and goes to another one."""
    events = history["events"]
    at = next(n for n, each in enumerate(events) if n > 5 and TASK in each)
    waited = copy.deepcopy(events[at])
    queue = waited[TASK]["taskQueue"]["name"]
    for each, name in ((waited, "the killed worker's"), (events[at], queue)):
        normal = name == queue
        each[TASK]["taskQueue"] = {"name": name} | (
            {"kind": "TASK_QUEUE_KIND_NORMAL"}
            if normal
            else {"kind": "TASK_QUEUE_KIND_STICKY", "normalName": "orchestrator"}
        )
    events[at][TASK]["taskQueue"]["name"] = "orchestrator"
    ended = {
        "eventId": "gone",
        "eventTime": waited["eventTime"],
        "eventType": "EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT",
        TIMED_OUT: {
            "scheduledEventId": "waited",
            "timeoutType": "TIMEOUT_TYPE_SCHEDULE_TO_START",
        },
    }
    waited["eventId"] = "waited"
    events[at:at] = [waited, ended]
    renumber(history)


def gone_and(forge: Callable[[list[dict[str, Any]], int], None]) -> Callable[[History], None]:
    """The same, with something that Temporal's server does not write of it."""

    def change(history: History) -> None:
        gone_with_its_worker(history)
        events = history["events"]
        forge(events, next(number for number, each in enumerate(events) if TIMED_OUT in each))
        renumber(history)

    return change


def twice(events: list[dict[str, Any]], at: int) -> None:
    events.insert(at, {**copy.deepcopy(events[at]), "eventId": "again"})


def while_it_ran(events: list[dict[str, Any]], at: int) -> None:
    events[at][TIMED_OUT]["timeoutType"] = "TIMEOUT_TYPE_START_TO_CLOSE"


def as_an_attempt(events: list[dict[str, Any]], at: int) -> None:
    events[at + 1][TASK]["attempt"] = 2


def patient_with(attempt: int) -> Callable[[History], None]:
    """A task that was tried before, and was given longer for it."""

    def change(history: History) -> None:
        events = history["events"]
        at = next(n for n, each in enumerate(events) if n > 5 and TASK in each)
        failed = copy.deepcopy(events[at : at + 2])
        failed[0]["eventId"], failed[1]["eventId"] = "scheduled", "started"
        failed[1]["workflowTaskStartedEventAttributes"]["scheduledEventId"] = "scheduled"
        ended = {
            "eventId": "failed",
            "eventTime": failed[1]["eventTime"],
            "eventType": "EVENT_TYPE_WORKFLOW_TASK_FAILED",
            "workflowTaskFailedEventAttributes": {
                "scheduledEventId": "scheduled",
                "startedEventId": "started",
                "cause": "WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE",
            },
        }
        events[at][TASK] |= {"attempt": attempt, "startToCloseTimeout": "15s"}
        events[at:at] = [*failed, ended]
        renumber(history)

    return change


@pytest.mark.parametrize(
    ("change", "found"),
    [
        pytest.param(gone_with_its_worker, set(), id="gone-with-its-worker"),
        pytest.param(gone_and(twice), {"event-reference"}, id="gone-twice"),
        pytest.param(gone_and(while_it_ran), {"field-unexplained"}, id="gone-while-it-ran"),
        pytest.param(gone_and(as_an_attempt), {"field-unexplained"}, id="gone-as-an-attempt"),
        pytest.param(patient_with(4), set(), id="longer-for-the-fourth-try"),
        pytest.param(patient_with(3), {"field-unexplained"}, id="longer-for-the-third-try"),
    ],
)
async def test_what_kills_and_retries_leave_is_no_trouble(
    recorded: Recorded, change: Callable[[History], None], found: set[str]
) -> None:
    """I9, I11: Temporal's server tells of workers that went away as it always does."""
    history = history_of(recorded.files, recorded.large)
    change(history)
    events = WorkflowHistory.from_json(recorded.large, history).events
    assert {name for _, name, _ in unexplained(recorded.large, events)} == found


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_step_whose_cancellation_was_asked_for_is_not_tried_again(
    recorded: Recorded, cancelled: bool
) -> None:
    """I9: Temporal's server says so of its failure, and of no other's."""
    history = history_of(recorded.files, recorded.held)
    failed = event(history, FAILED)
    failed[FAILED]["retryState"] = "RETRY_STATE_CANCEL_REQUESTED"
    if cancelled:
        asked = {
            "eventId": "asked",
            "eventTime": failed["eventTime"],
            "eventType": "EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED",
            "activityTaskCancelRequestedEventAttributes": {
                "scheduledEventId": failed[FAILED]["scheduledEventId"]
            },
        }
        history["events"].insert(history["events"].index(failed), asked)
        renumber(history)
    events = WorkflowHistory.from_json(recorded.held, history).events
    said = {found for _, _, found in unexplained(recorded.held, events)}
    assert any("for which it was not tried again" in each for each in said) is not cancelled


async def test_a_denials_reasons_are_the_ledgers(recorded: Recorded) -> None:
    """I3, I9: the workflow was told of a denial what the ledger says."""

    def change(history: History) -> None:
        details = event(history, FAILED)[FAILED]["failure"]["applicationFailureInfo"]["details"]
        details["payloads"].pop()

    files = forged_history(recorded.files, recorded.held, change)
    report = await replay(files, recorded.held, [ParcelCheck], sealed=False)
    assert "denial-reasons" in {each.name for each in report.troubles}


@pytest.mark.parametrize(
    ("reasons", "found"),
    [
        (['"I3"', '"forbidden"', '"policy:law.audit-mode-pays-nothing"'], True),
        (['"\\u0070olicy:law.audit-mode-pays-nothing"'], True),
        (['"conflict"'], False),
        (['"http_404"', "7", "{", "[" * 100_000], False),
    ],
)
async def test_policy_denies_on_the_ledger_alone(
    recorded: Recorded, reasons: list[str], found: bool
) -> None:
    """I3, I9: an agent that tells its own refusal as the policies' is found; a system's own stays."""

    def change(history: History) -> None:
        fail_activity(history)
        event(history, FAILED)[FAILED]["failure"]["applicationFailureInfo"] = {
            "type": "GrantDenied",
            "nonRetryable": True,
            "details": {"payloads": [_payload(each) for each in reasons]},
        }

    files = forged_history(recorded.files, recorded.large, change)
    report = await replay(files, recorded.large, [ParcelCheck], sealed=False)
    troubles = {each.name for each in report.troubles}
    assert ("denial-unfounded" in troubles) is found
    assert "denial-reasons" not in troubles


def _payload(text: str) -> dict[str, Any]:
    encoding = base64.b64encode(b"json/plain").decode()
    return {
        "metadata": {"encoding": encoding},
        "data": base64.b64encode(text.encode()).decode(),
    }


async def test_grants_and_activities_are_held_against_each_other(recorded: Recorded) -> None:
    """I9: an activity without a grant, a grant without an activity: each by its name."""
    for change, trouble in (
        (add_activity, "activity-without-grant"),
        (remove_activity, "grant-without-activity"),
    ):
        files = forged_history(recorded.files, recorded.large, change)
        report = await replay(files, recorded.large, [ParcelCheck], sealed=False)
        assert trouble in {each.name for each in report.troubles}
    index = find(recorded.files, "grant.settled", recorded.large, outcome="completed")
    unsettled = resigned(
        recorded.files, [*recorded.files.entries[:index], *recorded.files.entries[index + 1 :]]
    )
    report = await replay(unsettled, recorded.large, [ParcelCheck])
    assert "activity-unsettled" in {each.name for each in report.troubles}


def test_a_decision_on_other_evidence_is_named(recorded: Recorded) -> None:
    """I5, I6: the evidence was made anew after people had decided."""
    files, _ = evidence_proposal(recorded)
    index = find(files, "decision.recorded", recorded.large)
    found = {(each.name, each.place) for each in verify(files).troubles}
    assert ("decision-other-evidence", f"entry {index}") in found


# --- the archive ------------------------------------------------------------------------------


def with_archive(recorded: Recorded, **change: Any) -> LogFiles:
    archive = recorded.files.archives[recorded.large].model_copy(update=change)
    archives = {**recorded.files.archives, recorded.large: archive}
    return dataclasses.replace(recorded.files, archives=archives)


def erased_by_entry(recorded: Recorded, files: LogFiles) -> LogFiles:
    """The same log with one more entry, which says of the large case that it was erased."""
    entry = find(recorded.files, "case.archived", recorded.large)
    entries = list(recorded.files.entries)
    entries.append(entries[entry].replace(b'"case.archived"', b'"case.erased"'))
    return resigned(files, entries)


async def names(files: LogFiles, case: str) -> set[str]:
    return {each.name for each in (await replay(files, case, [ParcelCheck])).troubles}


async def test_an_archive_is_what_was_sealed(recorded: Recorded) -> None:
    """I9: its runs, its seal, its contents, and what the authority had seen of it before."""
    archive = recorded.files.archives[recorded.large]
    (run,) = archive.runs
    other = run.model_copy(update={"run_id": "another"})
    assert "run" in await names(with_archive(recorded, runs=(other,)), recorded.large)
    assert "run" in await names(with_archive(recorded, runs=()), recorded.large)
    twice = with_archive(recorded, runs=(run, other))
    assert {"run", "run-unadmitted"} <= await names(twice, recorded.large)
    empty = with_archive(recorded, seal=HistorySeal(runs=()))
    assert "seal-digest" in await names(empty, recorded.large)
    contents = archive.contents.model_copy(update={"decisions": {}})
    other_contents = with_archive(recorded, contents=contents)
    assert "contents-digest" in await names(other_contents, recorded.large)
    index = find(recorded.files, "checkpoint.opened", recorded.large)

    def change(entry: dict[str, Any]) -> None:
        entry["data"]["history"]["root"] = "sha-256:" + "A" * 43

    assert "history-prefix" in await names(
        changed_entry(recorded.files, index, change), recorded.large
    )


async def test_an_erased_archive_is_told_as_erased_only_if_somebody_erased_it(
    recorded: Recorded,
) -> None:
    """I9: the history is gone; that it was erased stands on the ledger, or nothing does."""
    erased = with_archive(recorded, erased=True, runs=(), salt=None)
    assert "archive-missing" in await names(erased, recorded.large)
    told = erased_by_entry(recorded, erased)
    report = await replay(told, recorded.large, [ParcelCheck])
    assert report.troubles == ()
    assert report.checked == {"cases whose history was erased": 1}


# --- the code ---------------------------------------------------------------------------------


def pinned(recorded: Recorded, code: str | None, ran: list[str]) -> LogFiles:
    """The log with a process whose published code has this digest."""
    body = canonical_json(DEFINITION.model_copy(update={"code": code})).decode()
    files = dataclasses.replace(recorded.files, processes=(body,))
    from placet.model import ProcessDefinition, digest_json  # noqa: PLC0415 - here alone

    digest = digest_json(ProcessDefinition.model_validate_json(body))
    opened = find(files, "case.opened", recorded.large)
    files = changed_entry(files, opened, lambda e: e["data"].update(process_digest=digest))
    archived = find(files, "case.archived", recorded.large)
    return changed_entry(files, archived, lambda e: e["data"].update(code=ran))


async def test_only_the_published_code_is_run(recorded: Recorded) -> None:
    """I9: what is installed must have the digest that was published, and so must what ran."""
    own = code_digest(ParcelCheck)
    other = "sha-256:" + "A" * 43
    assert await names(pinned(recorded, own, [own]), recorded.large) == set()
    assert await names(pinned(recorded, own, [other]), recorded.large) == {"code-ran"}
    assert await names(pinned(recorded, other, [other]), recorded.large) == {"code-installed"}
    assert history_of(recorded.files, recorded.large)["events"]


async def test_a_history_is_not_judged_without_code_to_run_it_on(recorded: Recorded) -> None:
    """I9: no code stands for what was erased alone."""
    report = await replay(recorded.files, recorded.large, [])
    assert {each.name for each in report.troubles} == {"code-installed"}
