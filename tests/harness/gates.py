"""A gate before a TCP server: closed, it is as if the server were away."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Gate:
    """Forwards connections while it is open."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._open = True
        self._through: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        """Where it listens."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    def close(self) -> None:
        """Let nobody through any more, and cut what goes through."""
        self._open = False
        for writer in self._through:
            writer.transport.abort()

    def open(self) -> None:
        """Let everyone through again."""
        self._open = True

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._let_in, "127.0.0.1", 0)

    async def stop(self) -> None:
        """Listen no more."""
        self.close()
        assert self._server is not None
        self._server.close()

    async def _let_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection(*self._to)
        self._through |= {writer, back}
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(_pour(reader, back), _pour(there, writer))
        self._through -= {writer, back}


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@contextlib.asynccontextmanager
async def gate(address: str) -> AsyncIterator[Gate]:
    """A gate before a server."""
    host, _, port = address.rpartition(":")
    made = Gate(host, int(port))
    await made.start()
    try:
        yield made
    finally:
        await made.stop()
