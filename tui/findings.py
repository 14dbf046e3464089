"""Findings as people see them: a panel of all, each with a closer look, and its sign elsewhere."""

from collections.abc import Iterable, Sequence

from placet.model import Compared, Finding, Severity
from tui.evidence import place_words
from tui.panels import Panel, PanelRow
from tui.said import Piece
from tui.text import harmless
from tui.widgets.table import Cell, Column

_SEVERITY = {
    Severity.BLOCKING: ("● blocking", "bad"),
    Severity.WARNING: ("▲ warning", "warn"),
    Severity.INFO: ("· info", "muted"),
}


def findings_panel(findings: Sequence[Finding]) -> Panel:
    """The findings, the worst first."""
    order = list(Severity)[::-1]
    ranked = sorted(findings, key=lambda each: order.index(each.severity))
    differ = any(each.difference for each in findings)
    rows = [
        PanelRow(
            (
                Cell(*_SEVERITY[each.severity]),
                Cell(harmless(each.message)),
                *((Cell(harmless(each.difference or "")),) if differ else ()),
                Cell(each.check, "muted"),
            ),
            tuple(finding_look(each)),
            tuple((side.place.document, side.place.spot) for side in each.compared),
        )
        for each in ranked
    ]
    weighty = sum(each.severity is Severity.BLOCKING for each in findings)
    columns = (
        Column("Weight", 10),
        Column("What was found", 30, grow=1),
        *((Column("Difference", 14, right=True, drop=2),) if differ else ()),
        Column("Check", max([5, *(len(each.check) for each in findings)]), drop=1),
    )
    return Panel(
        "Findings",
        columns,
        tuple(rows),
        weighty or len(rows),
        "bad" if weighty else "warn",
        "No finding was left.",
    )


def finding_look(finding: Finding) -> Iterable[Piece]:
    """A finding with both values, the difference, and where each stands."""
    sign, tone = _SEVERITY[finding.severity]
    yield (f"{sign}  ", tone)
    yield (f"{harmless(finding.message)}\n", "strong")
    for side in finding.compared:
        yield from _side(side)
    if finding.difference:
        yield ("  difference  ", "muted")
        yield (f"{harmless(finding.difference)}\n", tone)
    if finding.severity is Severity.BLOCKING:
        yield ("  who approves must accept it as an exception\n", "warn")
    yield (f"  {finding.id}", "muted")


def in_short(finding: Finding | None, name: str) -> Iterable[Piece]:
    """A finding in a line, with the documents that it is about: several may say the same."""
    yield ("● ", "bad")
    yield harmless(finding.message if finding else name)
    named = dict.fromkeys(side.place.document for side in finding.compared) if finding else ()
    if named:
        yield (f"  in {harmless(', '.join(named))}", "muted")


def _side(side: Compared) -> Iterable[Piece]:
    yield (f"  {harmless(side.label)}  ", "muted")
    yield (harmless(side.value), "strong")
    yield (f"  in {place_words(side.place)}\n", "accent")


def mark(findings: Iterable[Finding]) -> tuple[str, str]:
    """The sign and the tone of the worst of these findings, if there is one."""
    found = {each.severity for each in findings}
    worst = next((each for each in list(Severity)[::-1] if each in found), None)
    return ("", "plain") if worst is None else (_SEVERITY[worst][0][0], _SEVERITY[worst][1])
