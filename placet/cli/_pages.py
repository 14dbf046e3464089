"""A document as text: pages of rows, and the place that a finding cites. Pure, but for ``main``.

Documents come from strangers. They are read in a process of their own, ``python -m
placet.cli._pages``, which has so much time and memory and no more, and gives back plain text.
"""

import csv
import io
import json
import re
import sys
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

MAX_PAGES = 60
MAX_ROWS = 5_000
MAX_COLUMNS = 60
MAX_TEXT = 500
MEMORY = 2 * 1024**3
SECONDS = 30

_NUMBER = r"([1-9]\d{0,8})"
_PAGE = re.compile(rf"page {_NUMBER}(?:, (.*))?")
_ROW = re.compile(rf"row {_NUMBER}(?:, column {_NUMBER})?")
_CELL = re.compile(rf"(.*)!([A-Z]{{1,3}}){_NUMBER}")
FORM = "form fields"


@dataclass(frozen=True)
class Page:
    """One page or sheet: rows of cells under labels; running text has one column without one."""

    title: str
    labels: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Found:
    """A place in a text: which page, which row of it, and which column if it is one cell."""

    page: int
    row: int
    column: int | None = None


class NoText(Exception):
    """The document has no text to show; the message says why."""


def read_pages(name: str, data: bytes) -> tuple[Page, ...]:
    """A document's text.

    Raises:
        NoText: it is of no kind that is read here, damaged, or without text.
    """
    kind = name.lower().rpartition(".")[2]
    readers = {"pdf": _pdf, "xlsx": _xlsx, "csv": _csv, "txt": _txt, "md": _txt, "json": _txt}
    if kind not in readers:
        raise NoText(f"a {kind or 'nameless'} file is not shown as text; open it in a viewer")
    try:
        pages = tuple(islice(readers[kind](data), MAX_PAGES))
    except NoText:
        raise
    except Exception as error:  # noqa: BLE001 - the libraries let every kind of error through
        raise NoText(f"it can't be read as text ({type(error).__name__})") from None
    if not any(page.rows for page in pages):
        raise NoText("it has no text; it may be a scan: open it in a viewer")
    return pages


def find(pages: tuple[Page, ...], spot: str) -> Found | None:
    """Where a spot is, as far as the text tells."""
    if match := _PAGE.fullmatch(spot):
        page = int(match[1]) - 1
        if page < len(pages) and pages[page].title == f"page {match[1]}":
            return Found(page, _line(pages[page], match[2] or ""))
    elif match := _ROW.fullmatch(spot):
        if pages and int(match[1]) <= len(pages[0].rows):
            return Found(0, int(match[1]) - 1, int(match[2]) - 1 if match[2] else None)
    elif match := _CELL.fullmatch(spot):
        for at, page_ in enumerate(pages):
            if page_.title == match[1] and int(match[3]) <= len(page_.rows):
                return Found(at, int(match[3]) - 1, _column(match[2]))
    elif spot.startswith("field "):
        for at, page_ in enumerate(pages):
            for row, cells in enumerate(page_.rows):
                if page_.title == FORM and cells[0] == spot.removeprefix("field "):
                    return Found(at, row, 1)
    return None


def _line(page: Page, label: str) -> int:
    wanted = _bare(label)
    starts = [_bare(row[0]).startswith(wanted) for row in page.rows]
    return starts.index(True) if label and True in starts else 0


def _bare(text: str) -> str:
    return " ".join(text.casefold().split())


def _column(letters: str) -> int:
    number = 0
    for each in letters:
        number = number * 26 + ord(each) - ord("A") + 1
    return number - 1


def _letters(column: int) -> str:
    said = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        said = chr(ord("A") + rest) + said
    return said


def _pdf(data: bytes) -> Iterator[Page]:
    import pypdf  # noqa: PLC0415 - in the process that reads, and nowhere else

    reader = pypdf.PdfReader(io.BytesIO(data))
    if reader.is_encrypted:
        raise NoText("it is encrypted: open it in a viewer")
    for number, page in enumerate(reader.pages, 1):
        # Empty lines go, as they do for the agent that reads it.
        lines = [line for line in page.extract_text().splitlines() if line.strip()]
        yield Page(f"page {number}", ("",), tuple((_short(line),) for line in lines[:MAX_ROWS]))
    fields: dict[str, Any] = reader.get_fields() or {}
    rows = [(_short(name), _short(field.get("/V", ""))) for name, field in fields.items()]
    if rows:
        yield Page(FORM, ("Field", "Value"), tuple(rows[:MAX_ROWS]))


def _xlsx(data: bytes) -> Iterator[Page]:
    import openpyxl  # noqa: PLC0415 - the same

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of features that nobody reads here
        book = openpyxl.load_workbook(io.BytesIO(data), data_only=True, read_only=True)
    for sheet in book.worksheets:
        if sheet.sheet_state == "visible":
            rows = sheet.iter_rows(values_only=True, max_row=MAX_ROWS, max_col=MAX_COLUMNS)
            yield _grid(sheet.title, [["" if c is None else c for c in row] for row in rows])


def _csv(data: bytes) -> Iterator[Page]:
    text = data.decode("utf-8-sig")
    rows = list(islice(csv.reader(io.StringIO(text)), MAX_ROWS))
    yield _grid("rows", [row[:MAX_COLUMNS] for row in rows])


def _grid(title: str, rows: list[list[Any]]) -> Page:
    width = max((len(row) for row in rows), default=0)
    labels = tuple(_letters(at) for at in range(width))
    cells = tuple(
        tuple(_short(each) for each in [*row, *[""] * (width - len(row))]) for row in rows
    )
    return Page(title, labels, cells)


def _txt(data: bytes) -> Iterator[Page]:
    lines = data.decode("utf-8", "replace").splitlines()[:MAX_ROWS]
    yield Page("text", ("",), tuple((_short(line),) for line in lines))


def _short(value: object) -> str:
    return str(value)[:MAX_TEXT]


def pages_of(said: Any) -> tuple[Page, ...]:
    """Pages, as the process that reads has said them."""
    return tuple(
        Page(each["title"], tuple(each["labels"]), tuple(tuple(row) for row in each["rows"]))
        for each in said
    )


def main() -> None:
    """Read a document from the standard input, and say its pages as JSON."""
    try:
        import resource  # noqa: PLC0415 - Unix alone has it
    except ImportError:
        pass
    else:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    try:
        pages = read_pages(sys.argv[1], sys.stdin.buffer.read())
    except NoText as error:
        json.dump({"no_text": str(error)}, sys.stdout)
    else:
        json.dump({"pages": [asdict(each) for each in pages]}, sys.stdout)


if __name__ == "__main__":
    main()
