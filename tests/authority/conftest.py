"""The authority's tests run on both databases: a SQLite file, and a PostgreSQL of their own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from placet.authority._store import Store
from tests.authority import ORIGIN
from tests.harness.databases import KINDS, new_database


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a new database: each test runs once on each kind.

    It is empty, unless a store is opened on it before the test begins.
    """
    origin = ORIGIN if "store" in request.fixturenames else ""
    with new_database(request, request.param, tmp_path, origin) as url:
        yield url


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """An open store on a new database."""
    async with await Store.open(database_url, origin=ORIGIN) as opened:
        yield opened
