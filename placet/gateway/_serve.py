"""Serving the gateway."""

from placet.gateway._app import make_app
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


async def serve(settings: GatewaySettings, telemetry: TelemetrySettings) -> None:
    """Serve until told to stop (SIGTERM, SIGINT): requests under way are answered first.

    Raises:
        BadRoutes: the file of routes is none.
        BadTls: a certificate, key or CA can't be used.
        KeyFileError: the key file is none, or can't be read.
        OSError: an address is taken.
    """
    secret = settings.key_passphrase
    key = read_key_file(settings.key_file, secret.get_secret_value() if secret else None)
    transport = Transport(TlsSettings())
    guard = Guard(settings.system, settings.issuer, settings.url, key, tls=transport.client)
    gateway = make_app(settings, read_routes(settings.routes), guard, transport.client)
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
        serve_metrics(telemetry, gateway.health, tls=transport.metrics),
    ):
        await serve_until_told(
            [config],
            [listening],
            stopping=gateway.health.stop,
            ready_file=settings.ready_file,
        )
