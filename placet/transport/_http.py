"""The HTTP server of every process: uvicorn, which by itself bounds neither heads nor patience.

1. A request's head has at most :data:`MAX_HEAD` bytes, whatever is in it: else 431, and the
   connection ends (RFC 6585 section 5).
2. A head must come within :data:`HEAD_SECONDS`, or the connection ends: who sends a byte a minute
   holds nothing.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 64 * 1024
"""Bytes: the largest token has 16 KiB, and a request may carry three."""

HEAD_SECONDS = 20.0

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class BoundedHttp(HttpToolsProtocol):
    """One connection, whose heads are bounded in size and time."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._head: int | None = 0  # bytes that came since a head may have begun
        self._parts = 0  # bytes of the head's own parts, however much came with them at once
        self._refused = False
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._heard()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head is too large."""
        if self._head is not None:
            self._head += len(data)
        super().data_received(data)
        if self._head is None or self.transport.is_closing():
            return
        if self._head > MAX_HEAD:
            self._refuse()
        elif self._patience is None and not (self.cycle and not self.cycle.response_complete):
            self._await_head()  # empty lines begin no head, and end uvicorn's own patience

    def on_message_begin(self) -> None:
        """A head begins."""
        self._parts = 0
        self._await_head()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A part of the head."""
        self._parts += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A part of the head."""
        self._parts += len(name) + len(value) + len(": \r\n")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A head has ended."""
        self._head = None
        self._heard()
        if self._parts > MAX_HEAD:
            self._refuse()
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Of a request that was refused nothing is read."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """A request has ended; the next one's head may follow."""
        self._head = 0
        if not self._refused:
            super().on_message_complete()

    def _refuse(self) -> None:
        self._refused = True
        self.transport.write(_TOO_LARGE)
        self.transport.close()

    def _await_head(self) -> None:
        self._heard()
        self._patience = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _heard(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


def server_config(
    app: Any, tls: ssl.SSLContext | None = None, *, proxies: Sequence[str] = (), **more: Any
) -> uvicorn.Config:
    """How a server of ours runs; with ``tls`` it speaks nothing else.

    ``proxies`` are the addresses that may say whose request they hand on (``X-Forwarded-For``).
    """

    def ready(_config: uvicorn.Config, _default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        assert tls is not None
        return tls

    said: dict[str, Any] = {
        "http": BoundedHttp,
        "ws": "none",
        "proxy_headers": bool(proxies),  # uvicorn itself would believe whoever is on this machine
        "forwarded_allow_ips": list(proxies),
        "reset_contextvars": True,  # or a log line names the case of the request before
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_keep_alive": 75,  # longer than any client keeps a connection that it may use
        "ssl_context_factory": None if tls is None else ready,
    }
    return uvicorn.Config(app, **{**said, **more})
