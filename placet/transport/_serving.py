"""Servers that take requests until their process is told to stop."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import uvicorn

_log = logging.getLogger(__name__)
STOP_SECONDS = 20
"""Seconds for which requests under way may go on when their server stops."""


class Serving(uvicorn.Server):
    """A server that leaves the signals to its program.

    Uvicorn's own would raise the signal again once it has stopped, before a store is closed; and of
    several in one process the last would take them.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield

    async def up(self, serving: "asyncio.Task[None]") -> bool:
        """Wait until it takes requests; whether it does."""
        while not self.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event
            await asyncio.sleep(0.02)
        return self.started


def bind(host: str, port: int) -> socket.socket:
    """A bound socket; uvicorn would end the process by itself if the address is taken.

    Raises:
        OSError: the address is taken, or none of this machine's; it is named.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, or asyncio leaves Nagle's delay on: 40 ms for each answer.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise OSError(error.errno, error.strerror, f"{host}:{port}") from None
    return bound


async def serve_until_told(
    configs: Sequence[uvicorn.Config],
    listening: Sequence[socket.socket],
    *,
    stopping: Callable[[], object],
    ready_file: Path | None,
) -> None:
    """Serve until told to stop (SIGTERM, SIGINT): requests under way are answered first.

    The end of one server ends the others. Once all of them take requests, a line of the log says
    at which addresses.

    Args:
        configs: how each server runs.
        listening: the bound socket of each.
        stopping: called when it is told, before any server closes.
        ready_file: gets the process id once all of them take requests.
    """
    servers = [Serving(each) for each in configs]

    def stop(number: int) -> None:
        stopping()
        for each in servers:
            each.handle_exit(number, None)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    running: list[asyncio.Task[Any]] = [
        asyncio.create_task(server.serve(sockets=[bound]))
        for server, bound in zip(servers, listening, strict=True)
    ]
    up = [await server.up(task) for server, task in zip(servers, running, strict=True)]
    if all(up):
        addresses = (_address(*each) for each in zip(configs, listening, strict=True))
        _log.info("ready for requests at %s", ", ".join(addresses))
        if ready_file is not None:
            await asyncio.to_thread(ready_file.write_text, f"{os.getpid()}\n")
    await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    stop(signal.SIGTERM)
    await asyncio.gather(*running)


def _address(config: uvicorn.Config, listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    scheme = "https" if config.is_ssl else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
