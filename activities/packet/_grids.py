"""Spreadsheets as grids of cells: XLSX and CSV, with limits before anything is parsed.

Limits, each well above any real packet: 20 MB a file, 40 MB unpacked (10 MB of it sheets and
strings), 200 parts, 20 sheets,
5,000 rows and 100 columns a sheet. External links and macros are never followed.
"""

import csv
import io
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import openpyxl
from openpyxl.utils import get_column_letter

from activities.packet._values import show
from lender.model import DocumentKind, Unreadable
from placet.model import Place

MAX_FILE = 20 * 1024 * 1024
MAX_UNPACKED = 40 * 1024 * 1024
MAX_CELL_TEXT = 10 * 1024 * 1024  # XML of sheets and strings, which become objects in memory
MAX_PARTS = 200
MAX_SHEETS = 20
MAX_ROWS = 5_000
MAX_COLUMNS = 100
_OLE = b"\xd0\xcf\x11\xe0"  # what a password-protected workbook is wrapped in


class UnreadableFile(Exception):
    """A file can't be read at all; the message says why."""


@dataclass(frozen=True)
class Cell:
    """A cell's value and where it stands. ``formula``: a formula without a cached value.

    ``keyed`` is what a person read there; it counts where the value itself can't be read.
    """

    value: Any
    spot: str
    formula: bool = False
    keyed: str | None = None


@dataclass(frozen=True)
class Grid:
    """One sheet: rows of cells, and the file that it is in."""

    document: str
    name: str
    rows: tuple[tuple[Cell, ...], ...]

    def place(self, cell: Cell) -> Place:
        """Where a cell stands."""
        return Place(document=self.document, spot=cell.spot)


def with_keyed(grid: Grid, keyed: Mapping[tuple[str, str], str]) -> Grid:
    """The sheet with what people keyed at its places."""
    if not any(document == grid.document for document, _ in keyed):
        return grid
    return replace(
        grid,
        rows=tuple(
            tuple(replace(cell, keyed=keyed.get((grid.document, cell.spot))) for cell in row)
            for row in grid.rows
        ),
    )


def keyed_place(place: Place) -> Place:
    """The place of a value that was keyed, and not read there."""
    return Place(document=place.document, spot=f"{place.spot[:280] or 'its page'}, keyed")


def read_grids(name: str, data: bytes) -> Iterator[Grid]:
    """The sheets of a spreadsheet file.

    Raises:
        UnreadableFile: it is damaged, encrypted, too large, or no spreadsheet.
    """
    if len(data) > MAX_FILE:
        raise UnreadableFile(f"the file is larger than {MAX_FILE // 1024 // 1024} MB")
    if name.lower().endswith(".csv"):
        yield _read_csv(name, data)
    else:
        yield from _read_xlsx(name, data)


def _read_csv(name: str, data: bytes) -> Grid:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableFile("the file is not UTF-8 text") from None
    try:
        # One row too many is enough to refuse: a file of empty lines is never all in memory.
        found = list(islice(csv.reader(io.StringIO(text), strict=True), MAX_ROWS + 1))
    except csv.Error as error:
        raise UnreadableFile(f"the file is not CSV: {error}") from None
    if len(found) > MAX_ROWS or any(len(row) > MAX_COLUMNS for row in found):
        raise UnreadableFile(f"more than {MAX_ROWS} rows or {MAX_COLUMNS} columns")
    rows = tuple(
        tuple(
            Cell(value.strip() or None, f"row {number}, column {column}")
            for column, value in enumerate(row, 1)
        )
        for number, row in enumerate(found, 1)
    )
    return Grid(name, "", rows)


def _read_xlsx(name: str, data: bytes) -> Iterator[Grid]:
    if data.startswith(_OLE):
        raise UnreadableFile("the workbook is encrypted or in an old format; save it as XLSX")
    _check_archive(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of features that nobody reads here
            values = openpyxl.load_workbook(io.BytesIO(data), data_only=True, keep_links=False)
            formulas = openpyxl.load_workbook(io.BytesIO(data), keep_links=False)
    except Exception as error:  # noqa: BLE001 - openpyxl lets every kind of error through
        raise UnreadableFile(f"the workbook is damaged ({type(error).__name__})") from None
    if len(values.worksheets) > MAX_SHEETS:
        raise UnreadableFile(f"the workbook has more than {MAX_SHEETS} sheets")
    for sheet in values.worksheets:
        if sheet.sheet_state == "visible":
            yield _sheet(name, sheet, formulas[sheet.title])


def _check_archive(data: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError):
        raise UnreadableFile("the workbook is damaged or truncated") from None
    if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED:
        raise UnreadableFile("the workbook unpacks to more than a workbook has")
    cells = [p for p in parts if p.filename.lower().endswith(".xml") and "style" not in p.filename]
    if sum(part.file_size for part in cells) > MAX_CELL_TEXT:
        raise UnreadableFile("the workbook unpacks to more than a workbook has")
    if any(part.flag_bits & 1 for part in parts):
        raise UnreadableFile("the workbook is encrypted")


def _sheet(document: str, values: Any, formulas: Any) -> Grid:
    if values.max_row > MAX_ROWS or values.max_column > MAX_COLUMNS:
        raise UnreadableFile(
            f"sheet {show(values.title, 40)} has more than {MAX_ROWS} rows or {MAX_COLUMNS} columns"
        )
    rows = []
    title = show(values.title, 60)
    for number, row in enumerate(values.iter_rows(values_only=True), 1):
        cells = []
        for column, value in enumerate(row, 1):
            spot = f"{title}!{get_column_letter(column)}{number}"
            if isinstance(value, str) and not value.strip():
                value = None  # noqa: PLW2901 - a cell of spaces is an empty one
            formula = value is None and formulas.cell(number, column).data_type == "f"
            cells.append(Cell(value, spot, formula))
        rows.append(tuple(cells))
    return Grid(document, title, tuple(rows))


def unreadable(kind: DocumentKind, place: Place, what: str) -> Unreadable:
    """Name what could not be read."""
    return Unreadable(kind=kind, place=place, what=what[:500])
