"""Reading loans, comparing invoices, keeping analyses, and what the authority is told."""

from collections.abc import Callable, Container
from datetime import UTC, date, datetime

from pydantic import Field, JsonValue
from sqlmodel import Session

from lender._service import Failure
from lender.model import (
    Analysis,
    Aspect,
    BilledInvoice,
    InvoiceMatch,
    LoanFile,
    draw_version,
    worsened,
)
from lender.servicing._tables import (
    AnalysisRow,
    DisbursementRow,
    LoanRow,
    billed_elsewhere,
    lock_loan,
)
from placet.model import Digest, FactsAnswer, Model


class InvoiceQuestion(Model):
    """Which invoices to compare with earlier draws of any loan."""

    invoices: tuple[BilledInvoice, ...] = Field(max_length=500)


class InvoiceAnswer(Model):
    """Which of them were billed before; nothing else is told."""

    matches: tuple[InvoiceMatch, ...]


class AnalysisStored(Model):
    """What was stored of an analysis."""

    digest: Digest


def today() -> date:
    """The day on which the system looks at maturities."""
    return datetime.now(UTC).date()


def find_loan(loan: str) -> Callable[[Session], LoanFile]:
    """The work that reads a loan.

    Raises:
        Failure: (the work) there is none.
    """

    def read(session: Session) -> LoanFile:
        row = session.get(LoanRow, loan)
        if row is None:
            raise Failure(404, "not_found", "there is no such loan")
        return row.file()

    return read


def match_invoices(
    loan: str, draw: int, question: InvoiceQuestion
) -> Callable[[Session], InvoiceAnswer]:
    """The work that compares invoices with those of all other draws."""

    def read(session: Session) -> InvoiceAnswer:
        return InvoiceAnswer(
            matches=tuple(
                InvoiceMatch(
                    **each.model_dump(),
                    billed_before=billed_elsewhere(session, loan, draw, each),
                )
                for each in question.invoices
            )
        )

    return read


def keep_analysis(
    loan: str, draw: int, analysis: Analysis, digest: Digest
) -> Callable[[Session], AnalysisStored]:
    """The work that keeps the analysis of a draw; a later one takes its place until it is paid.

    Raises:
        Failure: (the work) it is another draw's, there is no such loan, or the draw was disbursed.
    """

    def write(session: Session) -> AnalysisStored:
        if (analysis.loan, analysis.draw) != (loan, draw):
            raise Failure(400, "invalid_request", "the analysis is of another draw")
        lock_loan(session, loan)
        if session.get(DisbursementRow, (loan, draw)) is not None:
            raise Failure(409, "conflict", "the draw was disbursed already")
        row = session.get(AnalysisRow, (loan, draw))
        if row is None:
            row = AnalysisRow(loan=loan, draw=draw, digest=digest, body="")
            session.add(row)
        row.digest, row.body = digest, analysis.model_dump_json()
        return AnalysisStored(digest=digest)

    return write


def facts_of(record: str, loan: str, draw: int | None) -> Callable[[Session], FactsAnswer]:
    """The work that tells the authority of a loan or a draw, just before it decides.

    A draw's version names its analysis: another analysis is another state of the draw. A draw that
    was disbursed stays as it was when it was: its own payments are no change to it, so that a
    disbursement whose answer was lost may be asked for again (I11). What is worse than the analysis
    says of title, insurance and balance is told by name.

    Raises:
        Failure: (the work) there is no such loan.
    """

    def read(session: Session) -> FactsAnswer:
        row = session.get(LoanRow, loan)
        if row is None:
            raise Failure(404, "not_found", "there is no such loan")
        version, undisbursed = str(row.version), row.commitment_cents - row.disbursed_cents
        file = row.file()
        looked: dict[str, JsonValue] = {}
        if draw is not None:
            paid = session.get(DisbursementRow, (loan, draw))
            analysis = session.get(AnalysisRow, (loan, draw))
            if paid is not None:
                version, undisbursed = paid.on_version, undisbursed + paid.amount_cents
            elif analysis is not None:
                version = draw_version(row.version, analysis.digest)
            looked = _look(file, None if paid is not None else analysis)
        return FactsAnswer(
            record=record,
            version=version,
            facts={
                **standing(row, file),
                "undisbursed_cents": undisbursed,
                "payees": [payee.id for payee in file.payees],
                "next_draw": file.next_draw,
                **looked,
            },
        )

    return read


def standing(row: LoanRow, file: LoanFile) -> dict[str, JsonValue]:
    """What the authority is told of any loan, whatever is to be done with it."""
    return {
        "status": "matured" if file.maturity < today() else file.status.value,
        "holds": row.holds,
        "granted_by": list(file.granted_by),
    }


def _look(loan: LoanFile, row: AnalysisRow | None) -> dict[str, JsonValue]:
    """Title, insurance and balance of a draw not paid yet: as it was analysed, or worse today.

    And how those whom it pays stood with compliance, which knows how they stand now.
    """
    worse: Container[Aspect] = ()
    screened: list[JsonValue] = []
    if row is not None:
        analysis = Analysis.model_validate_json(row.body)
        worse = worsened(loan, analysis, today())
        screened = [each.named for each in analysis.screened]
    looked = {each.value: "worse" if each in worse else "as_analysed" for each in Aspect}
    return {**looked, "screened": screened}
