"""Any single change to a real history is found: by its seal, and nearly all without it."""

import asyncio
import dataclasses
import json
from collections.abc import Iterator

import pytest

from placet.audit import Report, replay
from placet.audit._sealed import unsealed
from placet.ledger import decode_entry
from tests.audit.changes import Change, changes
from tests.audit.piecewise import Piecewise
from tests.audit.recording import History, Recorded, forged_history, history_of, with_history
from tests.harness.parcels import ParcelCheck

BY_SEAL_ALONE = {
    "identity",
    "requestId",
    "taskId",
    "workerVersion",
    "sdkMetadata",
    "historySizeBytes",
    "useWorkflowBuildId",
    "lastFailure",
}
"""What nothing rests on and nobody can compute again: docs/reference/forgeries.md has the table."""
WORDS = {
    ("activityTaskFailedEventAttributes", "failure"),
    ("workflowTaskFailedEventAttributes", "failure"),
    ("workflowTaskFailedEventAttributes", "cause"),
}
BELL = "workflowExecutionSignaledEventAttributes"
PIECES = {"reading", "order", "shape", "ledger", "code"}
"""The parts of a replay, each of which finds what no other does."""


def cases(recorded: Recorded) -> tuple[str, ...]:
    """Those whose histories are changed: all kinds of events that a parcel's case has."""
    return (recorded.large, recorded.rejected, recorded.held)


def only_sealed(history: History, change: Change) -> bool:
    """Whether a change is one of those that only the seal holds."""
    names = {each for each in change.path if isinstance(each, str)}
    if names & BY_SEAL_ALONE or change.path[:2] in WORDS:
        return True
    event = history["events"][change.event]
    if _of_several_bells(history, change):
        return True
    value = event
    for name in change.path:
        value = value[name]
    if change.what == "remove" and value in {"0s", ""}:
        return True  # a nothing that is not written is the same nothing
    task = "workflowTaskScheduledEventAttributes"
    if change.what == "change" and change.path == (task, "attempt"):
        # What failed is tried again; how often meanwhile, Temporal writes down nowhere.
        return _failed_before(history, change.event)
    sticky = "_STICKY" in str(event.get("workflowTaskScheduledEventAttributes", {}))
    return sticky and change.path[-2:] == ("taskQueue", "name") and change.what == "change"


def _failed_before(history: History, at: int) -> bool:
    """Whether the last workflow task before an event had begun, and failed or took too long."""
    for event in reversed(history["events"][:at]):
        match event["eventType"].removeprefix("EVENT_TYPE_WORKFLOW_TASK_"):
            case "COMPLETED":
                return False
            case "FAILED":
                return True
            case "TIMED_OUT":
                told = event["workflowTaskTimedOutEventAttributes"]
                return told.get("startedEventId", "0") != "0"
    return False


def _of_several_bells(history: History, change: Change) -> bool:
    """Whether one bell more or less, or a bit later: a workflow slow to wake hears several."""
    at, length = change.event, {"drop": 1, "swap": 2}.get(change.what, 0)
    rings = [BELL in each for each in history["events"]]
    return any(rings[at : at + length]) and sum(rings[max(at - 1, 0) : at + length + 1]) > 1


def _moves_a_bell(history: History, change: Change) -> bool:
    """Whether a bell rings a moment sooner or later: past the one event that is beside it."""
    pair = history["events"][change.event : change.event + 2]
    return change.what == "swap" and [BELL in each for each in pair].count(True) == 1


def replayed(recorded: Recorded, case: str, change: Change, *, sealed: bool) -> Report:
    """The replay of a case whose history was changed."""
    files = forged_history(recorded.files, case, change)
    return asyncio.run(replay(files, case, [ParcelCheck], sealed=sealed))


@pytest.fixture(scope="module")
def pieces(recorded: Recorded) -> dict[str, Piecewise]:
    """Each case read once."""
    return {each: Piecewise(recorded.files, each, ParcelCheck) for each in cases(recorded)}


def first_other(genuine: History, forged: History) -> int:
    """The number of the first event that is not the genuine one."""
    pairs = zip(genuine["events"], forged["events"], strict=False)
    return next(
        (number for number, (one, other) in enumerate(pairs, 1) if one != other),
        min(len(genuine["events"]), len(forged["events"])) + 1,
    )


def kinds_of(recorded: Recorded) -> Iterator[tuple[str, Change]]:
    """A change of each kind: what is done, to which type of event, and to which of its fields."""
    seen: set[tuple[object, ...]] = set()
    for case in cases(recorded):
        history = history_of(recorded.files, case)
        for each in changes(history):
            path = tuple(name for name in each.path if isinstance(name, str))
            kind = (each.what, history["events"][each.event]["eventType"], path)
            if kind not in seen:
                seen.add(kind)
                yield case, each


def test_any_single_change_is_found_by_the_seal(recorded: Recorded) -> None:
    """I9: and the answer names the first event that does not fit."""
    missed: list[object] = []
    for case, change in kinds_of(recorded):
        genuine = history_of(recorded.files, case)
        forged = history_of(recorded.files, case)
        change(forged)
        if forged == genuine:
            continue  # two equal events were swapped, or the like
        files = with_history(recorded.files, case, json.dumps(forged, indent=2, sort_keys=True))
        entries = [e for e in map(decode_entry, files.entries) if e.case == case]
        found = next(
            (e.event for e in unsealed(files.archives[case], entries) if e.name == "event-digest"),
            None,
        )
        differ = first_other(genuine, forged)
        if found != differ:
            missed.append((change, found, differ))
    assert missed == []


@pytest.mark.parametrize("nth", range(4))
def test_a_replay_names_the_event_that_was_not_sealed(recorded: Recorded, nth: int) -> None:
    """I9: what the seal finds is in the answer of a whole replay."""
    case, change = list(kinds_of(recorded))[nth * 97]
    report = replayed(recorded, case, change, sealed=True)
    first = next(each for each in report.troubles if each.name == "event-digest")
    forged = history_of(forged_history(recorded.files, case, change), case)
    differ = first_other(history_of(recorded.files, case), forged)
    assert (first.event, first.place) == (differ, f"{case} event {differ}")


def test_any_single_change_that_matters_is_found_without_the_seal(
    recorded: Recorded, pieces: dict[str, Piecewise]
) -> None:
    """I9: by grants, signatures and what is computed again; identities and the like excepted.

    Every change is tried; what finds them is the same in a whole replay, tried with a few of each.
    """
    missed: list[tuple[Change, str]] = []
    found: dict[str, list[tuple[str, Change]]] = {}
    for case, piecewise in pieces.items():
        (genuine,) = piecewise.histories
        for change in changes(genuine):
            if only_sealed(genuine, change):
                continue
            by = piecewise.finds(change)
            if by is None and _moves_a_bell(genuine, change):
                continue  # the code had looked, or was about to: it finds nothing new
            if by is None:
                missed.append((change, json.dumps(genuine["events"][: change.event + 2][-6:])))
            else:
                found.setdefault(by, []).append((case, change))
    assert missed == []
    assert found.keys() - {"nothing"} == PIECES
    few = [
        (by, each)
        for by, all_ in found.items()
        if by in PIECES
        for each in all_[:: len(all_) // 3 + 1]
    ]
    unnoticed = [
        (by, change)
        for by, (case, change) in few
        if replayed(recorded, case, change, sealed=False).holds
    ]
    assert unnoticed == []


@pytest.mark.parametrize("name", sorted(BY_SEAL_ALONE))
def test_what_is_left_to_the_seal_is_no_trouble_without_it(
    recorded: Recorded, pieces: dict[str, Piecewise], name: str
) -> None:
    """I9: the list of exceptions is no longer than it has to be."""
    for case, piecewise in pieces.items():
        for change in changes(piecewise.histories[0]):
            if name in change.path and piecewise.finds(change) is None:
                assert replayed(recorded, case, change, sealed=False).holds
                return
    raise AssertionError(f"a changed {name} is found without the seal, or there is none")


def test_a_change_is_one() -> None:
    """The generator changes what it says, and nothing else."""
    history = {"events": [{"eventId": "1", "a": {"b": "x"}}, {"eventId": "2"}]}
    made = changes(history)
    assert len({dataclasses.astuple(each) for each in made}) == len(made)
    for change in made:
        other = {"events": [dict(each) for each in history["events"]]}
        other["events"][0]["a"] = dict(history["events"][0]["a"])  # type: ignore[arg-type]  # JSON
        change(other)
        assert other != history, change
