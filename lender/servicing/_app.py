"""The loan servicing system's routes: each asks for its grant, and writes down its use."""

from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.responses import Response
from sqlmodel import Session

from lender._service import Database, Failure
from lender._uses import Desk
from lender._web import (
    LoanPath,
    NumberPath,
    PaymentPath,
    answer,
    make_service,
    parse_payment,
    parse_reallocation,
    parse_record,
    read_model,
)
from lender.model import Analysis, Moves, Payments
from lender.servicing._loans import (
    InvoiceQuestion,
    facts_of,
    find_loan,
    keep_analysis,
    match_invoices,
)
from lender.servicing._paying import Disbursement
from lender.servicing._reallocating import Application, find_moves, reallocation_facts
from lender.servicing._resending import Sending, find_payment, payment_facts
from placet.model import FactsAnswer, digest_json
from placet.resource import Guard


def make_app(database: Database, guard: Guard) -> FastAPI:
    """The loan servicing system as an application."""
    desk = Desk(database, guard)
    app = make_service(desk)

    @app.get("/loans/{loan}")
    async def read_loan(request: Request, loan: LoanPath) -> Response:
        async with desk.using(request, action="loan:read", record=f"loan/{loan}") as use:
            return answer(await use.run(find_loan(loan)))

    @app.get("/loans/{loan}/draws/{draw}")
    async def read_draw(request: Request, loan: LoanPath, draw: NumberPath) -> Response:
        async with desk.using(request, action="draw:read", record=_draw(loan, draw)) as use:
            found = (await use.read(find_loan(loan))).prior_draws
            if draw > len(found):
                raise Failure(404, "not_found", "there is no such draw")
            return answer(await use.run(lambda _: found[draw - 1]))

    @app.post("/loans/{loan}/draws/{draw}/invoices/match")
    async def match(request: Request, loan: LoanPath, draw: NumberPath) -> Response:
        async with desk.using(request, action="invoices:match", record=_draw(loan, draw)) as use:
            question = await read_model(request, InvoiceQuestion)
            return answer(await use.run(match_invoices(loan, draw, question)))

    @app.put("/loans/{loan}/draws/{draw}/analysis")
    async def write_analysis(request: Request, loan: LoanPath, draw: NumberPath) -> Response:
        async with desk.using(request, action="analysis:write", record=_draw(loan, draw)) as use:
            analysis = await read_model(request, Analysis)
            digest = digest_json(analysis)
            return answer(await use.run(keep_analysis(loan, draw, analysis, digest), digest))

    @app.post("/loans/{loan}/draws/{draw}/disbursement")
    async def disburse(request: Request, loan: LoanPath, draw: NumberPath) -> Response:
        async with desk.using(request, action="draw:disburse", record=_draw(loan, draw)) as use:
            asked = await read_model(request, Payments)
            return answer(await Disbursement(use, loan, draw, asked).pay())

    @app.get("/loans/{loan}/reallocations/{number}")
    async def read_moves(request: Request, loan: LoanPath, number: NumberPath) -> Response:
        record = _reallocation(loan, number)
        async with desk.using(request, action="reallocation:read", record=record) as use:
            return answer(await use.run(find_moves(loan, number)))

    @app.post("/loans/{loan}/reallocations/{number}/application")
    async def reallocate(request: Request, loan: LoanPath, number: NumberPath) -> Response:
        record = _reallocation(loan, number)
        async with desk.using(request, action="budget:reallocate", record=record) as use:
            asked = await read_model(request, Moves)
            return answer(await Application(use, loan, number, asked).apply())

    @app.get("/loans/{loan}/draws/{draw}/payments/{payment}")
    async def read_payment(
        request: Request, loan: LoanPath, draw: NumberPath, payment: PaymentPath
    ) -> Response:
        record = _payment(loan, draw, payment)
        async with desk.using(request, action="payment:read", record=record) as use:
            return answer(await use.run(find_payment(loan, draw, payment)))

    @app.post("/loans/{loan}/draws/{draw}/payments/{payment}/resending")
    async def resend(
        request: Request, loan: LoanPath, draw: NumberPath, payment: PaymentPath
    ) -> Response:
        record = _payment(loan, draw, payment)
        async with desk.using(request, action="payment:resend", record=record) as use:
            asked = await read_model(request, Payments)
            return answer(await Sending(use, loan, draw, payment, asked).send())

    @app.get("/v1/facts/{record:path}")
    async def facts(request: Request, record: str) -> Response:
        return answer(await desk.tell_facts(request, record, _facts(record)))

    return app


def _facts(record: str) -> Callable[[Session], FactsAnswer]:
    def read(session: Session) -> FactsAnswer:
        asked = parse_reallocation(record)
        if asked is not None:
            return reallocation_facts(record, *asked)(session)
        sent = parse_payment(record)
        if sent is not None:
            return payment_facts(record, *sent)(session)
        return facts_of(record, *parse_record(record))(session)

    return read


def _draw(loan: str, draw: int) -> str:
    return f"loan/{loan}/draw/{draw}"


def _reallocation(loan: str, number: int) -> str:
    return f"loan/{loan}/reallocation/{number}"


def _payment(loan: str, draw: int, payment: str) -> str:
    return f"{_draw(loan, draw)}/payment/{payment}"
