"""The compose file's own services, with its commands, variables and health checks, as processes.

A draw goes through while four of them are told to stop (SIGTERM) in the middle of a step and are
started again. Temporal is its development server, and PostgreSQL a throw-away cluster; the balancer
is a few lines that do what the file's does.
"""

import asyncio
import contextlib
import json
import os
import re
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import pytest_asyncio
import yaml
from prometheus_client.parser import text_string_to_metric_families

from lender import storage
from lender._revisions import NEEDED
from lender.demo import Books
from lender.embedded import Embedded, create, enrol, free_ports, temporal_binary
from lender.samples import make_loan, plan_for, write_packet
from lender.serve import SYSTEMS, LenderSettings
from lender.servicing import payments_made
from placet.audit import replay, verify
from placet.authority import AuthoritySettings
from placet.cli import fetch_log
from placet.model import CaseView, CheckpointView, Mode
from placet.telemetry import trace_of
from tests.authority.throwaway_postgresql import PostgresqlCluster, find_binaries
from tests.deploy.collecting import Collector, collecting
from tests.deploy.compose import ROOT, Machine, Part, ours, read_compose
from tests.deploy.test_compose import VALUES
from tests.harness.outages import approve, until
from tests.harness.replicas import Replicas, _balancer
from tests.harness.secrets import tokens_in
from worker.registry import ACTIVITIES
from workflows.loan_draw import PROCESS

pytestmark = pytest.mark.asyncio(loop_scope="module")
T = TypeVar("T")

TOLD_TO_STOP = {
    "authority-1": "grant.before-answer",
    "loan-servicing": "servicing.after-intent",
    "draw-analyst": "agent.after-grant",
    "disbursement": "agent.before-settle",
}
"""Where each is when it is told: with its request, or its step, under way."""


@dataclass
class Deployed(Embedded):
    """What the compose file describes, on this machine."""

    database: str = ""
    containers: dict[str, Part] = field(default_factory=dict)
    collector: Collector | None = None
    drawn: dict[str, Any] = field(default_factory=dict)

    @property
    def authority(self) -> AuthoritySettings:
        """As the file sets it up."""
        return AuthoritySettings(
            issuer=self.issuer, database_url=self.database, key_passphrase=self.passphrase
        )


@pytest.fixture(scope="module")
def cluster() -> Any:
    """A cluster of its own, made ready by the file's own script."""
    binaries = find_binaries()
    if binaries is None:
        if os.environ.get("PLACET_REQUIRE_POSTGRESQL") == "1":
            pytest.fail("PLACET_REQUIRE_POSTGRESQL=1, but initdb and postgres are not installed")
        pytest.skip("NOT TESTED: initdb and postgres are not installed")
    made = PostgresqlCluster(binaries, superuser="postgres")
    try:
        service = read_compose(VALUES)["services"]["postgres"]
        environment = {**os.environ, **service["environment"], "PGHOST": str(made.folder)}
        subprocess.run(
            [ROOT / "deploy/postgres/databases.sh"], env=environment, check=True, cwd=made.folder
        )
        yield made
    finally:
        made.remove()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(
    cluster: PostgresqlCluster, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deployed]:
    """Everything up and healthy, as the file says what healthy is."""
    folder = tmp_path_factory.mktemp("deployed")
    names = (
        "temporal:7233",
        "authority.placet.internal:8600",
        "collector:4318",
        *(f"{system}:{8611 + number}" for number, system in enumerate(SYSTEMS)),
    )
    machine = Machine(folder, cluster.folder, iter(free_ports(64)))
    machine.place(*names)
    services = ours(read_compose(VALUES))
    parts = _parts(services, machine)
    deployed = _deployed(folder, machine, parts)
    async with contextlib.AsyncExitStack() as stack:
        deployed.collector = await stack.enter_async_context(
            collecting(int(machine.addresses["collector:4318"].partition(":")[2]))
        )
        deployed.parts["temporal"] = _temporal(folder, machine.addresses["temporal:7233"])
        stack.callback(deployed.stop, "temporal")
        await deployed.ready("temporal")
        await create(deployed)
        for agent in ACTIVITIES:
            own = folder / "keys" / "agents" / agent
            own.mkdir(parents=True)
            (own / f"{agent}.key").write_bytes((folder / "agents" / f"{agent}.key").read_bytes())
            (own / f"{agent}.key").chmod(0o600)
        (folder / "lender").rename(folder / "keys" / "lender")
        (folder / "lender").symlink_to(folder / "keys" / "lender")
        for part in parts.values():
            stack.callback(part.stop)
        replicas = Replicas(
            AuthoritySettings(
                issuer=deployed.issuer,
                port=int(deployed.issuer.rpartition(":")[2]),
                key_passphrase=deployed.passphrase,
            ),
            deployed.temporal,
            folder,
            {
                n: int(parts[n].environment["PLACET_AUTHORITY_PORT"])
                for n in ("authority-1", "authority-2")
            },
        )
        await _start(parts, "authority-1", "authority-2")
        await stack.enter_async_context(_balancer(replicas))
        await enrol(deployed, Mode.ASSIST)
        await _start(parts, *SYSTEMS, *ACTIVITIES)
        yield deployed


def _parts(services: dict[str, dict[str, Any]], machine: Machine) -> dict[str, Part]:
    found: dict[str, Part] = {}
    for name, service in services.items():
        replicas = service.get("deploy", {}).get("replicas", 1)
        for number in range(1, replicas + 1):
            each = name if replicas == 1 else f"{name}-{number}"
            found[each] = Part(each if replicas > 1 else name, service, machine)
            if replicas > 1:  # containers have an address each
                found[each].environment["PLACET_AUTHORITY_PORT"] = str(next(machine.ports))
    return found


def _deployed(folder: Path, machine: Machine, parts: dict[str, Part]) -> Deployed:
    own = parts["loan-servicing"].environment
    lender = LenderSettings(
        folder=folder / "lender",
        database_url=own["PLACET_LENDER_DATABASE_URL"],
        requests_url=own["PLACET_LENDER_REQUESTS_URL"],
        urls=json.loads(own["PLACET_LENDER_URLS"]),
    )
    authority = parts["authority-1"].environment
    return Deployed(
        folder=folder,
        issuer=authority["PLACET_AUTHORITY_ISSUER"],
        temporal=machine.addresses["temporal:7233"],
        lender=lender,
        passphrase=authority["PLACET_AUTHORITY_KEY_PASSPHRASE"],
        database=authority["PLACET_AUTHORITY_DATABASE_URL"],
        containers=parts,
    )


def _temporal(folder: Path, address: str) -> subprocess.Popen[bytes]:
    host, port = address.split(":")
    values = yaml.safe_load((ROOT / "deploy/temporal/dynamic.yaml").read_text())
    dynamic = [
        part
        for name, (value,) in values.items()
        for part in ("--dynamic-config-value", f"{name}={json.dumps(value['value'])}")
    ]
    (folder / "logs").mkdir()
    command = [temporal_binary(), "server", "start-dev", "--headless", "--ip", host, "--port", port]
    with (folder / "logs" / "temporal.log").open("ab") as log:
        return subprocess.Popen(
            [*command, "--log-level", "error", *dynamic], stdout=log, stderr=log
        )


async def _start(parts: dict[str, Part], *names: str) -> None:
    for name in names:
        folder = parts[name].log.parent.parent / "told" / name
        folder.mkdir(parents=True)
        point = TOLD_TO_STOP.get(name)
        parts[name].start(_stopping(folder, point))

    await _healthy(parts, *names)


async def _healthy(parts: dict[str, Part], *names: str) -> None:
    """Wait until each part's own health check passes."""
    waiting = list(names)

    async def look() -> bool | None:
        for name in tuple(waiting):
            assert not parts[name].ended(), (name, parts[name].log.read_text()[-2000:])
            if not parts[name].listens():
                continue
            if await asyncio.to_thread(parts[name].healthy):
                waiting.remove(name)
        return not waiting or None

    await until(look)


def _stopping(folder: Path, point: str | None) -> dict[str, str]:
    if point is None:
        return {}
    return {
        "PLACET_KILL_AT": point,
        "PLACET_KILL_WITH": "SIGTERM",
        "PLACET_KILL_ONCE": str(folder),
    }


@contextlib.asynccontextmanager
async def _restarted(made: Deployed) -> AsyncIterator[None]:
    """What ends is started again: ``restart: unless-stopped``."""

    async def supervise() -> None:
        while True:
            for name, part in made.containers.items():
                if part.ended():
                    part.start(_stopping(made.folder / "told" / name, TOLD_TO_STOP.get(name)))
            await asyncio.sleep(0.05)

    supervising = asyncio.create_task(supervise())
    try:
        yield
    finally:
        supervising.cancel()
        await asyncio.gather(supervising, return_exceptions=True)


@pytest.mark.timeout(240)
async def test_a_draw_goes_through_while_services_are_told_to_stop(
    made: Deployed, tmp_path: Path
) -> None:
    """I11, I4: each ends its step before it ends: nothing is lost, and nothing is done twice."""
    loan = make_loan(
        "L-4000",
        "Compose Row",
        "Compose LLC",
        "1 Compose Road, Oakland CA",
        Decimal("300000.00"),
        30,
    )
    books = Books.of(made)
    books.take_in(loan)
    plan = plan_for(loan)
    files = storage.read_packet_folder(write_packet(plan, tmp_path / "packet"))
    storage.store_packet(books.storage, loan.loan_id, 1, files)
    async with (
        _restarted(made),
        made.person("dana") as dana,
        made.person("omar") as omar,
        made.person("una") as una,
    ):

        async def opened() -> str | None:
            return (await dana.open_case(PROCESS.name, f"loan/{loan.loan_id}/draw/1")).case

        case = await until(opened)

        async def waiting() -> CheckpointView | None:
            found = await una.checkpoints("open", case)
            return found[0] if found else None

        checkpoint = await until(waiting)
        await approve(omar, checkpoint)

        async def archived() -> CaseView | None:
            view = await una.case(case)
            assert view.status != "stopped", view.stopped_for
            return view if view.archived else None

        view = await until(archived)
        trust = {"log_key": made.log_key, "administrators": made.administrators}
        log = await fetch_log(una, trust=trust)
    assert view.result == "disbursed"
    assert len(payments_made(books.servicing, loan.loan_id)) == len(plan.request_payees)
    for each in (books.servicing, books.storage, books.compliance):
        each.close()
    assert verify(log).troubles == ()
    assert (await replay(log, case, [PROCESS.workflow])).troubles == ()
    for name in TOLD_TO_STOP:
        assert list((made.folder / "told" / name).iterdir()), f"{name} was not told to stop"
        assert made.containers[name].statuses == [0], name
    grants = [json.loads(each)["data"] for each in log.entries if b'"grant.issued"' in each]
    for agent in (
        "draw-analyst",
        "disbursement",
    ):  # whose steps went on to their end
        own = [each for each in grants if each["activity"]["activity_type"] in _steps(agent)]
        assert own, agent
        assert {each["activity"]["attempt"] for each in own} == {1}, agent
    ends = [json.loads(each)["data"] for each in log.entries if b'"grant.settled"' in each]
    assert {each["outcome"] for each in ends} == {"completed"}
    made.drawn = {"case": case, "grants": {each["grant"] for each in grants}}


def _steps(agent: str) -> set[str]:
    return {each.activity_type for each in PROCESS.definition.steps if each.agent == agent}


def _names(text: str) -> set[str]:
    return {
        each.name for family in text_string_to_metric_families(text) for each in family.samples
    } | {family.name for family in text_string_to_metric_families(text)}


async def test_each_system_has_brought_its_tables_to_its_revision(made: Deployed) -> None:
    """The upgrade's command in its container finds nothing to do, in its own schema alone."""
    for system in SYSTEMS:
        said = made.containers[system].run("placet", "lender", "migrate", "--json")
        assert json.loads(said) == [{"system": system, "before": NEEDED, "after": NEEDED}]


async def test_dashboard_and_alerts_ask_for_metrics_that_are_told(made: Deployed) -> None:
    """Each name in a query is one that a running process tells; and no token is among them (I7)."""
    await _healthy(made.containers, *made.containers)
    told, everything = {"up"}, {}
    async with httpx.AsyncClient() as http:
        for name, part in made.containers.items():
            addresses = [part.metrics, *([part.sdk_metrics] if name in ACTIVITIES else [])]
            for address in addresses:
                text = (await http.get(f"http://{address}/metrics")).text
                told |= _names(text)
                everything[f"{name} {address}"] = text.encode()
    board = json.loads((ROOT / "deploy/grafana/dashboards/placet.json").read_text())
    groups = yaml.safe_load((ROOT / "deploy/alerts.yaml").read_text())["groups"]
    queries = [
        target["expr"] for panel in board["panels"] for target in panel.get("targets", ())
    ] + [rule["expr"] for group in groups for rule in group["rules"]]
    asked = {
        name
        for query in queries
        for name in re.findall(r"\b(?:placet|temporal|process|python)_\w+|\bup\b", query)
    }
    assert len(asked) > 15
    assert asked - told == set()
    assert tokens_in(everything) == []


async def test_the_log_and_the_traces_join_what_was_done(made: Deployed) -> None:
    """A case's one trace: workflow, step, grant, system of record; ids alone, and no token (I7)."""
    case, collector = made.drawn["case"], made.collector
    assert collector is not None
    for part in made.containers.values():
        await asyncio.to_thread(part.stop)
        assert part.statuses[-1] == 0, (part.name, part.log.read_text()[-2000:])
    trace, first = (f"{each:0{size}x}" for each, size in zip(trace_of(case), (32, 16), strict=True))
    spans = {each.span: each for each in collector.told if each.trace == trace}

    def way(span: str) -> list[str]:
        """From a span up to the first."""
        found = []
        while span in spans:
            found.append(f"{spans[span].service} {spans[span].name}")
            span = spans[span].parent
        return found

    ways = [way(each) for each in spans]
    assert [
        "placet-lender POST /loans/{loan}/draws/{draw}/disbursement",
        "placet-worker-disbursement ask the system of record",
        "placet-worker-disbursement step disburse",
        "placet-authority case",
    ] in ways, sorted(map(str, ways))
    assert [
        "placet-authority POST /v1/grants",
        "placet-worker-disbursement ask the authority",
        "placet-worker-disbursement step disburse",
        "placet-authority case",
    ] in ways
    assert spans[first].said == {"placet.case": case, "placet.process": "loan-draw"}
    steps = [each for each in spans.values() if each.name.startswith("step ")]
    assert {each.said["placet.grant"] for each in steps} <= made.drawn["grants"]
    assert tokens_in({each.span: each.raw for each in collector.told}) == []
    logs = {name: part.log.read_bytes() for name, part in made.containers.items()}
    assert tokens_in(logs) == []
    for name, part in made.containers.items():
        errors = [each for each in part.lines() if each["level"] in {"error", "critical"}]
        # A collector that is slow, as this test's is while it verifies, is nobody's fault here.
        assert [e for e in errors if not e["logger"].startswith("opentelemetry")] == [], name
