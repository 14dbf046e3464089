"""What the lender's staff do with loans, on the system's own database; no agent can."""

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from lender._service import Database, Failure
from lender.model import LoanFile
from lender.servicing._tables import LoanRow, PaymentRow, bill, cents, each_once, lock_loan


def import_loan(database: Database, loan: LoanFile) -> None:
    """Take a loan in, or a newer version of one: its holds stay, and its version rises.

    Raises:
        Failure: the loan was drawn on here in another way than the file says.
    """

    def write(session: Session) -> None:
        row = session.get(LoanRow, loan.loan_id, with_for_update=True)
        if row is None:
            _take_in(session, loan)
            return
        known = row.file()
        if known.prior_draws != loan.prior_draws or known.disbursed != loan.disbursed:
            raise Failure(409, "conflict", f"{loan.loan_id} has other draws here than in the file")
        row.keep(loan.model_copy(update={"version": row.version + 1}))

    try:
        database.run_here(write)
    except IntegrityError:
        # The row's limits hold in the file already: only someone else can have come between.
        raise Failure(
            409,
            "conflict",
            f"{loan.loan_id} or an invoice of it was written just now by someone else: try again",
        ) from None


def _take_in(session: Session, loan: LoanFile) -> None:
    session.add(
        LoanRow(
            id=loan.loan_id,
            version=loan.version,
            commitment_cents=cents(loan.commitment),
            disbursed_cents=cents(loan.disbursed),
            body=loan.model_dump_json(),
        )
    )
    for draw in loan.prior_draws:
        for invoice in each_once(draw.invoices):
            bill(session, loan.loan_id, draw.number, invoice)


def read_loan(database: Database, loan: str) -> LoanFile:
    """A loan as it stands.

    Raises:
        Failure: there is none.
    """
    row = database.run_here(lambda session: session.get(LoanRow, loan))
    if row is None:
        raise Failure(404, "not_found", "there is no such loan")
    return row.file()


def payments_made(database: Database, loan: str) -> list[PaymentRow]:
    """Every payment of a loan, for reports and tests."""
    return database.run_here(
        lambda session: list(session.exec(select(PaymentRow).where(PaymentRow.loan == loan)))
    )


def place_hold(database: Database, loan: str, holds: int) -> None:
    """Set how many holds the servicing system itself knows of.

    Raises:
        Failure: there is no such loan.
    """

    def write(session: Session) -> None:
        lock_loan(session, loan).holds = holds

    database.run_here(write)
