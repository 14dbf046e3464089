"""One agent, one step, and what stands around them: an authority behind a gate, and a depot.

The gate is where a test makes the authority be away, lose an answer, or wait. Everything behind
it is real, and so is the depot's HTTP.
"""

import asyncio
import contextlib
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from temporalio.api.failure.v1 import Failure
from temporalio.client import Client, WorkflowHandle
from temporalio.converter import WorkflowSerializationContext
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.worker import Worker

from placet.agent import AgentConfig, PlacetPlugin
from placet.authority import AuthoritySettings, SigningKeys, Store, create_log, open_authority
from placet.client import OperatorClient
from placet.model import EnrolIdentity
from placet.tokens import SigningKey
from tests.agent.probing import DEFINITION, Body, Probing, step
from tests.harness import processes
from tests.harness.reading import plain_history, reading
from tests.harness.world import PASSPHRASE, free_port, publish, sandbox, until

TOKENS = "/v1/grants"
SETTLEMENTS = "/v1/settlements"


class Gate:
    """Stands before the authority.

    ``away`` and ``lost`` count, by path, the next requests that are not let in, and those whose
    answer gets lost; ``held`` keeps a path's requests waiting until its event is set.
    """

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self.away: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.held: dict[str, asyncio.Event] = {}
        self.seen: Counter[str] = Counter()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        self.seen[path] += 1
        if self.away[path] > 0:
            self.away[path] -= 1
            await PlainTextResponse("away", 503)(scope, receive, send)
            return
        if path in self.held:
            await self.held[path].wait()
        if self.lost[path] > 0:
            self.lost[path] -= 1
            await self._app(scope, receive, _into_nowhere)
            await PlainTextResponse("lost", 502)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def open(self) -> None:
        """Let everyone in."""
        for event in self.held.values():
            event.set()
        self.away.clear()
        self.lost.clear()
        self.held.clear()


async def _into_nowhere(message: Any) -> None:
    return


async def _large(request: Request) -> Response:
    return Response(b"x" * int(request.path_params["size"]))


async def _echo(request: Request) -> Response:
    return PlainTextResponse(request.headers["authorization"].partition(" ")[2])


async def _fine(request: Request) -> Response:
    return JSONResponse({})


DEPOT = Starlette(
    routes=[Route("/large/{size:int}", _large), Route("/echo", _echo), Route("/fine", _fine)]
)
"""A system of record that answers much, and one that repeats what it was sent."""


@contextlib.asynccontextmanager
async def serving(app: Any, port: int) -> AsyncIterator[None]:
    """Serve an application on loopback."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
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
        server.should_exit = True
        await task


class Surroundings:
    """What a test can reach."""

    def __init__(
        self,
        temporal: Client,
        gate: Gate,
        settings: AuthoritySettings,
        admin: OperatorClient,
        porter: OperatorClient,
        config: AgentConfig,
        orchestrator: AgentConfig,
    ) -> None:
        self.temporal = temporal
        self.gate = gate
        self.settings = settings
        self.admin = admin
        self.porter = porter
        self.config = config
        self.orchestrator = orchestrator
        self._numbers = itertools.count(1)
        self._opened: list[WorkflowHandle[Any, Any]] = []

    @property
    def address(self) -> str:
        """Temporal's address."""
        return self.temporal.service_client.config.target_host

    async def client(self) -> Client:
        """A Temporal client with the agent's plugin."""
        return await Client.connect(self.address, plugins=[PlacetPlugin(self.config)])

    @contextlib.asynccontextmanager
    async def working(self, body: Body | None, *, local: bool = False) -> AsyncIterator[None]:
        """Run the workflow's worker, and the agent's if it is given something to do.

        ``local``: the workflow's worker has the agent's activity as well.
        """
        orchestrator = PlacetPlugin(self.orchestrator)
        clients = {
            "orchestrator": await Client.connect(self.address, plugins=[orchestrator]),
            "scale": await self.client(),
        }
        probe = [] if body is None else [step(body)]
        async with contextlib.AsyncExitStack() as stack:
            for queue in ("orchestrator", "scale") if probe else ("orchestrator",):
                worker = Worker(
                    clients[queue],
                    task_queue=queue,
                    activities=probe if queue == "scale" or local else [],
                    workflows=[Probing] if queue == "orchestrator" else [],
                    workflow_runner=sandbox(),
                    graceful_shutdown_timeout=timedelta(seconds=1),
                )
                await stack.enter_async_context(worker)
            yield

    async def open(self, parcel: str = "7") -> WorkflowHandle[Any, Any]:
        """Open a case; its workflow runs until its one step has ended."""
        opened = await self.porter.open_case(
            "probing", f"depot/D{next(self._numbers)}/parcel/{parcel}"
        )
        assert opened.case is not None
        handle = self.temporal.get_workflow_handle(opened.case)
        self._opened.append(handle)

        async def started() -> bool:
            with contextlib.suppress(RPCError):
                return bool(await handle.describe())
            return False

        await until(started)
        return handle

    async def run(self, body: Body, parcel: str = "7") -> tuple[Any, str]:
        """Run one case with one step: what the workflow got, and the case."""
        async with self.working(body, local=parcel == "local"):
            handle = await self.open(parcel)
            return await self.ending(handle), handle.id

    async def ending(self, handle: WorkflowHandle[Any, Any]) -> Any:
        """What a case's workflow ends with."""
        async with asyncio.timeout(90):
            return await handle.result()

    async def pending(self, handle: WorkflowHandle[Any, Any]) -> Any:
        """The case's one activity as Temporal shows it now, or nothing."""
        found = (await handle.describe()).raw_description.pending_activities
        return found[0] if found else None

    async def last_failure(self, handle: WorkflowHandle[Any, Any]) -> Any:
        """Why the activity's last attempt failed, or nothing if none did."""
        found = await self.pending(handle)
        return found.last_failure if found is not None and found.attempt > 1 else None

    async def said(self, handle: WorkflowHandle[Any, Any], failure: Failure) -> ApplicationError:
        """What a failure of a case's step says, decrypted."""
        context = WorkflowSerializationContext("default", handle.id)
        converter = self.temporal.data_converter.with_context(context)
        error = await converter.decode_failure(failure)
        assert isinstance(error, ApplicationError)
        return error

    async def tidy(self) -> None:
        """Open the gate, and end what a test left running."""
        self.gate.open()
        while self._opened:
            with contextlib.suppress(RPCError):
                await self._opened.pop().terminate("the test has ended")

    async def ends(self, case: str) -> list[tuple[str, str | None]]:
        """How the case's grants ended, in the ledger's order: entry's type and outcome."""
        types = ("grant.settled", "grant.revoked", "grant.expired", "grant.leaked")
        return [
            (entry["type"], entry["data"].get("outcome"))
            for entry in await self.entries(case)
            if entry["type"] in types
        ]

    async def entries(self, case: str) -> list[dict[str, Any]]:
        """The ledger's entries about a case."""
        answer = await self.admin.get("/v1/ledger/entries?from=0&limit=1024")
        found = [json.loads(each) for each in answer["entries"]]
        return [each for each in found if each.get("case") == case]

    async def history(self, case: str) -> str:
        """The whole history of a case, as Temporal has it."""
        return await plain_history(self.temporal, self.settings, case)


@contextlib.asynccontextmanager
async def surroundings(
    temporal: Client, folder: Path, *, grant_seconds: int = 60
) -> AsyncIterator[Surroundings]:
    """An authority behind a gate, a depot, people, and one agent."""
    port, depot_port = free_port(), free_port()
    settings = AuthoritySettings(
        issuer=f"http://127.0.0.1:{port}",
        port=port,
        database_url=f"sqlite:///{folder}/authority.db",
        key_passphrase=PASSPHRASE,
        grant_seconds=grant_seconds,
    )
    ada, pat, scale, orchestrator = (SigningKey.generate() for _ in range(4))
    async with await Store.open(settings.database_url, origin=settings.origin) as store:
        await create_log(store, SigningKeys(PASSPHRASE), [("ada", ada.public)])
    depot = {"depot": f"http://127.0.0.1:{depot_port}"}
    configs = (
        AgentConfig("scale", scale, settings.issuer, depot),
        AgentConfig("orchestrator", orchestrator, settings.issuer, depot),
    )
    async with contextlib.AsyncExitStack() as stack:
        gate = Gate(await stack.enter_async_context(open_authority(settings, temporal)))
        await stack.enter_async_context(serving(gate, port))
        await stack.enter_async_context(serving(DEPOT, depot_port))
        admin = OperatorClient(settings.issuer, "operator:ada", ada)
        porter = OperatorClient(settings.issuer, "operator:pat", pat)
        await stack.enter_async_context(admin)
        await stack.enter_async_context(porter)
        await admin.act(
            "operator.enrol", "operator:pat", EnrolIdentity(jwk=pat.public.jwk(), roles=("porter",))
        )
        for config in configs:
            await admin.act(
                "agent.enrol",
                config.client_id,
                EnrolIdentity(jwk=config.key.public.jwk(), owner="operator:ada"),
            )
        matrix = processes.matrix().model_copy(update={"process": DEFINITION.name})
        await publish(admin, DEFINITION, matrix, processes.POLICIES, processes.SCHEMA)
        seen = reading(temporal, settings)
        yield Surroundings(seen, gate, settings, admin, porter, *configs)
