"""The lender's systems on both databases: SQLite files, and a PostgreSQL of their own."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lender.serve import LenderSettings
from tests.authority.throwaway_postgresql import PostgresqlCluster
from tests.harness.databases import KINDS
from tests.lender.lending import Lending, lending
from tests.lender.roles import settings_on


@pytest.fixture
async def bank(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lending]:
    """The systems that the module names in ``SYSTEMS``, on SQLite."""
    async with _lending(request, LenderSettings(folder=tmp_path)) as made:
        yield made


@pytest.fixture(params=KINDS)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LenderSettings]:
    """The lender's settings on a new, empty database of each kind."""
    if request.param == "sqlite":
        yield LenderSettings(folder=tmp_path)
        return
    cluster: PostgresqlCluster = request.getfixturevalue("postgresql")
    name = cluster.create_database()
    yield settings_on(cluster, name, tmp_path)
    cluster.drop_database(name)


@pytest.fixture
async def either(
    request: pytest.FixtureRequest, settings: LenderSettings
) -> AsyncIterator[Lending]:
    """The systems that the module names in ``SYSTEMS``, on each kind of database."""
    async with _lending(request, settings) as made:
        yield made


@asynccontextmanager
async def _lending(
    request: pytest.FixtureRequest, settings: LenderSettings
) -> AsyncIterator[Lending]:
    databases = {system: settings.database(system) for system in request.module.SYSTEMS}
    async with lending(databases) as made:
        yield made
    for each in databases.values():
        each.close()
