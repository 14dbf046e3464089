"""The seam between the packet and the readers of PDFs: one document in, what it says out."""

from collections.abc import Mapping
from dataclasses import dataclass

from activities.packet._forms import Form, read_form
from activities.packet._grids import unreadable
from activities.packet._pdf import read_pdf as take_apart
from activities.packet._pdf import with_keyed
from activities.packet._pdf_tables import read_listed
from activities.packet._waiver import with_received
from lender.model import DocumentKind, DrawRequest, Subcontractor, Unreadable
from placet.model import Place


@dataclass(frozen=True)
class DocumentReading:
    """What one file turned out to be: its kind, the typed documents in it, what was not read."""

    kind: DocumentKind
    found: tuple[Form | DrawRequest | Subcontractor, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()


def read_pdf(
    name: str, data: bytes, keyed: Mapping[tuple[str, str], str] | None = None
) -> DocumentReading:
    """Read a PDF by its title and labels, with what people keyed at its places.

    Raises:
        UnreadableFile: it is damaged, truncated, encrypted, too large, or has no text.
    """
    document = with_keyed(with_received(take_apart(name, data)), keyed or {})
    kind, form, trouble = read_form(document)
    forms: tuple[Form | DrawRequest | Subcontractor, ...] = () if form is None else (form,)
    if kind is DocumentKind.UNKNOWN:
        kind, forms, trouble = read_listed(document, data, keyed or {})
    if kind is DocumentKind.UNKNOWN and not trouble:
        trouble = [unreadable(kind, Place(document=name), "the PDF is no document of a packet")]
    place = Place(document=name)
    if document.active:
        what = "the PDF would run a script or action when opened; nothing of it was run"
        trouble = [*trouble, unreadable(kind, place, what)]
    unseen = [
        unreadable(kind, each, "the page has no text; it may be a scan") for each in document.unseen
    ]
    trouble = [*trouble, *unseen]
    return DocumentReading(kind, forms, tuple(trouble))
