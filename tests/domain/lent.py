"""A loan as it is made at random: rows, rates, and how what is retained is released."""

from datetime import date
from decimal import Decimal
from random import Random

from lender.model import (
    BudgetLine,
    Category,
    LoanFile,
    Payee,
    Retainage,
    ScheduleLine,
    Terms,
)
from tests.domain.building import ARCHITECT, BUILDER, JOB, OWNER, ZERO

BANK = "First Valley Bank"
PRIME = "Second Prime LLC"
"""Of the role of a contractor, and not the loan's."""
SUBS = ("Volt Electric Co", "Summit Plumbing")
ENDS = ("agreed", "agreed, and later", "half-way, then amended", "amended", "by people")
"""How what is retained is released."""


def cents(random: Random, most: Decimal) -> Decimal:
    """An amount from nothing to ``most``."""
    return Decimal(random.randint(0, max(int(most * 100), 0))).scaleb(-2)


def lend(random: Random, ends: str) -> LoanFile:
    values = [
        cents(random, Decimal(random.choice((900, 40_000, 300_000))))
        for _ in range(random.randint(1, 5))
    ]
    values = [each + 1000 for each in values]
    hard, half = sum(values, ZERO), len(values) // 2
    work = Decimal(random.choice(("0.10", "0.05", "0.075")))
    stored = random.choice((work, work, ZERO, Decimal("0.15")))
    steps = {
        "agreed": (Decimal(1), ZERO),
        "agreed, and later": (Decimal(1), ZERO),
        "half-way, then amended": (Decimal("0.5"), work / 2),
    }
    at, rate = steps.get(ends, (None, None))
    cap = random.choice((None, Decimal("0.03"), Decimal("0.10"), max(work, stored)))
    line = [
        BudgetLine(
            id="H1", category=Category.HARD_COST, description="-", amount=sum(values[:half], ZERO)
        ),
        BudgetLine(
            id="H2", category=Category.HARD_COST, description="-", amount=sum(values[half:], ZERO)
        ),
        BudgetLine(
            id="S1", category=Category.SOFT_COST, description="-", amount=Decimal("30000.00")
        ),
        BudgetLine(
            id="R1", category=Category.INTEREST_RESERVE, description="-", amount=Decimal("9000.00")
        ),
        BudgetLine(id="C1", category=Category.CONTINGENCY, description="-", amount=hard + 100_000),
    ]
    names = (
        (BUILDER, "contractor"),
        (ARCHITECT, "supplier"),
        (BANK, "supplier"),
        *((s, "subcontractor") for s in SUBS),
        (PRIME, "contractor"),
    )
    return LoanFile(
        loan_id="L-1001",
        borrower=OWNER,
        project="Alder Street",
        job_location=JOB,
        owner=OWNER,
        state="CA",
        contractor="P-100",
        granted_by=("operator:ana-ruiz",),
        commitment=sum((each.amount for each in line), ZERO),
        required_equity=ZERO,
        equity_in=ZERO,
        maturity=date(2040, 1, 1),
        terms=Terms(
            retainage=Retainage(
                work_rate=work,
                stored_rate=stored,
                step_down_at=at,
                step_down_rate=rate,
                statutory_cap=cap,
            ),
            stored_material_cap=hard * 10,
            waiver_threshold=Decimal(random.choice(("0.00", "5000.00"))),
        ),
        budget=tuple(line),
        schedule=tuple(
            ScheduleLine(
                item=f"{n:02}",
                description="-",
                scheduled_value=value,
                budget_line="H1" if n <= half else "H2",
            )
            for n, value in enumerate(values, 1)
        ),
        payees=tuple(
            Payee(id=f"P-{n}00", name=name, role=role, account=f"acct-{n}")
            for n, (name, role) in enumerate(names, 1)
        ),
    )
