"""A closed case replays from its archive alone, and a forged history is found."""

import base64
import copy
import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from placet.audit import replay
from tests.audit.recording import History, Recorded, find, forged_history
from tests.harness.parcels import ParcelCheck, SkippingCheck

Event = dict[str, Any]
SCHEDULED = "activityTaskScheduledEventAttributes"
STARTED = "activityTaskStartedEventAttributes"
COMPLETED = "activityTaskCompletedEventAttributes"


async def test_closed_cases_replay_from_their_archive_alone(recorded: Recorded) -> None:
    """I9: deterministic, every activity reconciled, with neither Temporal nor authority running."""
    for case, activities in ((recorded.dispatched, 5), (recorded.rejected, 4)):
        report = await replay(recorded.files, case, [ParcelCheck])
        assert report.troubles == ()
        assert report.checked["cases"] == 1
        assert report.checked["activities"] >= activities
    twice = [await replay(recorded.files, recorded.large, [ParcelCheck]) for _ in range(2)]
    assert twice[0].holds and twice[0] == twice[1]


# --- forging --------------------------------------------------------------------------------


def event(history: History, attributes: str, activity: str | None = None) -> Event:
    """The event with these attributes, of an activity's type."""
    names = {
        each["eventId"]: each[SCHEDULED]["activityType"]["name"]
        for each in history["events"]
        if SCHEDULED in each
    }
    for each in history["events"]:
        if attributes in each:
            of = each["eventId"] if SCHEDULED in each else each[attributes].get("scheduledEventId")
            if activity is None or names.get(of) == activity:
                return each
    raise AssertionError(f"no {attributes} of {activity}")


def rewrite(payloads: dict[str, Any], **changed: Any) -> None:
    """Change members of the one JSON payload."""
    (payload,) = payloads["payloads"]
    value = json.loads(base64.b64decode(payload["data"]))
    value.update(changed)
    payload["data"] = base64.b64encode(json.dumps(value).encode()).decode()


def change_result(history: History) -> None:
    rewrite(event(history, COMPLETED, "weigh")[COMPLETED]["result"], digest="sha-256:" + "A" * 43)


def change_decisions(history: History) -> None:
    """Another approver: another decision's id in what the workflow was told."""
    for each in history["events"]:
        if COMPLETED in each and b'"approved"' in base64.b64decode(
            each[COMPLETED]["result"]["payloads"][0]["data"]
        ):
            rewrite(each[COMPLETED]["result"], decisions=["A" * 24])
            return
    raise AssertionError("nothing was approved")


def change_input(history: History) -> None:
    rewrite(event(history, SCHEDULED, "dispatch")[SCHEDULED]["input"], record="depot/D1/parcel/1")


def remove_activity(history: History) -> None:
    gone = event(history, SCHEDULED, "reweigh")["eventId"]
    history["events"] = [
        each
        for each in history["events"]
        if each["eventId"] != gone
        and each.get(STARTED, {}).get("scheduledEventId") != gone
        and each.get(COMPLETED, {}).get("scheduledEventId") != gone
    ]


def add_activity(history: History) -> None:
    """A second dispatch, copied after the first."""
    triple = [
        copy.deepcopy(event(history, attributes, "dispatch"))
        for attributes in (SCHEDULED, STARTED, COMPLETED)
    ]
    after = history["events"].index(event(history, COMPLETED, "dispatch")) + 1
    scheduled, started, completed = triple
    scheduled[SCHEDULED]["activityId"] = "99"
    history["events"][after:after] = triple
    for number, each in enumerate(history["events"], 1):
        each["eventId"] = str(number)
    started[STARTED]["scheduledEventId"] = scheduled["eventId"]
    completed[COMPLETED]["scheduledEventId"] = scheduled["eventId"]
    completed[COMPLETED]["startedEventId"] = started["eventId"]


def swap_order(history: History) -> None:
    first, second = (event(history, SCHEDULED, name) for name in ("weigh", "reweigh"))
    first[SCHEDULED], second[SCHEDULED] = second[SCHEDULED], first[SCHEDULED]


def change_identity(history: History) -> None:
    event(history, STARTED, "weigh")[STARTED]["identity"] = "someone else"


def change_workflow_type(history: History) -> None:
    started = history["events"][0]["workflowExecutionStartedEventAttributes"]
    started["workflowType"]["name"] = "AnotherCheck"


FORGERIES: dict[str, Callable[[History], None]] = {
    "result": change_result,
    "decisions": change_decisions,
    "input": change_input,
    "activity-removed": remove_activity,
    "activity-added": add_activity,
    "order-swapped": swap_order,
    "identity": change_identity,
    "workflow-type": change_workflow_type,
}


@pytest.mark.parametrize("name", sorted(FORGERIES))
async def test_a_forged_history_is_not_the_sealed_one(recorded: Recorded, name: str) -> None:
    """I9: whatever was changed, its digest is on the ledger."""
    files = forged_history(recorded.files, recorded.dispatched, FORGERIES[name])
    report = await replay(files, recorded.dispatched, [ParcelCheck])
    assert ("history-digest", recorded.dispatched) in {
        (each.name, each.place) for each in report.troubles
    }


# What finds it, and the event it is at, when the forger has made seal and head anew.
FOUND = {
    "result": ("result-digest", COMPLETED, "weigh"),
    "input": ("input-digest", COMPLETED, "dispatch"),
    "order-swapped": ("replay", None, None),
    "activity-removed": ("replay", None, None),
    "activity-added": ("replay", None, None),
    "workflow-type": ("replay", None, None),
}


@pytest.mark.parametrize("name", sorted(FOUND))
async def test_a_forged_history_is_found_without_its_seal(recorded: Recorded, name: str) -> None:
    """I9: the owner of the log made seal and head anew; what the agents settled still tells."""
    case = recorded.dispatched
    files = forged_history(recorded.files, case, FORGERIES[name], seal=True)
    trouble, attributes, activity = FOUND[name]
    place = case
    if attributes is not None:
        forged = json.loads(files.archives[case].history)
        place += f" event {event(forged, attributes, activity)['eventId']}"
    report = await replay(files, case, [ParcelCheck])
    found = {(each.name, each.place) for each in report.troubles}
    assert (trouble, place) in found
    assert "history-digest" not in {name for name, _ in found}


async def test_another_workflow_than_ran_is_no_replay(recorded: Recorded) -> None:
    """I9: code that would have gone past the people does not explain what happened."""
    report = await replay(recorded.files, recorded.dispatched, [SkippingCheck])
    assert "replay" in {each.name for each in report.troubles}


async def test_an_archive_that_is_not_there_is_a_trouble(recorded: Recorded) -> None:
    """I9: also of a case that was never closed."""
    files = dataclasses.replace(recorded.files, archives={})
    for case in (recorded.dispatched, recorded.skipping):
        (trouble,) = (await replay(files, case, [ParcelCheck])).troubles
        assert (trouble.name, trouble.place) == ("archive-missing", case)


async def test_an_archive_of_another_case_or_run_is_found(recorded: Recorded) -> None:
    """I9: a genuine history in another's place."""
    files = dataclasses.replace(
        recorded.files,
        archives={recorded.dispatched: recorded.files.archives[recorded.rejected]},
    )
    report = await replay(files, recorded.dispatched, [ParcelCheck])
    assert {"history-digest", "run"} <= {each.name for each in report.troubles}


async def test_a_seal_that_is_gone_is_found(recorded: Recorded) -> None:
    """I9: a history that the ledger does not name proves nothing."""
    index = find(recorded.files, "case.archived", recorded.dispatched)
    entries = recorded.files.entries[:index] + recorded.files.entries[index + 1 :]
    files = dataclasses.replace(recorded.files, entries=entries)
    report = await replay(files, recorded.dispatched, [ParcelCheck])
    assert "seal" in {each.name for each in report.troubles}
