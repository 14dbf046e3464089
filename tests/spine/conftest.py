"""One Temporal server for a module, one world for a test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.harness.databases import new_database
from tests.harness.secrets import Recorder, histories, search
from tests.harness.world import World, temporal_server, world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def temporal() -> AsyncIterator[Client]:
    """A real Temporal server."""
    async with temporal_server() as client:
        yield client


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of the world's database: SQLite, unless a test asks for ``both_databases``."""
    with new_database(request, getattr(request, "param", "sqlite"), tmp_path) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="module")
async def w(
    temporal: Client, tmp_path: Path, database: str, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[World]:
    """A world of its own for each test; no token of it is in a history or the log (I7)."""
    recorder = Recorder()
    async with world(temporal, tmp_path, database, recorder.wrap) as made:
        yield made
        places = {"log": caplog.text.encode()}
        for case in made.started:
            places.update(await histories(made.temporal, case, made.settings))
        assert search(places, recorder.secrets()) == []
