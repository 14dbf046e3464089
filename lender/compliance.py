"""The compliance database: sanctions and licences of payees. Answers name nobody else."""

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.responses import Response
from sqlmodel import Field, Session, select

from lender._service import Base, Database, Failure, make_service
from lender.model import LoanFile, Screening
from placet.model import FactsAnswer
from placet.resource import Guard

LIST_VERSION = "2026-11"


class PayeeRow(Base, table=True):
    """A payee's standing, and the loan it is registered with."""

    __tablename__ = "payee"
    id: str = Field(primary_key=True)
    loan: str = Field(index=True)
    name: str
    standing: str = "clear"
    licensed: bool = True


def register_payees(database: Database, loan: LoanFile) -> None:
    """Take a loan's payees in; one that is known keeps its standing."""

    def write(session: Session) -> None:
        for payee in loan.payees:
            if session.get(PayeeRow, payee.id) is None:
                session.add(PayeeRow(id=payee.id, loan=loan.loan_id, name=payee.name))

    database.run_here(write)


def set_standing(database: Database, payee: str, standing: str, *, licensed: bool = True) -> None:
    """Set a payee's standing (``clear`` or ``hit``); the compliance staff do this.

    Raises:
        Failure: there is no such payee.
    """

    def write(session: Session) -> None:
        row = session.get(PayeeRow, payee)
        if row is None:
            raise Failure(404, "not_found", "there is no such payee")
        row.standing, row.licensed = standing, licensed

    database.run_here(write)


def make_app(database: Database, guard: Guard) -> FastAPI:
    """The compliance database as an application."""

    @contextlib.asynccontextmanager
    async def jobs() -> AsyncIterator[None]:
        yield

    app = make_service(guard, jobs)

    @app.post("/payees/{payee}/screening")
    async def screen(request: Request, payee: str) -> Response:
        await guard.require(request, action="payee:screen", record=f"payee/{payee}")
        row = await database.run(lambda session: session.get(PayeeRow, payee))
        answer = Screening(
            payee=payee,
            status="unknown" if row is None else row.standing,
            licensed=row is not None and row.licensed,
            list_version=LIST_VERSION,
        )
        return Response(answer.model_dump_json(), media_type="application/json")

    @app.get("/v1/facts/{record:path}")
    async def facts(request: Request, record: str) -> Response:
        await guard.require_inquiry(request, record)
        segments = record.split("/")
        if segments[0] != "loan" or len(segments) < 2:
            raise Failure(404, "not_found", "there are no facts of such a record")

        def read(session: Session) -> str:
            rows = session.exec(select(PayeeRow).where(PayeeRow.loan == segments[1])).all()
            if not rows:
                return "unknown"
            clear = all(row.standing == "clear" and row.licensed for row in rows)
            return "clear" if clear else "hit"

        answer = FactsAnswer(
            record=record,
            version=LIST_VERSION,
            facts={"screening": await database.run(read)},
        )
        return Response(answer.model_dump_json(), media_type="application/json")

    return app
