"""The flight recorder: the states of a case's workflow, event by event, with what stood behind."""

import dataclasses
import json

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from placet.audit import Flight, Frame, record_flight
from placet.audit._causes import marks
from placet.cli._flight import print_flight
from tests.audit.recording import Recorded, forged_history
from tests.audit.test_replay import change_result
from tests.harness.parcels import ParcelCheck


async def flight_of(recorded: Recorded, case: str) -> Flight:
    return await record_flight(recorded.files, case, [ParcelCheck])


def frames_of(flight: Flight, words: str) -> list[Frame]:
    found = [each for each in flight.frames if words in each.what]
    assert found, words
    return found


async def test_states_follow_each_other_without_a_gap(recorded: Recorded) -> None:
    """I9: each frame's state is the one before with its changes; only running code changes it."""
    flight = await flight_of(recorded, recorded.large)
    assert [each.event for each in flight.frames] == list(range(1, len(flight.frames) + 1))
    assert flight.report.holds
    before: dict[str, object] = {}
    for frame in flight.frames:
        after = {**before, **{each.name: each.after for each in frame.changes}}
        gone = {each.name for each in frame.changes if each.name not in frame.state}
        assert {name: value for name, value in after.items() if name not in gone} == frame.state
        assert not frame.changes or frame.type == "workflow_task_completed"
        before = dict(frame.state)
    assert before["self._waiting_for"] is None


async def test_a_state_says_where_the_code_stands_and_what_it_knows(recorded: Recorded) -> None:
    """I9: the function and line that waits, its variables and the object's attributes."""
    flight = await flight_of(recorded, recorded.large)
    waiting = [each for each in flight.frames if each.state.get("self._waiting_for") == "release"]
    assert "ParcelCheck.run:" in str(waiting[0].state["where"])
    assert "GovernedWorkflow.checkpoint:" in str(waiting[0].state["where"])
    last = flight.frames[-4].state
    assert last["run.result"] == "dispatched"
    assert last["run.case"] == {"case": recorded.large, "subject": "depot/D1/parcel/8"}
    assert not [name for each in flight.frames for name in each.state if name.startswith("step.")]


async def test_each_event_names_its_cause(recorded: Recorded) -> None:
    """I9: an activity by the task that asked for it, the task by the bell that woke the code."""
    flight = await flight_of(recorded, recorded.large)
    (bell,) = frames_of(flight, "signaled: checkpoint_bell")
    assert bell.causes == ()
    woken = next(each for each in flight.frames if bell.event in each.causes)
    assert woken.type == "workflow_task_scheduled"
    ran = next(
        each
        for each in flight.frames
        if each.type == "workflow_task_completed" and bell.event in each.causes
    )
    assert {each.name for each in ran.changes} >= {"self._bells", "where"}
    for frame in frames_of(flight, "activity task scheduled"):
        assert [flight.frames[each - 1].type for each in frame.causes] == [
            "workflow_task_completed"
        ]


async def test_an_activity_has_its_grant_with_policies_facts_and_the_agents_words(
    recorded: Recorded,
) -> None:
    """I3, I9: also the grant of the attempt that failed, and the denial of one that got none."""
    flight = await flight_of(recorded, recorded.rejected)
    (started,) = frames_of(flight, "activity task started: weigh")
    assert [each.attempt for each in started.grants] == [1, 2]
    assert all(each.permitted and each.why == ("weighs",) for each in started.grants)
    assert "ledger.mode assist" in started.grants[0].facts
    assert "cleared" in (started.grants[0].reasoning or "")
    assert "\x1b" not in (started.grants[0].reasoning or "")
    assert [each.outcome for each in started.grants] == ["settled: failed", "settled: completed"]
    held = await flight_of(recorded, recorded.held)
    (failed,) = frames_of(held, "activity task failed: dispatch")
    (denied,) = failed.grants
    assert not denied.permitted
    assert any("policy:" in each for each in denied.why)


async def test_people_stand_where_the_workflow_hears_of_them(recorded: Recorded) -> None:
    """I6, I9: who decided what, as whom, and that the signature holds; a forged one does not."""
    flight = await flight_of(recorded, recorded.large)
    heard = frames_of(flight, "activity task completed: read_outcome")[-1]
    assert [(each.operator, each.roles, each.verdict) for each in heard.decisions] == [
        ("operator:cleo", ("clerk",), "approve"),
        ("operator:hal", ("chief",), "approve"),
    ]
    assert {each.signature for each in heard.decisions} == {"valid"}
    assert {each.amount for each in heard.decisions} == {"500.00"}
    views = {
        name: view.model_copy(
            update={
                "decisions": tuple(
                    each.model_copy(update={"jws": each.jws[:-6] + "AAAAAA"})
                    for each in view.decisions
                )
            }
        )
        for name, view in recorded.files.checkpoints.items()
    }
    forged = dataclasses.replace(recorded.files, checkpoints=views)
    flight = await record_flight(forged, recorded.large, [ParcelCheck])
    heard = frames_of(flight, "activity task completed: read_outcome")[-1]
    assert all("decision-signature" in each.signature for each in heard.decisions)


async def test_a_line_that_someone_says_passes_for_none_of_ours(
    recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    """I12: a line break is one, and what follows it stands behind a bar."""
    print_flight(await flight_of(recorded, recorded.rejected))
    told = capsys.readouterr().out.splitlines()
    said = next(
        at
        for at, line in enumerate(told)
        if line.startswith("         it said: ") and "cleared" in line
    )
    assert told[said].endswith("cleared")
    assert told[said + 1].startswith("         │ [red]all is ")


async def test_why_people_decided_so_is_told(
    recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reason's code as well as the comment, and each exception with why it is accepted."""
    flight = await flight_of(recorded, recorded.rejected)
    at = next(at for at, frame in enumerate(flight.frames) if frame.decisions)
    word = (
        flight.frames[at]
        .decisions[0]
        .model_copy(
            update={
                "reason_code": "wet",
                "comment": "it drips",
                "exceptions": ("scale.level#1: the [floor] is not level",),
            }
        )
    )
    frame = flight.frames[at].model_copy(update={"decisions": (word,)})
    print_flight(flight.model_copy(update={"frames": (frame,)}))
    told = capsys.readouterr().out
    assert "         they said: wet: it drips\n" in told
    assert "         accepts scale.level#1: the [floor] is not level\n" in told


async def test_the_ledgers_moments_stand_between_the_events(recorded: Recorded) -> None:
    """I9: what the ledger says of the case up to its last event, once each and in order."""
    flight = await flight_of(recorded, recorded.large)
    told = [each.index for frame in flight.frames for each in frame.ledger]
    assert told == sorted(set(told))
    own = [
        index
        for index, each in enumerate(recorded.files.entries)
        if (entry := json.loads(each)).get("case") == recorded.large
        and entry["type"] != "case.archived"
    ]
    assert told == own


async def test_stepping_goes_forth_and_back(recorded: Recorded) -> None:
    """I9: from change to change, and to any event; at either end it stays."""
    flight = await flight_of(recorded, recorded.large)
    first = flight.next_change(-1)
    second = flight.next_change(first)
    assert flight.previous_change(second) == first
    assert flight.previous_change(first) == first
    assert flight.frames[flight.of_event(7)].event == 7
    last = len(flight.frames) - 1
    assert flight.next_change(last) == last


async def test_a_forged_event_shows_what_does_not_hold(recorded: Recorded) -> None:
    """I9: the trouble stands at the event's frame."""
    files = forged_history(recorded.files, recorded.large, change_result, seal=True)
    flight = await record_flight(files, recorded.large, [ParcelCheck])
    assert not flight.report.holds
    (wrong,) = [each for each in flight.frames if each.troubles]
    assert wrong.what == "activity task completed: weigh"


async def test_a_recording_is_the_same_every_time(recorded: Recorded) -> None:
    """I9: plain data, with no address and no order of a set in it."""
    once, twice = [await flight_of(recorded, recorded.large) for _ in range(2)]
    assert once.model_dump_json() == twice.model_dump_json()
    assert Flight.model_validate_json(once.model_dump_json()) == once


def history_with(*events: dict[str, object]) -> list[HistoryEvent]:
    """Events as a history has them, numbered from 1."""
    text = json.dumps(
        {"events": [{"eventId": str(number), **each} for number, each in enumerate(events, 1)]}
    )
    return list(WorkflowHistory.from_json("case", text).events)


def test_what_changed_how_a_case_ran_is_marked() -> None:
    """I9: reset, pause, termination, skipped time, other options, another worker's version."""

    def of(kind: str, **attributes: object) -> dict[str, object]:
        words = kind.lower().split("_")
        name = words[0] + "".join(each.title() for each in words[1:]) + "EventAttributes"
        return {"eventType": f"EVENT_TYPE_{kind}", name: attributes}

    events = history_with(
        of("WORKFLOW_EXECUTION_STARTED"),
        of("WORKFLOW_TASK_COMPLETED", sdkMetadata={"sdkName": "python", "sdkVersion": "1"}),
        of("WORKFLOW_TASK_COMPLETED", workerVersion={"buildId": "a"}),
        of("WORKFLOW_TASK_COMPLETED", workerVersion={"buildId": "a"}),
        of("WORKFLOW_TASK_COMPLETED", workerVersion={"buildId": "b"}),
        of("WORKFLOW_TASK_COMPLETED", sdkMetadata={"sdkVersion": "2"}),
        of("WORKFLOW_TASK_FAILED", cause="WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW"),
        of("WORKFLOW_TASK_FAILED", cause="WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR"),
        of("WORKFLOW_EXECUTION_PAUSED"),
        of("WORKFLOW_EXECUTION_UNPAUSED"),
        of("WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED"),
        of("WORKFLOW_EXECUTION_OPTIONS_UPDATED"),
        of("WORKFLOW_EXECUTION_TERMINATED", reason="enough"),
    )
    said = {number: " ".join(each) for number, each in marks(events).items()}
    assert sorted(said) == [5, 6, 7, 8, 9, 10, 11, 12, 13]
    assert said[5] == "another worker version: b python 1"
    assert said[6] == "another worker version: b python 2"
    assert said[7] == "reset"
    assert "failed" in said[8]
    assert (said[9], said[11], said[13]) == ("paused", "time was skipped", "terminated")
