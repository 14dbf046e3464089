"""One set of embedded parts for the folder: their start is most of what a test would take."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.workflows.desk import Desk, open_desk


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """The lender's people, on all parts; what the tests leave behind must hold (I8, I9)."""
    async with open_desk(tmp_path_factory.mktemp("desk")) as opened:
        yield opened
        await opened.audit()
