"""Reallocating an approved budget: once, exactly as people approved it, on the loan as it was."""

from collections.abc import Callable

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from lender._service import Database, Failure
from lender._uses import Use
from lender._web import require_reallocation
from lender.model import LoanFile, Moves, Reallocated, reallocation_version
from lender.reallocations import ReallocationRefused, after_reallocation
from lender.servicing._loans import standing, today
from lender.servicing._once import do_once
from lender.servicing._tables import LoanRow, ReallocationRow, lock_loan
from placet.model import FactsAnswer, GrantedDetails


def request_reallocation(database: Database, loan: str, number: str, moves: Moves) -> None:
    """Keep what staff ask for; nothing of the loan changes. The same again is the same request.

    Raises:
        Failure: no such loan, or another request has this number: what people were asked stays.
    """
    loan, parsed = require_reallocation(loan, number)

    def write(session: Session) -> None:
        lock_loan(session, loan)
        row = session.get(ReallocationRow, (loan, parsed))
        if row is None:
            body = moves.model_dump_json()
            session.add(ReallocationRow(loan=loan, number=parsed, digest=moves.digest, body=body))
        elif row.digest != moves.digest:
            raise Failure(
                409,
                "conflict",
                f"reallocation {number} of {loan} asks for other moves: take another number",
            )

    try:
        database.run_here(write)
    except IntegrityError:
        raise Failure(409, "conflict", "it was written just now by someone else") from None


def change_request(database: Database, loan: str, number: str, moves: Moves) -> str:
    """Put other moves in place of those that were asked for; the state that they make.

    For a request that people returned. The same moves again are no change. What people were shown
    stays with them: an approval names the state that it was given for, and holds for no other.

    Raises:
        Failure: there is no such loan or request, or it was done.
    """
    loan, parsed = require_reallocation(loan, number)

    def write(session: Session) -> str:
        version = lock_loan(session, loan).version
        row = _row(session, loan, parsed)
        if row.answer is not None:
            raise Failure(409, "conflict", f"reallocation {number} of {loan} was done")
        row.digest, row.body = moves.digest, moves.model_dump_json()
        return reallocation_version(version, row.digest)

    return database.run_here(write)


def find_moves(loan: str, number: int) -> Callable[[Session], Moves]:
    """The work that reads what a reallocation asks for.

    Raises:
        Failure: (the work) there is none.
    """
    return lambda session: Moves.model_validate_json(_row(session, loan, number).body)


def reallocation_facts(record: str, loan: str, number: int) -> Callable[[Session], FactsAnswer]:
    """The work that tells the authority of a reallocation, just before it decides.

    One that was done stays as it was when it was: the change that it made is no change to it, so
    that one whose answer was lost may be asked for again (I11).

    Raises:
        Failure: (the work) there is no such loan or reallocation.
    """

    def read(session: Session) -> FactsAnswer:
        asked, row = _row(session, loan, number), session.get(LoanRow, loan)
        assert row is not None  # a request is kept for a loan that is there; none is ever deleted
        version = asked.on_version or reallocation_version(row.version, asked.digest)
        return FactsAnswer(record=record, version=version, facts=standing(row, row.file()))

    return read


def _row(session: Session, loan: str, number: int) -> ReallocationRow:
    row = session.get(ReallocationRow, (loan, number))
    if row is None:
        raise Failure(404, "not_found", "there is no such reallocation")
    return row


class Application:
    """One request to do one reallocation."""

    def __init__(self, use: Use, loan: str, number: int, asked: Moves) -> None:
        self._use = use
        self._fixed: GrantedDetails = use.grant.claims.details
        self._loan = loan
        self._number = number
        self._asked = asked

    async def apply(self) -> Reallocated:
        """Do it, or answer what was answered when it was done.

        Raises:
            Failure: 409, the grant fixes something else, or the loan or request has changed.
            Refused: the authority did not take the intent.
        """
        return await do_once(
            self._use,
            self._asked.digest,
            before=self._before,
            require=self._require_fixed,
            do=self._apply,
        )

    def _require_fixed(self) -> None:
        if self._fixed.payments_digest != self._asked.digest:
            raise Failure(409, "conflict", "the moves are not those that were approved")
        if self._fixed.max_amount != self._asked.amount:
            raise Failure(409, "conflict", "the moves do not add up to the approved amount")

    def _before(self, session: Session) -> Reallocated | None:
        row = _row(session, self._loan, self._number)
        if row.answer is None:
            return None
        if row.digest != self._asked.digest:
            raise Failure(409, "conflict", "the reallocation was done with other moves")
        return Reallocated.model_validate_json(row.answer)

    def _apply(self, session: Session) -> Reallocated:
        loan = lock_loan(session, self._loan)
        before = self._before(session)
        if before is not None:
            return before
        row = _row(session, self._loan, self._number)
        version = reallocation_version(loan.version, row.digest)
        if row.digest != self._asked.digest:
            raise Failure(409, "conflict", "the moves are not those that were asked for")
        if self._fixed.record_version != version:
            raise Failure(409, "conflict", "the loan has changed since the approval")
        if loan.holds:
            raise Failure(409, "conflict", "the loan is on hold")
        after = self._after(loan.file())
        loan.keep(after)
        done = Reallocated(
            loan=self._loan,
            reallocation=self._number,
            moves=row.digest,
            amount=self._asked.amount,
            version=after.version,
        )
        row.answer, row.on_version = done.model_dump_json(), version
        return done

    def _after(self, loan: LoanFile) -> LoanFile:
        try:
            return after_reallocation(
                loan, self._number, self._asked, str(self._fixed.case), today()
            )
        except ReallocationRefused as error:
            raise Failure(409, "conflict", str(error)) from None
