"""What the analysis of a draw says: every check's result, and what is recommended."""

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from lender.model._draws import (
    MAX_DRAW,
    MAX_VERSION,
    BilledInvoice,
    BillOfSale,
    Claim,
    ItemId,
    LineDrawn,
    LoanId,
    PayeeId,
    Payment,
    ScheduleRow,
    Text,
)
from lender.model._loan import InsuranceKind
from placet.model import CheckResult, Digest, Finding, Model, Money, Principal, digest_json


class Standing(StrEnum):
    """How a payee stands with compliance, the worst first."""

    HIT = "hit"
    UNKNOWN = "unknown"
    UNLICENSED = "unlicensed"
    CLEAR = "clear"


class PayeeStanding(Model):
    """How one payee stands."""

    payee: PayeeId
    standing: Standing

    @property
    def named(self) -> str:
        """As a fact spells it: ``P-100:clear``."""
        return f"{self.payee}:{self.standing.value}"

    @property
    def at_least(self) -> list[str]:
        """This and each worse standing of the payee, so that policy can compare sets."""
        order = list(Standing)
        return [f"{self.payee}:{each.value}" for each in order[: order.index(self.standing) + 1]]


class Screening(Model):
    """What the compliance database says of one payee."""

    payee: PayeeId
    status: Annotated[str, StringConstraints(pattern=r"^(?:clear|hit|unknown)$")]
    licensed: bool
    list_version: Text

    @property
    def standing(self) -> Standing:
        """The standing, of which a licence is part."""
        found = Standing(self.status)
        return Standing.UNLICENSED if found is Standing.CLEAR and not self.licensed else found


class InvoiceMatch(Model):
    """Whether an invoice was billed before, in any loan; nothing else is told."""

    vendor: Text
    number: Text
    amount: Money
    billed_before: bool


class Adjustment(Model):
    """What is taken off one row, and why; ``by`` is the person who did, if no check did."""

    item: ItemId
    amount: Money
    reason: Text
    by: Principal | None = None


class Cover(Model):
    """Through which day the packet's certificates and the insurer's notices say cover lasts.

    ``certified`` is what the certificates alone say: a notice may be withdrawn.
    """

    kind: InsuranceKind
    through: date | None = None
    certified: date | None = None


class Basis(Model):
    """What findings rest on that are looked at again before paying.

    ``screened`` is how those who are paid stood; an analysis of an older version has none.
    """

    screened: tuple[PayeeStanding, ...] | None = None
    title_effective: date | None = None
    cover: tuple[Cover, ...] = ()
    cost_to_complete: Money | None = None
    sources: Money

    def cover_of(self, kind: InsuranceKind) -> Cover:
        """Through which day cover of this kind lasts, as far as the analysis knew."""
        return next((each for each in self.cover if each.kind is kind), Cover(kind=kind))


class Analysis(Model):
    """The analysis of one draw. The same inputs give the same bytes.

    ``as_of`` is the day that its checks took for the day of funding, in UTC; ``inspected_by`` whom
    the inspection report names as its inspector, ``inspected`` what the work they saw is worth.
    """

    as_of: date
    loan: LoanId
    draw: int = Field(ge=1, le=MAX_DRAW)
    loan_version: int = Field(ge=1, le=MAX_VERSION)
    packet: Digest
    results: tuple[CheckResult, ...]
    requested: Money
    recommended: Money
    adjustments: tuple[Adjustment, ...] = ()
    payments: tuple[Payment, ...] = ()
    invoices: tuple[BilledInvoice, ...] = ()
    claims: tuple[Claim, ...] = ()
    period_to: date | None = None
    rows: tuple[ScheduleRow, ...] = ()
    earned_less_retainage: Money | None = None
    basis: Basis
    inspected_by: Text | None = None
    inspected: Money | None = None
    drawn: tuple[LineDrawn, ...] = ()
    bills: tuple[BillOfSale, ...] | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, in the order of the checks."""
        return tuple(finding for result in self.results for finding in result.findings)

    @property
    def screened(self) -> tuple[PayeeStanding, ...]:
        """How those whom it pays stood; they were clear where an older version does not say it."""
        stood = {each.payee: each for each in self.basis.screened or ()}
        return tuple(
            stood.get(payee, PayeeStanding(payee=payee, standing=Standing.CLEAR))
            for payee in sorted({each.payee for each in self.payments})
        )

    @property
    def version(self) -> str:
        """The state of the draw that people approve: this analysis, of this state of the loan."""
        return draw_version(self.loan_version, digest_json(self))


def draw_version(loan_version: int, analysis: Digest) -> str:
    """How loan servicing names the state of a draw: its loan's version, and its analysis.

    A grant's ``record_version`` fixes it, so an analysis written after the approval stops the
    payment as a changed loan does.
    """
    return f"{loan_version}.{analysis}"
