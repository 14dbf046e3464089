"""New databases of both kinds: a SQLite file, or one of a throw-away PostgreSQL's."""

import contextlib
import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from placet.authority._store._engines import Waits, make_engines
from placet.authority._store._schema import prepare
from tests.authority.throwaway_postgresql import PostgresqlCluster

KINDS = ("sqlite", "postgresql")


@contextlib.contextmanager
def new_database(
    request: pytest.FixtureRequest, kind: str, folder: Path, origin: str = ""
) -> Iterator[str]:
    """The URL of a new database, dropped at the end; without PostgreSQL the test is skipped.

    It is empty; or it has the tables of the log with that ``origin``, copied from one that a store
    has made: to make them takes 0.2 s of PostgreSQL each time.
    """
    if kind == "sqlite":
        file = folder / "authority.db"
        if origin:
            file.write_bytes(_file(origin))
        yield f"sqlite:///{file}"
        return
    cluster: PostgresqlCluster = request.getfixturevalue("postgresql")
    name = cluster.create_database(_template(cluster, origin) if origin else "template1")
    try:
        yield cluster.url(name)
    finally:
        cluster.drop_database(name)


@functools.cache
def _file(origin: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="placet-tables-") as folder:
        file = Path(folder) / "made.db"
        _prepare(f"sqlite:///{file}", origin)
        return file.read_bytes()


@functools.cache
def _template(cluster: PostgresqlCluster, origin: str) -> str:
    name = cluster.create_database()
    _prepare(cluster.url(name), origin)
    return name


def _prepare(url: str, origin: str) -> None:
    engines = make_engines(url, Waits())
    try:
        prepare(engines, origin)
    finally:
        engines.dispose()
