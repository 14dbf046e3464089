"""A payment that came back: how it stands, what would be sent in its place, what speaks against it.

It is sent again under a new id: the same amount, to the same payee, at the account that the loan
has for it now.
"""

from collections.abc import Iterator
from datetime import date

from pydantic import Field

from lender.model._analysis import Screening, Standing
from lender.model._checked import finding, not_open, result
from lender.model._draws import (
    MAX_DRAW,
    MAX_VERSION,
    CameBack,
    LoanId,
    PayeeId,
    Payment,
    PaymentId,
    Text,
)
from lender.model._loan import LoanFile
from placet.model import (
    CheckResult,
    Finding,
    Model,
    Money,
    Severity,
    digest_json,
)

CALL_BACK = "payee.call_back"
"""The check that asks for a call-back, whatever else is found: an account may be a forger's."""

RESEND_CHECKS = ("resend.came_back", "resend.loan", "resend.payee", "resend.screened", CALL_BACK)
"""The checks of a payment that is to be sent again, in the order of reading."""

_MAX_STEM = 58
"""Characters of a first id: with the number of the last sending it is no longer than an id."""

_DOCUMENT = "the payment and its loan"


class SentPayment(Model):
    """A payment of a draw as it was sent, and whether it came back."""

    payment: Payment
    came_back: CameBack | None = None
    next_id: PaymentId

    def version(self, loan_version: int) -> str:
        """How loan servicing names its state: its loan's version, and what is known of it.

        One that was sent again stays in the state that people approved: that it was sent is no
        change to it, so that a sending whose answer was lost may be asked for again (I11).
        """
        if self.came_back is not None and self.came_back.again is not None:
            return self.came_back.again.on_version
        return f"{loan_version}.{digest_json(self)}"


class Resend(Model):
    """What would be sent in place of a payment, and what was found. ``as_of`` is in UTC.

    ``account`` is the one on file now, if the loan still pays the payee; ``payments`` is what would
    be sent: one payment, or none if something speaks against it.
    """

    as_of: date
    loan: LoanId
    draw: int = Field(ge=1, le=MAX_DRAW)
    loan_version: int = Field(ge=1, le=MAX_VERSION)
    payment: PaymentId
    reason: Text | None = None
    payee: PayeeId
    payee_name: Text | None = None
    amount: Money
    account_before: Text
    account: Text | None = None
    account_changed: bool
    account_changed_on: date | None = None
    results: tuple[CheckResult, ...]
    payments: tuple[Payment, ...]
    version: str

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, in the order of the checks."""
        return tuple(finding for result in self.results for finding in result.findings)


class Resent(Model):
    """What loan servicing has sent in place of a payment."""

    loan: LoanId
    draw: int
    came_back: PaymentId
    payment: Payment


def sent_payment(loan: LoanFile, draw: int, payment: str) -> SentPayment | None:
    """How a payment of a draw stands, or ``None`` if the draw has none of that id."""
    if not 1 <= draw <= len(loan.prior_draws):
        return None
    found = loan.prior_draws[draw - 1]
    sent = found.sent(payment)
    if sent is None:
        return None
    before = {e.again.payment.id: e.payment for e in found.came_back if e.again is not None}
    first, times = payment, 2
    while first in before:  # a draw lets nothing be sent for what was sent after it
        first, times = before[first], times + 1
    return SentPayment(
        payment=sent,
        came_back=next((each for each in found.came_back if each.payment == payment), None),
        next_id=f"{first[:_MAX_STEM]}-r{times}",
    )


def resend(
    loan: LoanFile,
    draw: int,
    sent: SentPayment,
    screenings: tuple[Screening, ...],
    today: date,
) -> Resend:
    """What would be sent in place of a payment; the same values give the same bytes."""
    payment, payee = sent.payment, loan.payee(sent.payment.payee)
    found = tuple(_found(loan, sent, screenings, today))
    stands = any(each.severity is Severity.BLOCKING for each in found)
    account = None if payee is None else payee.account
    again = () if stands or account is None else (resent_as(sent, account),)
    return Resend(
        as_of=today,
        loan=loan.loan_id,
        draw=draw,
        loan_version=loan.version,
        payment=payment.id,
        reason=None if sent.came_back is None else sent.came_back.reason,
        payee=payment.payee,
        payee_name=None if payee is None else payee.name,
        amount=payment.amount,
        account_before=payment.account,
        account=account,
        account_changed=account != payment.account,
        account_changed_on=None if payee is None else payee.account_changed_on,
        results=tuple(result(check, found) for check in RESEND_CHECKS),
        payments=again,
        version=sent.version(loan.version),
    )


def resent_as(sent: SentPayment, account: str) -> Payment:
    """The payment that would be sent in place of one: its payee and amount, under a new id."""
    return sent.payment.model_copy(update={"id": sent.next_id, "account": account})


def _found(
    loan: LoanFile, sent: SentPayment, screenings: tuple[Screening, ...], today: date
) -> Iterator[Finding]:
    payment, payee = sent.payment, loan.payee(sent.payment.payee)
    if sent.came_back is None:
        said = f"payment {payment.id} was not noted as come back"
        yield finding(_DOCUMENT, "resend.came_back", payment.id, said, ("amount", payment.amount))
    elif sent.came_back.again is not None:
        again = sent.came_back.again
        yield finding(
            _DOCUMENT,
            "resend.came_back",
            payment.id,
            f"payment {payment.id} was sent again already, as {again.payment.id}",
            ("sent again by", again.approved_by),
        )
    yield from not_open(_DOCUMENT, "resend.loan", loan, today)
    if payee is None:
        said = f"the loan pays {payment.payee} no more"
        yield finding(
            _DOCUMENT, "resend.payee", payment.payee, said, ("account before", payment.account)
        )
    screened = next((each for each in screenings if each.payee == payment.payee), None)
    if screened is None or screened.standing is not Standing.CLEAR:
        standing = "not screened" if screened is None else screened.standing.value
        yield finding(
            _DOCUMENT,
            "resend.screened",
            payment.payee,
            f"{payment.payee} is not clear in the compliance database",
            ("standing", standing),
        )
    came_back = sent.came_back
    account = "none" if payee is None else payee.account
    changed = "has changed since" if account != payment.account else "is the one it came back from"
    yield finding(
        _DOCUMENT,
        CALL_BACK,
        payment.payee,
        f"call {payment.payee if payee is None else payee.name} back before payment {payment.id} "
        f"is sent again: the account {changed}",
        ("came back because", "nobody has said" if came_back is None else came_back.reason),
        ("account before", payment.account),
        ("account on file", account),
        severity=Severity.WARNING,
    )
