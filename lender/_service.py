"""What the three systems of record have in common: a database of their own, and their errors."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Self, TypeVar

import anyio.to_thread
from psycopg.errors import InsufficientPrivilege as _Unprivileged
from sqlalchemy import Engine, func
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm import registry
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import Session, SQLModel, select

from lender import _scope
from lender._engines import BUSY, PATIENT, make_engine
from lender._revisions import NEEDED, Migrated, WrongRevision, bring
from lender._scope import Scope
from placet.clock import system_clock
from placet.model import GrantId, Name, Problem
from placet.resource import ReplayCache
from placet.resource.shared import SharedReplayCache, UsedProofs

T = TypeVar("T")
_ENDED = "the grant has ended, or does not reach this in the database"


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
    Its tables are made, or brought to the revision that this program needs.

    Attributes:
        migrated: the revision that the tables had, and the one that they have.

    Raises:
        Failure: the database is away (503), its tables are a newer program's, or the requests' role
            would pass row-level security.
    """

    def __init__(
        self, url: str, *, schema: str = "public", requests_url: str | None = None
    ) -> None:
        parsed = make_url(url)
        on_postgresql = parsed.get_backend_name() == "postgresql"
        self._requests: Engine | None = None
        self.engine = make_engine(parsed, schema, BUSY)
        if on_postgresql:
            if requests_url is None:
                raise ValueError("in PostgreSQL requests need a role of their own")
            self._requests = make_engine(make_url(requests_url), schema, BUSY)
        try:
            with _with_the_reason():
                role = self._role_of_requests() if on_postgresql else None
            self.migrated = migrate(url, NEEDED, schema=schema, role=role)
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

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
        if scope is None:
            return self._in_one(Session(self.engine, expire_on_commit=False), work)
        if self._requests is None:
            return self._in_one(Session(self.engine, expire_on_commit=False), _until(scope, work))
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


def _until(scope: Scope, work: Callable[[Session], T]) -> Callable[[Session], T]:
    """Work that is not begun once the scope has ended: who stood still on the way comes too late.

    In PostgreSQL the database says so itself.
    """

    def in_time(session: Session) -> T:
        session.connection()  # which waits for its turn to write
        if system_clock() >= scope.ends:
            raise Failure(403, "insufficient_scope", _ENDED)
        return work(session)

    return in_time


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
        raise Failure(403, "insufficient_scope", _ENDED) from error


@contextmanager
def _with_the_reason() -> Iterator[None]:
    """For whoever starts or migrates: what the database says, which no caller is told."""
    try:
        yield
    except Failure as error:
        cause = error.__cause__
        if not isinstance(cause, DBAPIError):
            raise
        why = str(cause.orig).partition("\n")[0]
        raise Failure(error.status, error.problem.error, f"{error}: {why}") from cause


def broken_constraint(error: IntegrityError) -> str:
    """Which constraint refused a write: its name, or the columns that must be unique."""
    diagnostics = getattr(error.orig, "diag", None)
    if diagnostics is not None:
        return str(diagnostics.constraint_name)
    return str(error.orig).rpartition(": ")[2]


def _user(session: Session) -> str:
    return session.exec(select(func.current_user())).one()


def migrate(url: str, to: str, *, schema: str = "public", role: str | None = None) -> Migrated:
    """Bring a system's tables to a revision, up or down, in one transaction.

    ``role`` is the one that requests come in as. Without it they reach nothing in PostgreSQL, until
    a system starts on the tables.

    Raises:
        Failure: the database is away, its tables are a newer program's, or can't go down so far.
    """
    engine = make_engine(make_url(url), schema, PATIENT)
    try:
        with (
            _with_the_reason(),
            _as_failures(),
            engine.connect() as connection,
            connection.begin(),
        ):
            migrated = bring(connection, schema, to)
            if role is not None:
                _scope.lay(connection, Base.metadata, schema, role)
            return migrated
    except WrongRevision as error:
        raise Failure(500, "server_error", str(error)) from None
    finally:
        engine.dispose()
