"""The lender's systems on both databases: SQLite files, and a PostgreSQL of their own."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lender.serve import LenderSettings
from tests.authority.throwaway_postgresql import PostgresqlCluster, find_binaries
from tests.lender.lending import Lending, lending


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
async def bank(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lending]:
    """The systems that the module names in ``SYSTEMS``, on SQLite."""
    async with _lending(request, LenderSettings(folder=tmp_path)) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lending]:
    """The same on each kind of database."""
    if request.param == "sqlite":
        async with _lending(request, LenderSettings(folder=tmp_path)) as made:
            yield made
        return
    cluster: PostgresqlCluster = request.getfixturevalue("cluster")
    name = cluster.create_database()
    async with _lending(
        request, LenderSettings(folder=tmp_path, database_url=cluster.url(name))
    ) as made:
        yield made
    cluster.drop_database(name)


@asynccontextmanager
async def _lending(
    request: pytest.FixtureRequest, settings: LenderSettings
) -> AsyncIterator[Lending]:
    databases = {system: settings.database(system) for system in request.module.SYSTEMS}
    async with lending(databases) as made:
        yield made
    for each in databases.values():
        each.engine.dispose()
