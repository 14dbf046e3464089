"""The systems behind a real authority and real agents: what they tell of uses is on its ledger."""

import importlib.resources
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.worker import Worker

from lender import compliance, servicing, storage
from lender._service import Database
from lender.demo import Books
from lender.samples import plan_for, write_packet
from lender.serve import LenderSettings
from placet.agent import AgentConfig, PlacetPlugin
from placet.audit import workflow_runner
from placet.client import OperatorClient
from placet.model import AuthorityMatrix, EnrolIdentity
from placet.resource import Guard
from placet.tokens import SigningKey
from tests.harness.world import World, publish, temporal_server, until, world
from tests.lender.lending import DRAW, LOAN, STAFF, loan_file
from tests.lender.serving import address, listening, serving
from worker.registry import ACTIVITIES
from workflows.definition import DEFINITION
from workflows.loan_draw import LoanDrawReview

pytestmark = pytest.mark.asyncio(loop_scope="module")
AGENTS = ("orchestrator", "draw-intake", "draw-analyst", "draw-verifier")
ODD_NAME = "invoice (copy) n\u00ba 7, 50% + tax.pdf"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def temporal() -> AsyncIterator[Client]:
    async with temporal_server() as client:
        yield client


@asynccontextmanager
async def _systems(w: World, settings: LenderSettings) -> AsyncIterator[dict[str, str]]:
    """The systems of record, enrolled at the authority; their addresses."""
    make: dict[str, Callable[[Database, Guard], Any]] = {
        "loan-servicing": servicing.make_app,
        "document-storage": lambda database, guard: storage.make_app(database, guard, STAFF),
        "compliance": compliance.make_app,
    }
    taken = {system: listening() for system in make}
    applications = []
    for system, listener in taken.items():
        key = SigningKey.generate()
        url = address(listener)
        await w.admin.act(
            "system.enrol", f"system:{system}", EnrolIdentity(jwk=key.public.jwk(), url=url)
        )
        database = settings.database(system)
        guard = Guard(system, w.issuer, url, key, proofs=database.proofs(system))
        app = make[system](database, guard)
        applications.append((app, listener))
    async with serving(*applications):
        yield {system: address(listener) for system, listener in taken.items()}


@asynccontextmanager
async def _workers(w: World, systems: dict[str, str]) -> AsyncIterator[None]:
    target = w.temporal.service_client.config.target_host
    async with AsyncExitStack() as stack:
        for agent in AGENTS:
            key = w.agents.get(agent) or SigningKey.generate()
            if agent not in w.agents:
                body = EnrolIdentity(jwk=key.public.jwk(), owner="operator:ada")
                await w.admin.act("agent.enrol", f"agent:{agent}", body)
            plugin = PlacetPlugin(AgentConfig(agent, key, w.issuer, systems))
            client = await Client.connect(target, plugins=[plugin])
            worker = Worker(
                client,
                task_queue=agent,
                activities=ACTIVITIES[agent],
                workflows=[LoanDrawReview] if agent == "orchestrator" else [],
                workflow_runner=workflow_runner(),
                graceful_shutdown_timeout=timedelta(seconds=2),
            )
            await stack.enter_async_context(worker)
        yield


async def _publish(w: World) -> None:
    policies = importlib.resources.files("policies") / "loan-draw"
    matrix = AuthorityMatrix.model_validate_json((policies / "authority-matrix.json").read_text())
    await publish(
        w.admin,
        DEFINITION,
        matrix,
        (policies / "policies.cedar").read_text(),
        (policies / "schema.cedarschema").read_text(),
    )


async def test_what_agents_read_is_on_the_ledger(temporal: Client, tmp_path: Path) -> None:
    """I4: each file and each loan that an agent read through its grant is a `grant.used` entry."""
    settings = LenderSettings(folder=tmp_path / "lender")
    folder = write_packet(plan_for(loan_file()), tmp_path / "packet")
    (folder / ODD_NAME).write_bytes(b"%PDF-1.7\n")
    files = storage.read_packet_folder(folder)
    with Books.of(settings) as books:
        books.take_in(loan_file())
        storage.store_packet(books.storage, LOAN, 1, files)
    dana = SigningKey.generate()
    async with world(temporal, tmp_path) as w, _systems(w, settings) as systems:
        await _publish(w)
        await w.admin.act(
            "operator.enrol",
            "operator:dana",
            EnrolIdentity(jwk=dana.public.jwk(), roles=("draw-administrator",)),
        )
        async with _workers(w, systems):
            async with OperatorClient(w.issuer, "operator:dana", dana) as opener:
                case = (await opener.open_case(DEFINITION.name, DRAW)).case
            assert case is not None
            w.started.append(case)

            async def used() -> list[dict[str, Any]]:
                found = await w.entries("grant.used")
                actions = Counter(each["data"]["action"] for each in found)
                enough = actions["packet:read"] >= 2 * (1 + len(files)) and actions["loan:read"]
                return found if enough else []

            uses = await until(used)
            issued = {each["data"]["grant"]: each for each in await w.entries("grant.issued")}
    for use in uses:
        grant = issued[use["data"]["grant"]]
        assert use["actor"] == f"system:{grant['data']['system']}"
        assert (use["case"], use["record"]) == (case, grant["record"])
        assert use["data"]["action"] == grant["data"]["action"]
        assert use["data"]["status"] == 200
    read = [each for each in uses if each["data"]["action"] == "packet:read"]
    assert len(read) == 2 * (1 + len(files))
    assert len({each["data"]["grant"] for each in read}) == 2
    assert len({each["data"]["use"] for each in read}) == len(read)
