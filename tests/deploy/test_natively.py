"""The compose file's own services, with its commands, variables and health checks, as processes.

A draw goes through while four of them are told to stop (SIGTERM) in the middle of a step and are
started again. Temporal is its development server, and PostgreSQL a throw-away cluster. The balancer
is HAProxy, and what is told is scraped by Prometheus, each with the file's own configuration, where
they are installed; else the balancer is a few lines that do what HAProxy's file says.

One stack serves all tests; each takes from the fixtures what it needs to have happened.
"""

import asyncio
import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
import pytest
import pytest_asyncio
import yaml
from prometheus_client.parser import text_string_to_metric_families

from lender import storage
from lender._revisions import NEEDED
from lender.demo import Books
from lender.samples import make_loan, plan_for, write_packet
from lender.serve import SYSTEMS
from lender.servicing import payments_made
from placet.audit import LogFiles, replay, verify
from placet.cli import fetch_log
from placet.model import CaseView, CheckpointView
from placet.telemetry import trace_of
from tests.deploy.compose import ROOT
from tests.deploy.programs import program
from tests.deploy.standing import TOLD_TO_STOP, WORKERS, Deployed, cluster, healthy, made, restarted
from tests.harness.outages import approve, until
from tests.harness.secrets import tokens_in
from workflows.loan_draw import PROCESS

__all__ = ["cluster", "made"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Drawn:
    """A draw that went through, and what is left of it."""

    view: CaseView
    log: LogFiles
    payments: int
    payees: int

    @property
    def grants(self) -> list[dict[str, Any]]:
        """What was issued in it."""
        found = (json.loads(each) for each in self.log.entries if b'"grant.issued"' in each)
        return [each["data"] for each in found]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def drawn(made: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    """A draw, while services are told to stop in the middle of a step."""
    loan = make_loan(
        "L-4000",
        "Compose Row",
        "Compose LLC",
        "1 Compose Road, Oakland CA",
        Decimal("300000.00"),
        30,
    )
    plan = plan_for(loan)
    files = storage.read_packet_folder(write_packet(plan, tmp_path_factory.mktemp("p")))
    with Books.of(made.lender) as books:
        books.take_in(loan)
        storage.store_packet(books.storage, loan.loan_id, 1, files)
    async with (
        restarted(made),
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

        async def told_and_ended() -> bool | None:
            return all(made.containers[name].statuses for name in TOLD_TO_STOP) or None

        view = await until(archived)
        await until(told_and_ended)
        trust = {"log_key": made.log_key, "administrators": made.administrators}
        log = await fetch_log(una, trust=trust)
    payments = len(payments_made(books.servicing, loan.loan_id))
    for each in (books.servicing, books.storage, books.compliance):
        each.close()
    return Drawn(view, log, payments, len(plan.request_payees))


@pytest.mark.timeout(240)
async def test_a_draw_goes_through_while_services_are_told_to_stop(
    made: Deployed, drawn: Drawn
) -> None:
    """I11, I4: each ends its step before it ends: nothing is lost, and nothing is done twice."""
    assert drawn.view.result == "disbursed"
    assert drawn.payments == drawn.payees
    assert verify(drawn.log).troubles == ()
    assert (await replay(drawn.log, drawn.view.id, [PROCESS.workflow])).troubles == ()
    for name in TOLD_TO_STOP:
        assert list((made.folder / "told" / name).iterdir()), f"{name} was not told to stop"
        assert made.containers[name].statuses[0] == 0, name
    for agent in (
        "draw-analyst",
        "disbursement",
    ):  # whose steps went on to their end
        own = [each for each in drawn.grants if each["activity"]["activity_type"] in _steps(agent)]
        assert own, agent
        assert {each["activity"]["attempt"] for each in own} == {1}, agent
    ends = [json.loads(each)["data"] for each in drawn.log.entries if b'"grant.settled"' in each]
    assert {each["outcome"] for each in ends} == {"completed"}


def _steps(agent: str) -> set[str]:
    return {each.activity_type for each in PROCESS.definition.steps if each.agent == agent}


def _names(text: str) -> set[str]:
    return {
        each.name for family in text_string_to_metric_families(text) for each in family.samples
    } | {family.name for family in text_string_to_metric_families(text)}


def _queries() -> list[str]:
    """What the dashboard asks."""
    board = json.loads((ROOT / "deploy/grafana/dashboards/placet.json").read_text())
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]


async def test_each_system_has_brought_its_tables_to_its_revision(made: Deployed) -> None:
    """The upgrade's command in its container finds nothing to do, in its own schema alone."""
    for system in SYSTEMS:
        said = made.containers[system].run("placet", "lender", "migrate", "--json")
        assert json.loads(said) == [{"system": system, "before": NEEDED, "after": NEEDED}]


@dataclass
class Metrics:
    """What was told after the draw: each part's own text, and what Prometheus made of it."""

    told: set[str]
    texts: dict[str, bytes]
    answers: dict[str, list[Any]] | None = None
    targets: list[dict[str, Any]] = field(default_factory=list)
    rules: list[dict[str, Any]] = field(default_factory=list)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def metrics(made: Deployed, drawn: Drawn) -> Metrics:
    """What is told of a stack that did a draw, and turned somebody away."""
    await healthy(made.containers, *made.containers)
    async with httpx.AsyncClient() as http:
        refused = await http.get(f"{made.lender.url('loan-servicing')}/loans/L-4000")
    assert refused.status_code == 401
    told, everything = {"up"}, {}
    async with httpx.AsyncClient() as http:
        for name, part in made.containers.items():
            addresses = [part.metrics, *([part.sdk_metrics] if name in WORKERS else [])]
            for address in addresses:
                text = (await http.get(f"http://{address}/metrics")).text
                told |= _names(text)
                everything[f"{name} {address}"] = text.encode()
    found = Metrics(told, everything)
    if made.prometheus is not None:
        found.answers = {query: await made.prometheus.answered(query) for query in _queries()}
        found.targets = (await made.prometheus.ask("targets"))["activeTargets"]
        found.rules = (await made.prometheus.ask("rules"))["groups"][0]["rules"]
    return found


async def test_dashboard_and_alerts_ask_for_metrics_that_are_told(metrics: Metrics) -> None:
    """Each name in a query is one that a running process tells; and no token is among them (I7)."""
    groups = yaml.safe_load((ROOT / "deploy/alerts.yaml").read_text())["groups"]
    queries = _queries() + [rule["expr"] for group in groups for rule in group["rules"]]
    asked = {
        name
        for query in queries
        for name in re.findall(r"\b(?:placet|temporal|process|python)_\w+|\bup\b", query)
    }
    assert len(asked) > 15
    assert asked - metrics.told == set()
    assert tokens_in(metrics.texts) == []


async def test_prometheus_scrapes_all_and_answers_the_dashboard(metrics: Metrics) -> None:
    """With the file's own jobs and rules; no panel is empty for a stack that did a draw."""
    program("prometheus", "PLACET_REQUIRE_PROMETHEUS")
    assert metrics.answers is not None
    assert [each["scrapeUrl"] for each in metrics.targets if each["health"] != "up"] == []
    jobs = yaml.safe_load((ROOT / "deploy/prometheus.yaml").read_text())["scrape_configs"]
    assert {each["labels"]["job"] for each in metrics.targets} == {j["job_name"] for j in jobs}
    assert all(metrics.answers.values())
    assert {each["health"] for each in metrics.rules} == {"ok"}
    assert [each["name"] for each in metrics.rules if each["state"] == "firing"] == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bereft(made: Deployed, drawn: Drawn, metrics: Metrics) -> list[int]:
    """What the issuer's address answers while one of its two authorities is killed, and comes back.

    Each question has a connection of its own. One that stands open may be dropped instead: whether
    what was sent on it was carried out, the balancer can't know, and who asked asks again.
    """
    part, answers = made.containers["authority-2"], []
    for _ in range(20):
        if len(answers) == 5:
            assert part.process is not None
            part.process.kill()
            await asyncio.to_thread(part.process.wait)
        async with httpx.AsyncClient(timeout=20) as http:
            answers.append((await http.get(f"{made.issuer}/ledger/checkpoint")).status_code)
    part.ended()
    part.start()
    await healthy(made.containers, "authority-2")
    return answers


async def test_the_balancer_goes_on_where_an_authority_was_killed(bereft: list[int]) -> None:
    """I11: a connection that is refused is tried at the other one: whoever asks sees nothing of it."""
    program("haproxy", "PLACET_REQUIRE_HAPROXY")
    assert bereft == [200] * 20


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ended(made: Deployed, drawn: Drawn, metrics: Metrics, bereft: list[int]) -> Drawn:
    """Everything has done what the others look at, and was told to stop."""
    for part in made.containers.values():
        await asyncio.to_thread(part.stop)
        assert part.statuses[-1] == 0, (part.name, part.log.read_text()[-2000:])
    return drawn


async def test_the_log_and_the_traces_join_what_was_done(made: Deployed, ended: Drawn) -> None:
    """A case's one trace: workflow, step, grant, system of record; ids alone, and no token (I7)."""
    case, collector = ended.view.id, made.collector
    assert collector is not None
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
    assert {each.said["placet.grant"] for each in steps} <= {each["grant"] for each in ended.grants}
    assert tokens_in({each.span: each.raw for each in collector.told}) == []
    logs = {name: part.log.read_bytes() for name, part in made.containers.items()}
    assert tokens_in(logs) == []
    for name, part in made.containers.items():
        errors = [each for each in part.lines() if each["level"] in {"error", "critical"}]
        # A collector that is slow, as this test's is while it verifies, is nobody's fault here.
        assert [e for e in errors if not e["logger"].startswith("opentelemetry")] == [], name
