"""The documents of a case as one panel: what was read from each, place by place."""

from collections.abc import Sequence

from placet.model import quantity
from tui.evidence import Document, Reading
from tui.findings import finding_look, mark
from tui.panels import Panel, PanelRow
from tui.said import Piece
from tui.text import harmless
from tui.widgets.table import Cell, Column

_COLUMNS = (
    Column("", 1),
    Column("Document and place", 26, grow=1),
    Column("Read as", 18, drop=1),
    Column("Value", 20, grow=1),
)


def documents_panel(found: Sequence[Document]) -> Panel:
    """Every document as what was read from it, with what could not be."""
    rows: list[PanelRow] = []
    marked = 0
    for document in found:
        rows.append(_heading(document))
        rows += [_reading(document, each) for each in document.readings]
        rows += [_unread(document, each) for each in document.unread]
        marked += sum(bool(document.marks.get(each.spot)) for each in document.readings)
        marked += len(document.unread)
    return Panel("Documents", _COLUMNS, tuple(rows), marked)


def _heading(document: Document) -> PanelRow:
    name = harmless(document.name)
    return PanelRow(
        (Cell("", "plain"), Cell(name, "accent"), Cell(""), Cell("")),
        ((name, "head"), f"\nRead from it: {quantity(len(document.readings), 'value')}."),
        ((document.name, ""),),
    )


def _reading(document: Document, reading: Reading) -> PanelRow:
    findings = document.marks.get(reading.spot, ())
    sign, tone = mark(findings)
    spot = harmless(reading.spot)
    look: list[Piece] = [
        (f"{harmless(document.name)}, {spot}\n", "accent"),
        f"{reading.name}: ",
        (reading.text, "strong"),
    ]
    for finding in findings:
        look += ["\n", *finding_look(finding)]
    return PanelRow(
        (
            Cell(sign, tone),
            Cell(f"  {spot}", tone),
            Cell(reading.name, "muted"),
            Cell(reading.text, tone),
        ),
        tuple(look),
        ((document.name, reading.spot),),
    )


def _unread(document: Document, spot: str) -> PanelRow:
    """A place that has findings, and where nothing was read."""
    findings = document.marks[spot]
    sign, tone = mark(findings)
    look: list[Piece] = []
    for finding in findings:
        look += [*finding_look(finding), "\n"]
    return PanelRow(
        (
            Cell(sign, tone),
            Cell(f"  {harmless(spot)}", tone),
            Cell("a finding", "muted"),
            Cell(harmless(findings[0].message), tone),
        ),
        tuple(look),
        ((document.name, spot),),
    )
