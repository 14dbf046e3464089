"""Reading a waiver and release in the words of Civil Code 8132, 8134, 8136 and 8138.

1. What its exceptions reserve is all that stands there beside the words of the statute.
2. A blank, a zero or "none" reserves nothing.
3. The amount of 8134 stands at the end of a sentence, wherever its lines break.
"""

import re
from dataclasses import replace

from activities.packet._form_reading import FormReading
from activities.packet._pdf import Field, PdfDocument
from activities.packet._values import is_blank, label, read_date, read_money, read_text, show
from lender.model import Read, Waiver, WaiverKind
from placet.model import Place

_BETWEEN = r"[\W_]+"


def _pattern(*sentences: str) -> re.Pattern[str]:
    """A pattern of sentences, however they are numbered, spaced, wrapped and punctuated."""
    wordings = "|".join(_BETWEEN.join(each.split()) for each in sentences)
    return re.compile(rf"(?:\(?\b[0-9][).]\s*)?\b(?:{wordings})\b[).:]*", re.IGNORECASE)


_RECEIVED = "the claimant has received the following progress payment"
_SENTENCE = re.compile(
    rf"{_BETWEEN.join(_RECEIVED.split())}\s*:?[^\S\n]*(?P<beside>[^\n]*)"
    r"(?:\n\s*(?P<below>[$0-9(][^\n]*))?",
    re.IGNORECASE,
)
_UNTOUCHED = (
    "this document does not affect any of the following",
    "this document does not affect the following",
)
_OPEN = (
    "retentions",
    "extras for which the claimant has not received payment",
    "contract rights including A a right based on rescission abandonment or breach of contract "
    "and B the right to recover compensation for work not compensated by the payment",
)
_EARLIER = (
    "the following progress payments for which the claimant has previously given a conditional "
    "waiver and release but has not received payment"
)
_STANDING = {
    WaiverKind.CONDITIONAL_PROGRESS: _pattern(*_UNTOUCHED, *_OPEN, _EARLIER),
    WaiverKind.UNCONDITIONAL_PROGRESS: _pattern(*_UNTOUCHED, *_OPEN),
    WaiverKind.CONDITIONAL_FINAL: _pattern(*_UNTOUCHED),
    WaiverKind.UNCONDITIONAL_FINAL: _pattern(*_UNTOUCHED),
}
_RESERVING = (
    r"date(?:\(s\)|s)? of waiver and release|"
    r"amount(?:\(s\)|s)? of unpaid progress payment(?:\(s\)|s)?|"
    r"disputed claims? for extras(?: in the amount of)?"
)
_LABELS = re.compile(rf"(?:{_RESERVING})\s*:?", re.IGNORECASE)
_BEGINS = re.compile(
    rf"\s*(?:exceptions?\b(?! below)\s*:?|(?=this document does not affect\b|{_RESERVING}))",
    re.IGNORECASE,
)
_ENDS = re.compile(
    r"signature|claimant s (?:signature|title)\b.*|date of signature|"
    r"name of (?:claimant|customer)|job location|owner|through date|maker of check|"
    r"check payable to|amount of (?:check|progress payment|final payment)"
)
_FIELD = re.compile(r".*(?:exception|disputed|extras|unpaid|dates?(?: s)? ?of ?waiver).*")
_NOTHING = re.compile(r"(?:none|0*(?:\.0{1,2})?)", re.IGNORECASE)


def with_received(document: PdfDocument) -> PdfDocument:
    """The document with the amount of 8134's sentence as a labelled value."""
    text = "\n".join(line for line, _ in document.lines)
    found = []
    for each in _SENTENCE.finditer(text):
        name = "beside" if not is_blank(each["beside"]) or each["below"] is None else "below"
        if not is_blank(each[name]):
            page = document.lines[text.count("\n", 0, each.start(name))][1]
            place = Place(document=page.document, spot=f"{page.spot}, progress payment received")
            found.append(Field(_RECEIVED, each[name].strip(), place))
    kept = (each for each in document.fields if each.in_form or each.label != _RECEIVED)
    return replace(document, fields=(*kept, *found))


def read_waiver(reading: FormReading, kind: WaiverKind) -> Waiver | None:
    """The waiver, if it says whose it is."""
    claimant = reading.required(r"name of claimant", "waiver, name of claimant", read_text)
    if claimant is None:
        return None
    return Waiver(
        kind=Read(value=kind, place=Place(document=reading.document.name, spot="page 1")),
        claimant=claimant,
        customer=reading.value(r"name of customer", "waiver, customer", read_text),
        job_location=reading.value(r"job location", "waiver, job location", read_text),
        owner=reading.value(r"owner", "waiver, owner", read_text),
        through=reading.value(r"through date", "waiver, through date", read_date),
        amount=reading.value(
            rf"amount(?: of (?:check|progress payment|final payment))?|{_RECEIVED}",
            "waiver, amount",
            read_money,
        ),
        exceptions=_exceptions(reading.document, kind),
        signed=reading.value(r"date of signature", "waiver, date of signature", read_date),
    )


def _exceptions(document: PdfDocument, kind: WaiverKind) -> Read[str] | None:
    """What the claimant reserves: in the text under the heading, and in the fields of a form."""
    said = [*_sections(document)]
    said += [(f.value, f.place) for f in document.fields if f.in_form and _FIELD.fullmatch(f.label)]
    reserved = [(rest, place) for text, place in said if (rest := _reserved(text, kind))]
    if not reserved:
        return None
    return Read(value=show("; ".join(text for text, _ in reserved), 300), place=reserved[0][1])


def _sections(document: PdfDocument) -> list[tuple[str, Place]]:
    """The text from each heading or label of exceptions to the next label of another kind."""
    found: list[tuple[str, Place]] = []
    inside = False
    for text, place in document.lines:
        begins = _BEGINS.match(text)
        inside = inside and not _ENDS.fullmatch(label(text.partition(":")[0]))
        if inside:
            found[-1] = (f"{found[-1][0]} {text}", found[-1][1])
        elif begins:
            spot = Place(document=place.document, spot=f"{place.spot}, Exceptions")
            found.append((text[begins.end() :], spot))
            inside = True
    return found


def _reserved(text: str, kind: WaiverKind) -> str:
    """What of a text is neither the statute's nor nothing; empty if all of it is."""
    rest = " ".join(_STANDING[kind].sub(" ", text).split())
    words = (each.strip("$_.,;:()-–—") for each in _LABELS.sub(" ", rest).split())
    return "" if all(_NOTHING.fullmatch(each) for each in words) else rest
