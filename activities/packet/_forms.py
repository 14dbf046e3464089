"""Reading the documents that come as PDFs, by their titles and labels."""

import re
from dataclasses import replace
from decimal import Decimal
from functools import partial

from activities.packet._form_reading import FormReading
from activities.packet._pdf import PdfDocument
from activities.packet._title import read_title
from activities.packet._values import (
    is_bare_above_one,
    read_complete,
    read_date,
    read_item,
    read_money,
    read_text,
    show,
)
from activities.packet._waiver import read_waiver
from lender.model import (
    DocumentKind,
    InspectedRow,
    Inspection,
    Insurance,
    InsuranceKind,
    Invoice,
    LoggedChangeOrder,
    Occupancy,
    Read,
    Title,
    Unreadable,
    Waiver,
    WaiverKind,
)

Form = Waiver | Inspection | Title | Insurance | Invoice | Occupancy | tuple[LoggedChangeOrder, ...]

# Civil Code 8132, 8134, 8136 and 8138 prescribe these titles; "unconditional" contains the other.
_WAIVERS = (
    (r"\bunconditional waiver and release on progress payment", WaiverKind.UNCONDITIONAL_PROGRESS),
    (r"\bunconditional waiver and release on final payment", WaiverKind.UNCONDITIONAL_FINAL),
    (r"\bconditional waiver and release on progress payment", WaiverKind.CONDITIONAL_PROGRESS),
    (r"\bconditional waiver and release on final payment", WaiverKind.CONDITIONAL_FINAL),
)
_ITEM = re.compile(r"item ([a-z0-9 ]{1,20})")


def read_form(document: PdfDocument) -> tuple[DocumentKind, Form | None, list[Unreadable]]:
    """What a PDF is, and what it says."""
    title = document.title
    for pattern, kind in _WAIVERS:
        if re.search(pattern, title):
            reading = FormReading(DocumentKind.WAIVER, document)
            return _done((reading, read_waiver(reading, kind)))
    for pattern, kind_of, read in (
        (r"inspection report", DocumentKind.INSPECTION, _inspection),
        (r"title date ?down", DocumentKind.TITLE, _title),
        (r"certificate of .*insurance", DocumentKind.INSURANCE, _insurance),
        (r"change order log", DocumentKind.CHANGE_ORDERS, _change_orders),
        (r"certificate of occupancy", DocumentKind.OCCUPANCY, _occupancy),
        (r"bill of sale", DocumentKind.INVOICE, _bill_of_sale),
        (r"invoice", DocumentKind.INVOICE, _invoice),
    ):
        if re.search(pattern, title):
            return _done(read(FormReading(kind_of, document)))
    return DocumentKind.UNKNOWN, None, []


def _done(
    read: tuple[FormReading, Form | None],
) -> tuple[DocumentKind, Form | None, list[Unreadable]]:
    return read[0].kind, read[1], read[0].unreadable


def _inspection(reading: FormReading) -> tuple[FormReading, Inspection]:
    rows = []
    told = [(f, m) for f in reading.document.fields if f.value and (m := _ITEM.fullmatch(f.label))]
    hundreds = any(is_bare_above_one(field.value) for field, _ in told)
    parse_share = partial(read_complete, bare=not hundreds)
    for field, found in told:
        complete: Read[Decimal] | None = reading.field(
            field, f"inspection, item {found[1]}", parse_share
        )
        shown = field.place.spot.rpartition("tem")[2].strip(" _") or found[1]
        try:
            item: Read[str] = Read(value=read_item(shown), place=field.place)
        except ValueError as error:
            reading.name(field.place, f"inspection: {error}")
            continue
        if complete is not None:
            rows.append(InspectedRow(item=item, complete=complete))
    return reading, Inspection(
        visited=reading.required(r"date of visit", "inspection, date of visit", read_date),
        inspector=reading.required(r"inspector", "inspection, inspector", read_text),
        rows=tuple(rows),
    )


def _title(reading: FormReading) -> tuple[FormReading, Title]:
    return reading, read_title(reading)


def _occupancy(reading: FormReading) -> tuple[FormReading, Occupancy]:
    return reading, Occupancy(
        issued=reading.required(r"date issued|issued(?: on)?", "occupancy, date issued", read_date),
        job_location=reading.value(r"job location|address", "occupancy, address", read_text),
    )


def _insurance(reading: FormReading) -> tuple[FormReading, Insurance | None]:
    kind = reading.required(r"kind(?: of insurance)?", "insurance, kind", _insurance_kind)
    if kind is None:
        return reading, None
    return reading, Insurance(
        kind=kind,
        carrier=reading.required(r"carrier", "insurance, carrier", read_text),
        expires=reading.required(r"expiration date|expires", "insurance, expiration", read_date),
    )


def _insurance_kind(value: object) -> InsuranceKind:
    text = re.sub(r"[^a-z]+", " ", str(value).lower()).strip()
    if text in {"builder s risk", "builders risk"}:
        return InsuranceKind.BUILDERS_RISK
    if text in {"general liability", "commercial general liability"}:
        return InsuranceKind.GENERAL_LIABILITY
    raise ValueError("neither builder's risk nor general liability")


def _change_orders(reading: FormReading) -> tuple[FormReading, tuple[LoggedChangeOrder, ...]]:
    found = []
    for field in reading.document.fields:
        if not field.label.startswith("change order ") or not field.value:
            continue
        amount_text, _, approver = field.value.partition("; approved by ")
        amount = reading.field(
            replace(field, value=amount_text), "change order, amount", read_money
        )
        spot = field.place.spot
        number: Read[str] = Read(
            value=spot.rpartition("rder ")[2].strip() or field.label, place=field.place
        )
        approved: Read[str] | None = (
            Read(value=show(approver), place=field.place) if approver else None
        )
        if amount is not None:
            found.append(LoggedChangeOrder(number=number, amount=amount, approved_by=approved))
    return reading, tuple(found)


def _invoice(reading: FormReading) -> tuple[FormReading, Invoice | None]:
    return _bill(reading, bill_of_sale=False)


def _bill_of_sale(reading: FormReading) -> tuple[FormReading, Invoice | None]:
    return _bill(reading, bill_of_sale=True)


def _bill(reading: FormReading, *, bill_of_sale: bool) -> tuple[FormReading, Invoice | None]:
    vendor = reading.required(r"vendor|seller", "invoice, vendor", read_text)
    number = reading.required(r"(?:invoice )?number", "invoice, number", read_text)
    amount = reading.required(r"amount(?: due)?", "invoice, amount", read_money)
    if vendor is None or number is None or amount is None:
        return reading, None
    return reading, Invoice(
        vendor=vendor,
        number=number,
        amount=amount,
        item=reading.value(r"(?:schedule )?item", "invoice, item", read_item),
        dated=reading.value(r"date", "invoice, date", read_date),
        bill_of_sale=bill_of_sale,
    )
