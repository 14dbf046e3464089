"""The compliance database: sanctions and licences of payees. Answers name nobody else."""

from typing import Literal, get_args

from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import JsonValue
from sqlalchemy import CheckConstraint
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, Session, col, delete, select

from lender._scope import Reach
from lender._service import Base, Database, Failure
from lender._uses import Desk
from lender._web import PayeePath, answer, make_service, parse_record
from lender.model import LoanFile, PayeeStanding, Screening
from placet.model import FactsAnswer
from placet.resource import Guard

LIST_VERSION = "2026-11"
Standing = Literal["clear", "hit"]


class PayeeRow(Base, table=True):
    """A payee's standing: one, however many loans pay it."""

    __tablename__ = "payee"
    __table_args__ = (
        CheckConstraint("standing IN ('clear', 'hit')", name="standing_known"),
        Reach("id = (SELECT granted('payee')) OR id IN (SELECT payee FROM payee_of_loan)").info,
    )
    id: str = Field(primary_key=True)
    name: str
    standing: str = "clear"
    licensed: bool = True


class PayeeOfLoan(Base, table=True):
    """A loan pays a payee."""

    __tablename__ = "payee_of_loan"
    __table_args__ = Reach("loan = (SELECT granted('loan'))").info
    loan: str = Field(primary_key=True)
    payee: str = Field(primary_key=True, foreign_key="payee.id")


def register_payees(database: Database, loan: LoanFile) -> None:
    """Take a loan's payees in, in place of those it had; one that is known keeps its standing.

    Raises:
        Failure: one of them is being taken in at this moment.
    """

    def write(session: Session) -> None:
        for payee in loan.payees:
            if session.get(PayeeRow, payee.id) is None:
                session.add(PayeeRow(id=payee.id, name=payee.name))
        session.flush()
        session.exec(delete(PayeeOfLoan).where(col(PayeeOfLoan.loan) == loan.loan_id))
        for known in {payee.id for payee in loan.payees}:
            session.add(PayeeOfLoan(loan=loan.loan_id, payee=known))

    try:
        database.run_here(write)
    except IntegrityError:
        raise Failure(
            409, "conflict", f"a payee of {loan.loan_id} is just being taken in; try again"
        ) from None


def set_standing(
    database: Database, payee: str, standing: Standing, *, licensed: bool = True
) -> None:
    """Set a payee's standing; the compliance staff do this.

    Raises:
        Failure: there is no such payee, or no such standing.
    """
    if standing not in get_args(Standing):
        raise Failure(400, "invalid_request", f"standing: {standing!r} is neither clear nor hit")

    def write(session: Session) -> None:
        row = session.get(PayeeRow, payee, with_for_update=True)
        if row is None:
            raise Failure(404, "not_found", "there is no such payee")
        row.standing, row.licensed = standing, licensed

    database.run_here(write)


def make_app(database: Database, guard: Guard) -> FastAPI:
    """The compliance database as an application."""
    desk = Desk(database, guard)
    app = make_service(desk)

    @app.post("/payees/{payee}/screening")
    async def screen(request: Request, payee: PayeePath) -> Response:
        async with desk.using(request, action="payee:screen", record=f"payee/{payee}") as use:
            row = await use.run(lambda session: session.get(PayeeRow, payee))
            unknown = Screening(
                payee=payee, status="unknown", licensed=False, list_version=LIST_VERSION
            )
            return answer(unknown if row is None else _screened(row))

    @app.get("/v1/facts/{record:path}")
    async def facts(request: Request, record: str) -> Response:
        def read(session: Session) -> FactsAnswer:
            loan, _ = parse_record(record)
            facts: dict[str, JsonValue] = {"standings": _standings(session, loan)}
            return FactsAnswer(record=record, version=LIST_VERSION, facts=facts)

        return answer(await desk.tell_facts(request, record, read))

    return app


def _screened(row: PayeeRow) -> Screening:
    return Screening(
        payee=row.id, status=row.standing, licensed=row.licensed, list_version=LIST_VERSION
    )


def _standings(session: Session, loan: str) -> list[JsonValue]:
    """How each of a loan's payees stands, at least: nothing is known of any other."""
    rows = session.exec(
        select(PayeeRow)
        .join(PayeeOfLoan, col(PayeeOfLoan.payee) == col(PayeeRow.id))
        .where(col(PayeeOfLoan.loan) == loan)
        .order_by(col(PayeeRow.id))
    )
    return [
        told
        for row in rows
        for told in PayeeStanding(payee=row.id, standing=_screened(row).standing).at_least
    ]
