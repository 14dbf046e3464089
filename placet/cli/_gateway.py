"""``placet gateway``: verifying grants in front of a system that can't."""

import os
from pathlib import Path
from typing import Annotated

import typer

from placet.cli._base import AWAY, USAGE, fail, failures, load_settings
from placet.gateway import BadRoutes, GatewaySettings, read_routes, serve
from placet.telemetry import TelemetrySettings, telling
from placet.transport import run_long


def gateway(
    upstream: Annotated[
        str | None, typer.Option(help="The system behind; PLACET_GATEWAY_UPSTREAM otherwise.")
    ] = None,
    routes: Annotated[
        Path | None, typer.Option(help="The file of routes; PLACET_GATEWAY_ROUTES otherwise.")
    ] = None,
    check: Annotated[bool, typer.Option(help="Check settings and routes, and serve nothing.")] = (
        False
    ),
) -> None:
    """Verify grants in front of a system that can't, until stopped."""
    for name, value in (("UPSTREAM", upstream), ("ROUTES", routes)):
        if value is not None:
            os.environ[f"PLACET_GATEWAY_{name}"] = str(value)
    with failures():
        settings, telemetry = load_settings(GatewaySettings), load_settings(TelemetrySettings)
        try:
            if check:
                read_routes(settings.routes)
                print("the settings and routes are good")
                return
            with telling("placet-gateway", telemetry):
                run_long(serve(settings, telemetry))
        except BadRoutes as error:
            raise fail(str(error), USAGE) from None
        except OSError as error:
            raise fail(str(error), AWAY) from None
