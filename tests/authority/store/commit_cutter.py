"""A proxy before a PostgreSQL server that cuts the connection in the middle of a COMMIT.

It stands on a socket of its own, speaks the server's protocol by passing it on, and recognises
COMMIT as the simple query that psycopg sends.
"""

import asyncio
import contextlib
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

_COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
_SOCKET = ".s.PGSQL.5432"


class Cut(StrEnum):
    """Where the connection is cut."""

    BEFORE = "the server never sees COMMIT"
    UNDER_WAY = "the server has COMMIT, nobody waits for its answer"
    AFTER = "the server's answer does not come back"


class CommitCutter:
    """Listens in ``folder`` and leads to the server whose socket is in ``behind``."""

    def __init__(self, folder: Path, behind: Path) -> None:
        self.folder = folder
        self.cut: Cut | None = None
        self.cuts = 0
        self._behind = behind
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._serve, self.folder / _SOCKET)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, near: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        far, server = await asyncio.open_unix_connection(self._behind / _SOCKET)
        answers = asyncio.create_task(self._pass_on(far, client))
        with contextlib.suppress(ConnectionError):  # either side may go first
            while data := await near.read(65536):
                if data == _COMMIT and self.cut is not None:
                    await self._cut(answers, far, server)
                    break
                server.write(data)
                await server.drain()
        answers.cancel()
        client.close()
        server.close()

    async def _cut(
        self, answers: "asyncio.Task[None]", far: asyncio.StreamReader, server: asyncio.StreamWriter
    ) -> None:
        cut, self.cut = self.cut, None
        self.cuts += 1
        answers.cancel()
        await asyncio.wait([answers])
        if cut is Cut.BEFORE:
            return
        server.write(_COMMIT)
        await server.drain()
        if cut is Cut.AFTER:
            await far.read(65536)

    async def _pass_on(self, far: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await far.read(65536):
                client.write(data)
                await client.drain()
        client.close()
