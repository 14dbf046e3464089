"""Connections to a system's database, with every wait bounded."""

import sqlite3
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from placet.sqlite import make_durable


@dataclass(frozen=True)
class Waits:
    """How long a lock, and a statement, may take; seconds."""

    lock: int
    statement: int


BUSY = Waits(lock=5, statement=10)
"""For requests and staff: beyond it the database is "busy", which is no hang."""

PATIENT = Waits(lock=120, statement=3600)
"""For making and changing tables: a large one takes its time, and another replica's turn."""


def make_engine(url: URL, schema: str, waits: Waits) -> Engine:
    """Make the engine for a SQLite file, or a schema in PostgreSQL; connect nothing yet."""
    if url.get_backend_name() == "sqlite":
        engine = create_engine(
            url, connect_args={"timeout": float(waits.lock)}, hide_parameters=True
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    options = (
        f"-c lock_timeout={waits.lock}s -c statement_timeout={waits.statement}s"
        f" -c timezone=UTC -c search_path={schema}"
    )
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={
            "connect_timeout": 5,
            # A server that is gone with its machine or the network says nothing, and ends no wait.
            "tcp_user_timeout": waits.statement * 1000,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "options": options,
        },
        execution_options={"schema_translate_map": {None: schema}},
        hide_parameters=True,
        pool_pre_ping=True,
    )


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    make_durable(connection)
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
