"""The stack that the compose file describes, as processes of this machine, for the tests of it."""

import asyncio
import contextlib
import json
import os
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import yaml

from lender.embedded import ADMINISTRATOR, Embedded, create, enrol, temporal_binary
from lender.ports import free_ports
from lender.serve import SYSTEMS, LenderSettings
from placet.authority import AuthoritySettings
from placet.model import EnrolIdentity, Mode
from placet.tokens import SigningKey, read_key_file, write_key_file
from tests.authority.throwaway_postgresql import PostgresqlCluster, find_binaries
from tests.deploy.collecting import Collector, collecting
from tests.deploy.compose import ROOT, Machine, Part, ours, read_compose
from tests.deploy.programs import (
    Prometheus,
    balancer_file,
    find_program,
    running,
    scraped,
    scraping,
)
from tests.deploy.test_compose import VALUES
from tests.harness.outages import until
from tests.harness.replicas import Replicas, _balancer
from worker.registry import ACTIVITIES, GOVERNING_AGENTS, READING_AGENTS

WORKERS = (*ACTIVITIES, *GOVERNING_AGENTS, *READING_AGENTS)
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
    prometheus: Prometheus | None = None

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
        "temporal:9090",
        "prometheus:9090",
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
        deployed.parts["temporal"] = _temporal(folder, machine)
        stack.callback(deployed.stop, "temporal")
        await deployed.ready("temporal")
        await create(deployed)
        for agent in GOVERNING_AGENTS:
            write_key_file(folder / "agents" / f"{agent}.key", SigningKey.generate())
        for agent in WORKERS:
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
        await stack.enter_async_context(_balanced(replicas))
        deployed.prometheus = await stack.enter_async_context(_scraped(machine, parts))
        await enrol(deployed, Mode.ASSIST)
        await _enrol_governing(deployed)
        for agent in READING_AGENTS:
            parts[agent].environment["PLACET_WORKER_MODEL"] = "test"  # as its own file would say
        await _start(parts, *SYSTEMS, *WORKERS)
        yield deployed


async def _enrol_governing(made: Deployed) -> None:
    """The agents that a lender enrols to govern with."""
    async with made.person(ADMINISTRATOR) as admin:
        for agent in GOVERNING_AGENTS:
            key = read_key_file(made.folder / "agents" / f"{agent}.key")
            body = EnrolIdentity(jwk=key.public.jwk(), owner=f"operator:{ADMINISTRATOR}")
            await admin.act("agent.enrol", f"agent:{agent}", body)


@contextlib.asynccontextmanager
async def _balanced(replicas: Replicas) -> AsyncIterator[None]:
    """HAProxy with the file's rules; a few lines that do the same where it is not installed."""
    haproxy = find_program("haproxy")
    if haproxy is None:
        async with _balancer(replicas):
            yield
        return
    told = replicas.folder / "haproxy.cfg"
    told.write_text(balancer_file(replicas.settings.port, replicas.ports))
    with running([haproxy, "-db", "-f", str(told)], replicas.folder / "logs" / "haproxy.log"):

        async def answers() -> bool | None:
            with contextlib.suppress(httpx.TransportError):
                async with httpx.AsyncClient() as http:
                    found = await http.get(f"{replicas.settings.issuer}/livez")
                return found.is_success or None
            return None

        await until(answers)
        yield


@contextlib.asynccontextmanager
async def _scraped(machine: Machine, parts: dict[str, Part]) -> AsyncIterator[Prometheus | None]:
    """Prometheus with the file's jobs and alerts, if it is installed."""
    prometheus = find_program("prometheus")
    if prometheus is None:
        yield None
        return
    targets = {f"{name}:9464": part.metrics for name, part in parts.items()}
    targets |= {f"{name}:9465": part.sdk_metrics for name, part in parts.items()}
    targets["temporal:9090"] = machine.addresses["temporal:9090"]
    authorities = [part.metrics for name, part in parts.items() if name.startswith("authority-")]
    port = int(machine.addresses["prometheus:9090"].partition(":")[2])
    config = scraped(targets, authorities)
    async with scraping(prometheus, machine.folder / "prometheus", port, config) as told:
        yield told


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


def _temporal(folder: Path, machine: Machine) -> subprocess.Popen[bytes]:
    host, port = machine.addresses["temporal:7233"].split(":")
    metrics = machine.addresses["temporal:9090"].partition(":")[2]
    values = yaml.safe_load((ROOT / "deploy/temporal/dynamic.yaml").read_text())
    dynamic = [
        part
        for name, (value,) in values.items()
        for part in ("--dynamic-config-value", f"{name}={json.dumps(value['value'])}")
    ]
    (folder / "logs").mkdir()
    command = [temporal_binary(), "server", "start-dev", "--headless", "--ip", host, "--port", port]
    command += ["--metrics-port", metrics]
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

    await healthy(parts, *names)


async def healthy(parts: dict[str, Part], *names: str) -> None:
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
async def restarted(made: Deployed) -> AsyncIterator[None]:
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
