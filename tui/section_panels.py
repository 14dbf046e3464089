"""The sections that a process describes, as panels: tables, bars and charts."""

from collections.abc import Iterable

from placet.model import Severity
from tui.charts import Chart, legend, picture, signed
from tui.evidence import Bars, Row, Shown, Table, Value
from tui.findings import finding_look, mark
from tui.panels import Panel, PanelRow
from tui.said import Piece
from tui.text import harmless
from tui.widgets.table import Cell, Column

_BAR = 28
_WIDEST = 40
_LEAST = 14


def section_panel(shown: Shown) -> Panel:
    """A section, drawn as what it is."""
    match shown:
        case Table():
            return _table(shown)
        case Bars():
            return _bars(shown)
        case Chart():
            return _chart(shown)


def _table(table: Table) -> Panel:
    columns = [Column("", 1), *_columns(table)]
    rows = [_row(table, each) for each in table.rows]
    marked = [finding for row in table.rows for finding in row.marks]
    worst = any(each.severity is Severity.BLOCKING for each in marked)
    count = sum(bool(row.marks) for row in table.rows)
    tone = "bad" if worst else "warn"
    return Panel(table.title, tuple(columns), tuple(rows), count, tone, table.nothing)


def _columns(table: Table) -> Iterable[Column]:
    for at, label in enumerate(table.labels):
        longest = max((len(row.values[at].text) for row in table.rows), default=0)
        widest = longest if table.fields else _WIDEST  # a field's value has the line to itself
        width = min(widest, max(len(label), longest, 3))
        # The first columns say which row it is: they are the last to go, and words the first to
        # shrink.
        rank = table.ranks[at] if table.ranks else 0
        drop = 100 * rank + at if at > 1 else 0
        least = width if at == 0 or table.numbers[at] else min(width, _LEAST)
        grow = 1 if least < width else 0
        yield Column(label, least, grow, right=table.numbers[at], drop=drop, most=width)


def _row(table: Table, row: Row) -> PanelRow:
    sign, tone = mark(row.marks)
    cells = [Cell(sign, tone)]
    for value in row.values:
        hit = any(
            value.place == (s.place.document, s.place.spot) for f in row.marks for s in f.compared
        )
        cells.append(Cell(value.text, tone if hit else "plain"))
    read = [value.place for value in row.values if value.place]
    wrong = [
        place
        for finding in row.marks
        for side in finding.compared
        if (place := (side.place.document, side.place.spot)) in read
    ]
    return PanelRow(
        tuple(cells), tuple(_look(table, row)), tuple(dict.fromkeys([*wrong, *read])), row.item
    )


def _look(table: Table, row: Row) -> Iterable[Piece]:
    """Each value of a row by its label, and what was found in it."""
    longest = max(len(label) for label in table.labels)
    widest = max((len(value.text) for value in row.values), default=0)
    if table.fields:
        name, value = row.values
        yield from _value_look(name.text, value, len(value.text))
    else:
        for label, value in zip(table.labels, row.values, strict=True):
            if value.text:
                yield from _value_look(label.ljust(longest), value, min(_WIDEST, widest))
    for finding in row.marks:
        yield "\n"
        yield from finding_look(finding)


def _value_look(label: str, value: Value, width: int) -> Iterable[Piece]:
    """A line: what it is, the value, and where it was read."""
    if label:
        yield (f"{label}  ", "muted")
    yield (value.text.rjust(width) if value.number else value.text.ljust(width), "strong")
    if value.place:
        yield (f"  {harmless(value.place[1] or value.place[0])}", "accent")
    yield "\n"


def _bars(chart: Bars) -> Panel:
    rows = [
        PanelRow(
            (
                Cell(each.label),
                Cell(each.text),
                Cell("█" * round(each.share * _BAR) or "▏", "accent"),
            ),
            ((f"{each.label}  ", "muted"), (each.text, "strong")),
        )
        for each in chart.bars
    ]
    columns = (
        Column("", max((len(each.label) for each in chart.bars), default=3)),
        Column("", max((len(each.text) for each in chart.bars), default=3), right=True),
        Column("", _BAR),
    )
    return Panel(chart.title, columns, tuple(rows))


def _chart(shown: Chart) -> Panel:
    rows = []
    for point in shown.points:
        amounts = [Cell(text) for text in point.texts]
        look: list[Piece] = [(f"{point.label}\n", "head")]
        for series, text in zip(shown.series, point.texts, strict=True):
            look += [(f"{series.label}  ", "muted"), (f"{text or 'not known'}\n", "strong")]
        look.append((legend(shown.series), "accent"))
        drawn = Cell(picture(point, shown.series, _BAR), "accent")
        rows.append(PanelRow((Cell(point.label), drawn, *amounts), tuple(look)))
    widths = [
        max(len(label), *(len(each.texts[at]) for each in shown.points))
        for at, label in enumerate(signed(shown.series))
    ]
    columns = (
        Column("", max(len(each.label) for each in shown.points)),
        Column("", _BAR),
        *(
            Column(label, width, right=True, drop=at)
            for at, (label, width) in enumerate(zip(signed(shown.series), widths, strict=True), 1)
        ),
    )
    return Panel(shown.title, columns, tuple(rows))
