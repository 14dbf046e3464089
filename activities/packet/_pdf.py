"""Reading PDFs: flat text with ``Label: value`` lines, and fillable forms (AcroForm fields) alike.

Nothing in a PDF is run. Limits: 20 MB, 50 pages, 200,000 characters, 500 form fields.
"""

import io
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pypdf

from activities.packet._grids import MAX_FILE, UnreadableFile
from activities.packet._values import label, show
from placet.model import Place

MAX_PAGES = 50
MAX_TEXT = 200_000
MAX_FIELDS = 500
_PAINTING = frozenset(b"Do sh f F f* B B* b b* S s".split()) | {b"INLINE IMAGE"}
"""What a page's content says to put something on it that is not text."""
_FIELD = "field "
_LINE = re.compile(r"\s*([^:]{2,80}?)\s*:\s*(.*?)\s*\Z")
# pypdf tells of what it mends in damaged files; what matters becomes a finding.
logging.getLogger("pypdf").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Field:
    """A labelled value of a document and where it stands; ``keyed``: what a person read there."""

    label: str
    value: str
    place: Place
    keyed: str | None = None

    @property
    def in_form(self) -> bool:
        """Whether it was filled into a field, and is no line of the text."""
        return self.place.spot.startswith(_FIELD)

    @property
    def own_label(self) -> str:
        """The label as the document has it."""
        if self.in_form:
            return self.place.spot.removeprefix(_FIELD).replace("_", " ")
        return self.place.spot.partition(", ")[2]


@dataclass(frozen=True)
class PdfDocument:
    """A PDF's text lines and labelled values; ``unseen`` are pages that show something else."""

    name: str
    lines: tuple[tuple[str, Place], ...]
    fields: tuple[Field, ...]
    active: bool
    unseen: tuple[Place, ...] = ()

    @property
    def title(self) -> str:
        """The first lines in label form: what the document calls itself."""
        return " ".join(label(text) for text, _ in self.lines[:6])

    def all(self, pattern: str) -> list[Field]:
        """The labelled values whose label fits and that are not empty."""
        compiled = re.compile(pattern)
        return [f for f in self.fields if compiled.fullmatch(f.label) and f.value]

    def first(self, pattern: str) -> Field | None:
        """The first of them."""
        found = self.all(pattern)
        return found[0] if found else None


def read_pdf(name: str, data: bytes) -> PdfDocument:
    """Take a PDF apart.

    Raises:
        UnreadableFile: it is damaged, truncated, encrypted, too large, or has no text.
    """
    if len(data) > MAX_FILE:
        raise UnreadableFile("the file is larger than 20 MB")
    if not data.startswith(b"%PDF-"):
        raise UnreadableFile("the file is no PDF")
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted:
            raise UnreadableFile("the PDF is encrypted")
        if b"%%EOF" not in data[-2048:]:
            raise UnreadableFile("the PDF is truncated")
        if len(reader.pages) > MAX_PAGES:
            raise UnreadableFile(f"the PDF has more than {MAX_PAGES} pages")
        lines, unseen = _lines(name, reader)
        forms = _forms(name, reader)
        active = _is_active(reader)
    except UnreadableFile:
        raise
    except Exception as error:  # noqa: BLE001 - pypdf lets every kind of error through
        raise UnreadableFile(f"the PDF is damaged ({type(error).__name__})") from None
    if not lines and not forms:
        raise UnreadableFile("the PDF has no text; it may be a scan")
    return PdfDocument(name, tuple(lines), tuple(_labelled(lines) + forms), active, unseen)


def with_keyed(document: PdfDocument, keyed: Mapping[tuple[str, str], str]) -> PdfDocument:
    """The document with what people keyed at its places."""
    return replace(
        document,
        fields=tuple(
            replace(each, keyed=keyed.get((each.place.document, each.place.spot)))
            for each in document.fields
        ),
    )


def _lines(name: str, reader: pypdf.PdfReader) -> tuple[list[tuple[str, Place]], tuple[Place, ...]]:
    found: list[tuple[str, Place]] = []
    unseen: list[Place] = []
    size = 0
    for number, page in enumerate(reader.pages, 1):
        text = page.extract_text()
        size += len(text)
        if size > MAX_TEXT:
            raise UnreadableFile(f"the PDF has more than {MAX_TEXT} characters")
        place = Place(document=name, spot=f"page {number}")
        found += [(show(line, 500), place) for line in text.splitlines() if line.strip()]
        if not text.strip() and _paints(page):
            unseen.append(place)
    return found, tuple(unseen)


def _paints(page: pypdf.PageObject) -> bool:
    """Whether a page shows a picture or strokes, as a scan does; an empty one shows nothing."""
    contents = page.get_contents()
    return contents is not None and any(by in _PAINTING for _, by in contents.operations)


def _labelled(lines: list[tuple[str, Place]]) -> list[Field]:
    found = []
    for text, place in lines:
        split = _LINE.match(text)
        if split:
            spot = f"{place.spot}, {show(split[1], 80)}"
            found.append(
                Field(label(split[1]), split[2], Place(document=place.document, spot=spot))
            )
    return found


def _forms(name: str, reader: pypdf.PdfReader) -> list[Field]:
    fields: dict[str, Any] = reader.get_fields() or {}
    if len(fields) > MAX_FIELDS:
        raise UnreadableFile(f"the PDF has more than {MAX_FIELDS} form fields")
    found = []
    for key, field in fields.items():
        value = field.get("/V")
        if value is None or str(value) in {"/Off", ""}:
            continue
        place = Place(document=name, spot=f"{_FIELD}{show(key, 80)}")
        found.append(Field(label(str(key).replace("_", " ")), show(value, 300), place))
    return found


def _is_active(reader: pypdf.PdfReader) -> bool:
    """Whether the file would run something when opened: an action or a script."""
    root: Any = reader.trailer["/Root"].get_object()
    names = root.get("/Names")
    scripts = names is not None and "/JavaScript" in names.get_object()
    return scripts or "/OpenAction" in root or "/AA" in root
