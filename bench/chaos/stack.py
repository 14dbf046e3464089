"""The parts of a run, each a process of its own, with a link before each that can be cut.

Whoever asks a part asks its link's address: the authority's is its issuer, the systems' are what
their callers call them. Each worker has a link of its own to Temporal: that is how one is cut off.
"""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.chaos.links import Link
from bench.chaos.plan import WORKERS, Fault, Kind
from lender.embedded import Embedded, create, enrol
from lender.ports import free_ports
from lender.serve import SYSTEMS, LenderSettings
from placet.authority import AuthoritySettings
from placet.model import Mode
from tests.authority.throwaway_postgresql import PostgresqlCluster, find_binaries

PASSPHRASE = "only for breaking things"
SOCKET = ".s.PGSQL.5432"
DATABASE = "database"


@dataclass
class Stack(Embedded):
    """The parts and the links; ``own_ports`` are where the parts themselves listen."""

    own_ports: Mapping[str, int] = field(default_factory=dict)
    worker_ports: Mapping[str, int] = field(default_factory=dict)
    temporal_link: int = 0
    database_url: str = ""
    cluster: PostgresqlCluster | None = None
    links: dict[str, list[Link]] = field(default_factory=dict)
    """The links to a part, or a worker's own."""

    more: dict[str, dict[str, str]] = field(default_factory=dict)
    """Further settings with which a part is started from now on."""

    @property
    def authority(self) -> AuthoritySettings:
        """How the authority is set up, for what needs its store."""
        return AuthoritySettings(
            issuer=self.issuer, database_url=self.database_url, key_passphrase=self.passphrase
        )

    def start(self, part: str, extra: Mapping[str, str] | None = None) -> None:
        """Start a part, or start it again."""
        if part == DATABASE:
            assert self.cluster is not None
            self.cluster.start()
            self.parts[part] = self.cluster.server
            return
        super().start(part, {**self._links_of(part), **self.more.get(part, {}), **(extra or {})})

    def _links_of(self, part: str) -> dict[str, str]:
        armed = self.folder / "armed" / part
        armed.mkdir(parents=True, exist_ok=True)
        own = {"PLACET_KILL_ARMED": str(armed)}
        if part == "authority":
            return own | {
                "PLACET_AUTHORITY_PORT": str(self.own_ports["authority"]),
                "PLACET_AUTHORITY_DATABASE_URL": self.database_url,
                "PLACET_AUTHORITY_TEMPORAL_ADDRESS": f"127.0.0.1:{self.temporal_link}",
            }
        if part == "lender":
            return own | {"PLACET_LENDER_URLS": json.dumps(self.lender.urls)}
        if part in WORKERS:
            address = f"127.0.0.1:{self.worker_ports[part]}"
            return own | {"PLACET_WORKER_TEMPORAL_ADDRESS": address}
        return own

    # --- breaking and mending ------------------------------------------------------------------

    def arm(self, fault: Fault) -> None:
        """Let a part die or stand still at a step that its code names."""
        assert fault.point is not None
        point = self.folder / "armed" / fault.part / fault.point
        said = point.with_name(f"{fault.point}.new")
        said.write_text(fault.kind.value.upper())
        said.rename(point)

    def disarm(self) -> None:
        """Take back what nobody came to."""
        for part in (self.folder / "armed").iterdir():
            for point in part.iterdir():
                point.unlink()

    def signal(self, part: str, number: signal.Signals) -> None:
        """Send a part a signal; a database's children hear it as well."""
        process = self.parts[part]
        pids = [process.pid]
        if part == DATABASE and number is not signal.SIGKILL:
            pids += _children(process.pid)  # without its parent each ends by itself
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def stands_still(self, part: str) -> bool:
        """Whether a part was stopped."""
        return _state(self.parts[part].pid) == "T"

    def cut(self, part: str, kind: Kind) -> None:
        """Cut a part off."""
        for link in self.links[part]:
            link.drop() if kind is Kind.DROP else link.hole()

    def mend(self, part: str) -> None:
        """Let it be reached again."""
        for link in self.links[part]:
            link.mend()


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
    except OSError:
        return ""


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        said = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(each) for each in said.split()]
    return []


@contextlib.asynccontextmanager
async def stack(folder: Path, store: str) -> AsyncIterator[Stack]:
    """Start everything on a store, with everyone enrolled."""
    async with contextlib.AsyncExitStack() as exits:
        cluster = _cluster(exits) if store == "postgresql" else None
        made = await _make(folder, cluster, exits)
        await asyncio.to_thread(_stop_at_end, made, exits)
        await create(made)
        for part in ("temporal", "authority", "lender"):
            made.start(part)
        for part in ("temporal", "authority", "lender"):
            await made.ready(part)
        await enrol(made, Mode.ASSIST)
        for part in WORKERS:
            made.start(part)
        yield made


def _stop_at_end(made: Stack, exits: contextlib.AsyncExitStack) -> None:
    def stop() -> None:
        for part in tuple(made.parts):
            if part != DATABASE:
                process = made.parts.pop(part)
                process.kill()
                process.wait()

    exits.callback(stop)


def _cluster(exits: contextlib.AsyncExitStack) -> PostgresqlCluster:
    binaries = find_binaries()
    if binaries is None:
        raise SystemExit("chaos needs PostgreSQL's programs: initdb and postgres")
    cluster = PostgresqlCluster(binaries)
    exits.callback(cluster.remove)
    return cluster


async def _make(
    folder: Path, cluster: PostgresqlCluster | None, exits: contextlib.AsyncExitStack
) -> Stack:
    names = ("temporal", "authority", *SYSTEMS)
    ports = free_ports(2 * len(names) + len(WORKERS))
    own = dict(zip(names, ports, strict=False))
    shown = dict(zip(names, ports[len(names) :], strict=False))
    workers = dict(zip(WORKERS, ports[2 * len(names) :], strict=True))
    issuer = f"http://127.0.0.1:{shown['authority']}"
    lender = LenderSettings(
        folder=folder / "lender",
        issuer=issuer,
        servicing_port=own["loan-servicing"],
        storage_port=own["document-storage"],
        compliance_port=own["compliance"],
        urls={each: f"http://127.0.0.1:{shown[each]}" for each in SYSTEMS},
    )
    made = Stack(
        folder=folder,
        issuer=issuer,
        temporal=f"127.0.0.1:{own['temporal']}",
        lender=lender,
        passphrase=PASSPHRASE,
        own_ports=own,
        worker_ports=workers,
        temporal_link=shown["temporal"],
        database_url=f"sqlite:///{folder / 'authority.db'}",
        cluster=cluster,
    )
    made.links = {
        "temporal": [await Link.of_port(shown["temporal"], own["temporal"])],
        "authority": [await Link.of_port(shown["authority"], own["authority"])],
        "lender": [await Link.of_port(shown[each], own[each]) for each in SYSTEMS],
        **{each: [await Link.of_port(port, own["temporal"])] for each, port in workers.items()},
    }
    if cluster is not None:
        made.parts[DATABASE] = cluster.server
        way = cluster.folder / "way"
        way.mkdir()
        made.links[DATABASE] = [await Link.of_socket(way / SOCKET, cluster.folder / SOCKET)]
        made.database_url = cluster.url(cluster.create_database(), host=way)
    for link in (each for some in made.links.values() for each in some):
        exits.push_async_callback(link.close)
    return made
