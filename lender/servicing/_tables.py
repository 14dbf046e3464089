"""Loan servicing's tables. Amounts are in cents, so that the database can hold them to a limit."""

from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint
from sqlmodel import Field, Session, col, func, select

from lender._scope import Reach
from lender._service import Base, Failure
from lender.model import BilledInvoice, LoanFile
from placet.model import digest_json

FIRST_BILLING = frozenset({"first_billing_pkey", "first_billing.digest"})
"""What the databases call the key that lets only one draw be the first to bill an invoice."""


_LOAN = "loan = (SELECT granted('loan'))"
_DRAW = f"{_LOAN} AND draw = (SELECT granted('draw')::int)"
_PAYING = ("draw:disburse",)
_REALLOCATING = ("budget:reallocate",)
_RESENDING = ("payment:resend",)
_BILLED_ELSEWHERE = """
    CREATE OR REPLACE FUNCTION billed_elsewhere(asked text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
        SELECT EXISTS (
            SELECT FROM invoice i WHERE i.digest = asked
            AND (i.loan, i.draw) <> (granted('loan'), granted('draw')::int))
    $$
"""
"""In PostgreSQL a request sees no other loan's invoices; without a grant none was billed."""


class LoanRow(Base, table=True):
    """A loan: its file, and what the database itself keeps an eye on."""

    __tablename__ = "loan"
    __table_args__ = (
        CheckConstraint("disbursed_cents <= commitment_cents", name="within_commitment"),
        CheckConstraint("disbursed_cents >= 0", name="not_negative"),
        Reach(
            "id = (SELECT granted('loan'))",
            locks=True,
            changes=(*_PAYING, *_REALLOCATING, *_RESENDING),
        ).info,
    )
    id: str = Field(primary_key=True)
    version: int
    commitment_cents: int = Field(sa_type=BigInteger)
    disbursed_cents: int = Field(sa_type=BigInteger)
    holds: int = 0
    body: str

    def file(self) -> LoanFile:
        """The loan as it stands."""
        return LoanFile.model_validate_json(self.body).model_copy(update={"holds": self.holds})

    def keep(self, loan: LoanFile) -> None:
        """Take a newer version of the loan; its holds stay."""
        self.version, self.body = loan.version, loan.model_dump_json()
        self.commitment_cents, self.disbursed_cents = cents(loan.commitment), cents(loan.disbursed)


class AnalysisRow(Base, table=True):
    """The analysis of a draw, as an agent wrote it last."""

    __tablename__ = "analysis"
    __table_args__ = Reach(_DRAW, adds=("analysis:write",), changes=("analysis:write",)).info
    loan: str = Field(primary_key=True)
    draw: int = Field(primary_key=True)
    digest: str
    body: str


class PaymentRow(Base, table=True):
    """One payment; its id makes it count once."""

    __tablename__ = "payment"
    __table_args__ = Reach(_DRAW, adds=(*_PAYING, *_RESENDING)).info
    id: str = Field(primary_key=True)
    loan: str = Field(index=True)
    draw: int
    payee: str
    account: str
    amount_cents: int = Field(sa_type=BigInteger)
    grant: str
    paid_at: str


class DisbursementRow(Base, table=True):
    """One draw's disbursement: what was asked and answered, and the draw's version it rests on."""

    __tablename__ = "disbursement"
    __table_args__ = Reach(_DRAW, adds=_PAYING).info
    loan: str = Field(primary_key=True)
    draw: int = Field(primary_key=True)
    digest: str
    answer: str
    on_version: str
    amount_cents: int = Field(sa_type=BigInteger)


class ReallocationRow(Base, table=True):
    """What was asked to be reallocated; once it was done, what was answered and on which state."""

    __tablename__ = "reallocation"
    __table_args__ = Reach(
        f"{_LOAN} AND number = (SELECT granted('reallocation')::int)", changes=_REALLOCATING
    ).info
    loan: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    digest: str
    body: str
    answer: str | None = None
    on_version: str | None = None


class InvoiceRow(Base, table=True):
    """An invoice that a draw billed, by its digest: what is looked for is told by who asks."""

    __tablename__ = "invoice"
    __table_args__ = Reach(
        _DRAW, reads=False, adds=_PAYING, answers=("billed_elsewhere(text)", _BILLED_ELSEWHERE)
    ).info
    digest: str = Field(primary_key=True)
    loan: str = Field(primary_key=True)
    draw: int = Field(primary_key=True)


class FirstBillingRow(Base, table=True):
    """An invoice that was billed by whichever draw was first: its key lets only one be that."""

    __tablename__ = "first_billing"
    __table_args__ = Reach("true", reads=False, adds=_PAYING).info
    digest: str = Field(primary_key=True)


def cents(amount: Decimal) -> int:
    """Money, which is whole cents, as a number of them."""
    return int(amount * 100)


def lock_loan(session: Session, loan: str) -> LoanRow:
    """The loan's row, locked until the transaction ends.

    Raises:
        Failure: there is none.
    """
    row = session.get(LoanRow, loan, with_for_update=True)
    if row is None:
        raise Failure(404, "not_found", "there is no such loan")
    return row


def billed_elsewhere(session: Session, loan: str, draw: int, invoice: BilledInvoice) -> bool:
    """Whether another draw, of this loan or any other, billed the invoice in any spelling."""
    # What was billed before there was one spelling was written down as the packet spelled it.
    digests = {digest_json(invoice.spelled), digest_json(invoice)}
    if session.get_bind().dialect.name == "postgresql":
        asked = (session.exec(select(func.billed_elsewhere(each))).one() for each in digests)
        return any(bool(each) for each in asked)
    rows = session.exec(select(InvoiceRow).where(col(InvoiceRow.digest).in_(digests)))
    return any((row.loan, row.draw) != (loan, draw) for row in rows)


def bill(
    session: Session, loan: str, draw: int, invoice: BilledInvoice, *, elsewhere: bool
) -> None:
    """Write down that a draw billed an invoice; asked for once for each.

    ``elsewhere`` is what :func:`billed_elsewhere` said, asked once: what another draw commits after
    that collides with the key, and does not pass for something that was known.

    Raises:
        IntegrityError: another draw became the first to bill it just now (``FIRST_BILLING``).
    """
    if not elsewhere:
        session.add(FirstBillingRow(digest=digest_json(invoice.spelled)))
    session.add(InvoiceRow(digest=digest_json(invoice.spelled), loan=loan, draw=draw))
    session.flush()


def each_once(invoices: tuple[BilledInvoice, ...]) -> tuple[BilledInvoice, ...]:
    """Each invoice once, in one order for everyone: who bills the same ones waits, not for ever."""
    by_digest = {digest_json(each.spelled): each for each in invoices}
    return tuple(by_digest[digest] for digest in sorted(by_digest))
