"""What one reference draw takes: processor time by part, entries, grants, and what stays on disk.

Small draws of the demo, so many at once, each in a process of its own as in production, on SQLite.
One officer's tool looks once a second at what waits and approves it, and one auditor's at what has
not ended: what people's tools ask is in it. ``python -m bench.drawing`` measures this alone.
"""

import asyncio
import contextlib
import sqlite3
import tempfile
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from bench.processor import seconds_of
from bench.results import Figure, add
from bench.stage import Stage
from lender import storage
from lender.demo import Books
from lender.embedded import Embedded, embedded
from lender.samples import make_loan, plan_for, write_packet
from placet.client import OperatorClient
from placet.model import CheckpointStatus, Verdict
from workflows.loan_draw import PROCESS

_DRAWS, _AT_ONCE, _WARM_UP = 48, 6, 6
_FIRST_LOAN = 3000
_HARD_COST = Decimal("300000.00")
_LOOKS = 1.0
_PARTS = ("authority", "temporal", "lender", "worker")
_COUNTED = {
    "entries": "SELECT count(*) FROM ledger_entry",
    "grants": "SELECT count(*) FROM ledger_entry WHERE type = 'grant.issued'",
    "ledger_bytes": "SELECT sum(length(content)) FROM ledger_entry",
    "sealed_bytes": "SELECT sum(length(runs) + length(seal) + length(contents)) FROM archive",
}


async def draws(_shared: Stage | None = None) -> list[Figure]:
    """One draw's share of so many."""
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as folder:
        async with embedded(Path(folder)) as parts:
            await _play(parts, _FIRST_LOAN, _WARM_UP)
            before = _spent(parts)
            await _play(parts, _FIRST_LOAN + _WARM_UP, _DRAWS)
            after = _spent(parts)
    return [
        Figure(f"draw.{name}", (after[name] - before[name]) / _DRAWS, _unit(name), _DRAWS)
        for name in after
    ]


def _unit(name: str) -> str:
    return {"ms": "ms", "bytes": "bytes"}.get(name.rpartition("_")[2], "")


async def _play(parts: Embedded, first: int, count: int) -> None:
    """Take so many draws from their opening to their archive."""
    free = asyncio.Semaphore(_AT_ONCE)
    ended: dict[str, asyncio.Event] = {}
    async with contextlib.AsyncExitStack() as stack:
        books = stack.enter_context(Books.of(parts.lender))
        dana, omar, una = [
            await stack.enter_async_context(parts.person(each)) for each in ("dana", "omar", "una")
        ]
        group = await stack.enter_async_context(asyncio.TaskGroup())

        async def one(loan: str) -> None:
            async with free:
                opened = await dana.open_case(PROCESS.name, f"loan/{loan}/draw/1")
                assert opened.case is not None
                await ended.setdefault(opened.case, asyncio.Event()).wait()

        looking = [group.create_task(_approve(omar)), group.create_task(_end(una, ended))]
        await asyncio.gather(*(one(_prepare(parts, books, first + n)) for n in range(count)))
        for each in looking:
            each.cancel()


def _prepare(parts: Embedded, books: Books, number: int) -> str:
    name = f"L-{number}"
    loan = make_loan(name, "Row", "Row LLC", "1 Row Street, Oakland CA", _HARD_COST, 30)
    books.take_in(loan)
    folder = write_packet(plan_for(loan), parts.folder / "packets" / name)
    storage.store_packet(books.storage, name, 1, storage.read_packet_folder(folder))
    return name


async def _approve(officer: OperatorClient) -> None:
    while True:
        for waiting in await officer.checkpoints(CheckpointStatus.OPEN):
            amount = waiting.evidence.proposal.amount
            jws = officer.sign_decision(waiting, Verdict.APPROVE, amount=amount)
            await officer.send_decision(waiting.id, jws)
        await asyncio.sleep(_LOOKS)


async def _end(auditor: OperatorClient, ended: Mapping[str, asyncio.Event]) -> None:
    while True:
        for case, event in tuple(ended.items()):
            if not event.is_set():
                view = await auditor.case(case)
                if view.status == "stopped":
                    raise SystemExit(f"bench: {case} was stopped: {view.stopped_for}")
                if view.archived:
                    event.set()
        await asyncio.sleep(_LOOKS)


def _spent(parts: Embedded) -> dict[str, float]:
    """All figures so far."""
    took = dict.fromkeys(_PARTS, 0.0)
    for name, process in parts.parts.items():
        took[name.partition("-")[0]] += seconds_of(process.pid) * 1000
    found = {f"{part}_ms": each for part, each in took.items()}
    authority, temporal = (parts.folder / f"{each}.db" for each in ("authority", "temporal"))
    with contextlib.closing(sqlite3.connect(f"file:{authority}?mode=ro", uri=True)) as read:
        found |= {name: read.execute(asked).fetchone()[0] or 0 for name, asked in _COUNTED.items()}
    return found | {
        "authority_bytes": _size(authority),
        "temporal_bytes": _size(temporal),
    }


def _size(database: Path) -> float:
    """A database's pages in use, what stands in its write-ahead log included."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as read:
        pages, free, each = (
            read.execute(f"PRAGMA {asked}").fetchone()[0]
            for asked in ("page_count", "freelist_count", "page_size")
        )
    return float((pages - free) * each)


if __name__ == "__main__":
    add(asyncio.run(draws()))
