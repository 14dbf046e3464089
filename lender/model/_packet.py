"""A packet as it was read: each value with the place it came from, and what could not be read."""

import re
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Generic, TypeVar

from pydantic import Field, StringConstraints

from lender.model._by_people import KeyedNote
from lender.model._draws import ItemId, Text
from lender.model._loan import InsuranceKind
from placet.model import Digest, Model, Money, Place, digest_json

T = TypeVar("T")
_NONE = re.compile(
    r"none(?: found| noted| of record)?|"
    r"no (?:liens?|exceptions?)(?: (?:or|nor|and) (?:liens?|exceptions?))?"
    r"(?: (?:found|noted|of record))?"
)


class Read(Model, Generic[T]):
    """A value that was read, and where."""

    value: T
    place: Place


class DocumentKind(StrEnum):
    """What a file of a packet is."""

    PAY_APPLICATION = "pay_application"
    DRAW_REQUEST = "draw_request"
    SUBCONTRACTORS = "subcontractors"
    WAIVER = "waiver"
    INSPECTION = "inspection"
    CHANGE_ORDERS = "change_orders"
    TITLE = "title"
    INSURANCE = "insurance"
    INVOICE = "invoice"
    OCCUPANCY = "occupancy"
    UNKNOWN = "unknown"


class FileEntry(Model):
    """One file of the packet."""

    name: Text
    size: int = Field(ge=0)
    digest: Digest
    kind: DocumentKind


class Unreadable(Model):
    """What could not be read with certainty: never guessed, always a finding."""

    kind: DocumentKind
    place: Place
    what: Annotated[str, StringConstraints(max_length=500)]


class Summary(Model):
    """The G702's nine lines; what was not found is absent, and named in ``unreadable``."""

    original_contract: Read[Money] | None = None
    change_orders: Read[Money] | None = None
    contract_to_date: Read[Money] | None = None
    completed_and_stored: Read[Money] | None = None
    retainage_work: Read[Money] | None = None
    retainage_stored: Read[Money] | None = None
    retainage: Read[Money] | None = None
    earned_less_retainage: Read[Money] | None = None
    previous_certificates: Read[Money] | None = None
    current_payment: Read[Money] | None = None
    balance_to_finish: Read[Money] | None = None


class Row(Model):
    """One G703 row: columns A to I. ``percent`` is the text shown, such as ``43.5%``."""

    item: Read[ItemId]
    description: Read[Text]
    scheduled_value: Read[Money]
    previous: Read[Money]
    this_period: Read[Money]
    stored: Read[Money]
    total: Read[Money]
    percent: Read[Decimal] | None = None
    percent_places: int = 0
    balance: Read[Money] | None = None
    retainage: Read[Money] | None = None


class PayApplication(Model):
    """The application and certificate for payment with its continuation sheet.

    ``unread`` are the items of rows that stand there and could not be read whole, ``?`` of one
    whose item could not.
    """

    application: Read[int] | None = None
    period_to: Read[date] | None = None
    contractor_signed: Read[date] | None = None
    architect_signed: Read[date] | None = None
    amount_certified: Read[Money] | None = None
    final: bool = False
    summary: Summary = Summary()
    rows: tuple[Row, ...] = ()
    totals: Row | None = None
    unread: tuple[Text, ...] = ()

    @property
    def lacking(self) -> tuple[str, ...]:
        """The items of rows that nobody has read or keyed: no sum of the rows is known."""
        there = {row.item.value for row in self.rows}
        return tuple(item for item in self.unread if item not in there)

    def may_have(self, item: str) -> bool:
        """Whether a row that was not read may be the item's."""
        return item in self.lacking or "?" in self.lacking


class RequestLine(Model):
    """What the borrower asks of one line of the loan budget."""

    line: Read[ItemId]
    amount: Read[Money]


class RequestPayee(Model):
    """Whom the borrower wants paid."""

    payee: Read[Text]
    amount: Read[Money]


class DrawRequest(Model):
    """The borrower's draw request."""

    draw: Read[int] | None = None
    signed: Read[date] | None = None
    total: Read[Money] | None = None
    lines: tuple[RequestLine, ...] = ()
    payees: tuple[RequestPayee, ...] = ()


class Subcontractor(Model):
    """One line of the subcontractor list."""

    name: Read[Text]
    contract: Read[Money]
    paid: Read[Money]
    due: Read[Money]


class WaiverKind(StrEnum):
    """California's four statutory forms (Civil Code 8132, 8134, 8136, 8138)."""

    CONDITIONAL_PROGRESS = "8132"
    UNCONDITIONAL_PROGRESS = "8134"
    CONDITIONAL_FINAL = "8136"
    UNCONDITIONAL_FINAL = "8138"


class Waiver(Model):
    """One waiver and release. Final forms have no through date."""

    kind: Read[WaiverKind]
    claimant: Read[Text]
    customer: Read[Text] | None = None
    job_location: Read[Text] | None = None
    owner: Read[Text] | None = None
    through: Read[date] | None = None
    amount: Read[Money] | None = None
    exceptions: Read[Text] | None = None
    signed: Read[date] | None = None


class InspectedRow(Model):
    """What the inspector saw of one row, as a share of one."""

    item: Read[ItemId]
    complete: Read[Decimal]


class Inspection(Model):
    """The inspection report."""

    visited: Read[date] | None = None
    inspector: Read[Text] | None = None
    rows: tuple[InspectedRow, ...] = ()


class LoggedChangeOrder(Model):
    """One line of the change-order log."""

    number: Read[Text]
    amount: Read[Money]
    approved_by: Read[Text] | None = None


class Title(Model):
    """The title date-down; ``on_exceptions`` is the first thing that it says of any, ``none`` too.

    One that says nothing of them, or nothing below a heading, is not one without: there it is
    absent.
    """

    effective: Read[date] | None = None
    exceptions: tuple[Read[Text], ...] = ()
    on_exceptions: Read[Text] | None = None


class Insurance(Model):
    """One insurance certificate."""

    kind: Read[InsuranceKind]
    carrier: Read[Text] | None = None
    expires: Read[date] | None = None


class Invoice(Model):
    """An invoice, or a bill of sale for stored material."""

    vendor: Read[Text]
    number: Read[Text]
    amount: Read[Money]
    item: Read[ItemId] | None = None
    dated: Read[date] | None = None
    bill_of_sale: bool = False


def says_none(text: str) -> bool:
    """Whether a document's word on liens or exceptions is that there are none."""
    return _NONE.fullmatch(" ".join(text.lower().split()).rstrip(".")) is not None


class Occupancy(Model):
    """The certificate of occupancy, which the final draw asks for."""

    issued: Read[date] | None = None
    job_location: Read[Text] | None = None


class Packet(Model):
    """Everything that was read of a folder."""

    files: tuple[FileEntry, ...] = ()
    application: PayApplication | None = None
    request: DrawRequest | None = None
    subcontractors: tuple[Subcontractor, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    inspection: Inspection | None = None
    change_orders: tuple[LoggedChangeOrder, ...] | None = None
    title: Title | None = None
    insurance: tuple[Insurance, ...] = ()
    invoices: tuple[Invoice, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    occupancy: Occupancy | None = None
    keyed: tuple[KeyedNote, ...] = ()


def packet_digest(packet: Packet) -> Digest:
    """The digest that fixes a packet's files; what people key changes none."""
    return digest_json([each.model_dump(mode="json") for each in packet.files])
