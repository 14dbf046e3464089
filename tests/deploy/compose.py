"""The compose file, read as an engine reads it, and its own services as processes of this machine."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
_VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::(\?|-)([^}]*))?\}")
_POSTGRES = re.compile(r"@postgres:5432/(\w+)$")
_PORT_SETTINGS = {
    "PLACET_LENDER_SERVICING_PORT",
    "PLACET_LENDER_STORAGE_PORT",
    "PLACET_LENDER_COMPLIANCE_PORT",
}


def read_compose(values: Mapping[str, str]) -> dict[str, Any]:
    """The file with its variables filled in; one that has no value and no default is an error."""

    def filled(found: re.Match[str]) -> str:
        name, kind, default = found.groups()
        if name in values:
            return values[name]
        assert kind == "-", f"{name} has no value"
        return str(default)

    text = _VARIABLE.sub(filled, (ROOT / "docker-compose.yml").read_text())
    return dict(yaml.safe_load(text))


def ours(compose: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The services of our own image."""
    image = compose["x-ours"]["image"]
    return {name: each for name, each in compose["services"].items() if each.get("image") == image}


@dataclass
class Machine:
    """Where on this machine what the compose file names is found."""

    folder: Path
    sockets: Path
    ports: Iterator[int]
    """Ports that nobody has, each for one use."""
    addresses: dict[str, str] = field(default_factory=dict)
    """The address on this machine of each ``host:port`` of the file."""

    def place(self, *names: str) -> None:
        """Give each name an address here."""
        self.addresses |= {name: f"127.0.0.1:{next(self.ports)}" for name in names}

    def translated(self, text: str, mounts: Mapping[str, str]) -> str:
        """A value, with the names of hosts and paths of containers as they are here."""
        for inside, outside in mounts.items():
            text = text.replace(inside, outside)
        for there, here in self.addresses.items():
            text = text.replace(there, here)
        text = _POSTGRES.sub(lambda found: f"@/{found[1]}?host={self.sockets}", text)
        return text.replace("0.0.0.0", "127.0.0.1")


class Part:
    """One container of ours, as a process."""

    def __init__(self, name: str, service: Mapping[str, Any], machine: Machine) -> None:
        self.name = name
        mounts = {
            inside: str(machine.folder / outside)
            for outside, inside in (each.split(":")[:2] for each in service.get("volumes", ()))
        }
        own = {
            "127.0.0.1:9464": f"127.0.0.1:{next(machine.ports)}",
            ":9465": f":{next(machine.ports)}",
        }
        self.metrics = own["127.0.0.1:9464"]
        self.sdk_metrics = f"127.0.0.1{own[':9465']}"

        def here(value: object) -> str:
            text = str(value)
            for there, instead in own.items():
                text = text.replace(there, instead)
            return machine.translated(text, mounts)

        self.environment = {key: here(value) for key, value in service["environment"].items()}
        self.environment["PLACET_TELEMETRY_PORT"] = self.metrics.partition(":")[2]
        for setting in _PORT_SETTINGS & self.environment.keys():
            address = machine.addresses[f"{name}:{self.environment[setting]}"]
            self.environment[setting] = address.partition(":")[2]
        self.command = _program(list(service["command"]))
        kind, *check = service["healthcheck"]["test"]
        assert kind == "CMD"
        self.check = [_program(check)[0], *map(here, check[1:])]
        self.log = machine.folder / "logs" / f"{name}.log"
        self.statuses: list[int] = []
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, more: Mapping[str, str] | None = None) -> None:
        """Start it, or start it again."""
        self.log.parent.mkdir(exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env={
                    "PATH": os.environ["PATH"],
                    "TMPDIR": "/tmp",
                    **self.environment,
                    **(more or {}),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def run(self, *command: str) -> str:
        """What another command says in a container of the same service; it ends well."""
        done = subprocess.run(
            _program(list(command)),
            env={"PATH": os.environ["PATH"], "TMPDIR": "/tmp", **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ended(self) -> bool:
        """Whether it ended; its status is kept."""
        if self.process is None or self.process.poll() is None:
            return False
        self.statuses.append(self.process.returncode)
        return True

    def listens(self) -> bool:
        """Whether it is worth asking."""
        host, _, port = self.metrics.partition(":")
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex((host, int(port))) == 0

    def healthy(self) -> bool:
        """What its own health check says."""
        return subprocess.run(self.check, capture_output=True, check=False).returncode == 0

    def stop(self) -> None:
        """Tell it to stop, and wait for as long as the file gives it."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.statuses.append(self.process.returncode)

    def lines(self) -> list[dict[str, Any]]:
        """Its log."""
        return [json.loads(each) for each in self.log.read_text().splitlines()]


def _program(command: list[str]) -> list[str]:
    """The command with the program of this environment, as the image has it on its PATH."""
    program = (
        sys.executable if command[0] == "python" else str(Path(sys.executable).parent / command[0])
    )
    return [program, *command[1:]]
