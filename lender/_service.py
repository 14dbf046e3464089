"""What the three systems of record have in common: a database, a guard, and their errors."""

import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import registry
from sqlmodel import Field, Session, SQLModel, create_engine, select

from placet.model import GrantUse, Problem
from placet.resource import Guard, Refused

T = TypeVar("T")
_M = TypeVar("_M", bound=BaseModel)
MAX_BODY = 8 * 1024 * 1024
"""Bytes of a request's body: an analysis of sixty rows has about 200 kB."""


class Failure(Exception):
    """A request that can't be carried out: a status, an error code, and what to do."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.problem = Problem(error=error, error_description=description[:500])


class Base(SQLModel, registry=registry()):
    """The base of the systems' tables."""


class Told(Base, table=True):
    """A use that the authority must hear of: written with what was done, told until heard."""

    __tablename__ = "use_outbox"
    id: str = Field(primary_key=True)
    body: str
    told: bool = Field(default=False, index=True)


class Database:
    """One system's own database. SQLite unless a URL says otherwise; writes wait their turn."""

    def __init__(self, url: str) -> None:
        self.engine: Engine = create_engine(url)
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        Base.metadata.create_all(self.engine)

    async def run(self, work: Callable[[Session], T]) -> T:
        """Run ``work`` in one transaction, in a thread.

        Raises:
            Failure: the database is busy or away (503); nothing was written.
        """
        return await anyio.to_thread.run_sync(self.run_here, work)

    def run_here(self, work: Callable[[Session], T]) -> T:
        """Run ``work`` in one transaction, in this thread; see :meth:`run`."""
        try:
            with Session(self.engine, expire_on_commit=False) as session, session.begin():
                return work(session)
        except OperationalError as error:
            raise Failure(503, "temporarily_unavailable", "the database is busy") from error


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


class Outbox:
    """The uses that the authority has not heard of yet."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pending(self) -> Sequence[GrantUse]:
        """The oldest uses that were not told."""

        def read(session: Session) -> list[GrantUse]:
            rows = session.exec(select(Told).where(Told.told == False).limit(256))  # noqa: E712 - a column
            return [GrantUse.model_validate_json(row.body) for row in rows]

        return await self._database.run(read)

    async def told(self, ids: Sequence[str]) -> None:
        """These were told."""

        def write(session: Session) -> None:
            for use in ids:
                row = session.get(Told, use)
                if row is not None:
                    row.told = True

        await self._database.run(write)


def put_use(session: Session, use: GrantUse) -> None:
    """Put a use into the outbox, in the transaction of what it tells."""
    if session.get(Told, use.id) is None:
        session.add(Told(id=use.id, body=use.model_dump_json()))


def make_service(
    guard: Guard, jobs: Callable[[], contextlib.AbstractAsyncContextManager[None]]
) -> FastAPI:
    """An application whose errors are Problems, and whose guard follows while it runs."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with guard.following(), jobs():
            yield

    app = FastAPI(lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)

    async def refused(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Refused)
        return JSONResponse(error.problem.model_dump(), error.status, headers=error.headers)

    async def failed(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Failure)
        return JSONResponse(error.problem.model_dump(), error.status)

    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(Failure, failed)

    @app.get("/healthz")
    async def health() -> dict[str, str]:
        return {"status": "ok", "system": guard.system}

    return app


async def read_model(request: Request, model: type[_M], limit: int = MAX_BODY) -> _M:
    """Parse a JSON body.

    Raises:
        Failure: too large, no JSON, or not of this form; the message names the member.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise Failure(413, "invalid_request", f"the body is larger than {limit} bytes")
    try:
        json.loads(body)
        return model.model_validate_json(bytes(body))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "body"
        raise Failure(400, "invalid_request", f"{place}: {first['msg']}") from None
    except (ValueError, RecursionError):
        raise Failure(400, "invalid_request", "the body is not JSON") from None
