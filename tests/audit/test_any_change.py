"""Any single change to a real history is found: by its seal, and nearly all without it."""

import asyncio
import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from placet.audit import Report, replay
from tests.audit.changes import Change, changes
from tests.audit.recording import History, Recorded, forged_history, history_of
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
BITS = st.lists(st.booleans(), min_size=18, max_size=18)
"""Which case and which change, in bits: numbers would be drawn otherwise after each replay, since
Hypothesis looks at the constants of all modules, and the sandbox loads some anew."""
FAILED = ("activityTaskFailedEventAttributes", "failure")


def drawn(recorded: Recorded, bits: list[bool], *, sealed: bool) -> tuple[str, Change]:
    """The case and the change that the bits say; without the seal, one that can be found so."""
    number = sum(bit << at for at, bit in enumerate(bits))
    case = (recorded.large, recorded.rejected, recorded.held)[number % 3]
    genuine = history_of(recorded.files, case)
    made = [each for each in changes(genuine) if sealed or not only_sealed(genuine, each)]
    return case, made[number // 3 * 7919 % len(made)]


def only_sealed(history: History, change: Change) -> bool:
    """Whether a change is one of those that only the seal holds."""
    names = {each for each in change.path if isinstance(each, str)}
    if names & BY_SEAL_ALONE or change.path[:2] == FAILED:
        return True
    event = history["events"][change.event]
    value = event
    for name in change.path:
        value = value[name]
    if change.what == "remove" and value in {"0s", ""}:
        return True  # a nothing that is not written is the same nothing
    sticky = "_STICKY" in str(event.get("workflowTaskScheduledEventAttributes", {}))
    return sticky and change.path[-2:] == ("taskQueue", "name") and change.what == "change"


def replayed(recorded: Recorded, case: str, change: Change, *, sealed: bool) -> Report:
    """The replay of a case whose history was changed."""
    files = forged_history(recorded.files, case, change)
    return asyncio.run(replay(files, case, [ParcelCheck], sealed=sealed))


@pytest.mark.timeout(600)  # each example is a replay
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bits=BITS)
def test_any_single_change_is_found_by_the_seal(recorded: Recorded, bits: list[bool]) -> None:
    """I9: and the answer names the first event that does not fit."""
    case, change = drawn(recorded, bits, sealed=True)
    genuine = history_of(recorded.files, case)
    report = replayed(recorded, case, change, sealed=True)
    forged = history_of(forged_history(recorded.files, case, change), case)
    if forged == genuine:
        return  # two equal events were swapped, or the like
    assert not report.holds
    first = next(each for each in report.troubles if each.name == "event-digest")
    pairs = zip(genuine["events"], forged["events"], strict=False)
    differ = next(
        (number for number, (one, other) in enumerate(pairs, 1) if one != other),
        min(len(genuine["events"]), len(forged["events"])) + 1,
    )
    assert (first.event, first.place) == (differ, f"{case} event {differ}")


@pytest.mark.timeout(600)  # each example is a replay
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bits=BITS)
def test_any_single_change_that_matters_is_found_without_the_seal(
    recorded: Recorded, bits: list[bool]
) -> None:
    """I9: by grants, signatures and what is computed again; identities and the like excepted."""
    case, change = drawn(recorded, bits, sealed=False)
    assert not replayed(recorded, case, change, sealed=False).holds, change


@pytest.mark.parametrize("name", sorted(BY_SEAL_ALONE))
def test_what_is_left_to_the_seal_is_no_trouble_without_it(recorded: Recorded, name: str) -> None:
    """I9: the list of exceptions is no longer than it has to be."""
    for case in (recorded.large, recorded.rejected, recorded.held):
        made = changes(history_of(recorded.files, case))
        for what in ("change", "remove"):
            found = [each for each in made if name in each.path and each.what == what]
            if found and replayed(recorded, case, found[-1], sealed=False).holds:
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
