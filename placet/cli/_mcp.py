"""``placet agent mcp``: a case's governed tools for an agent made with anything."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict
from temporalio.client import Client
from temporalio.worker import Worker

from placet.agent import AgentConfig, PlacetPlugin, UngovernedActivity
from placet.cli._base import USAGE, fail, failures, run
from placet.cli._settings import load_settings
from placet.settings import Settings
from placet.telemetry import TelemetrySettings, telling
from placet.tokens import read_key_file
from placet.transport import (
    TemporalTlsSettings,
    TlsSettings,
    Transport,
    bind,
    serve_until_told,
    server_config,
    temporal_tls,
)

_GROUP = "placet.reasoners"
"""Entry points: an agent's name, and what makes its activities from a mind."""


class McpSettings(Settings):
    """``PLACET_WORKER_*``, as for any worker; ``mcp_token`` is what an HTTP client must say."""

    model_config = SettingsConfigDict(env_prefix="PLACET_WORKER_", frozen=True, extra="ignore")
    beside: ClassVar = frozenset(
        {
            "build",
            "deployment",
            "model",
            "model_answers_as",
            "model_price",
            "sdk_metrics",
            "stop_seconds",
            "tools_file",
        }
    )

    key_file: Path
    issuer: str = Field(default="http://127.0.0.1:8600", pattern=r"^https?://[^/?#]+$")
    temporal_address: str = "127.0.0.1:7233"
    temporal_namespace: str = "default"
    systems: dict[str, str] = Field(default_factory=dict)
    mcp_token: SecretStr | None = Field(default=None, min_length=20)


def mcp_command(app: typer.Typer) -> None:
    """Serving tools over MCP."""

    @app.command("mcp")
    def mcp(
        case: Annotated[str, typer.Option(help="The case to work on.")],
        agent: Annotated[str, typer.Option(help="The agent to work as.")],
        http: Annotated[
            int | None, typer.Option(help="Serve streamable HTTP on this port of 127.0.0.1.")
        ] = None,
    ) -> None:
        """Serve a case's governed tools over the Model Context Protocol, on stdio unless told.

        Each call takes a step of the case, under its own grant, as any agent's step.
        """
        with failures():
            settings = load_settings(McpSettings)
            if http is not None and settings.mcp_token is None:
                raise fail("set PLACET_WORKER_MCP_TOKEN, which clients must say", USAGE)
            makes = [each for each in entry_points(group=_GROUP) if each.name == agent]
            if not makes:
                raise fail(f"no installed package has an agent {agent} that reasons", USAGE)
            telemetry = load_settings(TelemetrySettings)
            with telling(f"placet-worker-{agent}", telemetry):
                run(_serve(settings, case, agent, makes[0].load(), http))


async def _serve(
    settings: McpSettings,
    case: str,
    agent: str,
    make: Callable[[Any], Sequence[Callable[..., Any]]],
    http: int | None,
) -> None:
    try:
        # An extra, and dear to load.
        from placet.agent.reasoning.mcp import (  # noqa: PLC0415
            OutsideMind,
            guarded,
            over_stdio,
            think_of,
        )
    except ModuleNotFoundError:
        raise fail("this needs placet[llm], which is not installed") from None
    key = read_key_file(settings.key_file)
    tls = Transport(TlsSettings()).client
    config = AgentConfig(agent, key, settings.issuer, settings.systems, settings.key_file, tls)
    client = await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        plugins=[PlacetPlugin(config)],
        tls=temporal_tls(TemporalTlsSettings()),
    )
    mind = OutsideMind(case, agent, client)
    activities = make(mind)
    think_of(activities, mind)
    try:
        worker = Worker(
            client,
            task_queue=agent,
            activities=activities,
            graceful_shutdown_timeout=timedelta(seconds=2),
        )
    except UngovernedActivity as error:
        raise fail(str(error), USAGE) from None
    async with worker:
        if http is None or settings.mcp_token is None:
            async with over_stdio(mind) as serving:
                await serving
        else:
            app = guarded(mind.server.streamable_http_app(), settings.mcp_token.get_secret_value())
            await serve_until_told(
                [server_config(app)],
                [bind("127.0.0.1", http)],
                stopping=lambda: None,
                ready_file=None,
            )
    await asyncio.sleep(0.5)  # sdk-python issue 300: crashes at the end
