"""The lender's systems on both databases: SQLite files, and a PostgreSQL of their own."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from lender.serve import SYSTEMS, LenderSettings
from tests.authority.throwaway_postgresql import PostgresqlCluster, find_binaries
from tests.lender.lending import Lending, lending, sqlite


@pytest.fixture(scope="session")
def cluster() -> Iterator[PostgresqlCluster]:
    """One throw-away cluster for each test process."""
    binaries = find_binaries()
    if binaries is None:
        if os.environ.get("PLACET_REQUIRE_POSTGRESQL") == "1":
            pytest.fail("PLACET_REQUIRE_POSTGRESQL=1, but initdb and postgres are not installed")
        pytest.skip("NOT TESTED ON POSTGRESQL: initdb and postgres are not installed")
    made = PostgresqlCluster(binaries)
    yield made
    made.remove()


@pytest.fixture
async def bank(tmp_path: Path) -> AsyncIterator[Lending]:
    """The systems on SQLite."""
    databases = sqlite(tmp_path)
    async with lending(databases) as made:
        yield made
    for each in databases.values():
        each.engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lending]:
    """The systems on each kind of database."""
    if request.param == "sqlite":
        databases, drop = sqlite(tmp_path), None
    else:
        cluster: PostgresqlCluster = request.getfixturevalue("cluster")
        name = cluster.create_database()
        settings = LenderSettings(folder=tmp_path, database_url=cluster.url(name))
        databases, drop = {each: settings.database(each) for each in SYSTEMS}, name
    async with lending(databases) as made:
        yield made
    for each in databases.values():
        each.engine.dispose()
    if drop is not None:
        cluster.drop_database(drop)
