"""One room for all that a scripted model does."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from placet.audit import replay, verify
from placet.cli import fetch_log
from tests.harness.secrets import histories, tokens_in
from tests.harness.world import temporal_server, world
from tests.reasoning.process import ParcelReading
from tests.reasoning.room import Room, room


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def reading(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Room]:
    """A room; when all tests are done its whole log is verified, and each case replayed (I8, I9)."""
    async with temporal_server() as temporal:
        async with world(temporal, tmp_path_factory.mktemp("room")) as made:
            async with room(made) as opened:
                yield opened
                una = made.people["una"]
                closed = [each.id for each in await una.cases("closed")]
                assert closed
                for case in closed:
                    await made.until_archived(case)
                    found = await histories(made.temporal, case, made.settings)
                    assert tokens_in(found) == []
                    assert "a slip of" not in found  # I7: no document's text
                files = await fetch_log(una)
                assert verify(files).troubles == ()
                for case in closed:
                    assert (await replay(files, case, [ParcelReading])).troubles == ()
