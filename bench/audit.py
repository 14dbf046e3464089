"""What an audit costs: the ledger beside bare writes and hashes, a replay beside the Replayer."""

import asyncio
import dataclasses
import hashlib
import json
import multiprocessing
import os
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from pydantic import JsonValue
from sqlalchemy import create_engine, insert
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from bench.results import Result
from bench.stage import Stage
from bench.work import PROCESS, GovernedBench
from placet.audit import (
    LogFiles,
    Report,
    read_bundle,
    replay_many,
    verify,
    verify_bundle,
    workflow_runner,
    write_bundle,
)
from placet.authority import Store
from placet.authority._store import (
    LedgerEntry,
    LedgerNode,
    Reader,
    TreeState,
    Tx,
    hash_reader,
)
from placet.cli._fetch import fetch_case, fetch_log
from placet.client import OperatorClient
from placet.ledger import (
    Checkpoint,
    Frontier,
    inclusion_path,
    leaf_hash,
    root_hash,
    verify_inclusion,
    verify_log,
)
from placet.payloads import PLAIN
from placet.tokens import read_key_file
from tests.harness.world import until

APPENDS, BATCH, ROUNDS = 3000, 100, 3
VERIFIED, PROOFS = 20_000, 200
SMALL, LARGE = 1_000, 1_000_000
CASES, FEW, STEPS = 1000, 10, 4
_AT_ONCE = 20
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


async def replaying(stage: Stage) -> list[Result]:
    """Archived cases a second, each with a history of its own, in one child, beside the SDK's bare
    Replayer in this process; and the memory of auditing them all, beside that of auditing ten."""
    await _closed(stage, FEW)
    few = await asyncio.to_thread(_audited_apart, stage)
    cases = await _closed(stage, CASES)
    many = await asyncio.to_thread(_audited_apart, stage)
    files = await fetch_log(stage.auditor)
    begun = time.perf_counter()
    held = await asyncio.to_thread(_replayed, files, cases)
    rate = CASES / (time.perf_counter() - begun)
    if held != CASES:
        raise RuntimeError(f"{CASES - held} of {CASES} replays do not hold")
    histories = [
        WorkflowHistory.from_json(case, files.archives[case].runs[0].history) for case in cases
    ]
    replayer = Replayer(
        workflows=[GovernedBench], data_converter=PLAIN, workflow_runner=workflow_runner()
    )
    begun = time.perf_counter()
    for history in histories:
        await replayer.replay_workflow(history)
    plain = CASES / (time.perf_counter() - begun)
    return [
        Result(
            "replay.over_replayer",
            rate,
            plain,
            "cases/s",
            f"Temporal's Replayer alone, {CASES} archived cases of {STEPS + 1} steps",
            CASES,
        ),
        Result(
            "replay.peak_memory",
            many.child,
            few.child,
            "MiB",
            f"one of the processes that replay, with {few.cases} cases and not {many.cases}",
            1,
        ),
        Result(
            "replay.fetched_memory",
            many.parent,
            few.parent,
            "MiB",
            f"the process that fetches and verifies the log, with {few.cases} cases, not "
            f"{many.cases}",
            1,
        ),
    ]


@dataclasses.dataclass(frozen=True)
class _Audited:
    """How many cases were fetched, verified and replayed, and the most memory of each process."""

    cases: int
    parent: float
    child: float


def _audited_apart(stage: Stage) -> _Audited:
    """Audit everything in a process of its own, as ``placet audit replay --all --jobs 1`` does."""
    there, here = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_audit_and_tell, args=(here, stage.issuer, stage.folder / "auditor.key")
    )
    process.start()
    here.close()
    told: _Audited = there.recv()
    process.join()
    return told


def _audit_and_tell(here: Connection, issuer: str, key: Path) -> None:
    files = asyncio.run(_fetched(issuer, key))
    cases = sorted(files.archives)
    held, child = verify(files).holds, 0.0
    for _, report in _replays(files, cases):
        held = held and report.holds
        child = max(child, *(_peak(each.pid) for each in multiprocessing.active_children()))
    if not held:
        raise RuntimeError("the log does not hold")
    here.send(_Audited(len(cases), _peak(os.getpid()), child))


def _peak(process: int | None) -> float:
    """The most memory of a running process, in MiB; rusage would count its parent's as well."""
    told = Path(f"/proc/{process}/status").read_text()
    (line,) = (each for each in told.splitlines() if each.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


async def _fetched(issuer: str, key: Path) -> LogFiles:
    async with OperatorClient(issuer, "operator:auditor", read_key_file(key, None)) as client:
        return await fetch_log(client)


def _replays(files: LogFiles, cases: list[str]) -> Iterator[tuple[str, Report]]:
    return replay_many(files, cases, lambda _: GovernedBench, children=1)


def _replayed(files: LogFiles, cases: list[str]) -> int:
    return sum(report.holds for _, report in _replays(files, cases))


async def _closed(stage: Stage, count: int) -> list[str]:
    """So many cases of this bench, from their opening to their archive."""
    cases: list[str] = []
    async with asyncio.timeout(1800):
        for start in range(0, count, _AT_ONCE):
            opened = await asyncio.gather(
                *(
                    stage.porter.open_case(PROCESS, f"bench/{STEPS}/item/audit{count}-{number}")
                    for number in range(start, min(start + _AT_ONCE, count))
                )
            )
            cases += [str(each.case) for each in opened]
        for case in cases:
            await until(partial(_is_archived, stage, case), 600)
    return cases


async def _is_archived(stage: Stage, case: str) -> bool:
    return (await stage.auditor.case(case)).archived


async def _typical(stage: Stage) -> tuple[str, LogFiles]:
    """A case, and what its bundle is made of once a head covers its archive."""
    (case,) = await _closed(stage, 1)

    async def covered() -> LogFiles | None:
        files = await fetch_case(stage.auditor, case)
        return files if case in files.archives else None

    return case, await until(covered)


async def bundle(stage: Stage) -> list[Result]:
    """A typical case's bundle: its size, beside that of its history; and verifying it, beside a
    SHA-256 of its bytes."""
    case, files = await _typical(stage)
    data = write_bundle(files, case)
    history = len(files.archives[case].runs[0].history)
    taken: list[float] = []
    plain: list[float] = []
    for _ in range(10):
        begun = time.perf_counter()
        if not verify_bundle(read_bundle(data)).holds:
            raise RuntimeError("the bundle does not hold")
        read = time.perf_counter()
        hashlib.sha256(data).digest()
        taken.append((read - begun) * 1000)
        plain.append((time.perf_counter() - read) * 1000)
    return [
        Result(
            "bundle.size", len(data) / 1024, history / 1024, "KiB", "the case's history alone", 1
        ),
        Result(
            "bundle.verify",
            statistics.median(taken),
            statistics.median(plain),
            "ms",
            "a SHA-256 of its bytes",
            10,
        ),
    ]


MEASURES = (
    append,
    verifying,
    proof_small,
    proof_large,
    replaying,
    bundle,
)
