"""The population of cases is complete, or the answer says where something is missing."""

import dataclasses
import json
from datetime import datetime, timedelta

from placet.audit import population, sample
from placet.model import canonical_json
from tests.audit.recording import Recorded, changed_entry, find, resigned


def test_every_case_is_listed_with_how_it_stands(recorded: Recorded) -> None:
    """I8: under a key that the auditor brought, whatever became of a case."""
    found = population(recorded.files)
    assert found.complete
    assert found.report.trusted
    assert {each.case for each in found.cases} == {
        recorded.dispatched,
        recorded.large,
        recorded.rejected,
        recorded.skipping,
        recorded.held,
        recorded.automatic,
    }
    lines = {each.case: each for each in found.cases}
    assert lines[recorded.large].status == "archived"
    assert lines[recorded.large].result == "dispatched"
    assert lines[recorded.skipping].status in {"open", "stopped"}
    assert [each.entry for each in found.cases] == sorted(each.entry for each in found.cases)


def test_a_period_takes_what_was_opened_in_it(recorded: Recorded) -> None:
    """From its first moment on, and before its last."""
    every = population(recorded.files).cases
    middle = every[2].opened
    assert population(recorded.files, since=middle).cases == every[2:]
    assert population(recorded.files, until=middle).cases == every[:2]
    later = max(each.opened for each in every) + timedelta(days=1)
    none = population(recorded.files, since=later)
    assert none.complete
    assert none.cases == ()


def test_a_case_that_was_left_out_is_missed(recorded: Recorded) -> None:
    """I8: an opening that is gone, with the tree as it was, or with one made anew."""
    index = find(recorded.files, "case.opened", recorded.large)
    entries = [*recorded.files.entries[:index], *recorded.files.entries[index + 1 :]]
    cut = dataclasses.replace(recorded.files, entries=tuple(entries))
    assert not population(cut).complete
    anew = population(resigned(recorded.files, entries))
    assert not anew.complete
    assert anew.report.troubles[0].name == "case-unopened"
    other = changed_entry(recorded.files, index, lambda each: each.update(type="case.resubmitted"))
    assert not population(other).complete


def test_a_log_without_a_head_proves_no_population(recorded: Recorded) -> None:
    """I8: what nobody signed is no population."""
    found = population(dataclasses.replace(recorded.files, head=""))
    assert (found.complete, found.cases) == (False, ())


def test_the_word_alone_chooses_the_sample(recorded: Recorded) -> None:
    """The same word, the same sample; another word may give another one."""
    cases = population(recorded.files).cases
    drawn = sample(cases, 2, "a word of the examiner's")
    assert drawn == sample(cases[::-1], 2, "a word of the examiner's")
    assert len(drawn) == 2
    assert [each.entry for each in drawn] == sorted(each.entry for each in drawn)
    assert sample(cases, 100, "x") == cases
    assert len({sample(cases, 2, str(number)) for number in range(30)}) > 1


def test_the_wrong_place_lies_between_two_of_the_logs_own_heads(recorded: Recorded) -> None:
    """I8: the log keeps every head that it has signed; the first that does not fit is named."""
    from placet.audit import verify  # noqa: PLC0415 - of this test alone

    index = find(recorded.files, "decision.recorded")
    entry = json.loads(recorded.files.entries[index])
    entry["time"] = (datetime.fromisoformat(entry["time"]) - timedelta(seconds=1)).isoformat()
    entries = list(recorded.files.entries)
    entries[index] = canonical_json({**entry, "time": entry["time"].replace("+00:00", "Z")})
    report = verify(dataclasses.replace(recorded.files, entries=tuple(entries)))
    first = [each for each in report.troubles if each.name == "log"][-1]
    assert first.place.startswith("entry ")
    assert 0 < int(first.place.split()[1]) <= index
