"""When a changed bank account asks for a call-back: the payment before it counts, not its papers."""

from datetime import date, timedelta

import pytest

from lender.draws import after_draw
from lender.model import LoanFile
from tests.domain import building
from tests.domain.test_checks_clean import analysed
from tests.domain.test_checks_findings import of

FUNDED = building.PERIOD - timedelta(days=4)
"""The day draw 1 is paid: before its period ends, as happens each month."""


def paid_once(changed: date, funded: date | None = FUNDED) -> LoanFile:
    """A loan whose contractor was paid in its last draw, and whose account has since changed."""
    loan = building.loan()
    paying = after_draw(loan, analysed(building.packet(), loan), FUNDED)
    draw = paying.prior_draws[-1].model_copy(update={"funded": funded, "number": 1})
    payee = paying.payees[0].model_copy(update={"account_changed_on": changed})
    return loan.model_copy(
        update={"payees": (payee, *loan.payees[1:]), "prior_draws": (draw,)},
    )


@pytest.mark.parametrize("days", [0, 1, 2, 30])
def test_an_account_changed_since_the_payment_is_called_back(days: int) -> None:
    """I3: even within the period that the borrower wrote on the draw before."""
    loan = paid_once(FUNDED + timedelta(days=days))
    (found,) = of(analysed(building.packet(), loan), "payee.bank_changed")
    assert "call back before paying" in found.message


def test_an_account_changed_before_the_payment_was_called_back_then() -> None:
    loan = paid_once(FUNDED - timedelta(days=1))
    assert of(analysed(building.packet(), loan), "payee.bank_changed") == []


def test_a_draw_that_paid_someone_else_hides_no_change() -> None:
    """I3: the account changed, a draw paid others, and now it is this payee's turn."""
    loan = paid_once(FUNDED + timedelta(days=1))
    (first,) = loan.prior_draws
    later = first.model_copy(
        update={"number": 2, "payments": (), "funded": FUNDED + timedelta(days=30)}
    )
    loan = loan.model_copy(update={"prior_draws": (first, later)})
    assert of(analysed(building.packet(), loan), "payee.bank_changed")


def test_a_loan_that_does_not_say_when_it_paid_asks() -> None:
    """I3: what can't be known is asked, not guessed from the borrower's papers."""
    loan = paid_once(FUNDED - timedelta(days=1), funded=None)
    assert of(analysed(building.packet(), loan), "payee.bank_changed")


OTHER = "acct-mallory"


@pytest.mark.parametrize(("account", "asked"), [(OTHER, True), ("acct-100", False)])
def test_another_account_than_was_last_paid_is_called_back_whatever_was_noted(
    account: str, asked: bool
) -> None:
    """I3: one that somebody wrote into the loan without a day passed, and would have been paid."""
    for noted in (None, FUNDED - timedelta(days=1)):
        loan = moved(paid_once(FUNDED), account, noted)
        found = of(analysed(building.packet(), loan), "payee.bank_changed")
        assert [tuple(side.value for side in each.compared) for each in found] == (
            [(building.BUILDER, OTHER, "acct-100")] if asked else []
        )
        assert {side.place.spot for each in found for side in each.compared[1:]} == (
            {"P-100", "draw 1"} if asked else set()
        )


def test_the_account_that_the_last_draw_paid_counts_and_not_an_earlier_one() -> None:
    """I3: once called back and paid it is the known one; and to go back is a change as well."""
    loan = moved(paid_once(FUNDED), OTHER, None)
    (first,) = loan.prior_draws
    (pay, *others) = first.payments
    paid = first.model_copy(
        update={"number": 2, "payments": (pay.model_copy(update={"account": OTHER}), *others)}
    )
    for account, asked in ((OTHER, False), (pay.account, True)):
        later = moved(loan.model_copy(update={"prior_draws": (first, paid)}), account, None)
        found = of(analysed(building.packet(), later), "payee.bank_changed")
        assert bool(found) is asked


def moved(loan: LoanFile, account: str, noted: date | None) -> LoanFile:
    """The loan whose contractor has this account, and a note of the day of the change or none."""
    changes = {"account": account, "account_changed_on": noted}
    payee = loan.payees[0].model_copy(update=changes)
    return loan.model_copy(update={"payees": (payee, *loan.payees[1:])})
