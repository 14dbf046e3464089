"""One Temporal server for a module, one world for a test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from temporalio.client import Client

from tests.harness.world import World, temporal_server, world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def temporal() -> AsyncIterator[Client]:
    """A real Temporal server."""
    async with temporal_server() as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def w(temporal: Client, tmp_path: Path) -> AsyncIterator[World]:
    """A world of its own for each test."""
    async with world(temporal, tmp_path) as made:
        yield made
