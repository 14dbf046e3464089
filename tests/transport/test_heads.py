"""A server reads no endless head, and waits for none for ever."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from placet.transport import MAX_HEAD, Serving, _http, bind, server_config
from tests.harness.world import free_port


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Read a request whole, and answer."""
    await Request(scope, receive).body()
    await PlainTextResponse("hello")(scope, receive, send)


@contextlib.asynccontextmanager
async def served(app: ASGIApp = hello, *, proxies: Sequence[str] = ()) -> AsyncIterator[int]:
    """A service, which says hello unless told."""
    port = free_port()
    config = server_config(app, proxies=proxies, lifespan="off", timeout_graceful_shutdown=1)
    server = Serving(config)
    serving = asyncio.create_task(server.serve(sockets=[bind("127.0.0.1", port)]))
    assert await server.up(serving)
    yield port
    server.should_exit = True
    await serving


async def told(port: int, *pieces: bytes) -> bytes:
    """Send pieces; all that comes back until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(ConnectionError):
        for each in pieces:
            writer.write(each)
            await writer.drain()
    try:
        async with asyncio.timeout(60):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"


@pytest.mark.parametrize("piece", [b"X: " + b"y" * 8000 + b"\r\n", b"y" * 8000])
async def test_an_endless_head_is_cut_off(piece: bytes) -> None:
    """I12: many headers, or one without end: memory holds a bounded part of it."""
    async with served() as port:
        begun = HEAD + b"X: "
        answer = await told(port, begun, *[piece] * 40)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")
        assert (await told(port, HEAD + b"\r\n")).endswith(b"hello")


async def test_a_head_that_comes_all_at_once_is_no_larger() -> None:
    """I12: what is read in one piece is bounded like what comes in many."""
    async with served() as port:
        whole = HEAD + b"".join([b"X: " + b"y" * 8000 + b"\r\n"] * 9) + b"\r\n"
        answer = await told(port, whole)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")
        assert b"hello" not in answer


async def test_a_large_head_and_a_larger_body_pass() -> None:
    """Only the head is bounded here; bodies are by who reads them."""
    async with served() as port:
        large = b"X: " + b"y" * (MAX_HEAD - 500) + b"\r\n\r\n"
        assert (await told(port, HEAD + large)).endswith(b"hello")
        post = HEAD.replace(b"GET", b"POST") + b"Content-Length: 300000\r\n\r\n"
        assert (await told(port, post, b"z" * 300_000)).endswith(b"hello")


@pytest.mark.parametrize(
    ("proxies", "seen"),
    [((), "127.0.0.1"), (("127.0.0.1",), "192.0.2.7"), (("10.1.1.1",), "127.0.0.1")],
)
async def test_only_a_trusted_proxy_says_whose_request_it_is(
    proxies: tuple[str, ...], seen: str
) -> None:
    """I12: limits by address are worth nothing if anyone may name another one."""

    async def whose(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(scope["client"][0])(scope, receive, send)

    async with served(whose, proxies=proxies) as port:
        answer = await told(port, HEAD + b"X-Forwarded-For: 192.0.2.7\r\n\r\n")
    assert answer.endswith(seen.encode())


async def test_who_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """I12: neither at first, nor in the middle of a head, nor after an answer."""
    monkeypatch.setattr(_http, "HEAD_SECONDS", 0.1)
    async with served() as port:
        assert await told(port) == b""
        assert await told(port, b"GET / HT") == b""
        kept = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        answer = await told(port, kept, b"GET / HT")
        assert answer.count(b"hello") == 1
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(kept)
        assert b"hello" in await reader.readuntil(b"hello")
        writer.write(b"\r\n")  # is no head yet
        async with asyncio.timeout(60):
            assert await reader.read() == b""
        writer.close()
