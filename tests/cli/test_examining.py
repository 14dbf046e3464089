"""``audit list``, ``report``, ``replay`` and ``flight``, given what people give them."""

import csv
import io
import json

import pytest

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
