"""The gateway's file of uses: closing it while it is written to must not crash the process."""

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from placet.gateway._outbox import UseFile


async def test_it_is_closed_once_nobody_is_at_it(tmp_path: Path) -> None:
    """I4: what was being written down when the gateway stopped is on the disk."""
    uses = UseFile(tmp_path / "uses.db")
    busy, go_on = threading.Event(), threading.Event()

    def work(connection: sqlite3.Connection) -> None:
        busy.set()
        go_on.wait()
        connection.execute("INSERT INTO use_ (id, body) VALUES ('use-1', '{}')")

    writing = asyncio.create_task(uses._run(work))
    await asyncio.to_thread(busy.wait)
    closing = asyncio.create_task(asyncio.to_thread(uses.close))
    done, _ = await asyncio.wait([closing], timeout=0.2)
    go_on.set()
    await writing
    await closing
    assert not done
    with sqlite3.connect(tmp_path / "uses.db") as kept:
        assert kept.execute("SELECT id FROM use_").fetchall() == [("use-1",)]
    kept.close()
    with pytest.raises(sqlite3.Error):
        await uses.pending()
