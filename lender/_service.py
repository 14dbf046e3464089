"""What the three systems of record have in common: a database of their own, and their errors."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

import anyio.to_thread
from psycopg.errors import InsufficientPrivilege as _Unprivileged
from sqlalchemy import Connection, Engine, event, func
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm import registry
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.schema import CreateSchema
from sqlmodel import Session, SQLModel, create_engine, select

from lender import _scope
from lender._scope import Scope
from placet.model import GrantId, Name, Problem
from placet.resource import ReplayCache
from placet.resource.shared import SharedReplayCache, UsedProofs

T = TypeVar("T")

# A lock that is held for longer, or a server that does not answer, is "busy", not a hang.
_POSTGRESQL = {"connect_timeout": 5}
_OPTIONS = "-c lock_timeout=5000 -c statement_timeout=10000 -c timezone=UTC"
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


class UsedProof(Base, UsedProofs, table=True):
    """A proof of possession that was used, at whichever replica; no grant reaches it."""

    __tablename__ = "used_proof"


class Database:
    """One system's own database: a SQLite file, or a schema of its own in PostgreSQL.

    Writes wait their turn: on SQLite for the database, on PostgreSQL for the rows they lock. In
    PostgreSQL requests come in as the role that ``requests_url`` names, which reaches what a grant
    gives it and nothing else (:mod:`lender._scope`); ``url`` names the tables' owner, for staff.

    Raises:
        Failure: the database is away (503), or the requests' role would pass row-level security.
    """

    def __init__(
        self, url: str, *, schema: str = "public", requests_url: str | None = None
    ) -> None:
        parsed = make_url(url)
        self._requests: Engine | None = None
        if parsed.get_backend_name() == "sqlite":
            self.engine: Engine = create_engine(parsed, hide_parameters=True)
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
            self.run_here(lambda session: Base.metadata.create_all(session.connection()))
            return
        if requests_url is None:
            raise ValueError("in PostgreSQL requests need a role of their own: name requests_url")
        self.engine = _postgresql(parsed, schema)
        self._requests = _postgresql(make_url(requests_url), schema)
        try:
            role = self._role_of_requests()
            self.run_here(lambda session: _make_tables(session.connection(), schema, role))
        except BaseException:
            self.close()
            raise

    def _role_of_requests(self) -> str:
        def look(session: Session) -> str:
            role = _user(session)
            if _scope.bypasses(session.connection(), owner):
                raise Failure(
                    500,
                    "server_error",
                    f"requests_url names the role {role}, which would see every record: name one "
                    "that owns no table, and is neither superuser nor BYPASSRLS",
                )
            return role

        assert self._requests is not None
        owner = self.run_here(_user)
        return self._in_one(Session(self._requests), look)

    def close(self) -> None:
        """Close its connections."""
        self.engine.dispose()
        if self._requests is not None:
            self._requests.dispose()

    def proofs(self, system: Name) -> ReplayCache:
        """Where the system's guard remembers used proofs, as every replica on the database."""
        return SharedReplayCache(system, self.engine, UsedProof)

    async def answers(self) -> None:
        """See whether it answers.

        Raises:
            Failure: it does not.
        """
        await self.run(lambda session: session.execute(select(1)))

    async def run(self, work: Callable[[Session], T], scope: Scope | None = None) -> T:
        """Run ``work`` in one transaction, in a thread; it reaches what ``scope`` names, or all.

        Who is cancelled still waits for its end: a stopped system leaves no transaction under way.

        Raises:
            Failure: the database is busy or away (503), can't hold a value (400), or refuses what
                the scope does not reach (403); nothing was written.
        """
        running = asyncio.ensure_future(anyio.to_thread.run_sync(self.run_here, work, scope))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.gather(running, return_exceptions=True)
            raise

    def run_here(self, work: Callable[[Session], T], scope: Scope | None = None) -> T:
        """Run ``work`` in one transaction, in this thread; see :meth:`run`."""
        if scope is None or self._requests is None:
            return self._in_one(Session(self.engine, expire_on_commit=False), work)
        ticket = self.run_here(lambda session: _scope.admit(session.connection(), scope))

        def under(session: Session) -> T:
            _scope.activate(session.connection(), ticket)
            return work(session)

        return self._in_one(Session(self._requests, expire_on_commit=False), under)

    async def end(self, grants: Sequence[GrantId], until: datetime) -> None:
        """End these grants in the database too; ``until`` is when none of them can live any more.

        Raises:
            Failure: the database is away.
        """
        if self._requests is not None:
            await self.run(lambda session: _scope.end(session.connection(), grants, until))

    def _in_one(self, session: Session, work: Callable[[Session], T]) -> T:
        with _as_failures(), session, session.begin():
            return work(session)


@contextmanager
def _as_failures() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, NoConnection) as error:
        raise Failure(503, "temporarily_unavailable", "the database is busy or away") from error
    except DataError as error:
        raise Failure(400, "invalid_request", "a value that no database can hold") from error
    except (ProgrammingError, StaleDataError) as error:
        if isinstance(error, ProgrammingError) and not isinstance(error.orig, _Unprivileged):
            raise
        raise Failure(
            403, "insufficient_scope", "the grant has ended, or does not reach this in the database"
        ) from error


def broken_constraint(error: IntegrityError) -> str:
    """Which constraint refused a write: its name, or the columns that must be unique."""
    diagnostics = getattr(error.orig, "diag", None)
    if diagnostics is not None:
        return str(diagnostics.constraint_name)
    return str(error.orig).rpartition(": ")[2]


def _user(session: Session) -> str:
    return session.exec(select(func.current_user())).one()


def _postgresql(url: URL, schema: str) -> Engine:
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={**_POSTGRESQL, "options": f"{_OPTIONS} -c search_path={schema}"},
        execution_options={"schema_translate_map": {None: schema}},
        hide_parameters=True,
        pool_pre_ping=True,
    )


def _make_tables(connection: Connection, schema: str, role: str) -> None:
    connection.execute(select(func.pg_advisory_xact_lock(_MAKING_TABLES)))
    connection.execute(CreateSchema(schema, if_not_exists=True))
    Base.metadata.create_all(connection)
    _scope.lay(connection, Base.metadata, schema, role)


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
