"""What the ledger costs beside bare writes and hashes: appending, verifying, proofs."""

import asyncio
import hashlib
import json
import sqlite3
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pydantic import JsonValue
from sqlalchemy import create_engine, insert

from bench.results import Result
from bench.stage import Stage
from placet.authority import Store
from placet.authority._store import (
    LedgerEntry,
    LedgerNode,
    Reader,
    TreeState,
    Tx,
    hash_reader,
)
from placet.cli._fetch import fetch_log
from placet.ledger import (
    Checkpoint,
    Frontier,
    inclusion_path,
    leaf_hash,
    root_hash,
    verify_inclusion,
    verify_log,
)

APPENDS, BATCH, ROUNDS = 3000, 100, 3
VERIFIED, PROOFS = 20_000, 200
SMALL, LARGE = 1_000, 1_000_000
_ORIGIN = "bench.example/ledger"


def _data(number: int) -> dict[str, JsonValue]:
    """An entry's data as a grant has it."""
    return {
        "grant": f"grant-{number:026d}",
        "action": "item:touch",
        "policies": ["touches"],
        "context_digest": "sha-256:" + "A" * 43,
        "key": "A" * 43,
    }


async def append(stage: Stage) -> Result:
    """Entries a second, many requests at once, each waiting for its own durability."""
    governed = [await _appended(stage.folder / f"append-{each}.db") for each in range(ROUNDS)]
    plain = [_inserted(stage.folder / f"raw-{each}.db") for each in range(ROUNDS)]
    return Result(
        "ledger.append_over_raw",
        statistics.median(governed),
        statistics.median(plain),
        "entries/s",
        f"the same bytes inserted into SQLite, {BATCH} a commit",
        ROUNDS,
    )


async def _appended(path: Path) -> float:
    async with await Store.open(f"sqlite:///{path}", origin=_ORIGIN) as store:

        async def one(number: int) -> None:
            def write(tx: Tx) -> None:
                tx.append("grant.issued", "agent:toucher", _data(number))

            await store.write(write)

        begun = time.perf_counter()
        for start in range(0, APPENDS, BATCH):
            await asyncio.gather(*(one(each) for each in range(start, start + BATCH)))
        return APPENDS / (time.perf_counter() - begun)


def _inserted(path: Path) -> float:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE entry (number INTEGER PRIMARY KEY, body BLOB)")
    begun = time.perf_counter()
    for start in range(0, APPENDS, BATCH):
        rows = [(each, json.dumps(_data(each)).encode()) for each in range(start, start + BATCH)]
        database.execute("BEGIN IMMEDIATE")
        database.executemany("INSERT INTO entry VALUES (?, ?)", rows)
        database.execute("COMMIT")
    took = time.perf_counter() - begun
    database.close()
    return APPENDS / took


async def verifying(stage: Stage) -> Result:
    """Entries a second read, checked for their one spelling, and put into the tree."""
    entry = await _one_entry(stage)
    entries = [entry] * VERIFIED
    head = Checkpoint(
        origin=_ORIGIN, size=VERIFIED, root=root_hash([leaf_hash(each) for each in entries])
    )
    governed = [_rate(lambda: sum(1 for _ in verify_log(entries, head))) for _ in range(ROUNDS)]
    plain = [
        _rate(lambda: sum(len(hashlib.sha256(each).digest()) for each in entries))
        for _ in range(ROUNDS)
    ]
    return Result(
        "ledger.verify_over_sha256",
        statistics.median(governed),
        statistics.median(plain),
        "entries/s",
        "a SHA-256 of the same bytes, entry by entry",
        ROUNDS,
    )


async def _one_entry(stage: Stage) -> bytes:
    files = await fetch_log(stage.auditor)
    return max(files.entries[-50:], key=len)


def _rate(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return VERIFIED / (time.perf_counter() - begun)


async def proof_small(stage: Stage) -> Result:
    """An inclusion proof out of the database, and its verification: a thousand entries."""
    return await _proofs(stage.folder / "proofs-small.db", "ledger.proof_ms_1e3", SMALL)


async def proof_large(stage: Stage) -> Result:
    """The same with a million."""
    return await _proofs(stage.folder / "proofs-large.db", "ledger.proof_ms_1e6", LARGE)


async def _proofs(path: Path, name: str, size: int) -> Result:
    leaves = await asyncio.to_thread(_filled, path, size)
    root = root_hash(leaves)
    taken: list[float] = []
    plain: list[float] = []
    async with await Store.open(f"sqlite:///{path}", origin=_ORIGIN) as store:
        for number in range(PROOFS):
            index = (number * 7919) % size
            begun = time.perf_counter()
            proof = await store.read(partial(_proof, index=index, size=size))
            verify_inclusion(leaves[index], index, size, proof, root)
            made = time.perf_counter()
            verify_inclusion(leaves[index], index, size, proof, root)
            taken.append((made - begun) * 1000)
            plain.append((time.perf_counter() - made) * 1000)
    return Result(
        name,
        statistics.median(taken),
        statistics.median(plain),
        "ms",
        "its verification alone",
        PROOFS,
    )


def _proof(reader: Reader, index: int, size: int) -> tuple[bytes, ...]:
    return inclusion_path(hash_reader(reader), index, size)


def _filled(path: Path, size: int) -> list[bytes]:
    """A database with a log of that size, its entries' contents left out."""
    asyncio.run(_opened(path))
    leaves = [hashlib.sha256(each.to_bytes(8, "big")).digest() for each in range(size)]
    frontier = Frontier()
    for leaf in leaves:
        frontier = frontier.append(leaf)
    engine = create_engine(f"sqlite:///{path}")
    now = datetime.now(UTC)
    with engine.begin() as database:
        for start in range(0, size, 50_000):
            rows = [
                {
                    "index": at,
                    "content": b"{}",
                    "leaf_hash": leaves[at],
                    "type": "grant.issued",
                    "time": now,
                }
                for at in range(start, min(start + 50_000, size))
            ]
            database.execute(insert(LedgerEntry), rows)
        level, hashes = 0, leaves
        while len(hashes) >= 256:
            tops = [root_hash(hashes[at : at + 256]) for at in range(0, len(hashes) - 255, 256)]
            level += 8
            nodes = [{"level": level, "index": at, "hash": each} for at, each in enumerate(tops)]
            database.execute(insert(LedgerNode), nodes)
            hashes = tops
        database.execute(
            TreeState.__table__.update().values(size=size, root=frontier.root())  # type: ignore[attr-defined]  # SQLModel's table
        )
    engine.dispose()
    return leaves


async def _opened(path: Path) -> None:
    async with await Store.open(f"sqlite:///{path}", origin=_ORIGIN):
        pass


MEASURES = (append, verifying, proof_small, proof_large)
