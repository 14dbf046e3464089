"""Sending a payment again that came back: once, under a new id, as people approved it."""

from collections.abc import Callable

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from lender._service import Failure
from lender._uses import Use
from lender.model import (
    LoanFile,
    PayeeStanding,
    Payment,
    Payments,
    Resent,
    SentAgain,
    SentPayment,
    Standing,
    payments_digest,
    resent_as,
    sent_payment,
)
from lender.servicing._loans import standing
from lender.servicing._once import do_once
from lender.servicing._paying import (
    refused_by_database,
    require_fixed,
    why_not_payable,
    why_not_to,
    write_payments,
)
from lender.servicing._tables import LoanRow, lock_loan
from placet.kill import kill_point
from placet.model import Digest, FactsAnswer, GrantedDetails


def find_payment(loan: str, draw: int, payment: str) -> Callable[[Session], SentPayment]:
    """The work that reads a payment as it was sent, and whether it came back.

    Raises:
        Failure: (the work) there is none.
    """
    return lambda session: _sent(_row(session, loan).file(), draw, payment)


def payment_facts(
    record: str, loan: str, draw: int, payment: str
) -> Callable[[Session], FactsAnswer]:
    """The work that tells the authority of a payment, just before it decides.

    Raises:
        Failure: (the work) there is no such loan or payment.
    """

    def read(session: Session) -> FactsAnswer:
        row = _row(session, loan)
        file = row.file()
        sent = _sent(file, draw, payment)
        clear = PayeeStanding(payee=sent.payment.payee, standing=Standing.CLEAR)
        done = sent.came_back is not None and sent.came_back.again is not None
        return FactsAnswer(
            record=record,
            version=sent.version(row.version),
            facts={
                **standing(row, file),
                "payees": [sent.payment.payee],
                "screened": [] if done else [clear.named],
                "came_back": "no" if sent.came_back is None else "noted",
            },
        )

    return read


def _row(session: Session, loan: str) -> LoanRow:
    row = session.get(LoanRow, loan)
    if row is None:
        raise Failure(404, "not_found", "there is no such payment")
    return row


def _sent(loan: LoanFile, draw: int, payment: str) -> SentPayment:
    sent = sent_payment(loan, draw, payment)
    if sent is None:
        raise Failure(404, "not_found", "there is no such payment")
    return sent


class Sending:
    """One request to send one payment again."""

    def __init__(self, use: Use, loan: str, draw: int, payment: str, asked: Payments) -> None:
        self._use = use
        self._fixed: GrantedDetails = use.grant.claims.details
        self._loan = loan
        self._draw = draw
        self._payment = payment
        self._asked = asked
        self._digest: Digest = payments_digest(asked.payments)

    async def send(self) -> Resent:
        """Send it, or answer what was answered when it was sent.

        Raises:
            Failure: 409, the grant fixes something else, the payment did not come back or was sent
                again, or the loan has changed.
            Refused: the authority did not take the intent.
        """
        return await do_once(
            self._use,
            self._digest,
            before=self._before,
            require=lambda: require_fixed(self._fixed, self._asked, self._digest),
            do=self._send,
        )

    def _before(self, session: Session) -> Resent | None:
        sent = _sent(_row(session, self._loan).file(), self._draw, self._payment)
        if sent.came_back is None or sent.came_back.again is None:
            return None
        again = sent.came_back.again
        if (payments_digest((again.payment,)), again.approved_by) != (
            self._digest,
            self._fixed.case,
        ):
            raise Failure(
                409,
                "conflict",
                f"payment {self._payment} was sent again already, as {again.payment.id}",
            )
        return self._answer(again.payment)

    def _send(self, session: Session) -> Resent:
        row = lock_loan(session, self._loan)
        before = self._before(session)
        if before is not None:
            return before
        loan = row.file()
        sent = _sent(loan, self._draw, self._payment)
        payment = self._look_again(row, loan, sent)
        try:
            write_payments(session, self._use, self._loan, self._draw, (payment,))
            session.flush()
        except IntegrityError as error:
            raise refused_by_database(error) from None
        self._keep(row, loan, sent, payment)
        kill_point("servicing.before-commit")
        return self._answer(payment)

    def _look_again(self, row: LoanRow, loan: LoanFile, sent: SentPayment) -> Payment:
        """Look once more, under the loan's lock: it came back, and is sent as it was approved."""
        trouble = None
        first, *others = self._asked.payments
        if sent.came_back is None:
            trouble = f"payment {self._payment} was not noted as come back"
        elif others or first.id != sent.next_id:
            trouble = f"payment {self._payment} is sent again as {sent.next_id}, and nothing else"
        elif first.payee != sent.payment.payee:
            trouble = f"payment {self._payment} went to another payee"
        elif first.amount != sent.payment.amount:
            trouble = f"payment {self._payment} was over another amount"
        elif why := why_not_to(loan, first) or why_not_payable(row, loan):
            trouble = why
        elif self._fixed.record_version != sent.version(row.version):
            trouble = "the loan or the payment has changed since the approval"
        if trouble is not None:
            raise Failure(409, "conflict", trouble)
        return resent_as(sent, first.account)

    def _keep(self, row: LoanRow, loan: LoanFile, sent: SentPayment, payment: Payment) -> None:
        """Keep with the draw what was sent; what was disbursed, and what was agreed, stay."""
        again = SentAgain(
            payment=payment,
            approved_by=str(self._fixed.case),
            on_version=sent.version(row.version),
        )
        draw = loan.prior_draws[self._draw - 1]
        came_back = tuple(
            each.model_copy(update={"again": again}) if each.payment == self._payment else each
            for each in draw.came_back
        )
        after = (
            each.model_copy(update={"came_back": came_back}) if each is draw else each
            for each in loan.prior_draws
        )
        # Dumped, so that each draw is validated again: one that was copied is not.
        draws = [each.model_dump() for each in after]
        kept = LoanFile.model_validate({**loan.model_dump(), "prior_draws": draws})
        row.body = kept.model_dump_json()

    def _answer(self, payment: Payment) -> Resent:
        return Resent(loan=self._loan, draw=self._draw, came_back=self._payment, payment=payment)
