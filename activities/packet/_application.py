"""Reading the pay application: the G702's lines and the G703's columns, found by their labels."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from activities.packet._grids import Cell, Grid
from activities.packet._tables import Reading, TableRow, find_labelled, find_table
from activities.packet._values import (
    label,
    read_date,
    read_hundredths,
    read_item,
    read_money,
    read_number,
    read_share,
    read_text,
)
from lender.model import DocumentKind, PayApplication, Read, Row, Summary, Unreadable
from placet.model import Place

_N = r"(?:line )?(?:[0-9]{1,2}[a-z]? )?"  # forms number their lines; templates often don't
_HELD = r"(?:(?:line )?5? ?[ab] )?(?:[0-9 ]+ ?% (?:retainage )?|retainage )"
SUMMARY = {
    "original_contract": _N + r"original contract (?:sum|amount)",
    "change_orders": _N + r"net change (?:by|from) change orders?",
    "contract_to_date": _N + r"contract (?:sum|amount) to date.*",
    "completed_and_stored": _N + r"total completed (?:and )?stored to date.*",
    "retainage_work": _HELD + r"(?:of |on )?completed work.*",
    "retainage_stored": _HELD + r"(?:of |on )?stored materials?.*",
    "retainage": _N + r"total retainage.*",
    "earned_less_retainage": _N + r"total earned less retainage.*",
    "previous_certificates": _N + r"(?:less )?previous certificates(?: for payment)?.*",
    "current_payment": _N + r"current payment due",
    "balance_to_finish": _N + r"balance to finish(?: including retainage)?.*",
}
REQUIRED_LINES = (
    "original_contract",
    "change_orders",
    "contract_to_date",
    "completed_and_stored",
    "retainage",
    "earned_less_retainage",
    "previous_certificates",
    "current_payment",
    "balance_to_finish",
)
COLUMNS = {
    "item": r"(?:a )?(?:item|line)(?: (?:no|number))?",
    "description": r"(?:b )?description(?: of work)?",
    "scheduled_value": r"(?:c )?scheduled value",
    "previous": r"(?:d )?(?:work completed )?(?:from )?previous(?: applications?)?(?: d e)?",
    "this_period": r"(?:e )?(?:work completed )?this period",
    "stored": r"(?:f )?materials? presently stored.*|stored materials?",
    "total": r"(?:g )?total completed (?:and )?stored(?: to date)?.*",
    "percent": r"%(?: g c)?|% complete|percent(?: complete)?",
    "balance": r"(?:h )?balance to finish.*",
    "retainage": r"(?:i )?retainage.*",
}
_NEEDED = frozenset({"item", "scheduled_value", "previous", "this_period", "total"})
_TOTAL = ("total", "totals", "grand total", "grand totals")


def read_application(grids: list[Grid]) -> tuple[PayApplication | None, list[Unreadable]]:
    """The pay application in these sheets; ``None`` if no sheet is one."""
    reading = Reading(DocumentKind.PAY_APPLICATION)
    tables = [t for t in (find_table(g, COLUMNS, _NEEDED) for g in grids) if t]
    table = next(iter(tables), None)
    for other in tables[1:]:
        place = Place(document=other.grid.document, spot=other.grid.name)
        reading.name(place, "a second sheet with the columns of a G703; the first one was read")
    summary_grid = max(grids, key=_lines_in, default=None)
    lines = 0 if summary_grid is None else _lines_in(summary_grid)
    if table is None and lines < 4:
        return None, []
    rows: tuple[Row, ...] = ()
    totals: Row | None = None
    unread: tuple[str, ...] = ()
    if table is None:
        what = "the G703 columns (item, scheduled value, …) are on no sheet that is shown"
        reading.name(Place(document=grids[0].document), what)
    else:
        for column in ("description", "stored", "percent", "balance", "retainage"):
            if column not in table.columns and column in ("description", "stored"):
                place = Place(document=table.grid.document, spot=table.grid.name)
                reading.name(place, f"the G703 column {column} is not there")
        rows, totals, unread = _rows(list(table.rows()), reading)
    summary = Summary()
    if summary_grid is not None:
        summary = _summary(summary_grid, reading)
    head = _head(grids, rows, totals, summary, reading)
    return head.model_copy(update={"unread": unread}), reading.unreadable


def _lines_in(grid: Grid) -> int:
    return sum(find_labelled(grid, pattern) is not None for pattern in SUMMARY.values())


def _summary(grid: Grid, reading: Reading) -> Summary:
    found: dict[str, Any] = {}
    for name, pattern in SUMMARY.items():
        at = find_labelled(grid, pattern)
        if at is not None:
            found[name] = reading.cell(grid, at[1], f"G702 {name.replace('_', ' ')}", read_money)
        elif name in REQUIRED_LINES:
            place = Place(document=grid.document, spot=grid.name)
            reading.name(place, f"the G702 line {name.replace('_', ' ')} is not there")
    return Summary(**found)


def _rows(
    rows: list[TableRow], reading: Reading
) -> tuple[tuple[Row, ...], Row | None, tuple[str, ...]]:
    """The rows, that of the totals, and the items of those that could not be read whole."""
    found: list[Row] = []
    unread: list[str] = []
    totals: Row | None = None
    for row in rows:
        texts = {row.text("item"), row.text("description")}
        if any(text in _TOTAL or text.startswith("grand total") for text in texts):
            totals = _row(row, reading, total=True)
            break
        if any(text.startswith(("subtotal", "sub total")) for text in texts):
            continue
        if row.is_empty("item") or (row.is_empty("scheduled_value") and row.is_empty("total")):
            continue  # a heading, a rule, or the letters of the columns
        if label(str(_value(row, "scheduled_value"))) == "c":
            continue
        read = _row(row, reading, total=False)
        if read is not None:
            found.append(read)
        else:
            unread.append(_item(row))
    return tuple(found), totals, tuple(unread)


def _item(row: TableRow) -> str:
    try:
        return read_item(_value(row, "item"))
    except ValueError:
        return "?"


def _value(row: TableRow, column: str) -> object:
    cell = row.cell(column)
    return "" if cell is None else cell.value


def _row(row: TableRow, reading: Reading, *, total: bool) -> Row | None:
    grid = row.table.grid
    marker = row.cell("item") or row.cells[0]
    item = reading.cell(
        grid, Cell("TOTAL", marker.spot) if total else marker, "G703 item", read_item
    )
    named = item.value if item else "?"
    money = {
        column: _amount(row, column, f"G703 item {named}, {column.replace('_', ' ')}", reading)
        for column in ("scheduled_value", "previous", "this_period", "stored", "total")
    }
    if item is None or any(value is None for value in money.values()):
        return None
    description = row.cell("description")
    shown = Cell(
        (description.value if description else None) or "-",
        description.spot if description else marker.spot,
    )
    percent, places = _percent(row, f"G703 item {named}, %", reading)
    if percent is not None:
        percent, places = _nearer(row, percent, places, money)
    optional = {
        column: _amount(row, column, f"G703 item {named}, {column}", reading)
        for column in ("balance", "retainage")
        if not row.is_empty(column)
    }
    return Row.model_validate(
        {
            "item": item,
            "description": reading.cell(grid, shown, "G703 description", read_text),
            "percent": percent,
            "percent_places": places,
            **money,
            **optional,
        }
    )


def _amount(row: TableRow, column: str, what: str, reading: Reading) -> Read[Decimal] | None:
    if row.is_empty(column):  # an empty cell of a money column is a zero, as the form has it
        marker = row.cell(column) or row.cells[0]
        return reading.cell(row.table.grid, Cell(Decimal(0), marker.spot), what, read_money)
    return reading.column(row, column, what, read_money)


def _percent(row: TableRow, what: str, reading: Reading) -> tuple[Read[Decimal] | None, int]:
    if row.is_empty("percent"):
        return None, 0
    read = reading.column(row, "percent", what, read_share)
    if read is None:
        return None, 0
    share, places = read.value
    return Read(value=share, place=read.place), places


def _nearer(
    row: TableRow, percent: Read[Decimal], places: int, money: Mapping[str, Read[Decimal] | None]
) -> tuple[Read[Decimal], int]:
    """The share as it was read, or of a number without its sign the hundredth, if that is nearer.

    It is there to be compared with G ÷ C alone: what is neither is found.
    """
    value, done = money["scheduled_value"], money["total"]
    if value is None or done is None or not value.value:
        return percent, places
    try:
        share, shown = read_hundredths(_value(row, "percent"))
    except (ValueError, ArithmeticError):
        return percent, places
    whole = done.value / value.value
    if abs(share - whole) < abs(percent.value - whole):
        return Read(value=share, place=percent.place), shown
    return percent, places


def _head(
    grids: list[Grid],
    rows: tuple[Row, ...],
    totals: Row | None,
    summary: Summary,
    reading: Reading,
) -> PayApplication:
    fields: dict[str, tuple[str, Callable[[object], Any]]] = {
        "application": (r"application (?:no|number)", read_number),
        "period_to": (r"period (?:to|ending|through)", read_date),
        "contractor_signed": (
            r"(?:contractor (?:signed|date)|contractor signature date)",
            read_date,
        ),
        "architect_signed": (
            r"(?:architect (?:signed|date)|architect signature date|certified on)",
            read_date,
        ),
        "amount_certified": (r"amount certified", read_money),
    }
    found: dict[str, Any] = {}
    for name, (pattern, parse) in fields.items():
        for grid in grids:
            at = find_labelled(grid, pattern)
            if at is not None:
                found[name] = reading.cell(grid, at[1], f"G702 {name.replace('_', ' ')}", parse)
                break
    final = any(
        (at := find_labelled(grid, r"final application")) and label(str(at[1].value)) == "yes"
        for grid in grids
    )
    return PayApplication(summary=summary, rows=rows, totals=totals, final=final, **found)
