"""A loan as the loan servicing system knows it: budget, schedule of values, what was drawn."""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, NamedTuple

from pydantic import Field, StringConstraints, model_validator

from lender.model._draws import (
    MAX_VERSION,
    BilledInvoice,
    Fraction,
    ItemId,
    LoanId,
    PayeeId,
    PriorDraw,
    Text,
)
from placet.model import Model, Money, Principal


class LoanStatus(StrEnum):
    """Where a loan stands."""

    OPEN = "open"
    MATURED = "matured"
    DEFAULT = "default"
    CLOSED = "closed"


class Category(StrEnum):
    """What a budget line is for."""

    LAND = "land"
    HARD_COST = "hard_cost"
    SOFT_COST = "soft_cost"
    INTEREST_RESERVE = "interest_reserve"
    CONTINGENCY = "contingency"


class BudgetLine(Model):
    """One line of the approved loan budget. No agent ever changes one."""

    id: ItemId
    category: Category
    description: Text
    amount: Money


class ScheduleLine(Model):
    """One row of the schedule of values, tied to the hard-cost line of the budget it backs."""

    item: ItemId
    description: Text
    scheduled_value: Money
    budget_line: ItemId


class ChangeOrder(Model):
    """A change order; it counts if someone approved it."""

    number: Text
    item: ItemId
    amount: Money
    approved_by: Text | None = None
    approved_on: date | None = None


class Reallocation(Model):
    """An approved move of scheduled value between two rows."""

    from_item: ItemId
    to_item: ItemId
    amount: Money
    approved_by: Text


class Payee(Model):
    """Someone the loan pays. ``account`` is a reference; the number stays at the bank."""

    id: PayeeId
    name: Text
    role: Annotated[str, StringConstraints(pattern=r"^(?:contractor|subcontractor|supplier)$")]
    account: Text
    account_changed_on: date | None = None
    licence: Text | None = None


class Retainage(Model):
    """What the loan agreement holds back. Above ``step_down_at`` complete the lower rate holds."""

    work_rate: Fraction
    stored_rate: Fraction
    step_down_at: Fraction | None = None
    step_down_rate: Fraction | None = None
    statutory_cap: Fraction | None = None


class Terms(Model):
    """What the loan agreement asks of a draw."""

    retainage: Retainage
    stored_material_cap: Money
    inspection_tolerance: Fraction = Decimal("0.02")
    inspection_window_days: int = Field(default=15, ge=0, le=366)
    title_window_days: int = Field(default=30, ge=0, le=366)
    waiver_threshold: Money = Decimal("5000.00")


class InsuranceKind(StrEnum):
    """The two kinds that a draw needs."""

    BUILDERS_RISK = "builders_risk"
    GENERAL_LIABILITY = "general_liability"


class Lien(Model):
    """A lien that was recorded against the property, and not released yet."""

    reference: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")]
    recorded: date


class CoverNotice(Model):
    """What an insurer has told the lender: cover ends, whatever a certificate says."""

    kind: InsuranceKind
    ends: date


class Material(NamedTuple):
    """Which bills of sale earlier draws had; what lies there by row, and what they still cover.

    A bill covers material once: what rose by it and was built in since is not covered again. What
    lies there without a bill counts against the row's next ones.
    """

    known: frozenset[BilledInvoice]
    stored: dict[str, Decimal]
    spare: dict[str, Decimal]


class LoanFile(Model):
    """Everything known of a loan. ``version`` rises with each change of what was agreed.

    What moves in between, ``equity_in``, ``deposits``, ``liens`` and ``notices``, is compared just
    before paying with what the approved analysis rests on: only a worse answer stops the payment.
    ``holds`` is how many holds the servicing system itself has on it, which no file brings.
    """

    loan_id: LoanId
    version: int = Field(default=1, ge=1, le=MAX_VERSION)
    borrower: Text
    project: Text
    job_location: Text
    owner: Text
    state: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    contractor: PayeeId
    granted_by: tuple[Principal, ...] = Field(min_length=1)
    commitment: Money
    disbursed: Money = Decimal("0.00")
    required_equity: Money
    equity_in: Money
    deposits: Money = Decimal("0.00")
    status: LoanStatus = LoanStatus.OPEN
    holds: int = Field(default=0, ge=0)
    maturity: date
    terms: Terms
    budget: tuple[BudgetLine, ...] = Field(min_length=1)
    schedule: tuple[ScheduleLine, ...] = Field(min_length=1)
    change_orders: tuple[ChangeOrder, ...] = ()
    reallocations: tuple[Reallocation, ...] = ()
    payees: tuple[Payee, ...] = Field(min_length=1)
    prior_draws: tuple[PriorDraw, ...] = ()
    liens: tuple[Lien, ...] = ()
    notices: tuple[CoverNotice, ...] = ()

    @model_validator(mode="after")
    def _hangs_together(self) -> "LoanFile":
        lines = {line.id for line in self.budget if line.category is Category.HARD_COST}
        items = [row.item for row in self.schedule]
        payees = {payee.id for payee in self.payees}
        if len(set(items)) != len(items):
            raise ValueError("schedule: an item stands twice")
        for row in self.schedule:
            if row.budget_line not in lines:
                raise ValueError(
                    f"schedule: item {row.item} backs {row.budget_line}, no hard-cost line"
                )
        if self.contractor not in payees:
            raise ValueError("contractor: must be one of the payees")
        if self.disbursed > self.commitment:
            raise ValueError("disbursed: more than the commitment")
        if [draw.number for draw in self.prior_draws] != list(range(1, len(self.prior_draws) + 1)):
            raise ValueError("prior_draws: must be numbered from 1 without a gap")
        if len({lien.reference for lien in self.liens}) != len(self.liens):
            raise ValueError("liens: a reference stands twice")
        if len({notice.kind for notice in self.notices}) != len(self.notices):
            raise ValueError("notices: a kind of insurance stands twice")
        return self

    @property
    def material(self) -> "Material":
        """What is known of material that was stored, through the last draw."""
        known: set[BilledInvoice] = set()
        stored: dict[str, Decimal] = {}
        spare: dict[str, Decimal] = {}
        zero = Decimal("0.00")
        for draw in self.prior_draws:
            for bill in draw.bills or ():
                if bill.spelled not in known:
                    spare[bill.item] = spare.get(bill.item, zero) + bill.amount
                known.add(bill.spelled)
            for row in draw.rows if draw.bills is not None else ():
                rise = max(row.stored - stored.get(row.item, zero), zero)
                spare[row.item] = max(spare.get(row.item, zero) - rise, -row.stored)
            stored = {row.item: row.stored for row in draw.rows}
        return Material(frozenset(known), stored, spare)

    @property
    def undisbursed(self) -> Decimal:
        """What is left of the commitment."""
        return self.commitment - self.disbursed

    @property
    def sources(self) -> Decimal:
        """What there is to complete the project with: loan, equity and deposits."""
        return self.undisbursed + self.equity_in + self.deposits

    @property
    def next_draw(self) -> int:
        """The number of the next draw."""
        return len(self.prior_draws) + 1

    @property
    def last_draw(self) -> PriorDraw | None:
        """The last draw that was disbursed."""
        return self.prior_draws[-1] if self.prior_draws else None

    @property
    def approved_values(self) -> dict[str, Decimal]:
        """The value of each row: as agreed, with approved change orders and reallocations."""
        zero = Decimal("0.00")
        values = {line.item: line.scheduled_value for line in self.schedule}
        for order in self.change_orders:
            if order.approved_by:
                values[order.item] = values.get(order.item, zero) + order.amount
        for move in self.reallocations:
            values[move.from_item] = values.get(move.from_item, zero) - move.amount
            values[move.to_item] = values.get(move.to_item, zero) + move.amount
        return values

    @property
    def billed_to_date(self) -> dict[str, Decimal]:
        """What each row was billed through the last draw: work completed and material stored."""
        return {row.item: row.total for row in self.last_draw.rows} if self.last_draw else {}

    def drawn_of(self, line: str) -> Decimal:
        """What earlier draws drew of a budget line that is no hard cost, as far as is known."""
        drawn = (each for draw in self.prior_draws for each in draw.drawn)
        return sum((each.amount for each in drawn if each.line == line), Decimal("0.00"))

    @property
    def hard_cost_budget(self) -> Decimal:
        """The sum of the hard-cost lines."""
        amounts = (line.amount for line in self.budget if line.category is Category.HARD_COST)
        return sum(amounts, Decimal("0.00"))

    def cover_ends(self, kind: InsuranceKind) -> date | None:
        """When an insurer said that cover of this kind ends, or ``None``."""
        return next((each.ends for each in self.notices if each.kind is kind), None)

    def payee(self, payee: str) -> Payee | None:
        """The payee of that id, or ``None``."""
        return next((each for each in self.payees if each.id == payee), None)
