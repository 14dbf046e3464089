"""The loan servicing system: loans, budgets, draws, payments.

1. (I2) Every route asks for a grant for its action on its record; no route changes a budget.
2. (I5) A disbursement is what people fixed: amount, list of payments, version of the record.
3. (I11) Payments are idempotent by id, in one transaction; twice asked, once paid.
4. Never more than the commitment: the database itself refuses it.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal

from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import Field as ModelField
from sqlalchemy import CheckConstraint
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, Session, select

from lender._service import Base, Database, Failure, Outbox, make_service, put_use, read_model
from lender.draws import after_draw
from lender.model import (
    Analysis,
    BilledInvoice,
    InvoiceMatch,
    LoanFile,
    LoanStatus,
    Payments,
    payments_digest,
)
from placet.kill import kill_point
from placet.model import Digest, FactsAnswer, Model, UseStage, digest_json
from placet.resource import Guard, VerifiedGrant, tell_uses

_DRAW = re.compile(r"[1-9][0-9]{0,8}")


class LoanRow(Base, table=True):
    """A loan. Amounts in cents, so that the database can hold the commitment against them."""

    __tablename__ = "loan"
    __table_args__ = (
        CheckConstraint("disbursed_cents <= commitment_cents", name="within_commitment"),
        CheckConstraint("disbursed_cents >= 0", name="not_negative"),
    )
    id: str = Field(primary_key=True)
    version: int
    commitment_cents: int
    disbursed_cents: int
    holds: int = 0
    body: str


class AnalysisRow(Base, table=True):
    """The analysis of a draw, as an agent wrote it last."""

    __tablename__ = "analysis"
    loan: str = Field(primary_key=True)
    draw: int = Field(primary_key=True)
    digest: str
    body: str


class PaymentRow(Base, table=True):
    """One payment; its id makes it count once."""

    __tablename__ = "payment"
    id: str = Field(primary_key=True)
    loan: str = Field(index=True)
    draw: int
    payee: str
    account: str
    amount_cents: int
    grant: str
    paid_at: str


class DisbursementRow(Base, table=True):
    """One draw's disbursement, and what it was answered."""

    __tablename__ = "disbursement"
    loan: str = Field(primary_key=True)
    draw: int = Field(primary_key=True)
    digest: str
    answer: str
    on_version: int


class InvoiceRow(Base, table=True):
    """An invoice that a draw billed."""

    __tablename__ = "invoice"
    vendor: str = Field(primary_key=True)
    number: str = Field(primary_key=True)
    amount: str = Field(primary_key=True)
    loan: str
    draw: int


class InvoiceQuestion(Model):
    """Which invoices to compare with earlier draws of any loan."""

    invoices: tuple[BilledInvoice, ...] = ModelField(max_length=500)


class InvoiceAnswer(Model):
    """Which of them were billed before; nothing else is told."""

    matches: tuple[InvoiceMatch, ...]


class AnalysisStored(Model):
    """What was stored of an analysis."""

    digest: Digest


class Disbursed(Model):
    """What was paid."""

    loan: str
    draw: int
    payments: tuple[str, ...]
    amount: str
    version: int


def import_loan(database: Database, loan: LoanFile) -> None:
    """Take a loan in, or a newer version of one; the lender's staff do this, no agent can.

    Raises:
        Failure: the loan has disbursed draws already, or the file does not continue it.
    """

    def write(session: Session) -> None:
        row = session.get(LoanRow, loan.loan_id)
        if row is not None:
            known = LoanFile.model_validate_json(row.body)
            if known.prior_draws != loan.prior_draws or known.disbursed != loan.disbursed:
                raise Failure(
                    409, "conflict", f"{loan.loan_id} has other draws here than in the file"
                )
            session.delete(row)
            session.flush()
            _store(session, loan.model_copy(update={"version": known.version + 1}))
            return
        _store(session, loan)
        for draw in loan.prior_draws:
            _bill(session, loan.loan_id, draw.number, draw.invoices)

    database.run_here(write)


def _store(session: Session, loan: LoanFile, holds: int = 0) -> None:
    session.add(
        LoanRow(
            id=loan.loan_id,
            version=loan.version,
            commitment_cents=_cents(loan.commitment),
            disbursed_cents=_cents(loan.disbursed),
            holds=holds,
            body=loan.model_dump_json(),
        )
    )


def _bill(session: Session, loan: str, draw: int, invoices: tuple[BilledInvoice, ...]) -> None:
    for each in invoices:
        key = (each.vendor, each.number, f"{each.amount:.2f}")
        if session.get(InvoiceRow, key) is None:
            session.add(
                InvoiceRow(vendor=key[0], number=key[1], amount=key[2], loan=loan, draw=draw)
            )


def _cents(amount: Decimal) -> int:
    return int(amount * 100)


class Servicing:
    """The system's work, behind its routes."""

    def __init__(self, database: Database, guard: Guard) -> None:
        self.database = database
        self.guard = guard

    async def loan(self, loan: str) -> LoanFile:
        """The loan.

        Raises:
            Failure: there is none.
        """
        row = await self.database.run(lambda session: session.get(LoanRow, loan))
        if row is None:
            raise Failure(404, "not_found", "there is no such loan")
        return LoanFile.model_validate_json(row.body)

    async def match(self, loan: str, draw: int, question: InvoiceQuestion) -> InvoiceAnswer:
        """Compare invoices with those of all earlier draws."""

        def read(session: Session) -> InvoiceAnswer:
            matches = []
            for each in question.invoices:
                row = session.get(InvoiceRow, (each.vendor, each.number, f"{each.amount:.2f}"))
                before = row is not None and (row.loan, row.draw) != (loan, draw)
                matches.append(
                    InvoiceMatch(
                        vendor=each.vendor,
                        number=each.number,
                        amount=each.amount,
                        billed_before=before,
                    )
                )
            return InvoiceAnswer(matches=tuple(matches))

        return await self.database.run(read)

    async def keep_analysis(self, loan: str, draw: int, analysis: Analysis) -> AnalysisStored:
        """Keep the analysis of a draw; a later one takes its place until the draw is paid.

        Raises:
            Failure: it is another draw's, or the draw was disbursed.
        """
        if (analysis.loan, analysis.draw) != (loan, draw):
            raise Failure(400, "invalid_request", "the analysis is of another draw")
        digest = digest_json(analysis)

        def write(session: Session) -> None:
            if session.get(DisbursementRow, (loan, draw)) is not None:
                raise Failure(409, "conflict", "the draw was disbursed already")
            row = session.get(AnalysisRow, (loan, draw))
            if row is None:
                row = AnalysisRow(loan=loan, draw=draw, digest=digest, body="")
                session.add(row)
            row.digest, row.body = digest, analysis.model_dump_json()

        await self.database.run(write)
        return AnalysisStored(digest=digest)

    async def disburse(
        self, grant: VerifiedGrant, loan: str, draw: int, asked: Payments
    ) -> Disbursed:
        """Pay a draw, once, exactly as people approved it.

        Raises:
            Failure: 409, the grant fixes something else or the loan has changed.
            Refused: the authority did not take the intent.
        """
        digest = payments_digest(asked.payments)
        before = await self.database.run(lambda session: session.get(DisbursementRow, (loan, draw)))
        if before is not None:
            return self._again(before, digest)
        _require_fixed(grant, asked, digest)
        await self.guard.record_intent(grant, f"intent-{grant.id}", digest)
        kill_point("servicing.after-intent")
        try:
            paid = await self.database.run(
                lambda session: self._pay(session, grant, loan, draw, asked, digest)
            )
        except IntegrityError:
            raise Failure(409, "conflict", "the payments would exceed the commitment") from None
        kill_point("servicing.after-commit")
        return paid

    def _again(self, before: DisbursementRow, digest: str) -> Disbursed:
        if before.digest != digest:
            raise Failure(409, "conflict", "the draw was disbursed with other payments")
        return Disbursed.model_validate_json(before.answer)

    def _pay(
        self,
        session: Session,
        grant: VerifiedGrant,
        loan_id: str,
        draw: int,
        asked: Payments,
        digest: str,
    ) -> Disbursed:
        before = session.get(DisbursementRow, (loan_id, draw))
        if before is not None:
            return self._again(before, digest)
        row = session.get(LoanRow, loan_id)
        analysis_row = session.get(AnalysisRow, (loan_id, draw))
        if row is None or analysis_row is None:
            raise Failure(409, "conflict", "the draw has no analysis here")
        loan = LoanFile.model_validate_json(row.body)
        analysis = Analysis.model_validate_json(analysis_row.body)
        _look_again(grant, row, loan, draw, asked, analysis)
        after = after_draw(loan, analysis, _today())
        for payment in asked.payments:
            if session.get(PaymentRow, payment.id) is not None:
                raise Failure(409, "conflict", f"payment {payment.id} was made already")
            session.add(
                PaymentRow(
                    id=payment.id,
                    loan=loan_id,
                    draw=draw,
                    payee=payment.payee,
                    account=payment.account,
                    amount_cents=_cents(payment.amount),
                    grant=grant.id,
                    paid_at=datetime.now(UTC).isoformat(),
                )
            )
        on_version, row.version, row.body = row.version, after.version, after.model_dump_json()
        row.disbursed_cents += sum(_cents(payment.amount) for payment in asked.payments)
        _bill(session, loan_id, draw, analysis.invoices)
        answer = Disbursed(
            loan=loan_id,
            draw=draw,
            payments=tuple(payment.id for payment in asked.payments),
            amount=f"{analysis.recommended:.2f}",
            version=after.version,
        )
        session.add(
            DisbursementRow(
                loan=loan_id,
                draw=draw,
                digest=digest,
                answer=answer.model_dump_json(),
                on_version=on_version,
            )
        )
        result = self.guard.use(grant, f"result-{grant.id}", UseStage.RESULT, 200, digest)
        put_use(session, result)
        session.flush()
        kill_point("servicing.before-commit")
        return answer

    async def facts(self, loan: str, record: str) -> FactsAnswer:
        """What the authority asks of a loan or its draw, just before it decides.

        A draw that was disbursed stays as it was when it was: its own payments are no change to
        it, so that a disbursement whose answer was lost may be asked for again (I11).
        """
        draw = int(record.split("/")[3]) if "/draw/" in record else None

        def read(session: Session) -> tuple[LoanRow | None, DisbursementRow | None]:
            paid = None if draw is None else session.get(DisbursementRow, (loan, draw))
            return session.get(LoanRow, loan), paid

        row, paid = await self.database.run(read)
        if row is None:
            raise Failure(404, "not_found", "there is no such loan")
        body = LoanFile.model_validate_json(row.body)
        undisbursed = row.commitment_cents - row.disbursed_cents
        if paid is not None:
            undisbursed += _cents(Decimal(Disbursed.model_validate_json(paid.answer).amount))
        matured = body.maturity < _today()
        return FactsAnswer(
            record=record,
            version=str(row.version if paid is None else paid.on_version),
            facts={
                "status": "matured" if matured else body.status.value,
                "holds": row.holds,
                "undisbursed_cents": undisbursed,
                "granted_by": list(body.granted_by),
                "payees": [payee.id for payee in body.payees],
                "next_draw": body.next_draw,
            },
        )


def _today() -> date:
    return datetime.now(UTC).date()


def _require_fixed(grant: VerifiedGrant, asked: Payments, digest: str) -> None:
    """Hold the body against what people fixed in the grant."""
    details = grant.claims.details
    if not asked.payments or any(payment.amount <= 0 for payment in asked.payments):
        raise Failure(400, "invalid_request", "payments: each has an amount above zero")
    if len({payment.id for payment in asked.payments}) != len(asked.payments):
        raise Failure(400, "invalid_request", "payments: an id stands twice")
    amount = sum((payment.amount for payment in asked.payments), Decimal("0.00"))
    if details.max_amount is None or amount != details.max_amount:
        raise Failure(409, "conflict", "the payments do not add up to the approved amount")
    if details.payments_digest != digest:
        raise Failure(409, "conflict", "the payments are not those that were approved")


def _look_again(
    grant: VerifiedGrant,
    row: LoanRow,
    loan: LoanFile,
    draw: int,
    asked: Payments,
    analysis: Analysis,
) -> None:
    """Look once more, in the transaction that pays."""
    trouble = None
    if grant.claims.details.record_version != str(row.version):
        trouble = "the loan has changed since the approval"
    elif loan.status is not LoanStatus.OPEN or loan.maturity < _today():
        trouble = "the loan is not open"
    elif row.holds:
        trouble = "the loan is on hold"
    elif draw != loan.next_draw:
        trouble = "it is not the next draw"
    elif payments_digest(analysis.payments) != payments_digest(asked.payments):
        trouble = "the payments are not those of the analysis"
    else:
        for payment in asked.payments:
            payee = loan.payee(payment.payee)
            if payee is None or payee.account != payment.account:
                trouble = f"the account of {payment.payee} has changed"
    if trouble is not None:
        raise Failure(409, "conflict", trouble)


def make_app(database: Database, guard: Guard) -> FastAPI:
    """The loan servicing system as an application."""
    service = Servicing(database, guard)

    @contextlib.asynccontextmanager
    async def jobs() -> AsyncIterator[None]:
        telling = asyncio.create_task(tell_uses(guard, Outbox(database)))
        try:
            yield
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    app = make_service(guard, jobs)

    @app.get("/loans/{loan}")
    async def read_loan(request: Request, loan: str) -> Response:
        await guard.require(request, action="loan:read", record=f"loan/{loan}")
        return _json(await service.loan(loan))

    @app.get("/loans/{loan}/draws/{draw}")
    async def read_draw(request: Request, loan: str, draw: int) -> Response:
        await guard.require(request, action="draw:read", record=f"loan/{loan}/draw/{draw}")
        found = (await service.loan(loan)).prior_draws
        if not 1 <= draw <= len(found):
            raise Failure(404, "not_found", "there is no such draw")
        return _json(found[draw - 1])

    @app.post("/loans/{loan}/draws/{draw}/invoices/match")
    async def match(request: Request, loan: str, draw: int) -> Response:
        await guard.require(request, action="invoices:match", record=f"loan/{loan}/draw/{draw}")
        question = await read_model(request, InvoiceQuestion)
        return _json(await service.match(loan, draw, question))

    @app.put("/loans/{loan}/draws/{draw}/analysis")
    async def write_analysis(request: Request, loan: str, draw: int) -> Response:
        await guard.require(request, action="analysis:write", record=f"loan/{loan}/draw/{draw}")
        analysis = await read_model(request, Analysis)
        return _json(await service.keep_analysis(loan, draw, analysis))

    @app.post("/loans/{loan}/draws/{draw}/disbursement")
    async def disburse(request: Request, loan: str, draw: int) -> Response:
        record = f"loan/{loan}/draw/{draw}"
        grant = await guard.require(request, action="draw:disburse", record=record)
        return _json(await service.disburse(grant, loan, draw, await read_model(request, Payments)))

    @app.get("/v1/facts/{record:path}")
    async def facts(request: Request, record: str) -> Response:
        await guard.require_inquiry(request, record)
        segments = record.split("/")
        if segments[0] != "loan" or len(segments) not in (2, 4):
            raise Failure(404, "not_found", "there are no facts of such a record")
        if len(segments) == 4 and not _DRAW.fullmatch(segments[3]):
            raise Failure(404, "not_found", "a draw is a number from 1 on, without leading zeros")
        return _json(await service.facts(segments[1], record))

    return app


def _json(model: Model) -> Response:
    return Response(model.model_dump_json(), media_type="application/json")


def read_loan(database: Database, loan: str) -> LoanFile:
    """A loan as it stands, for the lender's staff.

    Raises:
        Failure: there is none.
    """
    row = database.run_here(lambda session: session.get(LoanRow, loan))
    if row is None:
        raise Failure(404, "not_found", "there is no such loan")
    return LoanFile.model_validate_json(row.body)


def payments_made(database: Database, loan: str) -> list[PaymentRow]:
    """Every payment of a loan, for reports and tests."""
    return database.run_here(
        lambda session: list(session.exec(select(PaymentRow).where(PaymentRow.loan == loan)))
    )


def place_hold(database: Database, loan: str, holds: int) -> None:
    """Set how many holds the servicing system itself knows of; its staff do this."""

    def write(session: Session) -> None:
        row = session.get(LoanRow, loan)
        if row is None:
            raise Failure(404, "not_found", "there is no such loan")
        row.holds = holds

    database.run_here(write)
