"""Loan files that people bring, and a packet's checks with nothing running.

A loan file is JSON (the model ``LoanFile``), XLSX or CSV. Errors name the sheet and cell, the row,
or the member, all of them at once.
"""

import json
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from activities._loan_sheets import LoanSheets, Places
from activities.checks import analyse
from activities.packet import read_folder
from activities.packet._grids import MAX_FILE, UnreadableFile, read_grids
from activities.packet._values import show
from lender.model import Analysis, BilledInvoice, InvoiceMatch, LoanFile, Packet
from placet.model import Place, plain_error

_SHOWN = 20  # problems told at once; a file with more has one cause


class LoanFileError(ValueError):
    """A loan file can't be taken; ``problems`` says why, each with its place."""

    def __init__(self, file: str, problems: tuple[str, ...]) -> None:
        self.problems = problems
        more = len(problems) - _SHOWN
        lines = [*problems[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]
        super().__init__(f"{file}: " + "; ".join(lines))


def load_loan_file(path: Path) -> LoanFile:
    """Read a loan file: ``.json``, ``.xlsx`` or ``.csv``.

    Raises:
        LoanFileError: it can't be read, something is missing, or it does not hang together.
        OSError: the file is not there.
    """
    name = show(path.name, 200)
    if path.stat().st_size > MAX_FILE:
        raise LoanFileError(name, (f"larger than {MAX_FILE // 1024 // 1024} MB",))
    data = path.read_bytes()
    match path.suffix.lower():
        case ".json":
            return _from_json(name, data)
        case ".xlsx" | ".csv":
            return _from_sheets(name, data)
        case _:
            raise LoanFileError(name, ("a loan file is JSON, XLSX or CSV",))


def _from_json(name: str, data: bytes) -> LoanFile:
    try:
        found = json.loads(data, object_pairs_hook=_once)
        return LoanFile.model_validate_json(json.dumps(found))
    except ValidationError as error:
        raise LoanFileError(name, _problems(error, {})) from None
    except (ValueError, RecursionError) as error:
        raise LoanFileError(name, (f"no JSON: {show(error)}",)) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for member, value in pairs:
        if member in found:
            raise ValueError(f"the member {show(member, 40)!r} stands twice")
        found[member] = value
    return found


def _from_sheets(name: str, data: bytes) -> LoanFile:
    try:
        grids = list(read_grids(name, data))
    except UnreadableFile as error:
        raise LoanFileError(name, (str(error),)) from None
    if not grids:
        raise LoanFileError(name, ("the workbook has no visible sheet",))
    sheets = LoanSheets(grids)
    found = sheets.read()
    trouble = tuple(f"{_spot(each.place)}{each.what}" for each in sheets.reading.unreadable)
    if trouble:
        raise LoanFileError(name, trouble)
    try:
        return LoanFile.model_validate(found)
    except ValidationError as error:
        raise LoanFileError(name, _problems(error, sheets.places)) from None


def _spot(place: Place) -> str:
    return f"{show(place.spot)}: " if place.spot else ""


def _problems(error: ValidationError, places: Places) -> tuple[str, ...]:
    found = []
    for each in error.errors(include_url=False, include_context=False):
        loc = each["loc"]
        member = ".".join(str(part) for part in loc)
        near = next((places[loc[:n]] for n in range(len(loc), 0, -1) if loc[:n] in places), None)
        where = f"{_spot(near) if near else ''}{show(member)}"
        said = show(plain_error(each["msg"]))
        found.append(f"{where}: {said}" if where else said)
    return tuple(found)


def check_folder(folder: Path, loan: LoanFile, today: date, draw: int | None = None) -> Analysis:
    """The analysis of a packet's folder alone: no service runs, nothing is sent anywhere.

    What only other systems know is not known: each payee counts as not screened, and invoices
    are compared with the earlier draws of this loan alone.

    Raises:
        NotADirectoryError: there is no such folder.
    """
    return check_packet(read_folder(folder), loan, today, draw)


def check_packet(packet: Packet, loan: LoanFile, today: date, draw: int | None = None) -> Analysis:
    """The same for a packet that was read already."""
    number = loan.next_draw if draw is None else draw
    return analyse(packet, loan, number, (), _own(packet, loan), today)


def _own(packet: Packet, loan: LoanFile) -> tuple[InvoiceMatch, ...]:
    billed = {each.spelled for draw in loan.prior_draws for each in draw.invoices}
    asked = {
        (each.vendor.value, each.number.value, each.amount.value)
        for each in packet.invoices
        if not each.bill_of_sale
    }
    return tuple(
        InvoiceMatch(**one.model_dump(), billed_before=one.spelled in billed)
        for v, n, a in sorted(asked)
        for one in (BilledInvoice(vendor=v, number=n, amount=a),)
    )
