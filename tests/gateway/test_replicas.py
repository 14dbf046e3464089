"""Two gateways before one system, each a process, with one database of used proofs."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy.engine import make_url

from placet.gateway._proofs import open_proofs
from placet.resource import BadToken
from placet.tokens import Proof, SigningKey, make_proof, write_key_file
from tests.authority.throwaway_postgresql import PostgresqlCluster
from tests.gateway.conftest import ROUTES, Plain
from tests.gateway.test_serving import COMMAND, Wall, ready
from tests.harness.databases import KINDS, new_database
from tests.harness.forked import begun
from tests.harness.world import free_port
from tests.resource.simulator import SYSTEM, Authority, served

ADDRESS = "http://library.example"
"""The balancer's: as callers know the gateways."""


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A new database for used proofs."""
    with new_database(request, request.param, tmp_path) as made:
        yield made


@dataclass
class Pair:
    """Two gateways, and a caller with a key."""

    authority: Authority
    clock: Wall
    plain: Plain
    ports: list[int]
    http: httpx.AsyncClient
    holder: SigningKey = field(default_factory=SigningKey.generate)

    def headers(self) -> dict[str, str]:
        """A grant and a proof that either could accept."""
        token = self.authority.grant(self.holder)
        proof = make_proof(
            self.holder,
            "GET",
            f"{ADDRESS}/books/1",
            now=self.clock.now,
            jti=os.urandom(16).hex(),
            access_token=token,
        )
        return {"Authorization": f"DPoP {token}", "DPoP": proof}

    async def read(self, which: int, headers: dict[str, str]) -> httpx.Response:
        """Read a book through one of them."""
        url = f"http://127.0.0.1:{self.ports[which % 2]}/books/1"
        return await self.http.get(url, headers=headers)

    async def parts(self, which: int) -> dict[str, str]:
        """What one of them says that it needs."""
        answer = await self.http.get(f"http://127.0.0.1:{self.ports[which]}/readyz")
        found: dict[str, str] = answer.json()["parts"]
        return found


@contextlib.asynccontextmanager
async def pair(folder: Path, url: str) -> AsyncIterator[Pair]:
    """Both started at the same instant, on a database that has no table yet."""
    key, clock, plain = SigningKey.generate(), Wall(), Plain()
    authority, behind = Authority(clock, key), free_port()
    write_key_file(folder / "library.key", key)
    (folder / "routes.toml").write_text(ROUTES)
    ports = [free_port(), free_port()]
    async with contextlib.AsyncExitStack() as stack:
        await authority.start()
        stack.push_async_callback(authority.stop)
        await stack.enter_async_context(served(plain, behind))
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=30))
        for port in ports:
            settings = {
                "SYSTEM": SYSTEM,
                "ISSUER": authority.issuer,
                "URL": ADDRESS,
                "PORT": str(port),
                "ROUTES": str(folder / "routes.toml"),
                "KEY_FILE": str(folder / "library.key"),
                "USES_FILE": str(folder / f"uses-{port}.db"),
                "PROOFS_URL": url,
                "UPSTREAM": f"http://127.0.0.1:{behind}",
            }
            said = {f"PLACET_GATEWAY_{name}": value for name, value in settings.items()}
            process = begun(COMMAND, env={**os.environ, **said})
            stack.push_async_callback(stop, process)
        async with asyncio.timeout(60):
            for port in ports:
                while not await ready(http, f"http://127.0.0.1:{port}"):
                    await asyncio.sleep(0.05)
        yield Pair(authority, clock, plain, ports, http)


async def stop(process: subprocess.Popen[bytes]) -> None:
    """Tell it to stop; it ends well."""
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 30) == 0


async def test_a_proof_counts_once_at_all_gateways(
    url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """I11, I12: of many at once one passes; without their database none, and both say so."""
    async with pair(tmp_path, url) as made:
        for _ in range(5):
            heard, headers = len(made.plain.heard), made.headers()
            answers = await asyncio.gather(*(made.read(each, headers) for each in range(8)))
            assert sorted(each.status_code for each in answers) == [200] + [401] * 7
            assert len(made.plain.heard) == heard + 1
        assert await made.parts(0) == {"authority": "ok", "proofs": "ok"}
        if make_url(url).get_backend_name() == "sqlite":
            return
        cluster: PostgresqlCluster = request.getfixturevalue("postgresql")
        heard = len(made.plain.heard)
        with cluster.outage(str(make_url(url).database)):
            for which in range(2):
                refused = await made.read(which, made.headers())
                assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
                assert refused.json()["error"] == "temporarily_unavailable"
                assert (await made.parts(which))["proofs"] == "away"
        assert len(made.plain.heard) == heard


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://u:secret@127.0.0.1:1/x", "can't be used"),
        ("postgresql://u:secret@127.0.0.1:port/x", "can't be read"),
        ("sqlite:////proc/self/nothing/proofs.db", "nothing"),
    ],
)
def test_a_database_that_is_away_stops_the_start(url: str, told: str, tmp_path: Path) -> None:
    """I12: in one line, without the password."""
    write_key_file(tmp_path / "library.key", SigningKey.generate())
    (tmp_path / "routes.toml").write_text(ROUTES)
    settings = {
        "SYSTEM": SYSTEM,
        "ROUTES": str(tmp_path / "routes.toml"),
        "KEY_FILE": str(tmp_path / "library.key"),
        "PROOFS_URL": url,
        "UPSTREAM": "http://127.0.0.1:9",
    }
    said = {f"PLACET_GATEWAY_{name}": value for name, value in settings.items()}
    with (tmp_path / "errors").open("ab") as errors:
        process = begun(COMMAND, env={**os.environ, **said}, stderr=errors)
    assert process.wait(60) == 3
    (line,) = (tmp_path / "errors").read_text().splitlines()
    assert told in line
    assert "secret" not in line


def test_a_gateway_that_shares_nothing_loads_no_database() -> None:
    code = "import sys, placet.gateway; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_the_table_is_made_once(url: str) -> None:
    """I11: a gateway that starts again finds what was used before."""
    key, now = SigningKey.generate().public, datetime.now(UTC)
    proof = Proof("once", key.thumbprint, int(now.timestamp()), key)
    with open_proofs(url) as made:
        await made.of(SYSTEM).use(proof, now)
    with open_proofs(url) as made, pytest.raises(BadToken):
        await made.of(SYSTEM).use(proof, now)
