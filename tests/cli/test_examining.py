"""``audit list``, ``report``, ``replay`` and ``flight``, given what people give them."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest

from placet.audit import CaseLine, Population, Report
from placet.cli._examining import print_population
from tests.cli.conftest import Placet, Served

NO_CASE = "case-" + "0" * 26


def test_an_empty_population_is_complete(placet: Placet, served: Served) -> None:
    """I8: no case was opened, and the head of the whole log says so; but nobody vouched for it."""
    ended = placet("audit", "list", "--json", **served.variables)
    assert ended.code == 3
    found = json.loads(ended.out)
    assert found["cases"] == []
    assert found["report"]["troubles"] == []
    assert found["size"] > 0


def test_a_sample_needs_a_word(placet: Placet, served: Served) -> None:
    for arguments in (("--sample", "3"), ("--word", "x")):
        ended = placet("audit", "list", *arguments, **served.variables)
        assert ended.code == 2
        assert "--sample and --word" in ended.err


@pytest.mark.parametrize("width", [80, 120, 300])
def test_no_width_breaks_a_case_of_the_population(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """I8: an auditor takes its id and its subject from there, out of a file as well."""
    line = CaseLine(
        case=NO_CASE,
        process="budget-reallocation",
        subject="loan/L-1001/budget-reallocation/7",
        opened_by="operator:dana",
        entry=1042,
        opened=datetime(2026, 11, 24, 9, 30, 12, tzinfo=UTC),
        status="closed",
        result="reallocated",
    )
    report = Report(checked={}, troubles=(), unchecked=(), trusted=True)
    found = Population(origin="placet.test", size=2, root="0" * 64, cases=(line,), report=report)
    monkeypatch.setenv("COLUMNS", str(width))
    print_population(found, [line], sampled=False)
    said = capsys.readouterr().out
    for word in (line.case, line.subject, line.process, line.opened_by, "1042", "reallocated"):
        assert word in said
    assert "2026-11-24 09:30Z" in said


@pytest.mark.parametrize("command", [("list",), ("report", "--framework", "pci-dss")])
@pytest.mark.parametrize("end", ["2026-11-01", "2026-10-31T23:59:59Z"])
def test_a_period_in_which_nothing_can_lie_is_wrong_usage(
    placet: Placet, served: Served, command: tuple[str, ...], end: str
) -> None:
    """I8: no case in it would be no proof that there was none in the period that was meant."""
    period = ("--from", "2026-11-01", "--to", end)
    ended = placet("audit", *command, *period, **served.variables)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("placet: --from 2026-11-01T00:00:00Z is not before --to ")
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize("framework", ["owasp-nhi", "pci-dss", "eu-ai-act", "nist-ai-rmf"])
def test_a_report_has_a_row_for_each_control(
    placet: Placet, served: Served, framework: str
) -> None:
    """As text, as data, and as a table with an empty column for an institution's own ids."""
    data = placet("audit", "report", "--framework", framework, "--json", **served.variables)
    controls = [each["id"] for each in json.loads(data.out)["controls"]]
    table = placet("audit", "report", "--framework", framework, "--csv", **served.variables)
    head, *rows = csv.reader(io.StringIO(table.out))
    assert head[-1] == "own control ids"
    assert {row[-1] for row in rows} == {""}
    assert list(dict.fromkeys(row[0] for row in rows)) == controls
    text = placet("audit", "report", "--framework", framework, **served.variables)
    assert (data.code, table.code, text.code) == (0, 0, 0)
    assert all(each in text.out for each in controls)
    assert "whether the control is met, this does not say" in text.out


def test_an_unknown_framework_or_date_is_wrong_usage(placet: Placet, served: Served) -> None:
    for arguments in (("--framework", "soc-9"), ("--framework", "pci-dss", "--from", "yesterday")):
        ended = placet("audit", "report", *arguments, **served.variables)
        assert ended.code == 2
        assert "Traceback" not in ended.err


def test_a_case_that_is_not_there_has_neither_replay_nor_flight(
    placet: Placet, served: Served
) -> None:
    for command in ("replay", "flight"):
        ended = placet("audit", command, NO_CASE, **served.variables)
        assert ended.code == 2
        assert f"the ledger has no case {NO_CASE}" in ended.err
        assert len(ended.err.splitlines()) == 1


def test_nothing_archived_replays_as_nothing(placet: Placet, served: Served) -> None:
    """I9: the ledger is verified all the same."""
    ended = placet("audit", "replay", "--all", "--json", **served.variables)
    assert ended.code == 3
    assert list(json.loads(ended.out)) == ["the ledger"]


def test_wrong_limits_are_wrong_usage(placet: Placet, served: Served) -> None:
    for arguments in (("--jobs", "0"), ("--limit", "0"), ("--limit", "soon")):
        ended = placet("audit", "replay", "--all", *arguments, **served.variables)
        assert ended.code == 2
