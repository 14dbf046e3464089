"""The authority's tests run on both databases: a SQLite file, and a PostgreSQL of their own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from placet.authority._store import Store
from tests.authority import ORIGIN
from tests.harness.databases import new_database


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a new, empty database: each test runs once on each kind."""
    with new_database(request, request.param, tmp_path) as url:
        yield url


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """An open store on a new database."""
    async with await Store.open(database_url, origin=ORIGIN) as opened:
        yield opened
