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


SPIFFE = "spiffe://prod.bank.internal/ns/payments/sa/settlement-runner"
WORDS = {"identity": SPIFFE, "ends_at": "2026-12-01T10:24:33.5Z", "lacks": "an owner " * 9 + "now"}


@pytest.mark.parametrize("width", [30, 80, 100, 200])
@pytest.mark.parametrize("row", [ROW, WORDS], ids=["ids", "words"])
def test_what_is_there_to_be_copied_is_never_broken(
    row: dict[str, str],
    width: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A table where there is room, else lines for each row; a time needs no seconds in either."""
    monkeypatch.setenv("COLUMNS", str(width))
    show([row], as_json=False, columns=tuple(row))
    said = capsys.readouterr().out
    assert all(row[each] in said for each in row.keys() - {"ends_at", "lacks"})
    assert "".join(row.get("lacks", "").split()) in "".join(said.split())
    assert ("2026-12-01 10:24Z" in said) == (row is WORDS)


@pytest.mark.parametrize(("width", "table"), [(80, True), (78, False)])
def test_five_columns_of_a_case_fit_where_terminals_are_narrow(
    width: int,
    table: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Else each row has lines of its own, and the id that they begin with stands alone."""
    monkeypatch.setenv("COLUMNS", str(width))
    show([ROW], as_json=False, columns=tuple(ROW))
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert (first.split(), second.split()[0]) == (
        (list(ROW), CASE) if table else ([CASE], "subject")
    )


def test_what_has_too_many_columns_is_told_row_by_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is folded to three letters a line, and nothing that is there is left out."""
    row = {"operator": "operator:cleo", "until": ""} | {f"count_of_{n}": str(n) for n in range(9)}
    monkeypatch.setenv("COLUMNS", "80")
    show([row], as_json=False, columns=tuple(row))
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == "operator:cleo"
    assert rest == [f"    count_of_{n}  {n}" for n in range(9)]


def test_what_one_thing_says_stands_beside_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """However long it is: the terminal breaks it, and who copies it gets it whole."""
    monkeypatch.setenv("COLUMNS", "40")
    show({"name": SPIFFE, "why": "a word " * 20}, as_json=False)
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"name  {SPIFFE}"
    assert second.startswith("why  a word a word")


def test_a_column_that_no_row_has_takes_no_room(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is not there yet, of nobody, keeps nobody from reading the rest as a table."""
    monkeypatch.setenv("COLUMNS", "40")
    rows = [{"id": CASE, "owner": "ada", "a_long_heading": each} for each in ("", None)]
    show(rows, as_json=False, columns=tuple(rows[0]))
    heading, first, _ = capsys.readouterr().out.splitlines()
    assert heading.split() == ["id", "owner"]
    assert first.split() == [CASE, "ada"]


@pytest.mark.parametrize("width", [40, 200])
def test_an_empty_list_says_so(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table of headings alone, or nothing at all, looks like something went wrong."""
    monkeypatch.setenv("COLUMNS", str(width))
    show([], as_json=False, columns=tuple(ROW))
    show([], as_json=True, columns=tuple(ROW))
    assert capsys.readouterr().out == "none\n[]\n"
