"""An authority and a guarded system for each test, with a feed that is asked without pause."""

import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest

from placet.resource import Guard, _feed
from placet.tokens import SigningKey
from tests.harness.world import free_port
from tests.resource.simulator import SYSTEM, Authority, Clock, Library, library_app, served


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
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    guard = Guard(SYSTEM, authority.issuer, url, authority.system_key, clock=clock)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(served(library_app(guard), port, lifespan="on"))
        http = await stack.enter_async_context(httpx.AsyncClient())
        yield Library(authority, clock, guard, url, http)
        for gate in authority.gates.values():
            gate.open()
