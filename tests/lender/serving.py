"""Serving ASGI applications over real HTTP, on loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn


def listening() -> socket.socket:
    """A socket on a free loopback port: taken now, so that nobody else gets it."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    return taken


def address(taken: socket.socket) -> str:
    """The address of a socket."""
    return f"http://127.0.0.1:{taken.getsockname()[1]}"


@asynccontextmanager
async def serving(*applications: tuple[Any, socket.socket]) -> AsyncIterator[None]:
    """Serve each application on its socket until the block ends."""
    servers = [
        (uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)), taken)
        for app, taken in applications
    ]
    running = [asyncio.create_task(server.serve([taken])) for server, taken in servers]
    try:
        async with asyncio.timeout(20):
            while not all(server.started for server, _ in servers):
                assert not any(task.done() for task in running), "a server did not start"
                await asyncio.sleep(0.01)
        yield
    finally:
        for server, _ in servers:
            server.should_exit = True
        await asyncio.gather(*running)
        for _, taken in servers:
            taken.close()
