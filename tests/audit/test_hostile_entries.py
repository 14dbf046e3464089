"""Whatever an entry says, it is judged; a fault of the audit's own is told as that, and never holds."""

import dataclasses
import json
import re
from pathlib import Path

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import placet.audit
from placet.audit import Report, Trouble, verify, verify_bundle
from placet.audit._grants import Grants
from placet.audit._report import FAULT, Collector
from placet.audit._scene import Scene
from placet.audit._verify import Walk
from placet.cli._examining import judge, print_report
from placet.ledger import Entry, EntryType, decode_entry, encode_entry
from tests.audit.recording import Recorded, find
from tests.audit.test_bundle import trusting

SOURCES = "".join(each.read_text() for each in Path(placet.audit.__path__[0]).glob("*.py"))
MEMBERS = sorted(set(re.findall(r"""data(?:\.get\(|\[)"(\w+)""", SOURCES)))
"""What of an entry the audit asks for."""
TEXTS = ("", "x", "a:b", "operator:ada", "agent:weigher", "1.00", "9999-12-31T23:59:59Z", "[]")
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.sampled_from(TEXTS)
    | st.text(st.characters(codec="utf-8"), max_size=20)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(MEMBERS) | st.text("abc", max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)
DATA = st.dictionaries(st.sampled_from(MEMBERS), VALUES, max_size=12)
"""Any JSON object, of members that something reads."""


@pytest.fixture(scope="module")
def walked(recorded: Recorded) -> tuple[Walk, dict[EntryType, Entry]]:
    """A walk over a genuine log, before the entries that are made up, and one of each type of it."""
    files = dataclasses.replace(recorded.files, archives={})
    walk = Walk(Scene(files, Collector()))
    entries = [decode_entry(each) for each in files.entries]
    for index, entry in enumerate(entries):
        walk.entry(index, entry)
    return walk, {each.type: each for each in entries}


@pytest.mark.parametrize("type_", sorted(EntryType))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=DATA, genuine=st.booleans(), act=st.booleans())
def test_no_entry_makes_the_audit_fail(
    walked: tuple[Walk, dict[EntryType, Entry]],
    type_: EntryType,
    data: dict[str, object],
    genuine: bool,
    act: bool,
) -> None:
    """I12: any object as an entry of any type, by itself or over what a genuine one says."""
    walk, known = walked
    walk._scene.collector = collector = Collector()
    base = known.get(type_) or known[EntryType.GRANT_ISSUED]
    said = {**base.data, **data} if genuine else dict(data)
    if act:
        said["act"] = known[EntryType.CASE_OPENED].data["act"]
    made = base.model_copy(update={"type": type_, "data": said})
    walk.entry(len(walk._scene.files.entries), decode_entry(encode_entry(made)))
    faults = [each for each in collector.report().troubles if each.name == FAULT]
    assert not faults, json.dumps(said)


def test_a_fault_of_the_audits_own_is_told_as_that(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I12: no log is called forged for it, nothing holds, and the line names where to look."""

    def broken(*_: object) -> None:
        raise AttributeError("'NoneType' object has no attribute 'ended'")

    monkeypatch.setattr(Grants, "issued", broken)
    bundle = trusting(recorded, recorded.exported)
    place = f"entry {find(recorded.files, 'grant.issued', bundle.case)}"
    for report in (verify(recorded.files), verify_bundle(bundle)):
        told = [each for each in report.troubles if each.is_fault]
        assert place in {each.place for each in told}
        assert "AttributeError in test_hostile_entries.py:" in told[0].found
        assert "ended" not in told[0].found
        assert not report.holds


@pytest.mark.parametrize(("names", "code"), [([FAULT], 3), ([FAULT, "log"], 1), (["log"], 1)])
def test_what_was_not_judged_ends_with_3_and_what_does_not_hold_with_1(
    names: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    troubles = tuple(Trouble(name=each, place="entry 1", found="x") for each in names)
    report = Report(checked={}, troubles=troubles, trusted=True)
    print_report(report)
    with pytest.raises(typer.Exit) as ended:
        judge(report)
    assert ended.value.exit_code == code
    shown = capsys.readouterr().out
    assert ("NOT JUDGED fault" in shown, "DOES NOT HOLD log" in shown) == (
        FAULT in names,
        "log" in names,
    )
    assert "holds" not in shown
