"""An authority of the production environment, and a world with Temporal for attacks on steps."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.harness.alone import Alone, alone
from tests.harness.world import World, temporal_server, world


@pytest.fixture
async def authority(tmp_path: Path) -> AsyncIterator[Alone]:
    """An authority alone, whose clock a test sets forward."""
    async with alone(f"sqlite:///{tmp_path / 'authority.db'}", environment="production") as made:
        yield made


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
