"""The same empty steps, each with a credential of its own: ours, OpenBao's, Keycard's, none.

``python -m bench.beside`` measures that alone and adds it to the results. The sides take turns on
one Temporal; only who issues the credential differs, and what they look at before they do.
"""

import asyncio
import contextlib
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import aiohttp
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from bench.credentials import BARE, ROLE, SIDES, TENUO, run_with_warrant, tenuo_plugin
from bench.measures import bare_case, run_bare, run_governed
from bench.openbao import openbao
from bench.openbao import program as openbao_program
from bench.results import Result, add
from bench.stage import Stage, program, stage, worker
from bench.work import ORCHESTRATOR
from lender.ports import free_ports
from tests.authority.throwaway_postgresql import PostgresqlCluster, find_binaries

CASES, STEPS = 20, 10
ROUNDS = int(os.environ.get("PLACET_BENCH_ROUNDS", "3"))
GOVERNED = "governed"
Run = Callable[[str], Awaitable[None]]


async def beside(_shared: Stage | None = None) -> list[Result]:
    """Activities a second of each side, beside those without any credential."""
    with tempfile.TemporaryDirectory() as folder:
        async with stage(Path(folder)) as ready, _all_sides(ready) as warranted:
            return await _throughput(ready, warranted)


@contextlib.asynccontextmanager
async def _all_sides(ready: Stage) -> AsyncIterator[Run]:
    """Who issues, and a worker for each side; what runs a case with a warrant."""
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
        keycard, key = await _oauth(stack, ready.folder), secrets.token_hex(32)
        for side in SIDES:
            issued = {"keycard": (keycard, ""), TENUO: ("", key)}
            issues, token = issued.get(side, (server.url, server.token))
            started = worker(side, address, ready.issuer, ready.folder, issues=issues, token=token)
            await stack.enter_async_context(started)
        client = await Client.connect(
            address, data_converter=pydantic_data_converter, plugins=[tenuo_plugin(key)]
        )

        async def warranted(name: str) -> None:
            await run_with_warrant(client, key, bare_case(name, STEPS), f"{TENUO}-{ORCHESTRATOR}")

        yield warranted


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


async def _throughput(ready: Stage, warranted: Run) -> list[Result]:
    sides = (BARE, GOVERNED, *SIDES)
    rates: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(ROUNDS + 1):
        for side in sides:
            took = await _took(ready, side, number, warranted)
            if number:  # the first round warms all of them up
                rates[side].append(CASES * (STEPS + 1) / took)
    return _results(rates)


async def _took(ready: Stage, side: str, number: int, warranted: Run) -> float:
    begun = time.perf_counter()
    names = [f"b{number}-{case}" for case in range(CASES)]
    if side == GOVERNED:
        await asyncio.gather(*(run_governed(ready, name, STEPS) for name in names))
    elif side == TENUO:
        await asyncio.gather(*(warranted(name) for name in names))
    else:
        await asyncio.gather(*(run_bare(ready, name, STEPS, side) for name in names))
    return time.perf_counter() - begun


def _results(rates: Mapping[str, Sequence[float]]) -> list[Result]:
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
