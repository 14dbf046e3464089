"""The same empty steps, each with a credential of its own: ours, OpenBao's, Keycard's, none.

``python -m bench.beside`` measures that alone and adds it to the results. The sides take turns on
one Temporal; only who issues the credential differs, and what they look at before they do.
"""

import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import aiohttp

from bench.credentials import BARE, ROLE, SIDES
from bench.measures import run_bare, run_governed
from bench.openbao import openbao
from bench.openbao import program as openbao_program
from bench.results import Result, add
from bench.stage import Stage, program, stage, worker
from lender.embedded import free_ports
from tests.authority.throwaway_postgresql import PostgresqlCluster, find_binaries

CASES, STEPS, ROUNDS = 20, 10, 3
GOVERNED = "governed"


async def beside(_shared: Stage | None = None) -> list[Result]:
    """Activities a second of each side, beside those without any credential."""
    with tempfile.TemporaryDirectory() as folder:
        async with stage(Path(folder)) as ready, _all_sides(ready):
            return await _throughput(ready)


@contextlib.asynccontextmanager
async def _all_sides(ready: Stage) -> AsyncIterator[None]:
    """Who issues, and a worker for each side."""
    bao, binaries = openbao_program(), find_binaries()
    if bao is None or binaries is None:
        raise SystemExit("bench.beside needs bench/requirements.lock, and PostgreSQL's programs")
    address = ready.temporal.service_client.config.target_host
    async with contextlib.AsyncExitStack() as stack:
        cluster = await asyncio.to_thread(PostgresqlCluster, binaries, durable=True)
        stack.callback(cluster.remove)
        (ready.folder / "bao").mkdir()
        server = await stack.enter_async_context(openbao(bao, ready.folder / "bao"))
        await server.serve_database(cluster.url(cluster.create_database()), ROLE)
        keycard = await _oauth(stack, ready.folder)
        for side in SIDES:
            issues, token = (keycard, "") if side == "keycard" else (server.url, server.token)
            started = worker(side, address, ready.issuer, ready.folder, issues=issues, token=token)
            await stack.enter_async_context(started)
        yield


async def _oauth(stack: contextlib.AsyncExitStack, folder: Path) -> str:
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "bench.oauth", str(port)]
    stack.enter_context(program(command, {}, folder / "oauth.log"))
    async with aiohttp.ClientSession() as http, asyncio.timeout(30):
        while True:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with http.get(f"{url}/.well-known/oauth-authorization-server"):
                    return url
            await asyncio.sleep(0.05)


async def _throughput(ready: Stage) -> list[Result]:
    sides = (BARE, GOVERNED, *SIDES)
    rates: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(ROUNDS + 1):
        for side in sides:
            took = await _took(ready, side, number)
            if number:  # the first round warms all of them up
                rates[side].append(CASES * (STEPS + 1) / took)
    return _results(rates)


async def _took(ready: Stage, side: str, number: int) -> float:
    begun = time.perf_counter()
    names = [f"b{number}-{case}" for case in range(CASES)]
    if side == GOVERNED:
        await asyncio.gather(*(run_governed(ready, name, STEPS) for name in names))
    else:
        await asyncio.gather(*(run_bare(ready, name, STEPS, side) for name in names))
    return time.perf_counter() - begun


def _results(rates: dict[str, Sequence[float]] | dict[str, list[float]]) -> list[Result]:
    plain = statistics.median(rates[BARE])
    return [
        Result(
            f"beside.{side.replace('-', '_')}_over_bare",
            statistics.median(taken),
            plain,
            "activities/s",
            "the same activities without any credential",
            ROUNDS,
        )
        for side, taken in rates.items()
        if side != BARE
    ]


if __name__ == "__main__":
    add(asyncio.run(beside()))
