"""A draw stays within the budget lines that no row of the schedule backs: soft cost, reserve, contingency."""

from decimal import Decimal

import pytest

from lender.model import BudgetLine, Category, LoanFile, Packet, RequestLine
from placet.model import CheckStatus, Finding, Severity
from tests.domain import building
from tests.domain.drawing import after_draw
from tests.domain.test_checks_clean import analysed

CENT = Decimal("0.01")
BUDGET = Decimal("6000.00")
OTHERS = [Category.SOFT_COST, Category.INTEREST_RESERVE, Category.CONTINGENCY, Category.LAND]


def with_line(category: Category, amount: Decimal = BUDGET) -> LoanFile:
    """The loan with one more budget line, X1."""
    loan = building.loan()
    line = BudgetLine(id="X1", category=category, description="-", amount=amount)
    return loan.model_copy(
        update={"budget": (*loan.budget, line), "commitment": loan.commitment + amount}
    )


def asking(*amounts: Decimal) -> Packet:
    """The clean packet, asking so much of X1 for the architect as well."""
    packet = building.packet()
    assert packet.request is not None
    assert packet.request.total is not None
    request = packet.request
    lines = tuple(
        RequestLine(line=building.at("X1", f"Request!A{n}"), amount=building.at(a, f"Request!B{n}"))
        for n, a in enumerate(amounts, 7)
    )
    *others, architect = request.payees
    more = sum(amounts, Decimal("0.00"))
    paid = architect.amount.model_copy(update={"value": architect.amount.value + more})
    changed = request.model_copy(
        update={
            "lines": (*request.lines, *lines),
            "payees": (*others, architect.model_copy(update={"amount": paid})),
            "total": request.total.model_copy(update={"value": packet.request.total.value + more}),
        }
    )
    return packet.model_copy(update={"request": changed})


def overdrawn(packet: Packet, loan: LoanFile) -> list[Finding]:
    analysis = analysed(packet, loan)
    (result,) = (each for each in analysis.results if each.check == "budget.reallocation")
    wanted = CheckStatus.FINDINGS if result.findings else CheckStatus.PASSED
    assert result.status is wanted
    return list(result.findings)


@pytest.mark.parametrize("category", OTHERS)
def test_a_line_is_drawn_to_the_cent_and_no_further(category: Category) -> None:
    """Nothing asked whether a soft-cost line, the interest reserve or contingency had it."""
    loan = with_line(category)
    assert overdrawn(asking(BUDGET), loan) == []
    (found,) = overdrawn(asking(BUDGET, CENT), loan)
    assert (found.severity, found.difference) == (Severity.BLOCKING, "0.01")
    assert [(each.label, each.value) for each in found.compared] == [
        ("amount requested", "6,000.01"),
        ("left of the line", "6,000.00"),
    ]
    assert category.value.replace("_", " ") in found.message


def test_what_earlier_draws_drew_of_a_line_is_no_longer_left() -> None:
    loan = with_line(Category.SOFT_COST)
    first = analysed(asking(Decimal("5000.00"), CENT), loan)
    after = after_draw(loan, first)
    assert after.drawn_of("X1") == Decimal("5000.01")
    assert after.drawn_of("H1") == 0
    assert overdrawn(asking(Decimal("999.99")), after.model_copy(update=_again(after))) == []
    (found,) = overdrawn(asking(Decimal("1000.00")), after.model_copy(update=_again(after)))
    assert found.difference == "0.01"


def _again(after: LoanFile) -> dict[str, object]:
    """The draw before this one, with what was drawn of lines in it; its rows fit the packet."""
    *_, last = after.prior_draws
    before = building.loan().last_draw
    assert before is not None
    return {"prior_draws": (before.model_copy(update={"drawn": last.drawn}),)}


def test_a_hard_cost_line_is_drawn_on_by_its_rows() -> None:
    """A change order raises a row above the budget line that it backs."""
    loan = building.loan()
    hard = loan.budget[0].model_copy(update={"amount": Decimal("1.00")})
    less = loan.model_copy(update={"budget": (hard, *loan.budget[1:])})
    assert overdrawn(building.packet(), less) == []
