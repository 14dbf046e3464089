"""``python -m worker --agent NAME``: run one agent's worker until it is told to stop."""

import argparse
import asyncio
import logging
import signal
import ssl
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar

import aiohttp
from pydantic import Field, ValidationError
from pydantic_settings import SettingsConfigDict
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.service import TLSConfig
from temporalio.worker import Worker, WorkerDeploymentConfig

from placet.agent import AgentConfig, PlacetPlugin, UngovernedActivity
from placet.agent.reasoning import Mind
from placet.audit import workflow_runner
from placet.governance.keeping import BadTools, Tools, read_tools
from placet.model import first_error
from placet.settings import BadSettingsFile, Settings
from placet.telemetry import Health, NoTraces, TelemetrySettings, serve_metrics, telling
from placet.tokens import KeyFileError, read_key_file
from placet.transport import (
    BadTls,
    TemporalTlsSettings,
    TlsSettings,
    Transport,
    run_long,
    temporal_tls,
)
from worker.registry import (
    ACTIVITIES,
    GOVERNANCE,
    GOVERNING_AGENTS,
    PROCESSES,
    READING_AGENTS,
    governing,
    reading,
)
from worker.versions import build_of, pinned

_log = logging.getLogger("worker")
NonNegative = Annotated[Decimal, Field(ge=0)]
_AGENTS = sorted([*ACTIVITIES, *READING_AGENTS, *GOVERNING_AGENTS])
_LAST_BREATH = 0.5
"""Seconds the loop runs on after the worker (sdk-python issue 300: crashes at the end)."""


class WorkerSettings(Settings):
    """``PLACET_WORKER_*``: where the key is, and where everyone else.

    With a ``deployment``, the orchestrator's worker says of which version its workflow code is, and
    a case finishes on the version that it began on; ``build`` names it, where the digest of the
    code shall not.
    ``model`` is what an agent that reasons asks, as Pydantic AI names it (``openai:gpt-5``), and
    ``model_answers_as`` what its provider must call it in every answer. ``model_price`` is what a
    million tokens cost in dollars, told and said, where Pydantic AI does not know it: without a
    price no budget of money holds. ``tools_file`` names the owners' tools that ``identity-keeper``
    may call. ``sdk_metrics`` is where Temporal's SDK serves metrics of its own (``0.0.0.0:9465``).
    Told to stop, steps under way have ``stop_seconds`` to end; what has not is handed back.
    """

    model_config = SettingsConfigDict(env_prefix="PLACET_WORKER_", frozen=True, extra="ignore")
    beside: ClassVar = frozenset({"mcp_token"})

    key_file: Path
    issuer: str = Field(default="http://127.0.0.1:8600", pattern=r"^https?://[^/?#]+$")
    temporal_address: str = "127.0.0.1:7233"
    temporal_namespace: str = "default"
    deployment: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")
    build: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    model: str | None = None
    model_answers_as: str | None = None
    model_price: tuple[NonNegative, NonNegative] | None = None
    tools_file: Path | None = None
    sdk_metrics: str | None = Field(default=None, pattern=r"^[^\s:]+:[0-9]{1,5}$")
    stop_seconds: int = Field(default=20, ge=0, le=3600)
    systems: dict[str, str] = Field(
        default={
            "loan-servicing": "http://127.0.0.1:8611",
            "document-storage": "http://127.0.0.1:8612",
            "compliance": "http://127.0.0.1:8613",
        }
    )


_PREFIXES = {
    "TelemetrySettings": "PLACET_TELEMETRY_",
    "TlsSettings": "PLACET_TLS_",
    "TemporalTlsSettings": "PLACET_TEMPORAL_TLS_",
}


def main() -> int:
    """Run a worker; exit status 0 after a clean stop, 2 for wrong use, 3 if it can't start."""
    parser = argparse.ArgumentParser(prog="python -m worker", description="Run one agent's worker.")
    parser.add_argument("--agent", required=True, choices=_AGENTS)
    agent: str = parser.parse_args().agent
    try:
        telemetry = TelemetrySettings()
        settings = WorkerSettings()
        transport, temporal = Transport(TlsSettings()), temporal_tls(TemporalTlsSettings())
        key = read_key_file(settings.key_file)
    except ValidationError as error:
        where, said = first_error(error)
        name = _PREFIXES.get(error.title, "PLACET_WORKER_") + where.replace(".", "_").upper()
        print(f"worker: {name}: {said}", file=sys.stderr)  # noqa: T201 - a command line
        return 3
    except (KeyFileError, OSError, BadTls, BadSettingsFile) as error:
        print(f"worker: {error}", file=sys.stderr)  # noqa: T201 - the same
        return 3
    config = AgentConfig(
        agent, key, settings.issuer, settings.systems, settings.key_file, transport.client
    )
    try:
        with telling(f"placet-worker-{agent}", telemetry):
            run_long(
                _run(config, settings, telemetry, transport, temporal, _activities(agent, settings))
            )
    except (RuntimeError, OSError, UngovernedActivity, NoModel, NoTraces, BadTools) as error:
        print(f"worker: {error}", file=sys.stderr)  # noqa: T201 - the same
        return 3
    return 0


class NoModel(Exception):
    """An agent that reasons has no model to ask; the message says what is missing."""


def _activities(agent: str, settings: WorkerSettings) -> Sequence[Callable[..., Any]]:
    if agent in ACTIVITIES:
        return ACTIVITIES[agent]
    if agent in GOVERNING_AGENTS:
        file = settings.tools_file
        return governing(agent, Tools() if file is None else read_tools(file))
    return reading(agent, mind_of(agent, settings))


def mind_of(agent: str, settings: WorkerSettings) -> Mind:
    """The model that an agent asks, by its worker's settings.

    Raises:
        NoModel: none is set, or it can't be asked.
    """
    if settings.model is None:
        raise NoModel(f"{agent} reasons: set PLACET_WORKER_MODEL, say to openai:gpt-5")
    try:
        # An extra, and dear to load: only who reasons has it.
        from placet.agent.reasoning.models import BadModel, ModelMind, Price  # noqa: PLC0415
    except ModuleNotFoundError:
        raise NoModel(f"{agent} reasons, which needs placet[llm]; it is not installed") from None
    price = None if settings.model_price is None else Price(*settings.model_price)
    try:
        return ModelMind(settings.model, answers_as=settings.model_answers_as, price=price)
    except BadModel as error:
        raise NoModel(f"PLACET_WORKER_MODEL: {error}") from None


async def _run(
    config: AgentConfig,
    settings: WorkerSettings,
    telemetry: TelemetrySettings,
    transport: Transport,
    temporal: TLSConfig | bool,
    activities: Sequence[Callable[..., Any]],
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    worker = await make_worker(config, settings, activities, temporal)
    health = _health(worker, settings, transport.client)
    async with transport.kept(), serve_metrics(telemetry, health, transport=transport), worker:
        at = f"{settings.temporal_address}, namespace {settings.temporal_namespace}"
        _log.info("%s takes steps from Temporal at %s", config.agent, at)
        await stop.wait()
        health.stop()
    await asyncio.sleep(_LAST_BREATH)


def _health(worker: Worker, settings: WorkerSettings, tls: ssl.SSLContext | None) -> Health:
    async def temporal() -> None:
        asked = DescribeNamespaceRequest(namespace=settings.temporal_namespace)
        await worker.client.workflow_service.describe_namespace(asked)

    async def authority() -> None:
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{settings.issuer}/livez", allow_redirects=False, ssl=tls or True) as answer,
        ):
            answer.raise_for_status()

    return Health({"temporal": temporal, "authority": authority})


def _runtime(settings: WorkerSettings) -> Runtime | None:
    """The SDK's runtime, where its metrics are wanted; else the one that it makes by itself."""
    if settings.sdk_metrics is None:
        return None
    told = PrometheusConfig(
        bind_address=settings.sdk_metrics,
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
    )
    return Runtime(telemetry=TelemetryConfig(metrics=told))


async def make_worker(
    config: AgentConfig,
    settings: WorkerSettings,
    activities: Sequence[Callable[..., Any]],
    tls: TLSConfig | bool = False,
) -> Worker:
    """The agent's worker, not yet at work."""
    client = await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        plugins=[PlacetPlugin(config)],
        runtime=_runtime(settings),
        tls=tls,
    )
    orchestrates = config.agent == "orchestrator"
    version = _version(settings) if orchestrates else None
    return Worker(
        client,
        task_queue=config.agent,
        activities=activities,
        workflows=[each.workflow for each in (*PROCESSES, *GOVERNANCE)] if orchestrates else [],
        workflow_runner=workflow_runner(),
        deployment_config=version,
        # Or the SDK would read the code of every module that is loaded, for half a second and more.
        build_id=None if version is not None else _build(settings),
        graceful_shutdown_timeout=timedelta(seconds=settings.stop_seconds),
    )


def _version(settings: WorkerSettings) -> WorkerDeploymentConfig | None:
    if settings.deployment is None:
        return None
    build = _build(settings)
    _log.info("version %s of deployment %s", build, settings.deployment)
    return pinned(settings.deployment, build)


def _build(settings: WorkerSettings) -> str:
    return settings.build or build_of((*PROCESSES, *GOVERNANCE))


if __name__ == "__main__":
    sys.exit(main())
