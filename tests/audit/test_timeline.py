"""The story of a case: in order, complete, and harmless to whoever reads it."""

import dataclasses
import json
import sys
import unicodedata

import pytest

from placet.audit import LogFiles, timeline, verify
from placet.audit._report import spelled
from placet.cli._examining import print_timeline
from placet.ledger import EntryError
from tests.audit.recording import HOSTILE, Recorded, changed_entry, find, put, put_kept


def told(files: LogFiles, case: str) -> list[str]:
    return [each.text for each in timeline(files, case)]


def test_a_story_is_in_order_and_complete(recorded: Recorded) -> None:
    """Each of a case's entries is one moment, in the ledger's order, with its actor and record."""
    for case in (
        recorded.dispatched,
        recorded.large,
        recorded.rejected,
        recorded.held,
        recorded.automatic,
        recorded.skipping,
    ):
        moments = list(timeline(recorded.files, case))
        expected = [
            (index, entry["type"], entry["actor"], entry.get("record"))
            for index, entry in enumerate(map(json.loads, recorded.files.entries))
            if entry.get("case") == case
        ]
        assert [(m.index, m.type, m.actor, m.record) for m in moments] == expected
        assert [m.time for m in moments] == sorted(m.time for m in moments)
        assert all(m.text for m in moments)


def test_a_story_says_who_did_what_and_why_it_was_allowed(recorded: Recorded) -> None:
    """The steps with their policies, what was asked of whom, each word, and the end."""
    small = told(recorded.files, recorded.dispatched)
    for said in (
        "weigh: parcel:weigh permitted by weighs",
        "weigh completed: the scale was read once",
        "release: asks 1 clerk or chief",
        "approve as clerk",
        "approved",
        "dispatch: parcel:dispatch permitted by dispatches",
        "closed: dispatched",
        "case archived",
    ):
        assert said in small
    large = told(recorded.files, recorded.large)
    assert "release: asks 1 clerk or chief and 1 chief" in large
    assert "refused: I6, decided_already" in large
    assert "approve as chief" in large
    rejected = told(recorded.files, recorded.rejected)
    assert any(each.startswith("weigh failed: ") for each in rejected)
    assert "reject as clerk" in rejected
    automatic = told(recorded.files, recorded.automatic)
    assert "release: asks nobody (automatic mode)" in automatic
    assert "dispatch completed" in automatic
    denied = "dispatch: parcel:dispatch on depot/D1/parcel/5 denied: I5, no_approval"
    assert denied in told(recorded.files, recorded.skipping)


def test_what_is_spelled_out_is_the_same_in_every_version_of_python() -> None:
    """I8: the report of a bundle is made again and compared, maybe under another Unicode. What this
    one knows is spelled out if Python would not print it, and what it does not know yet is not."""
    for each in map(chr, range(sys.maxunicode + 1)):
        if unicodedata.category(each) != "Cn":
            assert (spelled(each) == each) is each.isprintable(), hex(ord(each))
    newer = "\U0001fae8 \U0002ebf0"  # of Unicode 15 and 15.1; Python 3.11 knows 14
    assert spelled(newer) == newer
    for reserved in ("\u2065", "\ufff0", "\U000e0fff", "\uffff", "\U0010ffff"):
        assert spelled(reserved) != reserved


def harmless(text: str) -> bool:
    """Whether a terminal shows the text as it is: no control, format or separator characters."""
    return all(unicodedata.category(each) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for each in text)


def test_what_an_agent_says_can_not_harm_the_terminal(recorded: Recorded) -> None:
    """I12: escape sequences and turned text are spelled out, a line break is a mark."""
    assert not harmless(HOSTILE)
    texts = told(recorded.files, recorded.rejected)
    assert all(map(harmless, texts))
    (failed,) = [each for each in texts if each.startswith("weigh failed")]
    for shown in (r"\x1b[2Jcleared", "↵", r"\u202e", r"\x9b31m", "the scale is not level"):
        assert shown in failed


@pytest.mark.parametrize(
    ("type_", "member"),
    [
        ("checkpoint.opened", "name"),
        ("checkpoint.resolved", "status"),
        ("case.closed", "result"),
        ("grant.issued", "action"),
        ("decision.recorded", "verdict"),
    ],
)
def test_no_member_of_an_entry_can_harm_the_terminal(
    recorded: Recorded, type_: str, member: str
) -> None:
    """I12: whoever wrote the entry."""
    index = find(recorded.files, type_, recorded.large)

    def change(entry: dict[str, dict[str, str]]) -> None:
        entry["data"][member] = HOSTILE

    texts = told(changed_entry(recorded.files, index, change), recorded.large)
    assert all(map(harmless, texts))
    assert any(r"\x1b[2Jcleared" in each for each in texts)


def test_markup_in_what_an_agent_says_is_shown_not_followed(
    recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    """I12: no colour and no link of a hostile text reaches the screen as such."""
    print_timeline(timeline(recorded.files, recorded.rejected))
    shown = capsys.readouterr().out
    assert "[red]all is [link=http://evil.test]well[/link]" in shown.replace("\n", "")
    assert "\x1b" not in shown


def test_a_trouble_can_not_harm_the_terminal(recorded: Recorded) -> None:
    """I12: a report tells what it found, spelled out."""
    index = find(recorded.files, "hold.placed")

    def change(entry: dict[str, dict[str, str]]) -> None:
        entry["data"]["act"] = HOSTILE

    troubles = verify(changed_entry(recorded.files, index, change)).troubles
    assert any(r"\x1b[2Jcleared" in each.found for each in troubles)
    assert all(harmless(each.found) for each in troubles)


def test_a_story_without_its_words_is_told_without_them(recorded: Recorded) -> None:
    """What had to be erased is left out; the rest of the story stands."""
    files = dataclasses.replace(recorded.files, kept={})
    assert "weigh completed" in told(files, recorded.dispatched)


def test_words_that_are_not_those_of_the_ledger_are_not_told(recorded: Recorded) -> None:
    """I8: a reasoning is told only if it is the one whose digest was settled."""
    files = put_kept(recorded.files, "the scale was read once", "as I say")
    assert not any("as I say" in each for each in told(files, recorded.dispatched))
    assert any("not the one" in each for each in told(files, recorded.dispatched))


def test_a_decision_that_is_not_the_one_of_the_ledger_is_not_told(recorded: Recorded) -> None:
    """I8: why people decided so is told only if it stands in what was recorded."""
    case, files = recorded.rejected, recorded.files
    found = find(files, "decision.recorded", case, verdict="reject")
    told = json.loads(files.entries[found])["data"]
    view = files.checkpoints[told["checkpoint"]]
    (said,) = (each.said for each in view.decisions if each.jti == told["decision"])

    def texts(files: LogFiles) -> list[str]:
        return [each.text for each in timeline(files, case, words=True)]

    assert said
    assert f"reject as clerk: {said}" in texts(files)
    changed = changed_entry(files, found, put(decision_digest="sha-256:" + "A" * 43))
    another = "reject as clerk, but the decision kept is not the one that was recorded"
    assert another in texts(changed)
    gone = view.model_copy(update={"decisions": ()})
    without = dataclasses.replace(files, checkpoints={**files.checkpoints, view.id: gone})
    assert "reject as clerk; why is not there" in texts(without)


def test_a_case_that_is_not_there_has_no_story(recorded: Recorded) -> None:
    assert told(recorded.files, "case-00000000000000000000000000") == []


def test_a_damaged_entry_stops_the_story_at_its_number(recorded: Recorded) -> None:
    """I12: the number is named, so that the reader knows where to look."""
    entries = [*recorded.files.entries[:5], b"{}", *recorded.files.entries[6:]]
    files = dataclasses.replace(recorded.files, entries=tuple(entries))
    with pytest.raises(EntryError, match="entry 5: "):
        list(timeline(files, recorded.dispatched))
