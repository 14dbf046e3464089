"""A plain HTTP system behind a gateway, both served; an authority that the test holds."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from placet.gateway import GatewaySettings, make_app, read_routes
from placet.gateway._app import Gateway
from placet.resource import Guard, _feed
from placet.tokens import SigningKey, make_proof
from tests.harness.world import free_port
from tests.resource.simulator import SYSTEM, Authority, Clock, served

ROUTES = """
[[route]]
method = "GET"
path = "/books/{book}"
action = "book:read"
record = "book/{book}"
query = ["page", "as-of"]

[[route]]
method = "GET"
path = "/books/{book}/files/{name}"
action = "book:read"
record = "book/{book}"

[[route]]
method = "PUT"
path = "/books/{book}"
action = "book:write"
record = "book/{book}"

[[route]]
method = "POST"
path = "/books/{book}/notes"
action = "book:note"
record = "book/{book}"
intent = false
"""


@dataclass
class Heard:
    """A request as the system behind got it."""

    method: str
    path: bytes
    query: bytes
    headers: list[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        """A header's values."""
        return [value for key, value in self.headers if key == name.lower()]


@dataclass
class Plain:
    """A system that knows nothing of grants: it does what it is told, and remembers."""

    heard: list[Heard] = field(default_factory=list)
    answer: Callable[[Heard, Send], Awaitable[None]] | None = None
    broken_off: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at the end of a test: nobody waits any longer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            body = await Request(scope, receive).body()
        except ClientDisconnect:
            self.broken_off += 1
            return
        headers = [(name.decode().lower(), value.decode()) for name, value in scope["headers"]]
        heard = Heard(scope["method"], scope["raw_path"], scope["query_string"], headers, body)
        self.heard.append(heard)
        if self.answer is not None:
            await self.answer(heard, send)
            return
        await say(send, 200, b"a page", [(b"content-type", b"text/plain")])


async def say(
    send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    """A whole answer."""
    length = (b"content-length", str(len(body)).encode())
    start = {"type": "http.response.start", "status": status}
    await send({**start, "headers": [*(headers or []), length]})
    await send({"type": "http.response.body", "body": body})


@dataclass
class Before:
    """What a test can reach: a gateway before a plain system."""

    authority: Authority
    clock: Clock
    plain: Plain
    gateway: Gateway
    port: int
    http: httpx.AsyncClient
    settings: GatewaySettings
    holder: SigningKey = field(default_factory=SigningKey.generate)

    @property
    def url(self) -> str:
        """The gateway's address."""
        return self.settings.url

    def headers(
        self, method: str = "GET", path: str = "/books/1", token: str | None = None, **changed: Any
    ) -> dict[str, str]:
        """What a rightful caller sends; ``changed`` is the grant's."""
        if token is None:
            token = self.authority.grant(self.holder, **changed)
        proof = make_proof(
            self.holder,
            method,
            self.url + path.partition("?")[0],
            now=self.clock.now,
            jti=secrets.token_urlsafe(18),
            access_token=token,
        )
        return {"Authorization": f"DPoP {token}", "DPoP": proof}

    async def ask(
        self,
        method: str = "GET",
        path: str = "/books/1",
        *,
        content: Any = None,
        more: list[tuple[str, str]] | None = None,
        **changed: Any,
    ) -> httpx.Response:
        """One request by a rightful caller, with more headers."""
        headers = [*self.headers(method, path, **changed).items(), *(more or [])]
        return await self.http.request(method, self.url + path, headers=headers, content=content)

    async def raw(self, sent: bytes) -> tuple[int, bytes]:
        """Send bytes as they stand; the status, and all that comes back."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        try:
            async with asyncio.timeout(60):
                answer = await reader.read()
        except ConnectionResetError:
            answer = b""
        finally:
            writer.close()
        return (int(answer.split(b" ", 2)[1]) if answer else 0), answer

    def spelled(
        self, target: bytes, *more: bytes, method: str = "GET", path: str = "/books/1", **kw: Any
    ) -> bytes:
        """A request in bytes: a good grant and proof for ``path``, and any target at all."""
        lines = [
            f"{name}: {value}".encode() for name, value in self.headers(method, path, **kw).items()
        ]
        head = b"%s %s HTTP/1.1" % (method.encode(), target)
        host = f"Host: 127.0.0.1:{self.port}".encode()
        return b"\r\n".join([head, host, b"Connection: close", *lines, *more, b"", b""])

    def told(self, stage: str) -> list[dict[str, Any]]:
        """The uses of a stage that the authority heard of."""
        return [each for each in self.authority.uses.values() if each["stage"] == stage]

    async def until_told(self, stage: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until the authority has heard of so many."""
        async with asyncio.timeout(60):
            while len(self.told(stage)) < count:
                await asyncio.sleep(0.01)
        return self.told(stage)

    async def results(self) -> list[int]:
        """The results that were told before a use that comes now."""
        before = len(self.told("use"))
        await self.ask()
        await self.until_told("use", before + 1)  # uses are told in their order
        return [each["status"] for each in self.told("result")]


@pytest.fixture
async def before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Before]:
    """A gateway before a plain system."""
    monkeypatch.setattr(_feed, "_PAUSE", 0.01)
    async with standing(tmp_path) as made:
        yield made


@contextlib.asynccontextmanager
async def standing(folder: Path, **more: Any) -> AsyncIterator[Before]:
    """A gateway with further settings."""
    clock, plain, key = Clock(), Plain(), SigningKey.generate()
    authority = Authority(clock, key)
    await authority.start()
    (folder / "routes.toml").write_text(ROUTES)
    behind, port = free_port(), free_port()
    settings = GatewaySettings(
        system=SYSTEM,
        issuer=authority.issuer,
        url=f"http://127.0.0.1:{port}",
        routes=folder / "routes.toml",
        key_file=folder / "unused.key",
        uses_file=folder / "uses.db",
        port=port,
        **{
            "upstream": f"http://127.0.0.1:{behind}/inner",
            "max_body": 1000,
            "max_answer": 100_000,
            "upstream_seconds": 5,
            **more,
        },
    )
    guard = Guard(SYSTEM, authority.issuer, settings.url, key, clock=clock)
    gateway = make_app(settings, read_routes(settings.routes), guard)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(authority.stop)
        await stack.enter_async_context(served(plain, behind))
        await stack.enter_async_context(served(gateway, port, lifespan="on"))
        http = await stack.enter_async_context(httpx.AsyncClient())
        yield Before(authority, clock, plain, gateway, port, http, settings)
        plain.over.set()
