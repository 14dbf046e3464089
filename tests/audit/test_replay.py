"""A closed case replays from its archive alone, and a forged history is found."""

import base64
import copy
import dataclasses
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any

import pytest

from placet.audit import replay
from tests.audit.recording import (
    History,
    Recorded,
    changed_entry,
    find,
    forged_history,
    history_of,
    renumber,
    with_history,
)
from tests.harness.other_parcels import SkippingCheck
from tests.harness.parcels import ParcelCheck

Event = dict[str, Any]
SCHEDULED = "activityTaskScheduledEventAttributes"
STARTED = "activityTaskStartedEventAttributes"
COMPLETED = "activityTaskCompletedEventAttributes"
FAILED = "activityTaskFailedEventAttributes"
TIMER = "timerStartedEventAttributes"
BEGUN = "workflowExecutionStartedEventAttributes"
ENDED = "workflowExecutionCompletedEventAttributes"


async def test_closed_cases_replay_from_their_archive_alone(recorded: Recorded) -> None:
    """I9: deterministic, every activity reconciled, with neither Temporal nor authority running."""
    for case, activities in (
        (recorded.dispatched, 5),
        (recorded.rejected, 4),
        (recorded.automatic, 4),
        (recorded.held, 4),
    ):
        report = await replay(recorded.files, case, [ParcelCheck])
        assert report.troubles == ()
        assert report.checked["cases"] == 1
        assert report.checked["activities"] >= activities
    assert report.checked["failed activities"] == 1  # what policy denied, on the ledger
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


def last(history: History, attributes: str, activity: str) -> Event:
    """The last event with these attributes, of an activity's type."""
    return event({"events": history["events"][::-1]}, attributes, activity)


def rewrite(payloads: dict[str, Any], **changed: Any) -> None:
    """Change members of the one JSON payload."""
    (payload,) = payloads["payloads"]
    value = json.loads(base64.b64decode(payload["data"]))
    value.update(changed)
    payload["data"] = base64.b64encode(json.dumps(value).encode()).decode()


def change_result(history: History) -> None:
    rewrite(event(history, COMPLETED, "weigh")[COMPLETED]["result"], digest="sha-256:" + "A" * 43)


def approved(history: History) -> Event:
    """The event that told the workflow of the approval."""
    return next(
        each
        for each in history["events"]
        if COMPLETED in each
        and b'"approved"' in base64.b64decode(each[COMPLETED]["result"]["payloads"][0]["data"])
    )


def change_approvers(history: History) -> None:
    """Other decisions' ids in what the workflow was told."""
    rewrite(approved(history)[COMPLETED]["result"], decisions=["A" * 24, "B" * 24])


def change_input(history: History) -> None:
    rewrite(event(history, SCHEDULED, "dispatch")[SCHEDULED]["input"], record="depot/D1/parcel/1")


def remove_activity(history: History) -> None:
    gone = event(history, SCHEDULED, "reweigh")["eventId"]
    history["events"] = [
        each
        for each in history["events"]
        if gone
        not in {
            each["eventId"],
            each.get(STARTED, {}).get("scheduledEventId"),
            each.get(COMPLETED, {}).get("scheduledEventId"),
        }
    ]
    renumber(history)


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
    for number, each in enumerate(triple):
        each["eventId"] = f"new {number}"
    started[STARTED]["scheduledEventId"] = scheduled["eventId"]
    completed[COMPLETED]["scheduledEventId"] = scheduled["eventId"]
    completed[COMPLETED]["startedEventId"] = started["eventId"]
    renumber(history)


def swap_order(history: History) -> None:
    first, second = (event(history, SCHEDULED, name) for name in ("weigh", "reweigh"))
    first[SCHEDULED], second[SCHEDULED] = second[SCHEDULED], first[SCHEDULED]
    name = "workflowTaskCompletedEventId"
    first[SCHEDULED][name], second[SCHEDULED][name] = (
        second[SCHEDULED][name],
        first[SCHEDULED][name],
    )


def change_identities(history: History) -> None:
    for each in history["events"]:
        for attributes in each.values():
            if isinstance(attributes, dict) and "identity" in attributes:
                attributes["identity"] = "someone else"


def change_times(history: History) -> None:
    """Everything happened a day earlier."""
    for each in history["events"]:
        moment = datetime.fromisoformat(each["eventTime"][:19]) - timedelta(days=1)
        each["eventTime"] = moment.isoformat() + each["eventTime"][19:]


def change_workflow_type(history: History) -> None:
    history["events"][0][BEGUN]["workflowType"]["name"] = "AnotherCheck"


def change_subject(history: History) -> None:
    rewrite(history["events"][0][BEGUN]["input"], subject="depot/D1/parcel/1")


def change_workflow_result(history: History) -> None:
    payload = history["events"][-1][ENDED]["result"]["payloads"][0]
    payload["data"] = base64.b64encode(b'"rejected"').decode()


def cut_timer(history: History) -> None:
    event(history, TIMER)[TIMER]["startToFireTimeout"] = "5s"


def cut_the_end(history: History) -> None:
    at = history["events"].index(event(history, SCHEDULED, "dispatch"))
    del history["events"][at:]


def cut_the_last(history: History) -> None:
    history["events"].pop()


def leave_the_start(history: History) -> None:
    del history["events"][1:]


def fail_activity(history: History) -> None:
    """What was done is told as a failure."""
    ended = event(history, COMPLETED, "dispatch")
    attributes = ended.pop(COMPLETED)
    attributes.pop("result")
    ended["eventType"] = "EVENT_TYPE_ACTIVITY_TASK_FAILED"
    ended[FAILED] = {**attributes, "failure": {"message": "no"}}


def number_wrongly(history: History) -> None:
    history["events"][3]["eventId"] = "99"


def change_type(history: History) -> None:
    """An event of one type with the attributes of another."""
    approved(history)["eventType"] = "EVENT_TYPE_TIMER_FIRED"


def drop_the_start(history: History) -> None:
    del history["events"][0]
    renumber(history)


def change_summaries(history: History) -> None:
    event(history, SCHEDULED, "dispatch").pop("userMetadata")


@dataclasses.dataclass(frozen=True)
class Forgery:
    """A change, and what finds it at which event when seal and head were made anew."""

    change: Callable[[History], None]
    trouble: str
    at: Callable[[History], Event] | None = None


FORGERIES = {
    "result": Forgery(change_result, "result-digest", lambda h: event(h, COMPLETED, "weigh")),
    "approvers": Forgery(change_approvers, "result-digest", lambda h: approved(h)),
    "input": Forgery(change_input, "input-digest", lambda h: event(h, SCHEDULED, "dispatch")),
    "input-of-a-command": Forgery(
        change_input, "command", lambda h: event(h, SCHEDULED, "dispatch")
    ),
    "activity-removed": Forgery(remove_activity, "command", lambda h: h["events"][10]),
    "summaries": Forgery(change_summaries, "command", lambda h: event(h, SCHEDULED, "dispatch")),
    "activity-added": Forgery(
        add_activity, "activity-without-grant", lambda h: last(h, COMPLETED, "dispatch")
    ),
    "activity-failed": Forgery(fail_activity, "activity-outcome", lambda h: event(h, FAILED)),
    "order-swapped": Forgery(swap_order, "command", lambda h: event(h, SCHEDULED)),
    "times": Forgery(change_times, "started-time", lambda h: event(h, STARTED, "weigh")),
    "workflow-type": Forgery(change_workflow_type, "history-start", lambda h: event(h, BEGUN)),
    "subject": Forgery(change_subject, "history-start", lambda h: event(h, BEGUN)),
    "workflow-result": Forgery(change_workflow_result, "command", lambda h: event(h, ENDED)),
    "timer": Forgery(cut_timer, "command", lambda h: event(h, TIMER)),
    "end-cut-off": Forgery(cut_the_end, "history-end", lambda h: h["events"][-1]),
    "last-event-cut-off": Forgery(cut_the_last, "history-end", lambda h: h["events"][-1]),
    "start-alone": Forgery(leave_the_start, "history-order", lambda h: h["events"][0]),
    "numbers": Forgery(number_wrongly, "history-unreadable"),
    "type": Forgery(change_type, "history-order", lambda h: approved(h)),
    "no-start": Forgery(drop_the_start, "history-unreadable"),
}
ONLY_BY_SEAL = {"identities": change_identities}
CHANGES = {name: each.change for name, each in FORGERIES.items()} | ONLY_BY_SEAL


@pytest.mark.parametrize("name", sorted(CHANGES))
async def test_a_forged_history_is_not_the_sealed_one(recorded: Recorded, name: str) -> None:
    """I9: whatever was changed, its digest is on the ledger."""
    files = forged_history(recorded.files, recorded.large, CHANGES[name])
    report = await replay(files, recorded.large, [ParcelCheck])
    first = next(each for each in report.troubles if each.name == "event-digest")
    genuine = history_of(recorded.files, recorded.large)["events"]
    forged = history_of(files, recorded.large)["events"]
    differ = [
        number for number, pair in enumerate(zip_longest(genuine, forged), 1) if pair[0] != pair[1]
    ]
    assert first.place == f"{recorded.large} event {differ[0]}"


@pytest.mark.parametrize("name", sorted(FORGERIES))
async def test_a_forged_history_is_found_without_its_seal(recorded: Recorded, name: str) -> None:
    """I9: the owner of the log made seal and head anew; what was granted and settled still tells,
    and what the code asks for when it runs again."""
    case, forgery = recorded.large, FORGERIES[name]
    files = forged_history(recorded.files, case, forgery.change, seal=True)
    place = case
    if forgery.at is not None:
        place += f" event {forgery.at(history_of(files, case))['eventId']}"
    report = await replay(files, case, [ParcelCheck])
    found = [(each.name, each.place) for each in report.troubles]
    assert (forgery.trouble, place) in found
    assert "event-digest" not in {name for name, _ in found}


@pytest.mark.parametrize("name", sorted(ONLY_BY_SEAL))
async def test_what_the_seal_alone_finds(recorded: Recorded, name: str) -> None:
    """I9: an identity is whatever a client says; nothing rests on it."""
    files = forged_history(recorded.files, recorded.large, ONLY_BY_SEAL[name], seal=True)
    assert (await replay(files, recorded.large, [ParcelCheck])).holds


async def test_no_single_event_can_go(recorded: Recorded) -> None:
    """I9: each event by itself, without the seal; a history that hangs the Replayer is refused."""
    for number in range(len(history_of(recorded.files, recorded.large)["events"])):

        def drop(history: History, number: int = number) -> None:
            del history["events"][number]
            renumber(history)

        files = forged_history(recorded.files, recorded.large, drop, seal=True)
        assert not (await replay(files, recorded.large, [ParcelCheck])).holds, number + 1


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "\x00", '{"events": 7}', '{"events": []}', '{"events": [7]}']
    + ['{"events": [{"eventId": "x"}]}', "[" * 100_000, '{"events": [{"unknown": 1}]}'],
)
async def test_an_archive_that_is_no_history_is_an_answer(recorded: Recorded, text: str) -> None:
    """I9, I12: a damaged archive is a trouble, never a crash."""
    files = with_history(recorded.files, recorded.large, text)
    report = await replay(files, recorded.large, [ParcelCheck])
    assert {"event-digest", "history-unreadable"} <= {each.name for each in report.troubles}


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
    """I9: two genuine, sealed archives, each in the other's place."""
    one, other = recorded.dispatched, recorded.rejected
    archives = recorded.files.archives
    files = dataclasses.replace(
        recorded.files, archives={one: archives[other], other: archives[one]}
    )
    for case in (one, other):
        report = await replay(files, case, [ParcelCheck])
        assert {"seal-digest", "run", "workflow"} <= {each.name for each in report.troubles}


async def test_a_seal_that_is_gone_is_found(recorded: Recorded) -> None:
    """I9: a history that the ledger does not name proves nothing."""
    index = find(recorded.files, "case.archived", recorded.dispatched)
    entries = recorded.files.entries[:index] + recorded.files.entries[index + 1 :]
    files = dataclasses.replace(recorded.files, entries=entries)
    report = await replay(files, recorded.dispatched, [ParcelCheck])
    assert "seal" in {each.name for each in report.troubles}


@pytest.mark.parametrize(
    ("entry", "change"),
    [
        ("case.started", lambda e: e.pop("record")),
        ("case.started", lambda e: e["data"].pop("record_tag")),
        ("case.started", lambda e: e["data"].update(fairness_key=["no", "key"])),
        ("case.opened", lambda e: e["data"].update(version={"a": None})),
        ("case.opened", lambda e: e.update(time="2026-01-01T00:00:00Z")),
        ("case.opened", lambda e: e.update(time="9999-12-31T23:59:59Z")),
    ],
)
async def test_a_start_that_the_ledger_does_not_explain_is_found(
    recorded: Recorded, entry: str, change: Callable[[Event], object]
) -> None:
    """I9: however the entries of the opening and the start are made anew."""
    index = find(recorded.files, entry, recorded.automatic)
    files = changed_entry(recorded.files, index, change)
    found = {
        each.name for each in (await replay(files, recorded.automatic, [ParcelCheck])).troubles
    }
    assert found & {"history-start", "time-order"}
