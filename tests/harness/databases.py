"""New, empty databases of both kinds: a SQLite file, or one of a throw-away PostgreSQL's."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.authority.throwaway_postgresql import PostgresqlCluster

KINDS = ("sqlite", "postgresql")


@contextlib.contextmanager
def new_database(request: pytest.FixtureRequest, kind: str, folder: Path) -> Iterator[str]:
    """The URL of a new database, dropped at the end; without PostgreSQL the test is skipped."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'authority.db'}"
        return
    cluster: PostgresqlCluster = request.getfixturevalue("postgresql")
    name = cluster.create_database()
    try:
        yield cluster.url(name)
    finally:
        cluster.drop_database(name)
