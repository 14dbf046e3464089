"""On PostgreSQL whoever changes a loan locks its row first, and looks only then."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from lender.servicing import import_loan, read_loan
from placet.model import digest_json
from tests.authority.throwaway_postgresql import PostgresqlCluster
from tests.lender.lending import (
    LOAN,
    PAID,
    Lending,
    analysis_of,
    lending,
    loan_file,
    require_problem,
    until,
)
from tests.lender.roles import settings_on

SYSTEMS = ("loan-servicing",)


@pytest.fixture
async def bank(postgresql: PostgresqlCluster, tmp_path: Path) -> Any:
    name = postgresql.create_database()
    settings = settings_on(postgresql, name, tmp_path)
    databases = {"loan-servicing": settings.database("loan-servicing")}
    async with lending(databases) as made:
        yield made
    databases["loan-servicing"].close()
    postgresql.drop_database(name)


@contextmanager
def _holding(engine: Engine) -> Iterator[Connection]:
    """Hold the loan's row, as someone who is about to change it."""
    with engine.begin() as connection:
        connection.execute(
            text(f"SELECT * FROM loan_servicing.loan WHERE id = '{LOAN}' FOR UPDATE")
        )
        yield connection


async def _meanwhile(
    bank: Lending, work: Coroutine[Any, Any, Any], change: Callable[[Connection], object]
) -> Any:
    """Start the work while the row is held, change the loan once it waits, and let it go on."""
    engine = bank.databases["loan-servicing"].engine

    async def waits() -> bool:
        with engine.connect() as connection:
            query = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            return bool(connection.execute(query).scalar())

    with _holding(engine) as connection:
        running = asyncio.create_task(work)
        await until(waits)
        change(connection)
    return await running


def _set(what: str) -> Callable[[Connection], object]:
    return lambda connection: connection.execute(text(f"UPDATE loan_servicing.loan SET {what}"))


async def test_a_payment_sees_the_hold_that_was_placed_while_it_waited(bank: Lending) -> None:
    """I5: the last look is at what is there when the row is ours."""
    await bank.analyse()
    fixed = await bank.approved()
    answer = await _meanwhile(bank, bank.pay(fixed), _set("holds = 1"))
    require_problem(answer, 409, "conflict", "on hold")
    assert bank.paid() == []


async def test_a_payment_sees_the_loan_that_changed_while_it_waited(bank: Lending) -> None:
    """I5: record_version is compared under the lock."""
    await bank.analyse()
    fixed = await bank.approved()
    answer = await _meanwhile(bank, bank.pay(fixed), _set("version = 2"))
    require_problem(answer, 409, "conflict", "changed since the approval")
    assert bank.paid() == []


async def test_a_payment_sees_the_invoice_that_was_billed_while_it_waited(bank: Lending) -> None:
    """I5: another loan's payment of the same invoice is under way: one of them is refused."""
    await bank.analyse()
    fixed = await bank.approved()
    digest = digest_json(analysis_of().invoices[0].spelled)
    engine = bank.databases["loan-servicing"].engine
    with engine.begin() as connection:
        connection.execute(text(f"INSERT INTO loan_servicing.first_billing VALUES ('{digest}')"))
        connection.execute(
            text(f"INSERT INTO loan_servicing.invoice VALUES ('{digest}', 'L-1002', 1)")
        )
        paying = asyncio.create_task(bank.pay(fixed))

        async def waits() -> bool:
            with engine.connect() as other:
                query = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
                return bool(other.execute(query).scalar())

        await until(waits)
    require_problem(await paying, 409, "conflict", "invoice 7 of Acme over 250.50 was billed")
    assert bank.paid() == []
    assert bank.loan().version == 1


async def test_an_import_builds_on_what_was_written_while_it_waited(bank: Lending) -> None:
    """Versions never go back: nobody's change is overwritten unseen."""
    database = bank.databases["loan-servicing"]
    importing = asyncio.to_thread(import_loan, database, loan_file())
    await _meanwhile(bank, importing, _set("version = 5, holds = 3"))
    assert read_loan(database, LOAN).version == 6
    facts = await bank.facts()
    assert facts["facts"]["holds"] == 3


async def test_an_analysis_waits_for_a_payment(bank: Lending) -> None:
    """I13: what is being paid on is not rewritten meanwhile."""
    await bank.analyse()
    fixed = await bank.approved()
    engine = bank.databases["loan-servicing"].engine

    async def waiting(count: int) -> bool:
        with engine.connect() as connection:
            query = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            return int(connection.execute(query).scalar() or 0) >= count

    with _holding(engine):
        paying = asyncio.create_task(bank.pay(fixed))
        await until(lambda: waiting(1))
        writing = asyncio.create_task(bank.analyse(analysis_of(rows=())))
        await until(lambda: waiting(2))
    paid, written = await paying, await writing
    if paid.status_code == 200:
        require_problem(written, 409, "conflict", "disbursed already")
        assert bank.paid() == PAID
    else:
        require_problem(paid, 409, "conflict", "changed since the approval")
        assert written.status_code == 200
        assert bank.paid() == []
