"""One Temporal server and one authority for a module; each test has its own cases."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.agent.surroundings import Surroundings, surroundings
from tests.harness.world import temporal_server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def temporal() -> AsyncIterator[Client]:
    """A real Temporal server."""
    async with temporal_server() as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def around(
    temporal: Client, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Surroundings]:
    """What stands around the module's steps."""
    async with surroundings(temporal, tmp_path_factory.mktemp("around")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def s(around: Surroundings) -> AsyncIterator[Surroundings]:
    """The same, with the gate open again after each test."""
    yield around
    await around.tidy()
