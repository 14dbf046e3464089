"""One set of embedded parts for the folder: their start is most of what a test would take."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from tests.workflows.desk import Desk, open_desk

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Whichever comes last has the audit of all that the others did to its time."""
    for each in items:
        if HERE in each.path.parents and each.get_closest_marker("timeout") is None:
            each.add_marker(pytest.mark.timeout(240))


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """The lender's people, on all parts; what the tests leave behind must hold (I8, I9)."""
    async with open_desk(tmp_path_factory.mktemp("desk")) as opened:
        yield opened
        await opened.audit()
