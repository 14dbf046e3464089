"""What would be sent in place of a payment that came back, and what speaks against it."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from lender.model import (
    RESEND_CHECKS,
    CameBack,
    LoanFile,
    LoanStatus,
    Payment,
    PriorDraw,
    Resend,
    Screening,
    SentAgain,
    SentPayment,
    resend,
    sent_payment,
)
from placet.model import CheckStatus, Severity
from tests.domain import building

TODAY = date(2026, 11, 30)
FIRST = Payment(id="pay-1", payee="P-100", account="acct-100", amount=Decimal("120.00"))
OTHER = Payment(id="pay-2", payee="P-300", account="acct-300", amount=Decimal("30.00"))
CLEAR = Screening(payee="P-100", status="clear", licensed=True, list_version="2026-11")


def back(payment: str = FIRST.id, again: Payment | None = None) -> CameBack:
    """That it came back, and what was sent since."""
    sent = again and SentAgain(payment=again, approved_by="case-1", on_version="3.sha-256:x")
    return CameBack(payment=payment, reason="R02 account closed", noted=TODAY, again=sent)


def again(number: int, of: Payment = FIRST, **changed: Any) -> Payment:
    return of.model_copy(update={"id": f"{of.id}-r{number}", **changed})


def draw(*came_back: CameBack) -> PriorDraw:
    (first,) = building.loan().prior_draws
    said = {**first.model_dump(), "payments": (FIRST, OTHER)}
    return PriorDraw.model_validate({**said, "came_back": came_back})


def loan(*came_back: CameBack, **changed: Any) -> LoanFile:
    update = {"prior_draws": (draw(*came_back),), **changed}
    return building.loan().model_copy(update=update)


def proposed(
    of: LoanFile, payment: str = FIRST.id, screened: tuple[Screening, ...] = (CLEAR,)
) -> Resend:
    return resend(of, 1, _sent(of, payment), screened, TODAY)


def _sent(of: LoanFile, payment: str) -> SentPayment:
    sent = sent_payment(of, 1, payment)
    assert sent is not None
    return sent


def _blocking(found: Resend) -> list[str]:
    return [each.check for each in found.findings if each.severity is Severity.BLOCKING]


def test_what_came_back_goes_to_the_same_payee_at_the_account_on_file() -> None:
    """Its amount and payee stay; a call-back is asked for whether the account changed or not."""
    same = proposed(loan(back()))
    assert same.payments == (again(2),)
    assert (same.account_changed, _blocking(same)) == (False, [])
    moved = tuple(
        each.model_copy(update={"account": "acct-new", "account_changed_on": TODAY})
        if each.id == FIRST.payee
        else each
        for each in building.loan().payees
    )
    other = proposed(loan(back(), payees=moved))
    assert other.payments == (again(2, account="acct-new"),)
    assert (other.account_before, other.account) == ("acct-100", "acct-new")
    assert (other.account_changed, other.account_changed_on) == (True, TODAY)
    for found in (same, other):
        assert [each.check for each in found.findings] == ["payee.call_back"]
        assert found.reason in {each.value for each in found.findings[0].compared}
        assert found.findings[0].severity is Severity.WARNING
        assert tuple(each.check for each in found.results) == RESEND_CHECKS
        assert found.results[0].status is CheckStatus.PASSED


SPEAKS_AGAINST: dict[str, tuple[LoanFile, tuple[Screening, ...], str]] = {
    "not noted": (loan(), (CLEAR,), "resend.came_back"),
    "sent again": (loan(back(again=again(2))), (CLEAR,), "resend.came_back"),
    "matured": (loan(back(), maturity=date(2026, 11, 29)), (CLEAR,), "resend.loan"),
    "in default": (loan(back(), status=LoanStatus.DEFAULT), (CLEAR,), "resend.loan"),
    "no payee of the loan": (
        loan(back(), payees=building.loan().payees[1:], contractor="P-300"),
        (CLEAR,),
        "resend.payee",
    ),
    "not screened": (loan(back()), (), "resend.screened"),
    "another screened": (
        loan(back()),
        (CLEAR.model_copy(update={"payee": "P-300"}),),
        "resend.screened",
    ),
    "a hit": (
        loan(back()),
        (CLEAR.model_copy(update={"status": "hit"}),),
        "resend.screened",
    ),
    "no licence": (
        loan(back()),
        (CLEAR.model_copy(update={"licensed": False}),),
        "resend.screened",
    ),
}


@pytest.mark.parametrize("case", SPEAKS_AGAINST.values(), ids=SPEAKS_AGAINST.keys())
def test_what_speaks_against_it_sends_nothing_and_asks_for_the_call_back(
    case: tuple[LoanFile, tuple[Screening, ...], str],
) -> None:
    """I5: nothing is proposed to be sent, and whoever calls back is told why."""
    of, screened, check = case
    found = proposed(of, screened=screened)
    assert (_blocking(found), found.payments) == ([check], ())
    assert found.findings[-1].check == "payee.call_back"


def test_each_sending_has_the_next_number() -> None:
    """I11: what was sent again comes back as a payment of its own; an id is never longer than one."""
    twice = loan(back(again=again(2)), back(again(2).id, again(3)), back(again(3).id))
    assert [_sent(twice, each).next_id for each in ("pay-1", "pay-1-r2", "pay-1-r3", "pay-2")] == [
        *("pay-1-r2", "pay-1-r3", "pay-1-r4", "pay-2-r2"),
    ]
    assert _sent(twice, again(2).id).payment == again(2)
    assert sent_payment(twice, 1, again(4).id) is None
    assert sent_payment(twice, 2, FIRST.id) is None
    assert sent_payment(twice, 0, FIRST.id) is None
    longest = FIRST.model_copy(update={"id": "pay-" + 60 * "x"})
    of = loan().prior_draws[0].model_copy(update={"payments": (longest,)})
    assert len(_sent(loan(prior_draws=(of,)), longest.id).next_id) <= len(longest.id)


def test_what_was_sent_again_stays_in_the_state_that_was_approved() -> None:
    """I11: one whose answer was lost may be asked for again, on the version that people saw."""
    noted = _sent(loan(back()), FIRST.id)
    assert noted.version(3) != _sent(loan(), FIRST.id).version(3)
    assert noted.version(3) != noted.version(4)
    assert len(noted.version(10**12 - 1)) <= 64
    assert _sent(loan(back(again=again(2))), FIRST.id).version(9) == "3.sha-256:x"


@pytest.mark.parametrize(
    "came_back",
    [
        (back("pay-3"),),
        (back(), back()),
        (back(again(2).id), back(again=again(2))),
        (back(again=FIRST),),
        (back(again=again(2, of=FIRST, id=OTHER.id)),),
        (back(again=again(2, payee="P-300")),),
        (back(again=again(2, amount=Decimal("120.01"))),),
    ],
    ids=[
        *("not-sent", "twice", "before-it-was-sent", "its-own-id", "anothers-id"),
        *("another-payee", "another-amount"),
    ],
)
def test_a_draw_lets_nothing_else_be_sent_in_a_payments_place(
    came_back: tuple[CameBack, ...],
) -> None:
    """I5: whoever writes it, a draw of which more or other was sent again is no draw."""
    with pytest.raises(ValidationError, match="came_back"):
        draw(*came_back)
