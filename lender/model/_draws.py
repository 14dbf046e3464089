"""A draw that was disbursed: what was paid to whom, on which rows, and what came back since."""

from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from placet.model import CENT, Model, Money, digest_json

LoanId = Annotated[str, StringConstraints(pattern=r"^L-[0-9]{1,10}$")]
PayeeId = Annotated[str, StringConstraints(pattern=r"^P-[0-9]{1,10}$")]
ItemId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,15}$")]
"""A row of the schedule of values: G703's column A."""

MAX_DRAW = 9_999
"""The highest number of a draw: monthly draws of eight centuries."""

MAX_VERSION = 999_999_999_999
"""The highest version of a loan: with an analysis's digest it fits into a record's version."""

Text = Annotated[str, StringConstraints(max_length=300)]
Fraction = Annotated[Decimal, Field(ge=0, le=1, max_digits=9, decimal_places=6)]
"""A share of one: 0.10 is ten per cent."""


class ScheduleRow(Model):
    """One G703 row as it was approved: C, D, E, F, G, I."""

    item: ItemId
    scheduled_value: Money
    previous: Money
    this_period: Money
    stored: Money
    total: Money
    retainage: Money


PaymentId = Annotated[str, StringConstraints(pattern=r"^pay-[A-Za-z0-9-]{1,60}$")]


class Payment(Model):
    """One payment of a disbursement. Its id makes it count once."""

    id: PaymentId
    payee: PayeeId
    account: Text
    amount: Money


class Payments(Model):
    """A list of payments in one spelling: what people approve is its digest."""

    payments: tuple[Payment, ...]


def payments_digest(payments: tuple[Payment, ...]) -> str:
    """The digest that fixes a list of payments."""
    return digest_json(Payments(payments=payments))


def one_spelling(text: str) -> str:
    """A name or number without what nobody reads in it: capitals, and the width of its gaps."""
    return " ".join(text.lower().split())


class BilledInvoice(Model):
    """An invoice as it was billed."""

    vendor: Text
    number: Text
    amount: Money

    @property
    def spelled(self) -> "BilledInvoice":
        """The invoice in the spelling in which it is compared with others."""
        return self.model_copy(
            update={"vendor": one_spelling(self.vendor), "number": one_spelling(self.number)}
        )


class BillOfSale(Model):
    """A bill of sale as it backed stored material of a row."""

    item: ItemId
    vendor: Text
    number: Text
    amount: Money

    @property
    def spelled(self) -> BilledInvoice:
        """The bill in the spelling in which it is compared with others, whatever its row."""
        return BilledInvoice(vendor=self.vendor, number=self.number, amount=self.amount).spelled


class Claim(Model):
    """What one claimant was paid by a draw: what the next draw's unconditional waiver is for."""

    claimant: Text
    amount: Money


class LineDrawn(Model):
    """What one draw draws of a budget line that is no hard cost."""

    line: ItemId
    amount: Money


class SentAgain(Model):
    """The payment that was sent in place of one that came back, and who approved it on what."""

    payment: Payment
    approved_by: Text
    on_version: Annotated[str, StringConstraints(max_length=64)]


class CameBack(Model):
    """That a payment came back, why, and what was sent in its place since."""

    payment: PaymentId
    reason: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    noted: date
    again: SentAgain | None = None


class PriorDraw(Model):
    """A draw that was disbursed: what the next one continues.

    ``funded`` is the day it was paid; a loan that was taken in from elsewhere may not have it, nor
    ``inspected``, what the work that the inspector saw is worth, nor what was ``drawn`` of lines,
    nor the ``bills`` of sale.
    ``earned_less_retainage`` is line 6 of its certificate less what was taken off the draw.
    ``payments`` are those that it was disbursed with, ``came_back`` says which of them, and of
    those that were sent in their place, came back.
    """

    number: int = Field(ge=1, le=MAX_DRAW)
    period_to: date
    funded: date | None = None
    rows: tuple[ScheduleRow, ...]
    earned_less_retainage: Money
    payments: tuple[Payment, ...] = ()
    invoices: tuple[BilledInvoice, ...] = ()
    claims: tuple[Claim, ...] = ()
    disbursed: Money
    inspected: Money | None = None
    drawn: tuple[LineDrawn, ...] = ()
    bills: tuple[BillOfSale, ...] | None = None
    came_back: tuple[CameBack, ...] = ()

    @model_validator(mode="after")
    def _sent_again_as_it_was(self) -> "PriorDraw":
        sent = {each.id: each for each in self.payments}
        noted: set[str] = set()
        for each in self.came_back:
            before = sent.get(each.payment)
            if before is None or each.payment in noted:
                raise ValueError(f"came_back: {each.payment} was not sent, or stands twice")
            noted.add(each.payment)
            if each.again is None:
                continue
            again = each.again.payment
            if again.id in sent or (again.payee, again.amount) != (before.payee, before.amount):
                raise ValueError(f"came_back: {again.id} is not {before.id}, sent again")
            sent[again.id] = again
        return self

    def sent(self, payment: str) -> Payment | None:
        """The payment of that id as it was sent, with the draw or in another's place."""
        again = (each.again.payment for each in self.came_back if each.again is not None)
        return next((each for each in (*self.payments, *again) if each.id == payment), None)


def to_cents(value: Decimal) -> Decimal:
    """Round to whole cents, half up, as the forms do."""
    return value.quantize(CENT, rounding="ROUND_HALF_UP")
