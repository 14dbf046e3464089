"""Reading a title date-down: all that it says of liens and exceptions, under whatever label.

1. Each line or field that speaks of one, and does not say that there is none, is an exception.
2. A heading is answered by a field of its name or by the line below it, or is no word on them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from activities.packet._form_reading import FormReading
from activities.packet._pdf import PdfDocument
from activities.packet._values import is_blank, label, read_date, show
from lender.model import Read, Title, says_none
from placet.model import Place

_ABOUT = re.compile(r"\b(?:mechanics?)?lien|exception|encumbranc|\blis pendens\b", re.IGNORECASE)
_HEADING = re.compile(
    r"(?:(?:liens?|exceptions?|encumbrances?|lis pendens|mechanics?|s|intervening|new|additional|"
    r"other|schedule|of|or|and|to|on|in|title|record|found|noted|policy|[0-9]{1,2}|b)\b ?)+"
)


@dataclass(frozen=True)
class _Said:
    """What one line or field says of liens or exceptions; a heading has no ``text``."""

    text: str
    place: Place


def read_title(reading: FormReading) -> Title:
    """The date-down; where a heading has nothing below it, nothing is known of exceptions."""
    said = [*_lines(reading.document), *_fields(reading.document)]
    told: list[Read[str]] = [
        Read(value=show(each.text, 300), place=each.place) for each in said if each.text
    ]
    silent = [each.place for each in said if not each.text]
    if not told and not silent:
        silent = [Place(document=reading.document.name)]
    for place in silent:
        what = "title, exceptions: neither 'none' nor one of them stands beside that label"
        reading.name(place, what)
    return Title(
        effective=reading.required(r"effective date", "title, effective date", read_date),
        exceptions=tuple(each for each in told if not says_none(each.value)),
        on_exceptions=None if silent else told[0],
    )


def _fields(document: PdfDocument) -> Iterator[_Said]:
    for field in document.fields:
        if not field.in_form:
            continue
        if _ABOUT.search(field.label):
            yield _Said(field.value, field.place)
        elif _ABOUT.search(field.value):
            yield _Said(f"{field.label}: {field.value}", field.place)


def _lines(document: PdfDocument) -> Iterator[_Said]:
    filled = {field.label for field in document.fields if field.in_form}
    for (text, page), (below, _) in pairwise([*document.lines, ("", Place(document=""))]):
        if not _ABOUT.search(text) or re.search(r"title date ?down", label(text)):
            continue
        head, _, beside = text.partition(":")
        place = Place(document=page.document, spot=f"{page.spot}, {show(head.strip(), 80)}")
        rest = _HEADING.sub("", label(text), count=1)
        if _ABOUT.search(head) and not is_blank(beside):
            yield _Said(beside, place)
        elif rest and not is_blank(rest):
            yield _Said(rest if says_none(rest) else text, page)
        elif says_none(below):
            yield _Said(below, place)
        elif label(head) not in filled and not _ABOUT.search(below):
            yield _Said("", place)
