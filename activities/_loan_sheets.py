"""A loan file that comes as a spreadsheet: its fields and tables, found by their labels."""

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from activities.packet._grids import Cell, Grid
from activities.packet._tables import Reading, Table, TableRow, find_labelled, find_table
from activities.packet._values import (
    read_date,
    read_item,
    read_money,
    read_number,
    read_share,
    read_text,
    show,
)
from lender.model import DocumentKind
from placet.model import Place

Parse = Callable[[object], Any]
Places = dict[tuple[str | int, ...], Place]


def read_fraction(value: object) -> Decimal:
    """A share of one: ``10%`` or ``0.10``."""
    share = read_share(value)[0].normalize()
    if not 0 <= share <= 1:
        raise ValueError(f"{show(value, 20)!r} is not between 0 and 100%")
    return Decimal(f"{share:f}")


def _days(value: object) -> int:
    return 0 if str(value).strip() in {"0", "0.0"} else read_number(value)


def _word(value: object) -> str:
    return re.sub(r"[^a-z0-9]+", "_", read_text(value).lower()).strip("_")


def _people(value: object) -> tuple[str, ...]:
    return tuple(part for part in re.split(r"[,;\s]+", read_text(value)) if part)


FIELDS: Mapping[str, tuple[str, Parse, bool]] = {
    "loan_id": (r"loan (?:id|no|number)", read_text, True),
    "borrower": (r"borrower", read_text, True),
    "project": (r"project(?: name)?", read_text, True),
    "job_location": (r"job location|project address", read_text, True),
    "owner": (r"owner", read_text, True),
    "state": (r"state", read_text, True),
    "contractor": (r"general contractor|contractor (?:payee|payee id|id)", read_text, True),
    "granted_by": (r"granted by", _people, True),
    "commitment": (r"(?:loan )?commitment", read_money, True),
    "disbursed": (r"disbursed(?: to date)?", read_money, False),
    "required_equity": (r"required equity", read_money, True),
    "equity_in": (r"equity in", read_money, True),
    "deposits": (r"deposits", read_money, False),
    "status": (r"(?:loan )?status", _word, False),
    "maturity": (r"maturity(?: date)?", read_date, True),
}
"""A loan's fields: label, how its value is read, and whether it must be there."""

TERMS: Mapping[str, tuple[str, Parse, bool]] = {
    "stored_material_cap": (r"stored materials? cap", read_money, True),
    "inspection_tolerance": (r"inspection tolerance", read_fraction, False),
    "inspection_window_days": (r"inspection window(?: days)?", _days, False),
    "title_window_days": (r"title window(?: days)?", _days, False),
    "waiver_threshold": (r"waiver threshold", read_money, False),
}
RETAINAGE: Mapping[str, tuple[str, Parse, bool]] = {
    "work_rate": (r"retainage (?:on )?(?:completed )?work", read_fraction, True),
    "stored_rate": (r"retainage (?:on )?stored materials?", read_fraction, True),
    "step_down_at": (r"retainage step down at", read_fraction, False),
    "step_down_rate": (r"retainage step down rate", read_fraction, False),
    "statutory_cap": (r"retainage (?:statutory )?cap", read_fraction, False),
}

TABLES: Mapping[str, tuple[Mapping[str, tuple[str, Parse]], frozenset[str], bool]] = {
    "budget": (
        {
            "id": (r"budget line(?: (?:id|no|number))?", read_item),
            "category": (r"category", _word),
            "description": (r"description", read_text),
            "amount": (r"(?:budget )?amount|budgeted", read_money),
        },
        frozenset({"id", "category", "amount"}),
        True,
    ),
    "schedule": (
        {
            "item": (r"item(?: (?:no|number))?", read_item),
            "description": (r"description(?: of work)?", read_text),
            "scheduled_value": (r"scheduled value", read_money),
            "budget_line": (r"budget line(?: (?:id|no|number))?", read_item),
        },
        frozenset({"item", "scheduled_value", "budget_line"}),
        True,
    ),
    "payees": (
        {
            "id": (r"payee(?: (?:id|no|number))?", read_text),
            "name": (r"name|payee name", read_text),
            "role": (r"role", _word),
            "account": (r"account(?: reference)?", read_text),
            "account_changed_on": (r"account changed(?: on)?", read_date),
            "licence": (r"licen[cs]e(?: (?:no|number))?", read_text),
        },
        frozenset({"id", "name", "role", "account"}),
        True,
    ),
    "change_orders": (
        {
            "number": (r"change order(?: (?:no|number))?", read_text),
            "item": (r"item(?: (?:no|number))?", read_item),
            "amount": (r"amount", read_money),
            "approved_by": (r"approved by", read_text),
            "approved_on": (r"approved on|date(?: approved)?", read_date),
        },
        frozenset({"number", "item", "amount"}),
        False,
    ),
    "reallocations": (
        {
            "from_item": (r"from item", read_item),
            "to_item": (r"to item", read_item),
            "amount": (r"amount", read_money),
            "approved_by": (r"approved by", read_text),
        },
        frozenset({"from_item", "to_item", "amount", "approved_by"}),
        False,
    ),
}
"""A loan's tables: their columns, those that tell the table, and whether it must be there."""


class LoanSheets:
    """What was found of a loan in sheets, with the place of each value."""

    def __init__(self, grids: list[Grid]) -> None:
        self.grids = grids
        self.reading = Reading(DocumentKind.UNKNOWN)
        self.places: Places = {}

    def read(self) -> dict[str, Any]:
        """All fields and tables, as ``LoanFile`` takes them."""
        found = self._fields(FIELDS, ())
        terms = self._fields(TERMS, ("terms",))
        terms["retainage"] = self._fields(RETAINAGE, ("terms", "retainage"))
        found["terms"] = terms
        for name in TABLES:
            found[name] = self._table(name)
        return found

    def _fields(
        self, fields: Mapping[str, tuple[str, Parse, bool]], path: tuple[str, ...]
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, (pattern, parse, required) in fields.items():
            shown = name.replace("_", " ")
            at = next(
                ((g, cells) for g in self.grids if (cells := find_labelled(g, pattern))), None
            )
            if at is None:
                if required:
                    self.reading.name(
                        Place(document=self.grids[0].document), f"{shown} is not there"
                    )
                continue
            grid, (_, cell) = at
            self.places[(*path, name)] = grid.place(cell)
            read = self.reading.cell(grid, cell, shown, parse)
            if read is not None:
                found[name] = read.value
        return found

    def _table(self, name: str) -> tuple[dict[str, Any], ...]:
        columns, telling, required = TABLES[name]
        patterns = {column: pattern for column, (pattern, _) in columns.items()}
        tables = (find_table(grid, patterns, telling) for grid in self.grids)
        table = next((found for found in tables if found is not None), None)
        if table is None:
            if required:
                labels = ", ".join(sorted(column.replace("_", " ") for column in telling))
                self.reading.name(
                    Place(document=self.grids[0].document),
                    f"no table of the {name} (a row with the labels {labels})",
                )
            return ()
        return tuple(
            self._row(name, number, row, columns) for number, row in enumerate(_rows(table))
        )

    def _row(
        self, name: str, number: int, row: TableRow, columns: Mapping[str, tuple[str, Parse]]
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self.places[(name, number)] = row.table.grid.place(row.cells[0])
        for column, (_, parse) in columns.items():
            cell: Cell | None = row.cell(column)
            if cell is None or row.is_empty(column):
                if column == "description":
                    found[column] = "-"
                continue
            self.places[(name, number, column)] = row.table.grid.place(cell)
            shown = f"{name.replace('_', ' ')}, {column.replace('_', ' ')}"
            read = self.reading.cell(row.table.grid, cell, shown, parse)
            if read is not None:
                found[column] = read.value
        return found


def _rows(table: Table) -> Iterator[TableRow]:
    """The rows up to the first empty one, without totals: sheets and CSV files stack tables."""
    for cells in table.grid.rows[table.first :]:
        if not any(cell.value is not None or cell.formula for cell in cells):
            return
        row = TableRow(table, cells)
        if not any(row.is_total(column) for column in table.columns):
            yield row
