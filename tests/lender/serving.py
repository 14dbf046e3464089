"""Serving ASGI applications over real HTTP, on loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn


def listening() -> socket.socket:
    """A socket on a free loopback port: taken now, so that nobody else gets it."""
    # Named as TCP, or asyncio leaves Nagle's delay on: 40 ms for each answer.
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    taken.bind(("127.0.0.1", 0))
    return taken


def address(taken: socket.socket) -> str:
    """The address of a socket."""
    return f"http://127.0.0.1:{taken.getsockname()[1]}"


@asynccontextmanager
async def serving(*applications: tuple[Any, socket.socket]) -> AsyncIterator[None]:
    """Serve each application on its socket until the block ends.

    The servers are started and stopped by hand: each of uvicorn's own stops takes a fifth of a
    second, and every test has several.
    """
    servers = []
    try:
        for app, taken in applications:
            config = uvicorn.Config(app, log_config=None, access_log=False)
            config.load()
            server = uvicorn.Server(config)
            server.lifespan = config.lifespan_class(config)
            await server.startup([taken])
            assert server.started, "a server did not start"
            servers.append(server)
        yield
    finally:
        for server in reversed(servers):  # those that follow the first one, then the first one
            for listener in server.servers:
                listener.close()
            for connection in list(server.server_state.connections):
                connection.shutdown()
            async with asyncio.timeout(20):
                while server.server_state.connections or server.server_state.tasks:
                    await asyncio.sleep(0.001)
            await server.lifespan.shutdown()
        for _, taken in applications:
            taken.close()
