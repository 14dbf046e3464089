"""Two replicas of a system of record, each a process of its own, on one database."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import text

from lender._revisions import REVISIONS
from lender.serve import LenderSettings
from lender.servicing import import_loan
from placet.revisions import VERSION_TABLE
from placet.tokens import SigningKey, make_proof, write_key_file
from tests.harness.forked import begun
from tests.harness.world import free_port
from tests.lender.authority import SimulatedAuthority, new_grant_id
from tests.lender.lending import LOAN, loan_file, require_problem, until
from tests.lender.serving import address, listening, serving

ADDRESS = "http://loans.example"
"""The balancer's: as callers know the replicas."""


@dataclass
class Pair:
    """Two replicas of loan servicing, and an agent."""

    authority: SimulatedAuthority
    ports: list[int]
    http: httpx.AsyncClient
    agent: SigningKey = field(default_factory=SigningKey.generate)

    def headers(self, **grant: str) -> dict[str, str]:
        """A grant to read the loan, and a proof that either replica could accept."""
        token = self.authority.sign(self.agent, "loan:read", f"loan/{LOAN}", **grant)
        proof = make_proof(
            self.agent,
            "GET",
            f"{ADDRESS}/loans/{LOAN}",
            now=datetime.now(UTC),
            jti=os.urandom(16).hex(),
            access_token=token,
        )
        return {"Authorization": f"DPoP {token}", "DPoP": proof}

    async def read(self, which: int, headers: dict[str, str]) -> httpx.Response:
        """Read the loan at one of them."""
        url = f"http://127.0.0.1:{self.ports[which % 2]}/loans/{LOAN}"
        return await self.http.get(url, headers=headers)


@contextlib.asynccontextmanager
async def pair(settings: LenderSettings) -> AsyncIterator[Pair]:
    """Both started at the same instant."""
    write_key_file(settings.folder / "loan-servicing.key", SigningKey.generate())
    taken = listening()
    authority = SimulatedAuthority(address(taken))
    ports = [free_port(), free_port()]
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(serving((authority.app(), taken)))
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=30))
        for port in ports:
            said = {
                "FOLDER": str(settings.folder),
                "ISSUER": authority.issuer,
                "SYSTEMS": json.dumps(["loan-servicing"]),
                "URLS": json.dumps({"loan-servicing": ADDRESS}),
                "SERVICING_PORT": str(port),
                "DATABASE_URL": settings.database_url,
                "REQUESTS_URL": settings.requests_url,
            }
            named = {f"PLACET_LENDER_{name}": each for name, each in said.items() if each}
            command = [sys.executable, "-m", "placet.cli", "lender", "serve"]
            process = begun(command, env={**os.environ, **named})
            stack.push_async_callback(stop, process)
        async with asyncio.timeout(90):
            for port in ports:
                while not await ready(http, port):
                    await asyncio.sleep(0.05)
        yield Pair(authority, ports, http)


async def ready(http: httpx.AsyncClient, port: int) -> bool:
    """Whether a replica says that it is."""
    try:
        return (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
    except httpx.TransportError:
        return False


async def stop(process: subprocess.Popen[bytes]) -> None:
    """Tell it to stop; it ends well."""
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 30) == 0


def make_old(settings: LenderSettings) -> None:
    """A database with a loan, of the first revision, which it does not name."""
    database = settings.database("loan-servicing")
    import_loan(database, loan_file())
    settings.migrate("loan-servicing", REVISIONS[0])
    with database.engine.begin() as connection:
        VERSION_TABLE.drop(connection)
    database.close()


@pytest.mark.parametrize("old", [False, True], ids=["empty", "old"])
async def test_replicas_are_one_system(old: bool, settings: LenderSettings) -> None:
    """I11: both come up, and of many requests with one proof, at both at once, one is taken."""
    if old:
        make_old(settings)
    async with pair(settings) as made:
        database = settings.database("loan-servicing")
        if not old:
            import_loan(database, loan_file())
        for _ in range(5):
            headers = made.headers()
            answers = await asyncio.gather(*(made.read(each, headers) for each in range(8)))
            assert sorted(each.status_code for each in answers) == [200] + [401] * 7
            refused = next(each for each in answers if each.status_code == 401)
            require_problem(refused, 401, "invalid_dpop_proof", "used before")
        grant = new_grant_id()
        made.authority.revoked.append(grant)

        async def both_refuse() -> bool:
            answers = [await made.read(each, made.headers(grant=grant)) for each in range(2)]
            return all(each.status_code == 401 for each in answers)

        await until(both_refuse)
        database.close()


async def test_without_the_table_of_proofs_nothing_passes(settings: LenderSettings) -> None:
    """I12: whether a proof was used can't be told, so that the request is refused: 503."""
    async with pair(settings) as made:
        database = settings.database("loan-servicing")
        import_loan(database, loan_file())
        database.run_here(
            lambda session: session.connection().execute(text("ALTER TABLE used_proof RENAME TO x"))
        )
        for which in range(2):
            refused = await made.read(which, made.headers())
            require_problem(refused, 503, "temporarily_unavailable", "used before can't be told")
        database.run_here(
            lambda session: session.connection().execute(text("ALTER TABLE x RENAME TO used_proof"))
        )
        for which in range(2):
            assert (await made.read(which, made.headers())).status_code == 200
        database.close()
