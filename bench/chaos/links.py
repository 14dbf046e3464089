"""Connections that can be cut: a forwarder on loopback between a part and those that ask it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

Opened = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_CHUNK = 65536


class Link:
    """One address that leads to another, as long as it is not cut."""

    def __init__(self, onward: Callable[[], Awaitable[Opened]]) -> None:
        self._onward = onward
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._refuses = False

    @classmethod
    async def of_port(cls, port: int, onward: int) -> "Link":
        """From a port of loopback to another."""
        link = cls(lambda: asyncio.open_connection("127.0.0.1", onward))
        link._server = await asyncio.start_server(link._serve, "127.0.0.1", port)
        return link

    @classmethod
    async def of_socket(cls, path: Path, onward: Path) -> "Link":
        """From a Unix socket to another."""
        link = cls(lambda: asyncio.open_unix_connection(onward))
        link._server = await asyncio.start_unix_server(link._serve, path)
        path.chmod(0o777)  # noqa: ASYNC240 - once, at the start; the server is another user's
        return link

    def drop(self) -> None:
        """Cut what there is, and refuse what comes."""
        self._refuses = True
        self._cut()

    def hole(self) -> None:
        """Let nothing through, and say nothing of it."""
        self._flows.clear()

    def mend(self) -> None:
        """Let everything through again, with what was held back."""
        self._refuses = False
        self._flows.set()

    async def close(self) -> None:
        """Listen no more."""
        self._flows.set()
        self._cut()
        if self._server is not None:
            self._server.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _cut(self) -> None:
        for each in tuple(self._writers):
            each.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError):
                await self._forward(reader, writer)
        finally:
            self._writers.discard(writer)
            self._tasks.discard(task)
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._flows.wait()
        if self._refuses:
            writer.transport.abort()
            return
        there, back = await self._onward()
        self._writers.add(back)
        try:
            ways = [
                asyncio.create_task(self._pump(reader, back)),
                asyncio.create_task(self._pump(there, writer)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in ways:
                    each.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            self._writers.discard(back)
            back.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK):
            await self._flows.wait()
            writer.write(chunk)
            await writer.drain()
