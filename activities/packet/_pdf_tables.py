"""Reading a draw request or a subcontractor list that comes as a PDF.

1. What a cell says is known where lines are drawn around it, or where a label stands before it.
2. An amount that stands anywhere else is named, and so is what of a table is in no cell.
3. A table goes on over pages under the same columns; another one of its kind is named.
"""

import io
import logging
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from activities.packet._grids import Cell, Grid, UnreadableFile, unreadable, with_keyed
from activities.packet._lists import (
    PAYEES,
    REQUEST,
    REQUEST_HEAD,
    SUBCONTRACTORS,
    read_request,
    read_subcontractors,
)
from activities.packet._pdf import PdfDocument
from activities.packet._tables import find_table
from activities.packet._values import has_amount, label, read_money, show
from lender.model import DocumentKind, DrawRequest, Subcontractor, Unreadable
from placet.model import Place

# pdfminer tells of what it mends in damaged files, as pypdf does.
logging.getLogger("pdfminer").setLevel(logging.CRITICAL)
MAX_EDGES = 5_000
"""Lines drawn in all: each is held against each other one of its page."""
_MONEY = re.compile(r"\$\s*[0-9]|[0-9],[0-9]{3}\b|[0-9]\.[0-9]{2}\b")
_PART = re.compile(r"\s*(contract|paid|due):?\s+(.*?)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class _Shape:
    """A table by its columns, and the label that its rows have where no table is drawn."""

    columns: Mapping[str, str]
    header: tuple[str, ...]
    row: re.Pattern[str]


_REQUEST = _Shape(
    REQUEST, ("Budget line", "Amount"), re.compile(r"budget line (.+)", re.IGNORECASE)
)
_PAYEES = _Shape(PAYEES, ("Payee", "Amount"), re.compile(r"payee (.+)", re.IGNORECASE))
_SUBCONTRACTORS = _Shape(
    SUBCONTRACTORS,
    ("Subcontractor", "Contract", "Paid", "Due"),
    re.compile(r"subcontractor (.+)", re.IGNORECASE),
)
_KINDS = (
    (r"draw request", DocumentKind.DRAW_REQUEST, (_REQUEST, _PAYEES)),
    (r"subcontractor list|sworn statement", DocumentKind.SUBCONTRACTORS, (_SUBCONTRACTORS,)),
)


@dataclass
class _Found:
    """The tables of one document so far: for each shape its rows, and what could not be read."""

    document: PdfDocument
    kind: DocumentKind
    shapes: tuple[_Shape, ...]
    tables: dict[int, list[tuple[Cell, ...]]] = field(default_factory=dict)
    columns: Mapping[str, int] = field(default_factory=dict)
    head: list[tuple[Cell, ...]] = field(default_factory=list)
    last: int | None = None
    trouble: list[Unreadable] = field(default_factory=list)

    def name(self, spot: str, what: str) -> None:
        """Name what could not be read."""
        place = Place(document=self.document.name, spot=spot)
        self.trouble.append(unreadable(self.kind, place, what))

    def take(self, spot: str, rows: tuple[tuple[Cell, ...], ...]) -> None:
        """Take a table, or the rest of the one before it."""
        if all(_is_head(row) for row in rows):
            self.head += rows
            return
        grid = Grid(self.document.name, "", rows)
        for number, shape in enumerate(self.shapes):
            table = find_table(grid, shape.columns, frozenset(shape.columns))
            if table is None:
                continue
            if number == self.last and table.columns == self.columns:
                self.tables[number] += rows[table.first :]
            elif number in self.tables:
                self.last = None
                self.name(spot, "a second table of this kind; the first one was read")
            else:
                self.tables[number] = list(rows)
                self.last, self.columns = number, table.columns
            return
        if not any(has_amount(cell.value) for row in rows for cell in row):
            return
        if self.last is not None and len(rows[0]) == len(self.tables[self.last][0]):
            self.tables[self.last] += rows
        else:
            self.name(spot, "a table whose columns are none that a draw request or list has")


def read_listed(
    document: PdfDocument, data: bytes, keyed: Mapping[tuple[str, str], str]
) -> tuple[DocumentKind, tuple[DrawRequest | Subcontractor, ...], list[Unreadable]]:
    """The draw request or subcontractor list that a PDF is, if it is one.

    Raises:
        UnreadableFile: it can't be taken apart, or draws too much.
    """
    for pattern, kind, shapes in _KINDS:
        if re.search(pattern, document.title):
            found = _Found(document, kind, shapes)
            _labelled(found)
            _drawn(found, data)
            return _read(found, keyed)
    return DocumentKind.UNKNOWN, (), []


def _read(
    found: _Found, keyed: Mapping[tuple[str, str], str]
) -> tuple[DocumentKind, tuple[DrawRequest | Subcontractor, ...], list[Unreadable]]:
    name = found.document.name
    if found.kind is DocumentKind.DRAW_REQUEST and 0 in found.tables:
        found.tables[0] = _without_contradictions(found, [*found.head, *found.tables[0]])
    grids = [
        with_keyed(Grid(name, "", tuple(rows)), keyed) for _, rows in sorted(found.tables.items())
    ]
    made: tuple[DrawRequest | Subcontractor, ...]
    if found.kind is DocumentKind.DRAW_REQUEST:
        request, trouble = read_request(grids)
        made = () if request is None else (request,)
    else:
        made, trouble = read_subcontractors(grids)
    if not found.tables:
        what = "neither a table with lines around its cells nor labels say what its rows are"
        found.name("", what)
    return found.kind if made else DocumentKind.UNKNOWN, made, [*found.trouble, *trouble]


def _without_contradictions(found: _Found, rows: list[tuple[Cell, ...]]) -> list[tuple[Cell, ...]]:
    """The rows but for those that say two values of what a request says once."""
    for pattern, parse in REQUEST_HEAD.values():
        said = [row for row in rows if re.fullmatch(pattern, _label(row))]
        values = {_parsed(parse, cell.value) for row in said for cell in row[1:] if cell.value}
        if len(values) > 1:
            spot, shown = said[-1][0].spot, show(said[-1][0].value, 60)
            found.name(spot, f"{shown!r} stands beside two values")
            rows = [row for row in rows if row not in said]
    return rows


def _parsed(parse: Callable[[object], object], value: object) -> object:
    try:
        return parse(value)
    except (ValueError, ArithmeticError):
        return value


def _labelled(found: _Found) -> None:
    """Take what stands behind labels: one row each, and what stands once."""
    for each in found.document.fields:
        if not each.value:
            continue
        spot, own = each.place.spot, each.own_label
        cell = Cell(each.value, spot)
        rows = [(n, row) for n, s in enumerate(found.shapes) if (row := s.row.fullmatch(own))]
        for number, row in rows:
            shape = found.shapes[number]
            header = tuple(Cell(name, spot) for name in shape.header)
            table = found.tables.setdefault(number, [header])
            table.append((Cell(row[1], spot), *_values(shape, cell)))
        if _is_head((Cell(own, spot),)):
            found.head.append((Cell(own, spot), cell))
        elif each.in_form and not rows and has_amount(each.value):
            found.name(spot, "an amount in a field whose name does not say what it is")


def _values(shape: _Shape, cell: Cell) -> tuple[Cell, ...]:
    """The amounts behind a row's label; without their names, each is the whole of it."""
    if len(shape.header) == 2:
        return (cell,)
    parts = [found for each in cell.value.split(";") if (found := _PART.fullmatch(each))]
    named = {found[1].title(): found[2] for found in parts}
    wanted = shape.header[1:]
    if sorted(named) != sorted(wanted) or cell.value.count(";") != len(wanted) - 1:
        named = dict.fromkeys(wanted, cell.value)
    return tuple(replace(cell, value=named[name]) for name in wanted)


def _label(row: tuple[Cell, ...]) -> str:
    """The label that a row begins with."""
    return label(next((cell.value for cell in row if cell.value), None))


def _is_head(row: tuple[Cell, ...]) -> bool:
    """Whether a row begins with a label of the draw request's head."""
    return any(re.fullmatch(pattern, _label(row)) for pattern, _ in REQUEST_HEAD.values())


def _drawn(found: _Found, data: bytes) -> None:
    """Take the tables that are drawn, and name the amounts beside them."""
    import pdfplumber  # noqa: PLC0415 - it takes long to load, and few packets need it

    try:
        with pdfplumber.open(io.BytesIO(data)) as pdf:
            drawn = 0
            for number, page in enumerate(pdf.pages, 1):
                drawn += len(page.edges)
                if drawn > MAX_EDGES:
                    raise UnreadableFile(f"the PDF draws more than {MAX_EDGES} lines")
                _page(found, page, f"page {number}")
                page.close()
    except UnreadableFile:
        raise
    except Exception as error:  # noqa: BLE001 - pdfminer lets every kind of error through
        raise UnreadableFile(f"the PDF is damaged ({type(error).__name__})") from None


def _page(found: _Found, page: Any, spot: str) -> None:
    tables = [table for table in page.find_tables() if len(table.cells) > 1]
    for number, table in enumerate(tables, 1):
        texts = table.extract()
        at = f"{spot}, table {number}"
        inside = page.filter(lambda each, box=table.bbox: _is_in(each, box)).chars
        if _letters(each["text"] for each in inside) != _letters(
            text or "" for row in texts for text in row
        ):
            found.name(at, "something in this table is in none of its cells")
        found.take(at, tuple(_cells(row, f"{at}, row {n}") for n, row in enumerate(texts, 1)))
    rest = page.filter(lambda each: not any(_is_in(each, table.bbox) for table in tables))
    stray = [line for line in (rest.extract_text() or "").splitlines() if _is_stray(found, line)]
    if stray:
        what = f"an amount in no cell and behind no label: {show(stray[0], 80)!r}"
        found.name(spot, what)


def _is_in(each: Mapping[str, Any], box: tuple[float, float, float, float]) -> bool:
    """Whether the middle of something on a page is in a box."""
    across, down = (each["x0"] + each["x1"]) / 2, (each["top"] + each["bottom"]) / 2
    return bool(box[0] <= across <= box[2] and box[1] <= down <= box[3])


def _letters(texts: Iterator[str]) -> int:
    """How many letters there are, however two of them are joined in one."""
    return sum(not each.isspace() for text in texts for each in unicodedata.normalize("NFKC", text))


def _cells(row: list[str | None], spot: str) -> tuple[Cell, ...]:
    said = (show(" ".join((text or "").split()), 500) for text in row)
    return tuple(Cell(text or None, f"{spot}, column {n}") for n, text in enumerate(said, 1))


def _is_stray(found: _Found, line: str) -> bool:
    """Whether a line has an amount that is neither all behind a label nor a row's."""
    if not _MONEY.search(line):
        return False
    own, _, value = line.partition(":")
    if any(shape.row.fullmatch(own.strip()) for shape in found.shapes):
        return False
    try:
        read_money(value)
    except (ValueError, ArithmeticError):
        return True
    return False
