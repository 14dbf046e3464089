"""The uses that the authority has not heard of yet, in a file of the gateway's own (SQLite)."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from placet.model import GrantUse
from placet.sqlite import make_durable

T = TypeVar("T")
_PAGE = 256
"""Uses of one page: as many as the authority takes at once."""


class UseFile:
    """An outbox that outlives the process: what was put is told, once."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, timeout=5, check_same_thread=False)
        make_durable(self._connection)
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS use_ "
            "(seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL)"
        )

    async def put(self, use: GrantUse) -> None:
        """Write a use down, once; it is on the disk when this returns.

        Raises:
            sqlite3.Error: it could not be written.
        """
        row = (use.id, use.model_dump_json(exclude_none=True))
        insert = "INSERT OR IGNORE INTO use_ (id, body) VALUES (?, ?)"
        await self._run(lambda c: c.execute(insert, row))

    async def pending(self) -> Sequence[GrantUse]:
        """The oldest uses that were not told."""
        query = f"SELECT body FROM use_ ORDER BY seq LIMIT {_PAGE}"  # noqa: S608 - a number of ours
        rows = await self._run(lambda c: c.execute(query).fetchall())
        return [GrantUse.model_validate_json(body) for (body,) in rows]

    async def told(self, ids: Sequence[str]) -> None:
        """These were told."""
        rows = [(each,) for each in ids]
        await self._run(lambda c: c.executemany("DELETE FROM use_ WHERE id = ?", rows))

    def close(self) -> None:
        """Close the file, once nobody is at it: SQLite does not survive it otherwise."""
        with self._lock:
            self._connection.close()

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def alone() -> T:
            with self._lock:
                return work(self._connection)

        return await asyncio.to_thread(alone)
