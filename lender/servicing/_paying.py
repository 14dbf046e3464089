"""Paying a draw: once, exactly as people approved it, on the loan as it was approved."""

from decimal import Decimal

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from lender._service import Failure, broken_constraint
from lender._uses import Use
from lender.draws import DrawRefused, after_draw
from lender.model import (
    Analysis,
    BilledInvoice,
    LoanFile,
    LoanStatus,
    Payment,
    Payments,
    draw_version,
    payments_digest,
    worsened,
)
from lender.servicing._loans import today
from lender.servicing._once import do_once
from lender.servicing._tables import (
    FIRST_BILLING,
    AnalysisRow,
    DisbursementRow,
    LoanRow,
    PaymentRow,
    bill,
    billed_elsewhere,
    cents,
    each_once,
    lock_loan,
)
from placet.clock import system_clock
from placet.kill import kill_point
from placet.model import Digest, GrantedDetails, Model, Severity, digest_json

_REFUSED_BY_DATABASE = {
    "within_commitment": "the payments would exceed the commitment",
    "payment_pkey": "a payment of this id was made already",
    "payment.id": "a payment of this id was made already",
}


def refused_by_database(error: IntegrityError) -> Failure:
    """What to answer where the database holds a payment to one of its limits.

    Raises:
        IntegrityError: it is none of these.
    """
    said = _REFUSED_BY_DATABASE.get(broken_constraint(error))
    if said is None:
        raise error
    return Failure(409, "conflict", said)


class Disbursed(Model):
    """What was paid."""

    loan: str
    draw: int
    payments: tuple[str, ...]
    amount: str
    version: int


class Disbursement:
    """One request to pay one draw."""

    def __init__(self, use: Use, loan: str, draw: int, asked: Payments) -> None:
        self._use = use
        self._fixed: GrantedDetails = use.grant.claims.details
        self._loan = loan
        self._draw = draw
        self._asked = asked
        self._digest: Digest = payments_digest(asked.payments)

    async def pay(self) -> Disbursed:
        """Pay it, or answer what was answered when it was paid.

        Raises:
            Failure: 409, the grant fixes something else, or the loan or draw has changed.
            Refused: the authority did not take the intent.
        """
        return await do_once(
            self._use,
            self._digest,
            before=self._before,
            require=lambda: require_fixed(self._fixed, self._asked, self._digest),
            do=self._pay,
        )

    def _before(self, session: Session) -> Disbursed | None:
        row = session.get(DisbursementRow, (self._loan, self._draw))
        if row is None:
            return None
        if row.digest != self._digest:
            raise Failure(409, "conflict", "the draw was disbursed with other payments")
        return Disbursed.model_validate_json(row.answer)

    def _pay(self, session: Session) -> Disbursed:
        row = lock_loan(session, self._loan)
        before = self._before(session)
        if before is not None:
            return before
        analysis_row = session.get(AnalysisRow, (self._loan, self._draw))
        if analysis_row is None:
            raise Failure(409, "conflict", "the draw has no analysis here")
        loan = row.file()
        analysis = Analysis.model_validate_json(analysis_row.body)
        self._look_again(row, loan, analysis)
        try:
            after = after_draw(loan, analysis, today())
            answer = self._write(session, row, after, analysis)
            session.flush()
        except DrawRefused as error:
            raise Failure(409, "conflict", str(error)) from None
        except IntegrityError as error:
            raise refused_by_database(error) from None
        kill_point("servicing.before-commit")
        return answer

    def _look_again(self, row: LoanRow, loan: LoanFile, analysis: Analysis) -> None:
        """Look once more, under the loan's lock: what got worse since the approval stops it."""
        trouble = None
        if self._fixed.record_version != draw_version(row.version, digest_json(analysis)):
            trouble = "the loan or the draw's analysis has changed since the approval"
        elif analysis.loan_version != row.version:
            trouble = "the analysis is of another version of the loan"
        elif analysis.recommended != self._fixed.max_amount:
            trouble = "the analysis recommends another amount than was approved"
        elif payments_digest(analysis.payments) != self._digest:
            trouble = "the payments are not those of the analysis"
        elif standing := why_not_payable(row, loan):
            trouble = standing
        elif worse := worsened(loan, analysis, today()):
            trouble = "worse than what was approved: " + "; ".join(
                f"{aspect.value}: {said}" for aspect, said in worse.items()
            )
        else:
            for payment in self._asked.payments:
                trouble = why_not_to(loan, payment) or trouble
        if trouble is not None:
            raise Failure(409, "conflict", trouble)

    def _write(
        self, session: Session, row: LoanRow, after: LoanFile, analysis: Analysis
    ) -> Disbursed:
        """Write the payments, what was billed, the loan after it, and the answer."""
        write_payments(session, self._use, self._loan, self._draw, self._asked.payments)
        amount = sum(cents(payment.amount) for payment in self._asked.payments)
        on_version = draw_version(row.version, digest_json(analysis))
        row.version, row.body = after.version, after.model_dump_json()
        row.disbursed_cents += amount
        self._bill(session, analysis)
        answer = Disbursed(
            loan=self._loan,
            draw=self._draw,
            payments=tuple(payment.id for payment in self._asked.payments),
            amount=f"{analysis.recommended:.2f}",
            version=after.version,
        )
        session.add(
            DisbursementRow(
                loan=self._loan,
                draw=self._draw,
                digest=self._digest,
                answer=answer.model_dump_json(),
                on_version=on_version,
                amount_cents=amount,
            )
        )
        return answer

    def _bill(self, session: Session, analysis: Analysis) -> None:
        """Bill each invoice: only what people knew of may have been billed by another draw (I5)."""
        for invoice in each_once(analysis.invoices):
            said = (
                f"invoice {invoice.number} of {invoice.vendor} over {invoice.amount:.2f} "
                "was billed by another draw, and the approved analysis does not say so"
            )
            elsewhere = billed_elsewhere(session, self._loan, self._draw, invoice)
            if elsewhere and not _known(analysis, invoice):
                raise Failure(409, "conflict", said)
            try:
                bill(session, self._loan, self._draw, invoice, elsewhere=elsewhere)
            except IntegrityError as error:
                if broken_constraint(error) not in FIRST_BILLING:
                    raise
                raise Failure(409, "conflict", said) from None


def _known(analysis: Analysis, invoice: BilledInvoice) -> bool:
    """Whether the approved analysis says that this very invoice was billed before.

    It must be a blocking finding: those alone are accepted one by one. A finding's id is spelled
    with less than all characters, and names no amount; the sentence and what it compares do.
    """
    message = f"invoice {invoice.number} of {invoice.vendor} was billed before"[:1000]
    amount = f"{invoice.amount:,.2f}"
    return any(
        finding.check == "invoice.duplicate"
        and finding.severity is Severity.BLOCKING
        and finding.message == message
        and any(each.label == "invoice" and each.value == amount for each in finding.compared)
        for finding in analysis.findings
    )


def why_not_payable(row: LoanRow, loan: LoanFile) -> str | None:
    """Why nothing is paid on a loan as it stands now, or ``None``."""
    if loan.status is not LoanStatus.OPEN or loan.maturity < today():
        return "the loan is not open"
    return "the loan is on hold" if row.holds else None


def why_not_to(loan: LoanFile, payment: Payment) -> str | None:
    """Why the loan does not pay to this account, or ``None``."""
    payee = loan.payee(payment.payee)
    if payee is None or payee.account != payment.account:
        return f"{payment.account} is not the account of {payment.payee}"
    return None


def write_payments(
    session: Session, use: Use, loan: str, draw: int, payments: tuple[Payment, ...]
) -> None:
    """Write what is paid under a grant; an id counts once in the whole system.

    Raises:
        Failure: 409, a payment of this draw has one of the ids.
    """
    paid_at = system_clock().isoformat()
    for payment in payments:
        if session.get(PaymentRow, payment.id) is not None:
            raise Failure(409, "conflict", f"payment {payment.id} was made already")
        session.add(
            PaymentRow(
                id=payment.id,
                loan=loan,
                draw=draw,
                payee=payment.payee,
                account=payment.account,
                amount_cents=cents(payment.amount),
                grant=use.grant.id,
                paid_at=paid_at,
            )
        )


def require_fixed(fixed: GrantedDetails, asked: Payments, digest: Digest) -> None:
    """Hold the body against what people fixed in the grant."""
    if not asked.payments or any(payment.amount <= 0 for payment in asked.payments):
        raise Failure(400, "invalid_request", "payments: each has an amount above zero")
    if len({payment.id for payment in asked.payments}) != len(asked.payments):
        raise Failure(400, "invalid_request", "payments: an id stands twice")
    amount = sum((payment.amount for payment in asked.payments), Decimal("0.00"))
    if fixed.max_amount is None or amount != fixed.max_amount:
        raise Failure(409, "conflict", "the payments do not add up to the approved amount")
    if fixed.payments_digest != digest:
        raise Failure(409, "conflict", "the payments are not those that were approved")
