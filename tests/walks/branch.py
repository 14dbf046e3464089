"""The lender's parts in one process, as a walk needs them: hundreds of steps, and every log."""

import contextlib
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from temporalio.client import Client
from temporalio.worker import Worker

from lender.demo import Books
from lender.embedded import ADMINISTRATOR, PEOPLE, Embedded, create, enrol, passphrase_of
from lender.scripted import ScriptedReader
from lender.serve import SYSTEMS, LenderSettings, make_apps
from placet.agent import AgentConfig, PlacetPlugin
from placet.audit import workflow_runner
from placet.authority import AuthoritySettings
from placet.model import Mode
from placet.tokens import SigningKey, read_key_file
from tests.harness.world import free_port, serving
from tests.resource.simulator import served
from tests.walks.walking import shifts
from worker.registry import ACTIVITIES, PROCESSES, READING_AGENTS, reading

AGENTS = (*ACTIVITIES, *READING_AGENTS)


@dataclass
class Branch:
    """What a walk can reach."""

    made: Embedded
    settings: AuthoritySettings
    temporal: Client
    books: Books
    keys: dict[str, SigningKey] = field(default_factory=dict)
    clients: dict[str, Client] = field(default_factory=dict)

    @property
    def admin(self) -> SigningKey:
        return self.keys[ADMINISTRATOR]

    @contextlib.asynccontextmanager
    async def workers(self, only: Sequence[str] = AGENTS) -> AsyncIterator[None]:
        """One worker for each agent."""
        async with contextlib.AsyncExitStack() as stack:
            for agent in only:
                orchestrates = agent == "orchestrator"
                worker = Worker(
                    await self._client(agent),
                    task_queue=agent,
                    activities=_activities(agent),
                    workflows=[each.workflow for each in PROCESSES] if orchestrates else [],
                    workflow_runner=workflow_runner(),
                    build_id="walk",
                    graceful_shutdown_timeout=timedelta(seconds=2),
                )
                await stack.enter_async_context(worker)
            yield

    def crew(self, dice: random.Random) -> AbstractAsyncContextManager[None]:
        """Workers that stop and start, now and then without some agents."""

        def some() -> AbstractAsyncContextManager[None]:
            away = dice.sample(AGENTS, dice.choice((0, 0, 0, 1, 3)))
            return self.workers([each for each in AGENTS if each not in away])

        return shifts(some, lambda: dice.choice((3, 8, 20)))

    async def _client(self, agent: str) -> Client:
        if agent not in self.clients:
            key = read_key_file(self.made.folder / "agents" / f"{agent}.key")
            systems = {each: self.made.lender.url(each) for each in SYSTEMS}
            plugin = PlacetPlugin(AgentConfig(agent, key, self.made.issuer, systems))
            self.clients[agent] = await Client.connect(self.made.temporal, plugins=[plugin])
        return self.clients[agent]


def _activities(agent: str) -> Sequence[Callable[..., Any]]:
    if agent in ACTIVITIES:
        return ACTIVITIES[agent]
    return reading(agent, ScriptedReader(READING_AGENTS[agent]))


def utc_now() -> datetime:
    return datetime.now(UTC)


@contextlib.asynccontextmanager
async def branch(
    temporal: Client, folder: Path, wrap: Callable[[ASGIApp], ASGIApp]
) -> AsyncIterator[Branch]:
    """An authority and the systems of record, and everyone enrolled; ``wrap`` stands
    between each of those and the network."""
    port, *ports = (free_port() for _ in range(4))
    issuer = f"http://127.0.0.1:{port}"
    lender = LenderSettings(
        folder=folder / "lender",
        issuer=issuer,
        servicing_port=ports[0],
        storage_port=ports[1],
        compliance_port=ports[2],
    )
    address = temporal.service_client.config.target_host
    made = Embedded(folder, issuer, address, lender, passphrase="only a test's")
    settings = made.authority.model_copy(update={"port": port, "rate_strangers": 0})
    await create(made)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(serving(settings, temporal))
        for system, app in make_apps(lender).items():
            wrapped = wrap(app)
            await stack.enter_async_context(served(wrapped, lender.port(system), lifespan="on"))
        await enrol(made, Mode.ASSIST)
        books = stack.enter_context(Books.of(lender))
        opened = Branch(made, settings, temporal, books)
        for name in (ADMINISTRATOR, *PEOPLE):
            file = folder / "people" / f"{name}.key"
            opened.keys[name] = read_key_file(file, passphrase_of(name))
        yield opened


@dataclass
class Forgetful:
    """Systems that sometimes are away, or do what they are asked and lose their answer."""

    dice: random.Random
    share: float

    def __call__(self, app: ASGIApp) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or self.dice.random() >= self.share:
                await app(scope, receive, send)
                return
            if self.dice.random() < 0.7:
                await app(scope, receive, _lose)
            said = {"error": "temporarily_unavailable", "error_description": "try again"}
            await JSONResponse(said, 503)(scope, receive, send)

        return answer


async def _lose(_: Message) -> None:
    """It is said to nobody."""
