"""Connections to the two databases: one engine that writes, one that reads.

SQLite: WAL, ``synchronous=FULL`` (a COMMIT is on the disk when it returns), foreign keys,
``BEGIN IMMEDIATE`` for the writer. PostgreSQL: psycopg, with every wait bounded, and snapshots
(REPEATABLE READ, read only) for readers.
"""

import os
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from placet.authority._store._prepared import say
from placet.sqlite import make_durable

READERS = 4
"""Reader threads, and connections, of one process."""


@dataclass(frozen=True)
class Waits:
    """How long the store waits for the database before it says that it is unavailable.

    ``lock`` bounds the wait for other processes' batches, ``connect`` that for a server that does
    not answer, ``statement`` everything else; seconds.
    """

    lock: float = 5.0
    connect: float = 2.0
    statement: float = 10.0


@dataclass(frozen=True)
class Engines:
    """The two engines of one store."""

    writer: Engine
    reader: Engine

    @property
    def is_postgresql(self) -> bool:
        """Whether the database is PostgreSQL; otherwise it is SQLite."""
        return self.writer.dialect.name == "postgresql"

    def dispose(self) -> None:
        """Close every idle connection."""
        self.writer.dispose()
        self.reader.dispose()


def make_engines(url: str, waits: Waits) -> Engines:
    """Make the engines for ``url`` (``sqlite:///path``, ``postgresql://…``); connect nothing yet.

    Raises:
        ValueError: see :func:`read_url`.
    """
    parsed = read_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, waits)
    return _postgresql(parsed.set(drivername="postgresql+psycopg"), waits)


def read_url(url: str) -> URL:
    """Read the URL of a database.

    Raises:
        ValueError: not a URL, or of a database that the store does not know.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        # Not chained: the driver's error may repeat the password that the URL carries.
        raise ValueError(
            "the store's URL can't be read: write sqlite:///path or postgresql://…"
        ) from None
    backend, path = parsed.drivername.partition("+")[0], parsed.database
    if backend not in {"sqlite", "postgresql"}:
        raise ValueError(f"the store keeps to sqlite:// and postgresql://, not {backend}://")
    if backend == "sqlite" and (not path or path == ":memory:" or path.startswith("file:")):
        raise ValueError("the store needs a SQLite file (sqlite:///path): memory is not durable")
    return parsed


def _sqlite(url: URL, waits: Waits) -> Engines:
    path = url.database
    assert path is not None
    # Made here, before SQLite makes it, so that nobody else may read it.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    options: dict[str, Any] = {
        "connect_args": {"timeout": waits.lock, "check_same_thread": False},
        "hide_parameters": True,
    }
    writer = create_engine(url, poolclass=NullPool, **options)
    reader = create_engine(url, pool_size=READERS, max_overflow=0, **options)
    event.listen(writer, "connect", _prepare_sqlite)
    event.listen(reader, "connect", _prepare_sqlite)
    event.listen(reader, "connect", _refuse_writes)
    event.listen(writer, "begin", _begin_immediate)
    event.listen(reader, "begin", _begin)
    return Engines(writer, reader)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    make_durable(connection)
    for pragma in ("foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _refuse_writes(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA query_only=ON")


def _begin_immediate(connection: Connection) -> None:
    say(connection, "BEGIN IMMEDIATE")


def _begin(connection: Connection) -> None:
    say(connection, "BEGIN")


def _postgresql(url: URL, waits: Waits) -> Engines:
    connect: dict[str, Any] = {
        # libpq counts whole seconds and takes 1 for 2.
        "connect_timeout": max(2, round(waits.connect)),
        "tcp_user_timeout": round(waits.statement * 1000),
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "options": (
            f"-c lock_timeout={round(waits.lock * 1000)}"
            f" -c statement_timeout={round(waits.statement * 1000)}"
            f" -c idle_in_transaction_session_timeout={round(waits.statement * 1000)}"
            " -c synchronous_commit=on -c timezone=UTC"
        ),
    }
    writer = create_engine(url, poolclass=NullPool, connect_args=connect, hide_parameters=True)
    reader = create_engine(
        url,
        pool_size=READERS,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args=connect,
        hide_parameters=True,
        isolation_level="REPEATABLE READ",
        execution_options={"postgresql_readonly": True},
    )
    return Engines(writer, reader)
