"""Finding tables in a grid by the labels of their columns, wherever they stand."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from activities.packet._grids import Cell, Grid, keyed_place, unreadable
from activities.packet._values import has_amount, is_sign, label
from lender.model import DocumentKind, Read, Unreadable
from placet.model import Place

T = TypeVar("T")
_TOTAL = re.compile(
    r"(?:grand |sub ?)?totals?(?: (?:amount|due|requested|to be paid|of|this|all|the|draw|period|"
    r"payees|payments|subcontractors|subcontracts|change orders|reallocations|budget|schedule|"
    r"scheduled values?|contract|project|hard|soft|costs?))*"
)
"""What a row of sums is called; ``Total Plumbing LLC`` is a company."""


@dataclass(frozen=True)
class Table:
    """A table: the column of each label, and the number of its first row under the header."""

    grid: Grid
    columns: Mapping[str, int]
    first: int

    def rows(self) -> Iterator["TableRow"]:
        """The rows under the header that are not empty."""
        for cells in self.grid.rows[self.first :]:
            if any(cell.value is not None or cell.formula for cell in cells):
                yield TableRow(self, cells)


@dataclass(frozen=True)
class TableRow:
    """One row of a table."""

    table: Table
    cells: tuple[Cell, ...]

    def cell(self, column: str) -> Cell | None:
        """The cell under a label; ``None`` if the table has no such column."""
        at = self.table.columns.get(column)
        return None if at is None or at >= len(self.cells) else self.cells[at]

    def text(self, column: str) -> str:
        """The label form of a cell, for telling totals from rows."""
        cell = self.cell(column)
        return label(str(cell.value)) if cell is not None and cell.value is not None else ""

    def is_total(self, column: str) -> bool:
        """Whether a cell says that the row is one of sums."""
        return _TOTAL.fullmatch(self.text(column)) is not None

    def is_empty(self, column: str) -> bool:
        """Whether nothing stands under a label."""
        cell = self.cell(column)
        return cell is None or (cell.value is None and not cell.formula)

    def is_blank(self, column: str, *amounts: str) -> bool:
        """Whether a row without its name has no amount either, or is one of sums."""
        if not self.is_empty(column):
            return False
        money = [cell for name in amounts if (cell := self.cell(name)) is not None]
        return any(_TOTAL.fullmatch(label(cell.value)) for cell in self.cells) or not any(
            cell.formula or has_amount(cell.value) for cell in money
        )


class Reading:
    """Reads cells of one kind of document and names what it could not read."""

    def __init__(self, kind: DocumentKind) -> None:
        self.kind = kind
        self.unreadable: list[Unreadable] = []

    def cell(
        self, grid: Grid, cell: Cell, what: str, parse: Callable[[object], T]
    ) -> Read[T] | None:
        """Read a cell, or else what was keyed there; what can't be read is named."""
        place = grid.place(cell)
        trouble = "a formula whose value the file does not hold"
        if not cell.formula:
            try:
                return Read(value=parse(cell.value), place=place)
            except (ValueError, ArithmeticError) as error:
                trouble = str(error)
        if cell.keyed is not None:
            try:
                return Read(value=parse(cell.keyed), place=keyed_place(place))
            except (ValueError, ArithmeticError) as error:
                trouble = f"keyed, {error}"
        self.name(place, f"{what}: {trouble}")
        return None

    def column(
        self, row: TableRow, column: str, what: str, parse: Callable[[object], T]
    ) -> Read[T] | None:
        """Read a cell of a table's row; a missing column was named already."""
        cell = row.cell(column)
        return None if cell is None else self.cell(row.table.grid, cell, what, parse)

    def key(
        self, row: TableRow, column: str, what: str, parse: Callable[[object], T]
    ) -> Read[T] | None:
        """Read what a row is called; one that is called nothing is named where that would stand."""
        cell = row.cell(column) or Cell(None, row.cells[0].spot)
        if row.is_empty(column):
            cell = replace(cell, value="")
        return self.cell(row.table.grid, cell, what, parse)

    def name(self, place: Place, what: str) -> None:
        """Name what could not be read."""
        self.unreadable.append(unreadable(self.kind, place, what))


def find_table(grid: Grid, patterns: Mapping[str, str], required: frozenset[str]) -> Table | None:
    """The first row whose labels (with those of the row below) name all required columns."""
    compiled = {name: re.compile(pattern) for name, pattern in patterns.items()}
    for number, cells in enumerate(grid.rows):
        for height in (1, 2):
            below = grid.rows[number + 1] if height == 2 and number + 1 < len(grid.rows) else ()
            columns: dict[str, int] = {}
            for at, cell in enumerate(cells):
                own = label(cell.value)
                under = label(below[at].value) if at < len(below) else ""
                for text in (under, own, f"{own} {under}".strip()):
                    name = next(
                        (n for n, p in compiled.items() if n not in columns and p.fullmatch(text)),
                        None,
                    )
                    if text and name:
                        columns[name] = at
                        break
            if required <= columns.keys():
                return Table(grid, columns, number + height)
    return None


def find_labelled(grid: Grid, pattern: str) -> tuple[Cell, Cell] | None:
    """A cell whose label fits, and the first filled cell to its right (or below, if none).

    A currency's sign in a cell of its own stands before the amount, and is none.
    """
    compiled = re.compile(pattern)
    for number, cells in enumerate(grid.rows):
        for at, cell in enumerate(cells):
            text = label(cell.value)
            if not text or not compiled.fullmatch(text):
                continue
            for other in cells[at + 1 :]:
                if (other.value is not None or other.formula) and not is_sign(other.value):
                    return cell, other
            if number + 1 < len(grid.rows) and at < len(grid.rows[number + 1]):
                below = grid.rows[number + 1][at]
                if below.value is not None or below.formula:
                    return cell, below
    return None
