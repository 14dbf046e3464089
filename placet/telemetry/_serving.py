"""HTTP servers that stop as they should, and the one that tells a process's metrics."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from placet.telemetry._health import Health, health_routes
from placet.telemetry._settings import TelemetrySettings
from placet.transport import server_config

STOP_SECONDS = 20
"""Seconds for which requests under way may go on when their server stops."""

Refresh = Callable[[], Awaitable[None]]
"""Looks up what is told only when it is asked for."""


class Serving(uvicorn.Server):
    """A server that leaves the signals to its program.

    Uvicorn's own would raise the signal again once it has stopped, before a store is closed; and of
    several in one process the last would take them.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield

    async def up(self, serving: "asyncio.Task[None]") -> bool:
        """Wait until it takes requests; whether it does."""
        while not self.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event
            await asyncio.sleep(0.02)
        return self.started


def bind(host: str, port: int) -> socket.socket:
    """A bound socket; uvicorn would end the process by itself if the address is taken.

    Raises:
        OSError: the address is taken, or none of this machine's; it is named.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, or asyncio leaves Nagle's delay on: 40 ms for each answer.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise OSError(error.errno, error.strerror, f"{host}:{port}") from None
    return bound


async def _no_refresh() -> None:
    pass


@contextlib.asynccontextmanager
async def serve_metrics(
    settings: TelemetrySettings,
    health: Health,
    refresh: Refresh = _no_refresh,
    *,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[None]:
    """Serve ``/metrics``, ``/livez`` and ``/readyz`` at the port that is set, if one is.

    With ``tls`` it is served with that, and with nothing else.

    Raises:
        OSError: the address is taken.
    """
    if settings.port is None:
        yield
        return
    listening = bind(settings.host, settings.port)
    app = make_metrics_app(health, refresh)
    server = Serving(server_config(app, tls, lifespan="off", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    await server.up(serving)
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def make_metrics_app(health: Health, refresh: Refresh) -> Starlette:
    """The application that tells them."""

    async def metrics(_: Request) -> Response:
        # What can't be looked up now keeps its last value: the rest is told all the same.
        with contextlib.suppress(Exception):
            await refresh()
        text = await asyncio.to_thread(generate_latest, REGISTRY)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[*health_routes(health), Route("/metrics", metrics, methods=["GET"])])
