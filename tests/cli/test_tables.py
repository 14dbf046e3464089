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


@pytest.mark.parametrize(("width", "whole"), [(40, False), (80, True), (120, True)])
def test_an_id_can_be_copied(
    width: int, whole: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line where there is room; where there is none, folded and never cut."""
    monkeypatch.setenv("COLUMNS", str(width))
    show([ROW], as_json=False, columns=tuple(ROW))
    lines = capsys.readouterr().out.splitlines()
    assert any(CASE in each for each in lines) == whole
    first = [each.split("│")[1].strip() for each in lines if each.startswith("│")]
    assert "".join(first) == CASE
