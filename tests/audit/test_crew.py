"""Many cases side by side, each in a process that can be ended."""

import dataclasses
import io
import time
from collections.abc import Iterator, Mapping

import pytest
from rich.console import Console

from placet.audit import ActFile, Report, Trouble, replay_many
from placet.cli._replaying import replay_cases
from placet.cli._spool import Models, Pieces
from placet.model import CaseArchive
from tests.audit.recording import Recorded, forged_history
from tests.audit.strangers import Dying, NeverEnding
from tests.audit.test_replay import change_result
from tests.harness.parcels import ParcelCheck


class Counting(Mapping[str, CaseArchive]):
    """Archives that count how many were asked for."""

    def __init__(self, archives: Mapping[str, CaseArchive]) -> None:
        self.archives = archives
        self.asked: list[str] = []

    def __getitem__(self, case: str) -> CaseArchive:
        self.asked.append(case)
        return self.archives[case]

    def __iter__(self) -> Iterator[str]:
        return iter(self.archives)

    def __len__(self) -> int:
        return len(self.archives)


def code(case: str) -> type:
    return ParcelCheck


def test_many_cases_are_replayed_in_children(recorded: Recorded) -> None:
    """I9: the same reports as one by one; a forged case among them is the only one named. Memory
    holds as many archives as there are children: each is asked for when its turn comes."""
    files = forged_history(recorded.files, recorded.large, change_result)
    archives = Counting(files.archives)
    cases = [recorded.dispatched, recorded.large, recorded.rejected, recorded.held]
    reports = replay_many(dataclasses.replace(files, archives=archives), cases, code, children=2)
    first, report = next(reports)
    assert archives.asked == cases[:2]
    found = {first: report, **dict(reports)}
    assert archives.asked == cases
    assert sorted(found) == sorted(cases)
    assert [case for case in cases if not found[case].holds] == [recorded.large]
    assert found[recorded.dispatched].checked["cases"] == 1


def test_a_child_that_hangs_or_dies_ends_its_case_alone(recorded: Recorded) -> None:
    """I9, I12: it is ended at its limit, the case says so, and the others are replayed.

    Only the child that hangs is held to the limit: the others begin with their case, for which a
    busy machine has a minute more.
    """
    bad = {recorded.dispatched: NeverEnding, recorded.large: Dying}
    cases = [recorded.rejected, *bad, recorded.held]
    found = dict(
        replay_many(
            recorded.files, cases, lambda case: bad.get(case, ParcelCheck), children=1, limit=5
        )
    )
    assert [each.name for each in found[recorded.dispatched].troubles] == ["replay-hangs"]
    assert [each.name for each in found[recorded.large].troubles] == ["replay-crashes"]
    assert found[recorded.rejected].holds and found[recorded.held].holds


def test_progress_says_how_many_are_done_and_how_many_do_not_hold(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I9: on the terminal's standard error, while it goes on; the reports are as asked for."""
    monkeypatch.setenv("TERM", "xterm-256color")  # a dumb one is shown no progress
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=100)
    bad = Report(checked={}, troubles=(Trouble(name="seal", place="here", found="none"),))
    done = [(recorded.dispatched, Report(checked={}, troubles=())), (recorded.large, bad)]
    asked: list[Mapping[str, object]] = []

    def quick(*_: object, **options: object) -> Iterator[tuple[str, Report]]:
        asked.append(options)
        for number, each in enumerate(done, 1):
            yield each
            while f"{number}/2" not in shown.getvalue():  # the bar is drawn some times a second
                time.sleep(0.01)

    monkeypatch.setattr("placet.cli._replaying.replay_many", quick)
    cases = [recorded.large, recorded.dispatched]
    found = replay_cases(
        recorded.files, cases, code, sealed=True, jobs=1, limit=60, terminal=terminal
    )
    assert list(found.items()) == done[::-1]
    assert asked == [{"sealed": True, "children": 1, "limit": 60}]
    for line in ("0/2", "1/2", "2/2", "1 do not hold"):
        assert line in shown.getvalue()


def test_what_is_audited_stands_on_disk_as_it_was_fetched() -> None:
    """I8: entries in their order, and kept texts with whatever a stranger put into them."""
    entries = Pieces()
    for each in (b"first", b"", b"third\n"):
        entries.append(each)
    assert (entries[0], entries[-1], len(entries)) == (b"first", b"third\n", 3)
    assert entries[1:] == (b"", b"third\n")
    assert list(entries) == [b"first", b"", b"third\n"]
    with pytest.raises(IndexError):
        entries[3]
    acts = Models(ActFile)
    acts.put("one", ActFile(jws="a.b.c", body='{"half":"\ud800"}'))
    assert acts["one"].body == '{"half":"\ud800"}'
    assert (list(acts), "two" in acts) == (["one"], False)
