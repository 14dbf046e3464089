"""Tables at the command line, on terminals of any width."""

import pytest

from placet.cli._output import show

CASE = "case-3js76tx6z94bm1x4xtdszbgzf9"
ROW = {
    "id": CASE,
    "subject": "loan/L-1003/draw/1",
    "status": "closed",
    "result": "disbursed",
    "archive": "sealed",
}


@pytest.mark.parametrize(
    ("width", "columns", "whole"), [(30, 2, False), (40, 5, True), (80, 5, True), (120, 5, True)]
)
def test_an_id_can_be_copied(
    width: int,
    columns: int,
    whole: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In one line where there is room; where there is none, folded and never cut."""
    monkeypatch.setenv("COLUMNS", str(width))
    show([ROW], as_json=False, columns=tuple(ROW)[:columns])
    lines = capsys.readouterr().out.splitlines()
    assert any(CASE in each for each in lines) == whole
    first = [each.split("│")[1].strip() for each in lines if each.startswith("│")]
    assert "".join(first or lines[:1]) == CASE


def test_what_has_too_many_columns_is_told_row_by_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is folded to three letters a line, and nothing is left out."""
    row = {"operator": "operator:cleo"} | {f"count_of_{n}": str(n) for n in range(9)}
    monkeypatch.setenv("COLUMNS", "80")
    show([row], as_json=False, columns=tuple(row))
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == "operator:cleo"
    assert rest == [f"    count_of_{n}  {n}" for n in range(9)]


@pytest.mark.parametrize("width", [40, 200])
def test_an_empty_list_says_so(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table of headings alone, or nothing at all, looks like something went wrong."""
    monkeypatch.setenv("COLUMNS", str(width))
    show([], as_json=False, columns=tuple(ROW))
    show([], as_json=True, columns=tuple(ROW))
    assert capsys.readouterr().out == "none\n[]\n"
