"""``placet audit replay`` and ``flight`` on a bundle, as an examiner runs them."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from placet.audit import HEADS, Flight, LogFiles, Report, replay, write_bundle
from placet.audit._html import REPORT_VERSION
from placet.cli import main
from placet.process import Process
from tests.audit.recording import Recorded, forged_history
from tests.audit.test_bundle import remade, unzipped
from tests.audit.test_names import erased_by_entry, with_archive
from tests.audit.test_odd_bundles import in_json, of_another_version
from tests.audit.test_past_of_a_bundle import none_at_all, of_before
from tests.audit.test_replay import change_result
from tests.harness.logs import only
from tests.harness.parcels import ParcelCheck
from tests.harness.processes import DEFINITION


@pytest.fixture
def files(recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a bundle, one whose history was forged, and what is trusted; and the process
    is installed."""
    installed = {"parcel-check": Process(definition=DEFINITION, workflow=ParcelCheck)}
    monkeypatch.setattr("placet.cli._codes.processes", lambda: installed)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "case.zip").write_bytes(recorded.exported)
    forged = forged_history(recorded.files, recorded.large, change_result)
    (tmp_path / "forged.zip").write_bytes(
        write_bundle(only(forged, recorded.large), recorded.large)
    )
    trust = {
        "log_key": recorded.files.trusted_log_key,
        "administrators": recorded.files.trusted_administrators,
    }
    (tmp_path / "trust.json").write_text(json.dumps(trust))
    return tmp_path


def placet(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[object, str]:
    monkeypatch.setattr(sys, "argv", ["placet", *arguments])
    try:
        main()
        code: object = 0
    except SystemExit as stopped:
        code = stopped.code or 0
    return code, capsys.readouterr().out


def test_a_bundle_is_replayed_in_a_process_of_its_own(
    recorded: Recorded,
    files: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """I9: exit 0 under a key that is trusted; the output is data and nothing else."""
    code, out = placet(
        capsys,
        monkeypatch,
        *("audit", "replay", str(files / "case.zip"), "--trust", str(files / "trust.json")),
        *("--json", "--jobs", "1"),
    )
    assert code == 0
    found = json.loads(out)
    assert list(found) == ["the bundle", recorded.large]
    assert found[recorded.large]["troubles"] == []
    assert found[recorded.large]["checked"]["activities"] == 7


@pytest.mark.parametrize("command", ["verify", "replay"])
def test_a_report_that_was_compared_with_nothing_is_not_passed_over(
    recorded: Recorded,
    files: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    """I8: exit 3 and not 0, whatever else holds, until who examines says to do without it."""
    members = unzipped(recorded.exported)
    of_another_version(REPORT_VERSION - 1, b"<h1>approved by everybody</h1>")(members)
    (files / "old.zip").write_bytes(remade(members))
    jobs = ("--jobs", "1") if command == "replay" else ()
    trusting = ("--trust", str(files / "trust.json"), *jobs)
    asked = ("audit", command, str(files / "old.zip"), *trusting)
    code, out = placet(capsys, monkeypatch, *asked)
    assert code == 3
    assert "not checked: report.html" in out
    assert "DOES NOT HOLD" not in out
    code, out = placet(capsys, monkeypatch, *asked, "--without-report")
    assert code == 0
    assert "not checked: report.html" in out
    members["report.html"] += b" "
    of_another_version(REPORT_VERSION, members["report.html"])(members)
    (files / "old.zip").write_bytes(remade(members))
    code, _ = placet(capsys, monkeypatch, *asked, "--without-report")
    assert code == 1


@pytest.mark.parametrize("command", ["verify", "replay"])
def test_heads_that_a_bundle_of_before_does_not_prove_are_not_passed_over(
    recorded: Recorded,
    files: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    """I8: exit 3 and not 0, until who examines says to do without; a file left out is no choice."""
    (files / "old.zip").write_bytes(of_before(recorded, recorded.large))
    jobs = ("--jobs", "1") if command == "replay" else ()
    asked = ("audit", command, str(files / "old.zip"), "--trust", str(files / "trust.json"), *jobs)
    for more, expected in (((), 3), (("--without-report",), 3), (("--without-heads",), 0)):
        code, out = placet(capsys, monkeypatch, *asked, *more)
        assert code == expected
        assert "not checked: heads.json: " in out
        assert "DOES NOT HOLD" not in out
    members = unzipped(recorded.exported)
    in_json(HEADS, none_at_all)(members)
    (files / "old.zip").write_bytes(remade(members))
    code, out = placet(capsys, monkeypatch, *asked, "--without-heads")
    assert code == 1
    assert "DOES NOT HOLD seen-head" in out


@pytest.mark.parametrize("command", ["replay", "flight"])
def test_an_erased_case_is_judged_where_its_process_is_not_installed(
    recorded: Recorded,
    files: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    """I9: nothing of it is run any more. What only says that it was erased is no such case."""
    monkeypatch.setattr("placet.cli._codes.processes", dict)
    gone = with_archive(recorded, erased=True, runs=(), salt=None)
    for name, archived in (("gone", gone), ("there", recorded.files)):
        log = only(erased_by_entry(recorded, archived), recorded.large)
        bundle = write_bundle(log, recorded.large)
        (files / f"{name}.zip").write_bytes(bundle)
    code, out = placet(capsys, monkeypatch, "audit", command, str(files / "gone.zip"), "--json")
    assert code == 1, "nobody signed that it be erased, which verifying the bundle says"
    told = json.loads(out)
    report = told[recorded.large] if command == "replay" else told["report"]
    assert report["checked"] == {"cases whose history was erased": 1}
    assert report["troubles"] == []
    code, out = placet(capsys, monkeypatch, "audit", command, str(files / "there.zip"), "--json")
    assert (code, out) == (2, "")


def in_this_process(
    files: LogFiles,
    cases: Iterable[str],
    code: Callable[[str], type],
    *,
    sealed: bool,
    **_: object,
) -> Iterator[tuple[str, Report]]:
    """Cases replayed without a child."""
    for case in cases:
        yield case, asyncio.run(replay(files, case, [code(case)], sealed=sealed))


def test_a_forged_bundle_names_the_first_event_that_does_not_fit(
    recorded: Recorded,
    files: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """I9: with the seal, and without it."""
    for more, name in ((("--without-seal",), "result-digest"), ((), "event-digest")):
        code, out = placet(
            capsys, monkeypatch, "audit", "replay", str(files / "forged.zip"), "--json", *more
        )
        assert code == 1
        troubles = json.loads(out)[recorded.large]["troubles"]
        assert troubles[0]["event"] == 7
        names = {each["name"] for each in troubles if each.get("event") == 7}
        assert name in names
        assert ("event-digest" in names) is not bool(more), "the child is told of the seal"
        monkeypatch.setattr("placet.cli._replaying.replay_many", in_this_process)


def test_a_flight_is_shown_as_text_as_data_and_event_by_event(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """I9: what caused each event, what it changed, and who stood behind it."""
    bundle = str(files / "case.zip")
    code, text = placet(capsys, monkeypatch, "audit", "flight", bundle)
    assert code == 0
    assert "workflow execution signaled: checkpoint_bell" in text
    assert "approve 500.00 by operator:hal as chief; signature valid" in text
    assert "self._bells: 0 -> 1" in text
    code, data = placet(capsys, monkeypatch, "audit", "flight", bundle, "--json")
    flight = Flight.model_validate_json(data)
    assert len(flight.frames) > 40
    code, one = placet(capsys, monkeypatch, "audit", "flight", bundle, "--event", "4")
    assert "the whole state after it" in one
    code, _ = placet(capsys, monkeypatch, "audit", "flight", bundle, "--event", "4000")
    assert code == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b'"v":1}\n', b'"v":1.0}\n', "canonical form"),
        (b'"system:authority"', b'"system:authoritx"', "the bundle does not hold"),
    ],
    ids=["unreadable", "unproven"],
)
def test_a_flight_in_a_bundle_that_does_not_hold_is_not_taken_for_one_that_does(
    recorded: Recorded,
    files: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    old: bytes,
    new: bytes,
    said: str,
) -> None:
    """I8, I12: what stands behind an event is the ledger's word only if it is in the ledger."""
    members = unzipped(recorded.exported)
    assert old in members["entries.jsonl"]
    members["entries.jsonl"] = members["entries.jsonl"].replace(old, new, 1)
    (files / "odd.zip").write_bytes(remade(members))
    monkeypatch.setattr(sys, "argv", ["placet", "audit", "flight", str(files / "odd.zip")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert said in capsys.readouterr().err
