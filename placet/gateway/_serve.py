"""Serving the gateway."""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from placet.gateway._app import Gateway, make_app
from placet.gateway._routes import read_routes
from placet.gateway._settings import GatewaySettings
from placet.resource import Guard
from placet.telemetry import TelemetrySettings, serve_metrics, served
from placet.tokens import read_key_file
from placet.transport import (
    STOP_SECONDS,
    TlsSettings,
    Transport,
    bind,
    serve_until_told,
    server_config,
)

if TYPE_CHECKING:
    from placet.gateway._proofs import Proofs


async def serve(settings: GatewaySettings, telemetry: TelemetrySettings) -> None:
    """Serve until told to stop (SIGTERM, SIGINT): requests under way are answered first.

    Raises:
        BadRoutes: the file of routes is none.
        BadTls: a certificate, key or CA can't be used.
        KeyFileError: the key file is none, or can't be read.
        OSError: an address is taken, or the database of used proofs is away.
    """
    secret = settings.key_passphrase
    key = read_key_file(settings.key_file, secret.get_secret_value() if secret else None)
    transport = Transport(TlsSettings())
    routes = read_routes(settings.routes)
    with _proofs(settings.proofs_url) as proofs:
        guard = Guard(
            settings.system,
            settings.issuer,
            settings.url,
            key,
            tls=transport.client,
            proofs=None if proofs is None else proofs.of(settings.system),
        )
        checks = {} if proofs is None else {"proofs": proofs.answers}
        gateway = make_app(settings, routes, guard, transport.client, checks)
        await _serve(settings, telemetry, gateway, transport)


def _proofs(url: str | None) -> AbstractContextManager["Proofs | None"]:
    """The database that the gateways share, if they do."""
    if url is None:
        return nullcontext()
    # Here, since a gateway that shares nothing loads no database.
    from placet.gateway._proofs import open_proofs  # noqa: PLC0415 - as said

    return open_proofs(url)


async def _serve(
    settings: GatewaySettings, telemetry: TelemetrySettings, gateway: Gateway, transport: Transport
) -> None:
    listening = bind(settings.host, settings.port)
    config = server_config(
        served(gateway, settings.system),
        transport.server,
        lifespan="off",
        proxy_headers=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    async with (
        transport.kept(),
        gateway.running(),
        serve_metrics(telemetry, gateway.health, transport=transport),
    ):
        await serve_until_told(
            [config],
            [listening],
            stopping=gateway.health.stop,
            ready_file=settings.ready_file,
        )
