"""A draw as it is planned: everything that its packet will say, before it is written to files.

Made from a loan file alone, so that several draws in sequence continue each other to the cent.
Deterministic: the same loan, number and share give the same plan.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from lender.model import Category, LoanFile, WaiverKind, to_cents

ZERO = Decimal("0.00")


@dataclass
class PlannedRow:
    """One G703 row."""

    item: str
    description: str
    scheduled_value: Decimal
    previous: Decimal
    this_period: Decimal
    stored: Decimal
    total: Decimal
    retainage: Decimal
    inspected: Decimal


@dataclass
class PlannedWaiver:
    """One waiver."""

    kind: WaiverKind
    claimant: str
    amount: Decimal
    through: date
    signed: date | None
    job_location: str
    owner: str
    exceptions: str = "None"


@dataclass
class PlannedBill:
    """An invoice or a bill of sale."""

    vendor: str
    number: str
    amount: Decimal
    item: str
    dated: date
    bill_of_sale: bool = False


@dataclass
class DrawPlan:
    """A whole packet."""

    loan: LoanFile
    draw: int
    period_to: date
    rows: list[PlannedRow]
    summary: dict[str, Decimal]
    certified: Decimal
    contractor_signed: date | None
    architect_signed: date | None
    request_draw: int
    request_lines: list[tuple[str, Decimal]]
    request_payees: list[tuple[str, Decimal]]
    request_total: Decimal
    subcontractors: list[tuple[str, Decimal, Decimal, Decimal]]
    waivers: list[PlannedWaiver]
    visited: date
    title_effective: date
    bills: list[PlannedBill]
    change_orders: list[tuple[str, Decimal, str]]
    insurance: dict[str, date]
    title_exceptions: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def plan_draw(
    loan: LoanFile, period_to: date, share: Decimal, soft: Decimal, stored_items: int = 1
) -> DrawPlan:
    """Plan a correct packet for a loan's next draw.

    Args:
        loan: the loan as it is before the draw.
        period_to: the end of the period.
        share: how much of each row's rest is built in this period.
        soft: what is asked of the first soft-cost line, for its supplier.
        stored_items: how many rows have material stored on site.
    """
    rows = _rows(loan, share, stored_items)
    summary = summarise(loan, rows)
    due = summary["current_payment"]
    contractor = loan.payee(loan.contractor)
    supplier = next((each for each in loan.payees if each.role == "supplier"), None)
    assert contractor is not None
    payees = [(contractor.name, due)]
    lines = _hard_lines(loan, rows, due)
    bills = []
    if soft and supplier is not None:
        line = next(each for each in loan.budget if each.category is Category.SOFT_COST)
        lines.append((line.id, soft))
        payees.append((supplier.name, soft))
        number = f"INV-{loan.loan_id}-{loan.next_draw}"
        bills.append(PlannedBill(supplier.name, number, soft, rows[0].item, period_to))
    bills += [
        PlannedBill(
            "Bay Building Supply",
            f"BS-{loan.next_draw}-{row.item}",
            row.stored,
            row.item,
            period_to,
            bill_of_sale=True,
        )
        for row in rows
        if row.stored
    ]
    subcontractors = _subcontractors(loan, due)
    return DrawPlan(
        loan=loan,
        draw=loan.next_draw,
        period_to=period_to,
        rows=rows,
        summary=summary,
        certified=due,
        contractor_signed=period_to + timedelta(days=1),
        architect_signed=period_to + timedelta(days=2),
        request_draw=loan.next_draw,
        request_lines=lines,
        request_payees=payees,
        request_total=due + soft,
        subcontractors=subcontractors,
        waivers=_waivers(loan, contractor.name, due, subcontractors, period_to),
        visited=period_to + timedelta(days=2),
        title_effective=period_to + timedelta(days=4),
        bills=bills,
        change_orders=[
            (order.number, order.amount, order.approved_by or "") for order in loan.change_orders
        ],
        insurance={
            "Builder's risk": period_to + timedelta(days=200),
            "General liability": period_to + timedelta(days=200),
        },
    )


def _rows(loan: LoanFile, share: Decimal, stored_items: int) -> list[PlannedRow]:
    before = {row.item: row for row in loan.last_draw.rows} if loan.last_draw else {}
    terms = loan.terms.retainage
    expected = loan.approved_values
    rows = []
    for number, line in enumerate(loan.schedule):
        old = before.get(line.item)
        value = expected[line.item]
        previous = old.previous + old.this_period if old else ZERO
        stored = old.stored if old else ZERO
        built = to_cents((value - previous - stored) * share) + stored
        new_stored = to_cents((value - previous - built) * Decimal("0.05"))
        new_stored = new_stored if number < stored_items else ZERO
        worked = previous + built
        rows.append(
            PlannedRow(
                item=line.item,
                description=line.description,
                scheduled_value=value,
                previous=previous,
                this_period=built,
                stored=new_stored,
                total=worked + new_stored,
                retainage=to_cents(terms.work_rate * worked)
                + to_cents(terms.stored_rate * new_stored),
                inspected=(worked / value).quantize(Decimal("0.0001"), rounding="ROUND_UP"),
            )
        )
    return rows


def summarise(loan: LoanFile, rows: list[PlannedRow]) -> dict[str, Decimal]:
    """The G702's lines for these rows."""
    orders = sum((o.amount for o in loan.change_orders if o.approved_by), ZERO)
    contract = sum((row.scheduled_value for row in rows), ZERO)
    completed = sum((row.total for row in rows), ZERO)
    held_stored = sum(
        (to_cents(loan.terms.retainage.stored_rate * row.stored) for row in rows), ZERO
    )
    held = sum((row.retainage for row in rows), ZERO)
    previous = loan.last_draw.earned_less_retainage if loan.last_draw else ZERO
    return {
        "original_contract": contract - orders,
        "change_orders": orders,
        "contract_to_date": contract,
        "completed_and_stored": completed,
        "retainage_work": held - held_stored,
        "retainage_stored": held_stored,
        "retainage": held,
        "earned_less_retainage": completed - held,
        "previous_certificates": previous,
        "current_payment": completed - held - previous,
        "balance_to_finish": contract - (completed - held),
    }


def _hard_lines(loan: LoanFile, rows: list[PlannedRow], due: Decimal) -> list[tuple[str, Decimal]]:
    """The hard cost of this draw, spread over the budget lines that its rows back."""
    line_of = {line.item: line.budget_line for line in loan.schedule}
    built: dict[str, Decimal] = {}
    for row in rows:
        line = line_of[row.item]
        built[line] = built.get(line, ZERO) + row.this_period + row.stored
    whole = sum(built.values(), ZERO)
    if not whole:
        return []
    asked = {line: to_cents(due * amount / whole) for line, amount in sorted(built.items())}
    last = max(asked)
    asked[last] += due - sum(asked.values(), ZERO)
    return [(line, amount) for line, amount in asked.items() if amount]


def _subcontractors(loan: LoanFile, due: Decimal) -> list[tuple[str, Decimal, Decimal, Decimal]]:
    found = []
    names = [each.name for each in loan.payees if each.role == "subcontractor"]
    for number, name in enumerate(names):
        share = to_cents(due * Decimal(20 - 3 * number) / 100)
        paid = sum(
            (
                claim.amount
                for draw in loan.prior_draws
                for claim in draw.claims
                if claim.claimant == name
            ),
            ZERO,
        )
        found.append((name, to_cents(loan.hard_cost_budget * Decimal(15) / 100), paid, share))
    return found


def _waivers(
    loan: LoanFile,
    contractor: str,
    due: Decimal,
    subcontractors: list[tuple[str, Decimal, Decimal, Decimal]],
    period_to: date,
) -> list[PlannedWaiver]:
    claims = [(contractor, due)] + [
        (name, share) for name, _, _, share in subcontractors if share > loan.terms.waiver_threshold
    ]
    signed = period_to + timedelta(days=3)
    waivers = [
        PlannedWaiver(
            WaiverKind.CONDITIONAL_PROGRESS,
            name,
            amount,
            period_to,
            signed,
            loan.job_location,
            loan.owner,
        )
        for name, amount in claims
    ]
    if loan.last_draw is not None:
        waivers += [
            PlannedWaiver(
                WaiverKind.UNCONDITIONAL_PROGRESS,
                claim.claimant,
                claim.amount,
                loan.last_draw.period_to,
                signed,
                loan.job_location,
                loan.owner,
            )
            for claim in loan.last_draw.claims
        ]
    return waivers
