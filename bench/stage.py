"""What the benchmarks run on: Temporal in memory, an authority, and one worker process a side."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from bench.work import AGENT, ASKER, DEFINITION, MATRIX, ORCHESTRATOR, POLICIES, SCHEMA
from lender.embedded import temporal_binary
from lender.ports import free_ports
from placet.authority import AuthoritySettings, SigningKeys, Store, create_log
from placet.client import OperatorClient
from placet.model import EnrolIdentity, PublishPolicy
from placet.tokens import SigningKey, write_key_file

PASSPHRASE = "only a benchmark"


@dataclass(frozen=True)
class Stage:
    """What a measurement can reach."""

    temporal: Client
    issuer: str
    admin: OperatorClient
    porter: OperatorClient
    clerk: OperatorClient
    auditor: OperatorClient
    asker: SigningKey
    folder: Path
    settings: AuthoritySettings


@contextlib.asynccontextmanager
async def stage(folder: Path, database_url: str | None = None) -> AsyncIterator[Stage]:
    """Start everything, each part a process of its own, on loopback; on SQLite unless told."""
    ports = free_ports(2)
    issuer = f"http://127.0.0.1:{ports[0]}"
    settings = AuthoritySettings(
        issuer=issuer,
        port=ports[0],
        database_url=database_url or f"sqlite:///{folder}/authority.db",
        key_passphrase=PASSPHRASE,
    )
    names = ("ada", "porter", "clerk", "auditor", AGENT, ASKER, ORCHESTRATOR)
    keys = {name: SigningKey.generate() for name in names}
    async with await Store.open(settings.database_url, origin=settings.origin) as store:
        await create_log(store, SigningKeys(PASSPHRASE), [("ada", keys["ada"].public)])
    for agent in (AGENT, ORCHESTRATOR, "auditor"):
        write_key_file(folder / f"{agent}.key", keys[agent], None)
    write_key_file(folder / "clerk.key", keys["clerk"], PASSPHRASE)
    async with contextlib.AsyncExitStack() as stack:
        environment = await stack.enter_async_context(
            await WorkflowEnvironment.start_local(
                dev_server_existing_path=temporal_binary(),
                port=ports[1],
                data_converter=pydantic_data_converter,
            )
        )
        address = environment.client.service_client.config.target_host
        authority = [sys.executable, "-m", "placet.cli", "authority", "serve"]
        stack.enter_context(
            program(
                authority,
                {
                    "PLACET_AUTHORITY_ISSUER": issuer,
                    "PLACET_AUTHORITY_PORT": str(ports[0]),
                    "PLACET_AUTHORITY_DATABASE_URL": settings.database_url,
                    "PLACET_AUTHORITY_KEY_PASSPHRASE": PASSPHRASE,
                    "PLACET_AUTHORITY_TEMPORAL_ADDRESS": address,
                },
                folder / "authority.log",
            )
        )
        await _answers(issuer)
        admin, porter, clerk, auditor = [
            await stack.enter_async_context(OperatorClient(issuer, f"operator:{name}", keys[name]))
            for name in ("ada", "porter", "clerk", "auditor")
        ]
        await _enrol(admin, keys)
        for side in ("bare", "governed"):
            await stack.enter_async_context(worker(side, address, issuer, folder))
        yield Stage(
            environment.client, issuer, admin, porter, clerk, auditor, keys[ASKER], folder, settings
        )


@contextlib.asynccontextmanager
async def worker(
    side: str, address: str, issuer: str, folder: Path, *, issues: str = "", token: str = ""
) -> AsyncIterator[None]:
    """One side's workers, in a process of their own; where their credentials are issued."""
    command = [sys.executable, "-m", "bench.worker", side, "--temporal", address]
    command += ["--issuer", issuer, "--folder", str(folder), "--issues", issues]
    log = folder / f"{side}-worker.log"
    with program(command, {"BENCH_TOKEN": token}, log) as started:
        await asyncio.to_thread(_ready, started, log)
        yield


async def _enrol(admin: OperatorClient, keys: Mapping[str, SigningKey]) -> None:
    for name in ("porter", "clerk", "auditor"):
        body = EnrolIdentity(jwk=dict(keys[name].public.jwk()), roles=(name,))
        await admin.act("operator.enrol", f"operator:{name}", body)
    for name in (AGENT, ASKER, ORCHESTRATOR):
        body = EnrolIdentity(jwk=dict(keys[name].public.jwk()), owner="operator:ada")
        await admin.act("agent.enrol", f"agent:{name}", body)
    await admin.act("process.publish", DEFINITION.name, DEFINITION)
    await admin.act("matrix.publish", DEFINITION.name, MATRIX)
    policy = PublishPolicy(policies=POLICIES, cedar_schema=SCHEMA)
    await admin.act("policy.publish", DEFINITION.name, policy)


async def _answers(issuer: str) -> None:
    async with httpx.AsyncClient(timeout=2) as http, asyncio.timeout(60):
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if (await http.get(f"{issuer}/livez")).status_code == 200:
                    return
            await asyncio.sleep(0.05)


def _ready(worker: subprocess.Popen[bytes], log: Path) -> None:
    while b"ready\n" not in log.read_bytes():
        if worker.poll() is not None:
            raise SystemExit(f"the worker did not start: {log.read_text()}")
        time.sleep(0.05)


@contextlib.contextmanager
def program(
    command: list[str], settings: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours, ended with what this is around."""
    # A file, not a pipe: the SDK warns on standard output, and waits for ever once a pipe is full.
    said = log.open("wb")
    process = subprocess.Popen(
        command,
        stdout=said,
        stderr=said,
        env={**os.environ, **settings},
        stdin=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=25)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        said.close()
