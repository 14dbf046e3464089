"""The authority's tests run on both databases: a SQLite file, and a PostgreSQL of their own."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from placet.authority._store import Store
from tests.authority import ORIGIN
from tests.authority.throwaway_postgresql import PostgresqlCluster, find_binaries


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlCluster]:
    """One throw-away cluster for each test process."""
    binaries = find_binaries()
    if binaries is None:
        if os.environ.get("PLACET_REQUIRE_POSTGRESQL") == "1":
            pytest.fail("PLACET_REQUIRE_POSTGRESQL=1, but initdb and postgres are not installed")
        pytest.skip("NOT TESTED ON POSTGRESQL: initdb and postgres are not installed")
    cluster = PostgresqlCluster(binaries)
    yield cluster
    cluster.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a new, empty database: each test runs once on each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'authority.db'}"
        return
    cluster: PostgresqlCluster = request.getfixturevalue("postgresql")
    name = cluster.create_database()
    yield cluster.url(name)
    cluster.drop_database(name)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """An open store on a new database."""
    async with await Store.open(database_url, origin=ORIGIN) as opened:
        yield opened
