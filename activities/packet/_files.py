"""A folder's files, each to its reader, in the order of their names."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from activities.packet._application import read_application
from activities.packet._grids import MAX_FILE, UnreadableFile, read_grids, unreadable, with_keyed
from activities.packet._keyed import note_taken
from activities.packet._lists import (
    read_change_orders,
    read_inspection,
    read_request,
    read_subcontractors,
)
from activities.packet._seam import read_pdf
from activities.packet._values import show
from lender.model import (
    DocumentKind,
    DrawRequest,
    FileEntry,
    Inspection,
    Insurance,
    Invoice,
    Keyed,
    Occupancy,
    Packet,
    Subcontractor,
    Title,
    Unreadable,
    Waiver,
)
from placet.model import AT_SPOT, Place, digest_bytes

MAX_FILES = 200
"""Files of one packet: a large draw has about sixty waivers and as many invoices."""


class _Found:
    """What was found so far; a second document of a kind that must be one is a contradiction."""

    def __init__(self, keyed: Mapping[tuple[str, str], str]) -> None:
        self.keyed = keyed
        self.single: dict[str, Any] = {}
        self.lists: dict[str, list[Any]] = {
            "waivers": [],
            "insurance": [],
            "invoices": [],
            "subcontractors": [],
        }
        self.unreadable: list[Unreadable] = []

    def one(self, name: str, kind: DocumentKind, value: Any, document: str) -> None:
        """Take the one document of a kind."""
        if name in self.single:
            self.unreadable.append(
                unreadable(kind, Place(document=document), f"a second {kind.replace('_', ' ')}")
            )
            return
        self.single[name] = value


def read_folder(folder: Path) -> Packet:
    """Read the files of a folder; folders inside it are passed over.

    Raises:
        NotADirectoryError: it is no folder.
    """
    files: dict[str, bytes] = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            with path.open("rb") as file:
                # A byte more than is allowed is enough for the reader to refuse the file.
                files[path.name] = file.read(MAX_FILE + 1)
    return read_files(files)


def read_files(files: Mapping[str, bytes], keyed: Iterable[Keyed] = ()) -> Packet:
    """Read files by name, with what people keyed where something could not be read.

    The same files and values give the same packet.
    """
    at_spots = [each for each in keyed if each.field == AT_SPOT]
    found = _Found({(each.document, each.spot): each.value for each in at_spots})
    entries: list[FileEntry] = []
    for name in sorted(files)[:MAX_FILES]:
        data, shown = files[name], show(name, 200)
        try:
            kind = _read_one(shown, data, found)
        except UnreadableFile as error:
            kind = DocumentKind.UNKNOWN
            found.unreadable.append(unreadable(kind, Place(document=shown), str(error)))
        entries.append(FileEntry(name=shown, size=len(data), digest=digest_bytes(data), kind=kind))
    if len(files) > MAX_FILES:
        found.unreadable.append(
            unreadable(
                DocumentKind.UNKNOWN, Place(document="packet"), f"more than {MAX_FILES} files"
            )
        )
    lists = {name: tuple(values) for name, values in found.lists.items()}
    packet = Packet(
        files=tuple(entries), unreadable=tuple(found.unreadable), **lists, **found.single
    )
    return note_taken(packet, at_spots)


def _read_one(name: str, data: bytes, found: _Found) -> DocumentKind:
    lower = name.lower()
    if lower.endswith((".xlsx", ".csv")):
        return _read_sheets(name, data, found)
    if lower.endswith(".pdf"):
        return _read_pdf(name, data, found)
    raise UnreadableFile("neither XLSX, CSV nor PDF")


def _read_sheets(name: str, data: bytes, found: _Found) -> DocumentKind:
    grids = [with_keyed(each, found.keyed) for each in read_grids(name, data)]
    kind = DocumentKind.UNKNOWN
    application, trouble = read_application(grids)
    found.unreadable += trouble
    if application is not None:
        kind = DocumentKind.PAY_APPLICATION
        found.one("application", kind, application, name)
        return kind
    request, trouble = read_request(grids)
    found.unreadable += trouble
    if request is not None:
        kind = DocumentKind.DRAW_REQUEST
        found.one("request", kind, request, name)
        return kind
    subcontractors, trouble = read_subcontractors(grids)
    found.unreadable += trouble
    if subcontractors:
        found.lists["subcontractors"] += subcontractors
        return DocumentKind.SUBCONTRACTORS
    orders, trouble = read_change_orders(grids)
    found.unreadable += trouble
    if orders is not None:
        found.one("change_orders", DocumentKind.CHANGE_ORDERS, orders, name)
        return DocumentKind.CHANGE_ORDERS
    inspection, trouble = read_inspection(grids)
    found.unreadable += trouble
    if inspection is not None:
        found.one("inspection", DocumentKind.INSPECTION, inspection, name)
        return DocumentKind.INSPECTION
    raise UnreadableFile("a spreadsheet without the labels of any document of a packet")


def _read_pdf(name: str, data: bytes, found: _Found) -> DocumentKind:
    reading = read_pdf(name, data, found.keyed)
    found.unreadable += reading.unreadable
    for form in reading.found:
        if isinstance(form, Waiver):
            found.lists["waivers"].append(form)
        elif isinstance(form, Insurance):
            found.lists["insurance"].append(form)
        elif isinstance(form, Invoice):
            found.lists["invoices"].append(form)
        elif isinstance(form, Subcontractor):
            found.lists["subcontractors"].append(form)
        elif isinstance(form, DrawRequest):
            found.one("request", reading.kind, form, name)
        elif isinstance(form, Inspection):
            found.one("inspection", reading.kind, form, name)
        elif isinstance(form, Title):
            found.one("title", reading.kind, form, name)
        elif isinstance(form, Occupancy):
            found.one("occupancy", reading.kind, form, name)
        else:
            found.one("change_orders", reading.kind, form, name)
    return reading.kind
