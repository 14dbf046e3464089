"""TLS by setting, mutual between services: who is let in, and who is believed."""

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from placet.agent import AgentConfig
from placet.agent._link import AuthorityLink
from placet.authority import AuthoritySettings, SigningKeys, Store, create_log, serve
from placet.client import AuthorityAway, OperatorClient
from placet.clock import system_clock
from placet.resource import AuthorityAway as SystemHearsNothing
from placet.resource import Guard
from placet.telemetry import TelemetrySettings
from placet.tokens import SigningKey, spell_jwks
from placet.transport import (
    BadTls,
    Serving,
    TemporalTlsSettings,
    TlsSettings,
    Transport,
    bind,
    server_config,
    temporal_tls,
)
from tests.harness.world import PASSPHRASE, free_port, temporal_server
from tests.transport.certificates import DAY, Authority, Pair


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    """Who signs the certificates of our services."""
    return Authority(tmp_path, "ours")


@pytest.fixture
def others(tmp_path: Path) -> Authority:
    """Who signs those of somebody else's."""
    return Authority(tmp_path, "others")


def transport(ca: Authority, pair: Pair | None, **more: Any) -> Transport:
    """One process's."""
    shown = {} if pair is None else {"certificate": pair.certificate, "key": pair.key}
    return Transport(TlsSettings(ca=ca.file, **shown, **more))


KEY = SigningKey.generate()


@contextlib.asynccontextmanager
async def service(by: Transport) -> AsyncIterator[tuple[int, list[str]]]:
    """A service of ours; its port, and the paths that it was asked for."""
    asked: list[str] = []

    async def answer(request: Any) -> Response:
        asked.append(request.url.path)
        return JSONResponse(spell_jwks([KEY.public]))

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    port = free_port()
    server = Serving(server_config(app, by.server, lifespan="off", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve(sockets=[bind("127.0.0.1", port)]))
    assert await server.up(serving)
    try:
        yield port, asked
    finally:
        server.should_exit = True
        await serving


async def ask(port: int, tls: ssl.SSLContext | None, scheme: str = "https") -> int:
    """Ask it; the status.

    Raises:
        httpx.TransportError: it does not speak with us, or we not with it.
    """
    async with httpx.AsyncClient(verify=tls or True) as http:
        return (await http.get(f"{scheme}://127.0.0.1:{port}/")).status_code


async def test_only_the_right_certificates_get_an_answer(
    ours: Authority, others: Authority, subtests: pytest.Subtests
) -> None:
    """Mutual TLS: each way in which one can lack, and then the one that has all."""
    server = transport(ours, ours.issue("authority"), client_ca=ours.file)
    worker = ours.issue("worker")
    refused = {
        "no-certificate": transport(ours, None),
        "wrong-authority": transport(ours, others.issue("worker")),
        "expired": transport(ours, ours.issue("worker", until=-DAY)),
        "believes-others": transport(others, worker),
    }
    async with service(server) as (port, asked):
        for name, each in refused.items():
            with subtests.test(name), pytest.raises(httpx.TransportError):
                await ask(port, each.client)
        with pytest.raises(httpx.TransportError):
            await ask(port, None, "http")
        assert asked == []
        assert await ask(port, transport(ours, worker).client) == 200
        assert asked == ["/"]
    assert server.server is not None
    assert server.client is not None
    assert {each.minimum_version for each in (server.server, server.client)} == {
        ssl.TLSVersion.TLSv1_2
    }


async def test_a_server_must_be_valid_and_the_one_that_was_asked_for(
    ours: Authority, others: Authority
) -> None:
    worker = transport(ours, ours.issue("worker"))
    for pair in (
        ours.issue("authority", until=-DAY),
        ours.issue("authority", address="127.0.0.2"),
        others.issue("authority"),
    ):
        async with service(transport(ours, pair)) as (port, asked):
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await ask(port, worker.client)
            assert asked == []


async def test_without_a_client_ca_callers_show_nothing(ours: Authority) -> None:
    async with service(transport(ours, ours.issue("authority"))) as (port, _):
        assert await ask(port, transport(ours, None).client) == 200


async def test_systems_and_people_speak_it_too(ours: Authority, others: Authority) -> None:
    """A guard's link and an operator's client: with the right certificate, and not without."""
    server = transport(ours, ours.issue("authority"), client_ca=ours.file)
    right, lacking = transport(ours, ours.issue("loans")).client, transport(ours, None).client
    async with service(server) as (port, asked):
        issuer = f"https://127.0.0.1:{port}"
        for tls, good in ((right, True), (lacking, False)):
            guard = Guard("loans", issuer, "https://loans.example", KEY, tls=tls)
            async with guard.following():
                if good:
                    assert (await guard.link.keys()).keys
                else:
                    with pytest.raises(SystemHearsNothing):
                        await guard.link.keys()
        asked.clear()
        for tls, why in (
            (lacking, "does not answer"),
            (transport(others, None).client, "over TLS: .*certificate"),
        ):
            async with OperatorClient(issuer, "operator:una", KEY, tls=tls) as una:
                with pytest.raises(AuthorityAway, match=why):
                    await una.get("/v1/governance")
        assert asked == []
        async with OperatorClient(issuer, "operator:una", KEY, tls=right) as una:
            with pytest.raises(
                AuthorityAway, match="no authority"
            ):  # it is heard, and no authority
                await una.get("/v1/governance")
        assert asked == ["/oauth/token"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("shown", ["nothing", "anothers"])
async def test_whoever_shows_no_certificate_that_is_believed_is_told_so(
    ours: Authority, others: Authority, version: ssl.TLSVersion, shown: str
) -> None:
    """A person, a system of record and a worker: before, that the authority does not answer."""
    server = transport(ours, ours.issue("authority"), client_ca=ours.file)
    pair = None if shown == "nothing" else others.issue("worker")
    lacking = transport(ours, pair).client
    assert lacking is not None
    lacking.maximum_version = version
    why = r"does not answer over TLS: .*shows no certificate.*\(PLACET_TLS_CERTIFICATE\)"
    async with service(server) as (port, asked):
        issuer = f"https://127.0.0.1:{port}"
        async with OperatorClient(issuer, "operator:una", KEY, tls=lacking) as una:
            with pytest.raises(AuthorityAway, match=why):
                await una.get("/v1/governance")
        guard = Guard("loans", issuer, "https://loans.example", KEY, tls=lacking)
        async with guard.following():
            with pytest.raises(SystemHearsNothing, match=why):
                await guard.link.keys()
        connector = aiohttp.TCPConnector(ssl=lacking)
        async with aiohttp.ClientSession(connector=connector) as http:
            link = AuthorityLink(AgentConfig("scale", KEY, issuer, {}), http, system_clock)
            with pytest.raises(ApplicationError, match=why):
                await link.send("GET", "/v1/keys/mine", None)
        assert asked == []


async def test_the_words_of_a_servers_refusal_are_told(ours: Authority) -> None:
    """As HAProxy's, which come while an answer is waited for: httpx lets them through as they are."""
    server = transport(ours, ours.issue("balancer"), client_ca=ours.file).server
    lacking = transport(ours, None).client
    assert server is not None

    def refuse() -> None:
        plain, _ = listening.accept()
        with server.wrap_socket(plain, server_side=True, do_handshake_on_connect=False) as wrapped:
            with pytest.raises(ssl.SSLError, match="did not return a certificate"):
                wrapped.do_handshake()
            refused.wait(30)  # an end with something unread would take the refusal with it

    refused = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        issuer = f"https://127.0.0.1:{listening.getsockname()[1]}"
        refusing = asyncio.create_task(asyncio.to_thread(refuse))
        async with OperatorClient(issuer, "operator:una", KEY, tls=lacking) as una:
            with pytest.raises(AuthorityAway, match="over TLS: .*alert certificate required"):
                await una.get("/v1/governance")
        refused.set()
        await refusing


async def test_an_end_in_clear_says_nothing_of_tls() -> None:
    """Whose server was killed is no matter of certificates."""

    async def end(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(end, "127.0.0.1", 0) as server:
        issuer = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with OperatorClient(issuer, "operator:una", KEY) as una:
            with pytest.raises(AuthorityAway, match="does not answer$"):
                await una.get("/v1/governance")


def _serial(port: int, tls: ssl.SSLContext) -> str:
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        tls.wrap_socket(plain, server_hostname="127.0.0.1") as wrapped,
    ):
        found = wrapped.getpeercert()
        assert found
        return str(found["serialNumber"])


async def test_a_renewed_certificate_is_taken_over_without_a_restart(ours: Authority) -> None:
    """And a certificate that is there before its key leaves the old pair in use."""
    first, next_ = ours.issue("authority"), ours.issue("authority", until=2 * DAY)
    server = transport(ours, first)
    client = transport(ours, None).client
    assert client is not None
    async with service(server) as (port, _):

        async def shown() -> int:
            return int(await asyncio.to_thread(_serial, port, client), 16)

        assert await shown() == first.serial
        assert server.ends == first.ends
        assert not server.look()
        first.certificate.write_bytes(next_.certificate.read_bytes())
        assert not server.look()
        assert await shown() == first.serial
        first.key.write_bytes(next_.key.read_bytes())
        async with server.kept(pause=0.01):
            async with asyncio.timeout(60):
                while await shown() != next_.serial:
                    await asyncio.sleep(0.01)
        assert server.ends == next_.ends


def test_what_is_set_wrongly_is_named(
    ours: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I12: before anything is served."""
    pair, other = ours.issue("a"), ours.issue("b")
    secret = ours.issue("c", passphrase="a passphrase")
    none = tmp_path / "none"
    with pytest.raises(ValidationError, match="go together"):
        TlsSettings(certificate=pair.certificate)
    with pytest.raises(ValidationError, match="needs PLACET_TLS_CERTIFICATE"):
        TlsSettings(client_ca=ours.file)
    with pytest.raises(ValidationError, match="go together"):
        TemporalTlsSettings(key=pair.key)
    for said, wrong in (
        ("fit", {"certificate": pair.certificate, "key": other.key}),
        ("fit", {"certificate": secret.certificate, "key": secret.key}),
        ("PLACET_TLS_KEY", {"certificate": pair.certificate, "key": none}),
        ("PLACET_TLS_CA", {"ca": none}),
        ("PLACET_TLS_CA", {"ca": pair.key}),
    ):
        with pytest.raises(BadTls, match=said):
            Transport(TlsSettings(**wrong))  # type: ignore[arg-type]
    with pytest.raises(BadTls, match="PLACET_TEMPORAL_TLS_CA"):
        temporal_tls(TemporalTlsSettings(ca=none))
    assert Transport(
        TlsSettings(certificate=secret.certificate, key=secret.key, key_passphrase="a passphrase")
    ).server
    monkeypatch.setenv("PLACET_TLS_CA", str(ours.file))
    assert Transport(TlsSettings()).client is not None
    assert temporal_tls(TemporalTlsSettings()) is False


async def test_the_authority_serves_it_by_setting(
    ours: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `placet authority serve` does: API and metrics, and nobody without a certificate."""
    pair = ours.issue("authority")
    right, lacking = transport(ours, ours.issue("person")).client, transport(ours, None).client
    assert right is not None
    for name, value in (
        ("CERTIFICATE", pair.certificate),
        ("KEY", pair.key),
        ("CA", ours.file),
        ("CLIENT_CA", ours.file),
        ("METRICS", "true"),
    ):
        monkeypatch.setenv(f"PLACET_TLS_{name}", str(value))
    port, told = free_port(), free_port()
    settings = AuthoritySettings(
        issuer=f"https://127.0.0.1:{port}",
        port=port,
        database_url=f"sqlite:///{tmp_path}/authority.db",
        key_passphrase=PASSPHRASE,
        temporal_address=f"127.0.0.1:{free_port()}",
        ready_file=tmp_path / "ready",
    )
    key = SigningKey.generate()
    async with await Store.open(settings.database_url, origin=settings.origin) as store:
        await create_log(store, SigningKeys(PASSPHRASE), [("ada", key.public)])
    serving = asyncio.create_task(serve(settings, TelemetrySettings(port=told)))
    async with asyncio.timeout(90):
        while not (tmp_path / "ready").exists():
            assert not serving.done()
            await asyncio.sleep(0.05)
    try:
        async with OperatorClient(settings.issuer, "operator:ada", key, tls=right) as ada:
            assert await ada.get("/v1/governance")
        async with httpx.AsyncClient(verify=right) as http:
            metrics = await http.get(f"https://127.0.0.1:{told}/metrics")
            assert "placet_" in metrics.text
        for where in (port, told):
            with pytest.raises(httpx.TransportError):
                await ask(where, lacking)
            with pytest.raises(httpx.TransportError):
                await ask(where, None, "http")
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        await serving


@contextlib.asynccontextmanager
async def in_front(of: str, tls: ssl.SSLContext) -> AsyncIterator[int]:
    """A TLS front of Temporal's development server, which speaks none itself."""
    host, _, port = of.partition(":")

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pipe(reader, behind[1]), pipe(behind[0], writer))

    tls.set_alpn_protocols(["h2"])
    server = await asyncio.start_server(join, "127.0.0.1", 0, ssl=tls)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_temporal_is_asked_with_tls_by_setting(
    ours: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its server is believed by our CA, and shown our certificate; without, there is no client."""
    front = transport(ours, ours.issue("temporal"), client_ca=ours.file).server
    assert front is not None
    pair = ours.issue("worker")
    async with temporal_server() as temporal:
        address = temporal.service_client.config.target_host
        async with in_front(address, front) as port:
            monkeypatch.setenv("PLACET_TEMPORAL_TLS_CA", str(ours.file))
            with pytest.raises(RuntimeError):
                lacking = temporal_tls(TemporalTlsSettings())
                await Client.connect(f"127.0.0.1:{port}", tls=lacking)
            monkeypatch.setenv("PLACET_TEMPORAL_TLS_CERTIFICATE", str(pair.certificate))
            monkeypatch.setenv("PLACET_TEMPORAL_TLS_KEY", str(pair.key))
            client = await Client.connect(
                f"127.0.0.1:{port}", tls=temporal_tls(TemporalTlsSettings())
            )
            assert await client.count_workflows() is not None
