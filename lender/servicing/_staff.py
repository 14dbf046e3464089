"""What the lender's staff do with loans, on the system's own database; no agent can."""

from collections.abc import Iterable
from decimal import Decimal

from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from lender._service import Database, Failure
from lender.model import CameBack, CoverNotice, InsuranceKind, Lien, LoanFile, PriorDraw
from lender.servicing._tables import (
    LoanRow,
    PaymentRow,
    bill,
    billed_elsewhere,
    cents,
    each_once,
    lock_loan,
)
from placet.model import first_error


def import_loan(database: Database, loan: LoanFile) -> None:
    """Take a loan in, or a newer version of one: its version rises; what was noted here stays.

    Raises:
        Failure: the loan was drawn on here in another way than the file says, or has another
            approved budget.
    """

    def write(session: Session) -> None:
        row = session.get(LoanRow, loan.loan_id, with_for_update=True)
        if row is None:
            _take_in(session, loan)
            return
        known = row.file()
        if _disbursed(known) != _disbursed(loan) or known.disbursed != loan.disbursed:
            raise Failure(409, "conflict", f"{loan.loan_id} has other draws here than in the file")
        if _approved(known) != _approved(loan):
            raise Failure(
                409,
                "conflict",
                f"{loan.loan_id} has another approved budget here than in the file: it changes by "
                "a reallocation that people approved, and in no other way",
            )
        row.keep(_with_notes(loan, known).model_copy(update={"version": row.version + 1}))

    try:
        database.run_here(write)
    except IntegrityError:
        # The row's limits hold in the file already: only someone else can have come between.
        raise Failure(
            409,
            "conflict",
            f"{loan.loan_id} or an invoice of it was written just now by someone else: try again",
        ) from None


def _disbursed(loan: LoanFile) -> tuple[PriorDraw, ...]:
    """The draws as they were disbursed, whatever came back since."""
    return tuple(each.model_copy(update={"came_back": ()}) for each in loan.prior_draws)


def _approved(loan: LoanFile) -> tuple[object, ...]:
    """What people approved once and only a reallocation changes."""
    return loan.budget, loan.schedule, loan.reallocations


def _with_notes(loan: LoanFile, known: LoanFile) -> LoanFile:
    """The loan with the liens and notices that are known here and the file says nothing of.

    What came back, and was sent again, is as it is known here.
    """
    references = {each.reference for each in loan.liens}
    kinds = {each.kind for each in loan.notices}
    return loan.model_copy(
        update={
            "liens": (
                *loan.liens,
                *(each for each in known.liens if each.reference not in references),
            ),
            "notices": (*loan.notices, *(each for each in known.notices if each.kind not in kinds)),
            "prior_draws": known.prior_draws,
        }
    )


def note(
    database: Database,
    loan: str,
    *,
    recorded: tuple[Lien, ...] = (),
    released: tuple[str, ...] = (),
    ends: tuple[CoverNotice, ...] = (),
    stands: tuple[InsuranceKind, ...] = (),
    came_back: tuple[CameBack, ...] = (),
    equity_in: Decimal | None = None,
    deposits: Decimal | None = None,
) -> LoanFile:
    """Write down what the lender has learnt of a loan; its version stays.

    Liens that were recorded or released, cover that an insurer ends or that stands after all,
    payments that came back, and the borrower's money. A draw on the way is looked at in this light
    when it is paid.

    Raises:
        Failure: there is no such loan, a lien that was released was not known, a payment was not
            made here or is known to have come back, or an amount is no amount.
    """

    def write(session: Session) -> LoanFile:
        row = lock_loan(session, loan)
        file = row.file()
        unknown = set(released) - {each.reference for each in file.liens}
        if unknown:
            raise Failure(404, "not_found", f"{loan} has no lien {min(unknown)}")
        gone = {*released, *(each.reference for each in recorded)}
        replaced = {*stands, *(each.kind for each in ends)}
        changed: dict[str, object] = {
            "liens": (*(each for each in file.liens if each.reference not in gone), *recorded),
            "notices": (*(each for each in file.notices if each.kind not in replaced), *ends),
        }
        if came_back:
            draws = _with_came_back(session, file, came_back)
            changed["prior_draws"] = [each.model_dump() for each in draws]
        if equity_in is not None:
            changed["equity_in"] = equity_in
        if deposits is not None:
            changed["deposits"] = deposits
        try:
            noted = LoanFile.model_validate({**file.model_dump(), **changed})
        except ValidationError as error:
            _, said = first_error(error)
            raise Failure(400, "invalid_request", f"{loan}: {said}") from None
        row.body = noted.model_dump_json()
        return noted

    return database.run_here(write)


def _with_came_back(
    session: Session, loan: LoanFile, came_back: Iterable[CameBack]
) -> tuple[PriorDraw, ...]:
    """The draws, with what came back of each payment's own."""
    draws = {each.number: each for each in loan.prior_draws}
    for each in came_back:
        row = session.get(PaymentRow, each.payment)
        if row is None or row.loan != loan.loan_id:
            raise Failure(404, "not_found", f"{loan.loan_id} has made no payment {each.payment}")
        draw = draws[row.draw]
        noted = next((one for one in draw.came_back if one.payment == each.payment), None)
        if noted is not None:
            since = "" if noted.again is None else f", and sent again as {noted.again.payment.id}"
            said = f"payment {each.payment} was noted as come back on {noted.noted}{since}"
            raise Failure(409, "conflict", said)
        draws[row.draw] = draw.model_copy(update={"came_back": (*draw.came_back, each)})
    return tuple(draws.values())


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
            elsewhere = billed_elsewhere(session, loan.loan_id, draw.number, invoice)
            bill(session, loan.loan_id, draw.number, invoice, elsewhere=elsewhere)


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
