"""The proofs that were used at any of the gateways before one system, in a database of theirs.

It is a table that the gateways make by themselves. Nothing in it matters for longer than minutes.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio.to_thread
from sqlalchemy import Connection, Engine, create_engine, event, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

from placet.model import Name
from placet.resource import ReplayCache
from placet.resource.shared import SharedReplayCache, UsedProofs
from placet.sqlite import make_durable

_MAKING = 0x676174657761  # "gatewa"
"""The advisory lock under which the table is made: gateways may start at the same instant."""

_CONNECT = {
    "connect_timeout": 5,
    "tcp_user_timeout": 5000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "options": "-c lock_timeout=5000 -c statement_timeout=5000 -c timezone=UTC",
}


class _Base(SQLModel, registry=registry()):
    """The gateway's own tables, which mix with nobody's."""


class UsedProof(_Base, UsedProofs, table=True):
    """A proof that was used at one of the gateways."""

    __tablename__ = "gateway_used_proof"  # pyright: ignore[reportAssignmentType]  # as SQLModel reads it


class Proofs:
    """The gateways' database of used proofs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(self, system: Name) -> ReplayCache:
        """What the system's guard remembers by."""
        return SharedReplayCache(system, self._engine, UsedProof)

    async def answers(self) -> None:
        """See whether it answers.

        Raises:
            SQLAlchemyError: it does not.
        """
        await anyio.to_thread.run_sync(self._ask)

    def _ask(self) -> None:
        with self._engine.connect() as connection:
            connection.execute(select(1))


@contextmanager
def open_proofs(url: str) -> Iterator[Proofs]:
    """Open the database at ``url``, with its table; close it at the end.

    Raises:
        ConnectionError: it is away, or the table can't be made.
    """
    engine = _engine(_read(url))
    try:
        _make_table(engine)
        yield Proofs(engine)
    finally:
        engine.dispose()


def _read(url: str) -> URL:
    try:
        return make_url(url)
    except (SQLAlchemyError, ValueError):
        # Not chained: the error may repeat a password.
        raise ConnectionError("the URL of the used proofs' database can't be read") from None


def _make_table(engine: Engine) -> None:
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MAKING})
            UsedProof.metadata.create_all(connection)
    except SQLAlchemyError as error:
        said = str(error.orig if isinstance(error, DBAPIError) else error).splitlines()[0]
        raise ConnectionError(f"the database of used proofs can't be used: {said}") from None


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        return create_engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args=_CONNECT,
            hide_parameters=True,
            pool_pre_ping=True,
            pool_timeout=5,
        )
    assert url.database is not None
    Path(url.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_engine(url, connect_args={"timeout": 5}, hide_parameters=True, pool_timeout=5)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    make_durable(connection)


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
