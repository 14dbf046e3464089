"""Several processes, and processes that are killed: one log, nothing lost, nothing doubled."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from placet.authority._store import LedgerEntry, Store
from placet.ledger import Frontier, leaf_hash
from tests.authority import ORIGIN
from tests.harness.forked import begun


def start(
    url: str, name: str, count: int, told: Path, **environment: str
) -> subprocess.Popen[bytes]:
    """Start one that writes into ``told`` which entries are durable."""
    command = [sys.executable, "-m", "tests.authority.store.appender", url, name, str(count)]
    with told.open("wb") as out:
        return begun(command, env={**os.environ, **environment}, stdout=out)


async def entries_of(url: str) -> list[LedgerEntry]:
    """All entries in order, after checking that they are exactly the tree under the head."""
    async with await Store.open(url, origin=ORIGIN) as store:
        entries = await store.read(lambda reader: reader.all(LedgerEntry, order_by=["index"]))
        size, root = await store.head()
    assert [leaf_hash(entry.content) for entry in entries] == [e.leaf_hash for e in entries]
    tree = Frontier.of([entry.leaf_hash for entry in entries])
    assert [entry.index for entry in entries] == list(range(size))
    assert tree.root() == root
    return entries


async def test_two_processes_make_one_gapless_sequence(database_url: str, tmp_path: Path) -> None:
    """I4, I8: writers of two processes share one log; every entry is there once, in one order."""
    async with await Store.open(database_url, origin=ORIGIN):
        pass
    processes = [start(database_url, name, 60, tmp_path / name) for name in ("ana", "ben")]
    for process in processes:
        assert process.wait(50) == 0

    entries = await entries_of(database_url)

    assert len(entries) == 120
    assert set(Counter(entry.content for entry in entries).values()) == {1}


async def test_killed_process_loses_and_doubles_nothing(database_url: str, tmp_path: Path) -> None:
    """I11: killed around a COMMIT and started again, each entry is there once."""
    points = ("store.before-commit", "store.after-commit")
    environment = {"PLACET_KILL_AT": ",".join(points), "PLACET_KILL_ONCE": str(tmp_path)}
    told = tmp_path / "told"
    left: list[LedgerEntry] = []
    for point in points:
        killed = start(database_url, "ana", 25, told, **environment)
        assert killed.wait(50) == -signal.SIGKILL
        assert (tmp_path / point).exists()
        left = await entries_of(database_url)
        assert bool(left) == (point == "store.after-commit")
        assert len(told.read_text().split()) <= len(left)

    again = start(database_url, "ana", 25, told, **environment)
    assert again.wait(50) == 0
    assert sorted(map(int, told.read_text().split())) == list(range(25))
    entries = await entries_of(database_url)
    assert len(entries) == 25
    assert entries[: len(left)] == left
