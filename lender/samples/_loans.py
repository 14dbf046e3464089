"""The sample loans, described: three projects in California, of 30 to 60 budget lines."""

from datetime import date
from decimal import Decimal

from lender.model import (
    BudgetLine,
    Category,
    ChangeOrder,
    LoanFile,
    Payee,
    Retainage,
    ScheduleLine,
    Terms,
    to_cents,
)

_TRADES = (
    "General requirements",
    "Site clearing",
    "Earthwork",
    "Site utilities",
    "Paving",
    "Concrete foundations",
    "Concrete slab",
    "Masonry",
    "Structural steel",
    "Metal stairs",
    "Rough carpentry",
    "Finish carpentry",
    "Insulation",
    "Roofing",
    "Sheet metal",
    "Doors and frames",
    "Windows",
    "Glazing",
    "Lath and plaster",
    "Gypsum board",
    "Tile",
    "Flooring",
    "Painting",
    "Toilet accessories",
    "Appliances",
    "Elevators",
    "Fire sprinklers",
    "Plumbing rough",
    "Plumbing finish",
    "HVAC ducts",
    "HVAC equipment",
    "Electrical rough",
    "Electrical finish",
    "Low voltage",
    "Fire alarm",
    "Landscaping",
    "Irrigation",
    "Fencing",
    "Signage",
    "Final cleaning",
    "Scaffolding",
    "Waterproofing",
    "Balconies",
    "Railings",
    "Garage doors",
    "Solar array",
    "Trash enclosure",
    "Bicycle room",
    "Mail boxes",
    "Contractor's fee",
)


def make_loan(
    loan_id: str,
    project: str,
    borrower: str,
    street: str,
    hard_cost: Decimal,
    lines: int,
    *,
    granted_by: tuple[str, ...] = ("operator:gwen",),
) -> LoanFile:
    """Describe a loan with a budget of that many lines, the hard cost among them."""
    trades = _TRADES[: lines - 5]
    values = _spread(hard_cost, len(trades))
    soft = to_cents(hard_cost * Decimal("0.08"))
    reserve = to_cents(hard_cost * Decimal("0.04"))
    others = [
        BudgetLine(id="L1", category=Category.LAND, description="Land", amount=soft),
        BudgetLine(id="S1", category=Category.SOFT_COST, description="Architect", amount=soft),
        BudgetLine(id="S2", category=Category.SOFT_COST, description="Permits", amount=reserve),
        BudgetLine(
            id="R1", category=Category.INTEREST_RESERVE, description="Interest", amount=reserve
        ),
        BudgetLine(
            id="C1", category=Category.CONTINGENCY, description="Contingency", amount=reserve
        ),
    ]
    hard = [
        BudgetLine(
            id=f"H{number:02d}", category=Category.HARD_COST, description=trade, amount=value
        )
        for number, (trade, value) in enumerate(zip(trades, values, strict=True), 1)
    ]
    budget = sum((line.amount for line in (*others, *hard)), Decimal("0.00"))
    equity = to_cents(budget * Decimal("0.25"))
    base = int(loan_id.removeprefix("L-")) * 10
    return LoanFile(
        loan_id=loan_id,
        borrower=borrower,
        project=project,
        job_location=street,
        owner=borrower,
        state="CA",
        contractor=f"P-{base}",
        granted_by=granted_by,
        commitment=to_cents(budget * Decimal("0.80")),
        required_equity=equity,
        equity_in=equity,
        maturity=date(2030, 6, 30),
        terms=Terms(
            retainage=Retainage(
                work_rate=Decimal("0.05"),
                stored_rate=Decimal("0.05"),
                # Civil Code 8811: five per cent, on private works from 2026 on.
                statutory_cap=Decimal("0.05"),
            ),
            stored_material_cap=to_cents(hard_cost * Decimal("0.05")),
            title_window_days=366,
            inspection_window_days=15,
        ),
        budget=(*others, *hard),
        schedule=tuple(
            ScheduleLine(
                item=f"{number:02d}",
                description=line.description,
                scheduled_value=line.amount,
                budget_line=line.id,
            )
            for number, line in enumerate(hard, 1)
        ),
        change_orders=(
            ChangeOrder(
                number="CO-1",
                item="06",
                amount=Decimal("1250.00"),
                approved_by="the owner",
                approved_on=date(2026, 8, 3),
            ),
        ),
        payees=(
            _payee(base, "Ridgeline Builders", "contractor"),
            _payee(base + 1, "Alder Electric", "subcontractor"),
            _payee(base + 2, "Summit Plumbing", "subcontractor"),
            _payee(base + 3, "Quarry Concrete", "subcontractor"),
            _payee(base + 4, "Osprey Architects", "supplier"),
        ),
    )


def _payee(number: int, name: str, role: str) -> Payee:
    return Payee(id=f"P-{number}", name=f"{name} {number}", role=role, account=f"acct-{number}")


def _spread(whole: Decimal, count: int) -> list[Decimal]:
    """Spread an amount over uneven lines that add up to the cent."""
    weights = [3 + (number * 7) % 11 for number in range(count)]
    values = [to_cents(whole * weight / sum(weights)) for weight in weights]
    values[-1] += whole - sum(values, Decimal("0.00"))
    return values


def sample_loans() -> tuple[LoanFile, ...]:
    """The loans that are shipped."""
    return (
        make_loan(
            "L-1001",
            "Harbor Street Lofts",
            "Harbor Street Partners LLC",
            "100 Harbor Street, Oakland CA",
            Decimal("400000.00"),
            30,
        ),
        make_loan(
            "L-1002",
            "Mission Creek Tower",
            "Mission Creek Holdings LLC",
            "2200 Third Street, San Francisco CA",
            Decimal("4200000.00"),
            55,
        ),
        make_loan(
            "L-1003",
            "Vine Hill Homes",
            "Vine Hill Homes LLC",
            "14 Vine Hill Road, Sonoma CA",
            Decimal("600000.00"),
            35,
        ),
    )
