"""An authority and a guarded system for each test, with a feed that is asked without pause."""

from collections.abc import AsyncIterator

import pytest

from placet.resource import _feed
from placet.tokens import SigningKey
from tests.resource.simulator import Authority, Clock, Library, guarded


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
async def authority(clock: Clock) -> AsyncIterator[Authority]:
    """An authority that is there."""
    made = Authority(clock, SigningKey.generate())
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def library(
    authority: Authority, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Library]:
    """A guarded system, being served."""
    monkeypatch.setattr(_feed, "_PAUSE", 0.01)
    async with guarded(authority, clock) as made:
        yield made
