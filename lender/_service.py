"""What the three systems of record have in common: a database of their own, and their errors."""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

import anyio.to_thread
from sqlalchemy import Connection, Engine, event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm import registry
from sqlalchemy.schema import CreateSchema
from sqlmodel import Session, SQLModel, create_engine

from placet.model import Problem

T = TypeVar("T")

_POSTGRESQL = {
    # A lock that is held for longer, or a server that does not answer, is "busy", not a hang.
    "connect_timeout": 5,
    "options": "-c lock_timeout=5000 -c statement_timeout=10000 -c timezone=UTC",
}
_MAKING_TABLES = 7_065_361
"""The advisory lock under which tables are made: three systems may start at the same instant."""


class Failure(Exception):
    """A request that can't be carried out: a status, an error code, and what to do."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.problem = Problem(error=error, error_description=description[:500])


class Base(SQLModel, registry=registry()):
    """The base of the systems' tables."""


class Database:
    """One system's own database: a SQLite file, or a schema of its own in PostgreSQL.

    Writes wait their turn: on SQLite for the database, on PostgreSQL for the rows they lock.

    Raises:
        Failure: the database is away (503).
    """

    def __init__(self, url: str, *, schema: str = "public") -> None:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            self.engine: Engine = create_engine(parsed, hide_parameters=True)
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            self.engine = create_engine(
                parsed.set(drivername="postgresql+psycopg"),
                connect_args=_POSTGRESQL,
                execution_options={"schema_translate_map": {None: schema}},
                hide_parameters=True,
                pool_pre_ping=True,
            )
        self.run_here(lambda session: _make_tables(session.connection(), schema))

    async def run(self, work: Callable[[Session], T]) -> T:
        """Run ``work`` in one transaction, in a thread.

        Who is cancelled still waits for its end: a stopped system leaves no transaction under way.

        Raises:
            Failure: the database is busy or away (503), or can't hold a value (400); nothing was
                written.
        """
        running = asyncio.ensure_future(anyio.to_thread.run_sync(self.run_here, work))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.gather(running, return_exceptions=True)
            raise

    def run_here(self, work: Callable[[Session], T]) -> T:
        """Run ``work`` in one transaction, in this thread; see :meth:`run`."""
        try:
            with Session(self.engine, expire_on_commit=False) as session, session.begin():
                return work(session)
        except (OperationalError, InterfaceError, NoConnection) as error:
            raise Failure(503, "temporarily_unavailable", "the database is busy or away") from error
        except DataError as error:
            raise Failure(400, "invalid_request", "a value that no database can hold") from error


def broken_constraint(error: IntegrityError) -> str:
    """Which constraint refused a write: its name, or the columns that must be unique."""
    diagnostics = getattr(error.orig, "diag", None)
    if diagnostics is not None:
        return str(diagnostics.constraint_name)
    return str(error.orig).rpartition(": ")[2]


def _make_tables(connection: Connection, schema: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_MAKING_TABLES)))
        connection.execute(CreateSchema(schema, if_not_exists=True))
    Base.metadata.create_all(connection)


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
