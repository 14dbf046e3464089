"""HAProxy before replicas of the authority where everything speaks TLS, started by its own file."""

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client

from placet.authority import (
    AuthoritySettings,
    SigningKeys,
    Store,
    create_log,
    open_authority,
)
from placet.client import AuthorityAway, OperatorClient
from placet.tokens import SigningKey
from placet.transport import Serving, TlsSettings, Transport, bind, server_config
from tests.deploy.compose import ROOT
from tests.deploy.programs import program, running
from tests.harness.world import PASSPHRASE, free_port, until
from tests.transport.certificates import Authority, Pair

NAME = "authority.internal"
FILE = ROOT / "deploy/haproxy-tls.cfg"


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    """Who signs the certificates of everybody here."""
    return Authority(tmp_path, "ours")


def _transport(ours: Authority, pair: Pair | None, client_ca: Path | None = None) -> Transport:
    shown = {} if pair is None else {"certificate": pair.certificate, "key": pair.key}
    return Transport(TlsSettings(ca=ours.file, client_ca=client_ca, **shown))


def _lines(folder: Path, ours: Authority, ports: dict[str, int], replicas: dict[str, int]) -> str:
    """The file with this machine's addresses, and certificates of a test's own."""
    for name in ("issuer", "balancer"):
        pair = ours.issue(name)
        whole = pair.certificate.read_text() + pair.key.read_text()
        (folder / f"{name}.pem").write_text(whole)
    (folder / "ca.crt").write_text(ours.file.read_text())
    text = FILE.read_text().replace("/etc/haproxy/tls", str(folder))
    for there, here in (
        (r"bind :8600 ", f"bind 127.0.0.1:{ports['people']} "),
        (r"bind :8601 ", f"bind 127.0.0.1:{ports['services']} "),
        *(
            (rf"^    server {name} .*$", f"    server {name} 127.0.0.1:{port}")
            for name, port in replicas.items()
        ),
    ):
        text, count = re.subn(there, here, text, flags=re.MULTILINE)
        assert count == 1, there
    return text


@contextlib.asynccontextmanager
async def _replica(settings: AuthoritySettings, port: int, by: Transport) -> AsyncIterator[Serving]:
    """One that answers nobody but who shows a certificate, on the database that all share."""
    temporal = await Client.connect(settings.temporal_address, lazy=True)
    async with open_authority(settings, temporal) as app:
        config = server_config(app, by.server, lifespan="off", timeout_graceful_shutdown=1)
        server = Serving(config)
        serving = asyncio.create_task(server.serve(sockets=[bind("127.0.0.1", port)]))
        assert await server.up(serving)
        try:
            yield server
        finally:
            app.state.stop_streams()
            server.should_exit = True
            await serving


async def _answered(address: str, tls: ssl.SSLContext | None) -> int:
    async with httpx.AsyncClient(verify=tls or True) as http:
        return (await http.get(f"https://{address}/.well-known/jwks.json")).status_code


async def test_people_show_no_certificate_services_and_the_balancer_do(
    ours: Authority, tmp_path: Path
) -> None:
    """And where one replica is gone, the others answer."""
    haproxy = program("haproxy", "PLACET_REQUIRE_HAPROXY")
    folder = tmp_path / "tls"
    folder.mkdir()
    ports = {name: free_port() for name in ("people", "services")}
    replicas = {f"authority-{number}": free_port() for number in (1, 2)}
    settings = AuthoritySettings(
        issuer=f"https://127.0.0.1:{ports['people']}",
        database_url=f"sqlite:///{tmp_path}/authority.db",
        key_passphrase=PASSPHRASE,
        temporal_address=f"127.0.0.1:{free_port()}",
    )
    key = SigningKey.generate()
    async with await Store.open(settings.database_url, origin=settings.origin) as store:
        await create_log(store, SigningKeys(PASSPHRASE), [("ada", key.public)])
    told = folder / "haproxy.cfg"
    told.write_text(_lines(folder, ours, ports, replicas))
    nobody = _transport(ours, None).client
    worker = _transport(ours, ours.issue("worker")).client
    services = f"127.0.0.1:{ports['services']}"
    async with contextlib.AsyncExitStack() as stack:
        by = _transport(ours, ours.issue("authority", name_too=NAME), ours.file)
        servers = [
            await stack.enter_async_context(_replica(settings, port, by))
            for port in replicas.values()
        ]
        stack.enter_context(running([haproxy, "-db", "-f", str(told)], tmp_path / "haproxy.log"))

        async def up() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return await _answered(services, worker) == 200
            return False

        await until(up)
        async with OperatorClient(settings.issuer, "operator:ada", key, tls=nobody) as ada:
            assert await ada.get("/v1/governance")
            servers[0].should_exit = True
            await asyncio.gather(*(_gone(port) for port in [*replicas.values()][:1]))
            for _ in range(4):
                assert await ada.get("/v1/governance")
        for port in replicas.values():
            with pytest.raises(httpx.TransportError):
                await _answered(f"127.0.0.1:{port}", nobody)
        lacking = OperatorClient(f"https://{services}", "operator:ada", key, tls=nobody)
        async with lacking as ada:
            with pytest.raises(AuthorityAway, match="over TLS: .*certificate"):
                await ada.get("/v1/governance")


async def _gone(port: int) -> None:
    async def look() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return True
        writer.close()
        return False

    await until(look)


async def test_a_replica_of_another_name_is_not_believed(ours: Authority, tmp_path: Path) -> None:
    """Any service's certificate is of the same authority: it could answer in a replica's place."""
    haproxy = program("haproxy", "PLACET_REQUIRE_HAPROXY")
    folder = tmp_path / "tls"
    folder.mkdir()
    ports = {name: free_port() for name in ("people", "services")}
    replicas = {f"authority-{number}": free_port() for number in (1, 2)}
    told = folder / "haproxy.cfg"
    told.write_text(_lines(folder, ours, ports, replicas))
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(100))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    impostor = _transport(ours, ours.issue("worker", name_too="worker.internal")).server
    servers = [
        await asyncio.start_server(answer, "127.0.0.1", port, ssl=impostor)
        for port in replicas.values()
    ]
    nobody = _transport(ours, None).client
    with running([haproxy, "-db", "-f", str(told)], tmp_path / "haproxy.log"):

        async def refused() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return await _answered(f"127.0.0.1:{ports['people']}", nobody) == 503
            return False

        await until(refused)
    for server in servers:
        server.close()
    assert asked == []
