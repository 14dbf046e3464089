"""The HTTP server that tells a process's metrics."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from placet.telemetry._health import PATIENCE, Health, health_routes
from placet.telemetry._settings import TelemetrySettings
from placet.telemetry.metrics import CERTIFICATE_END, PART_READY
from placet.transport import Serving, Transport, bind, server_config

Refresh = Callable[[], Awaitable[None]]
"""Looks up what is told only when it is asked for."""


async def _no_refresh() -> None:
    pass


@contextlib.asynccontextmanager
async def serve_metrics(
    settings: TelemetrySettings,
    health: Health,
    refresh: Refresh = _no_refresh,
    *,
    transport: Transport | None = None,
) -> AsyncIterator[None]:
    """Serve ``/metrics``, ``/livez`` and ``/readyz`` at the port that is set, if one is.

    Where ``transport`` says so, with TLS and nothing else; when its certificate ends is told.

    Raises:
        OSError: the address is taken.
    """
    if settings.port is None:
        yield
        return
    listening = bind(settings.host, settings.port)
    app = make_metrics_app(health, refresh, transport)
    tls = None if transport is None else transport.metrics
    server = Serving(server_config(app, tls, lifespan="off", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    await server.up(serving)
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def make_metrics_app(
    health: Health, refresh: Refresh, transport: Transport | None = None
) -> Starlette:
    """The application that tells them."""

    async def look() -> None:
        # What can't be looked up now keeps its last value: the rest is told all the same.
        with contextlib.suppress(Exception):
            async with asyncio.timeout(PATIENCE):
                await refresh()

    async def metrics(_: Request) -> Response:
        parts, _nothing = await asyncio.gather(health.parts(), look())
        for name, answers in parts.items():
            PART_READY.labels(name).set(answers)
        if transport is not None and transport.ends is not None:
            CERTIFICATE_END.set(transport.ends.timestamp())
        text = await asyncio.to_thread(generate_latest, REGISTRY)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[*health_routes(health), Route("/metrics", metrics, methods=["GET"])])
