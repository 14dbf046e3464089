"""Several authorities, each a process of its own, on one database behind a balancer."""

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from aiohttp import web
from temporalio.client import Client

from placet.authority import AuthoritySettings
from tests.harness.forked import begun
from tests.harness.world import free_port, until

_KEPT_BACK = {"host", "content-length", "content-encoding", "transfer-encoding", "connection"}


@dataclass
class Replicas:
    """Three authorities by name: where each listens, and its process."""

    settings: AuthoritySettings
    temporal: str
    folder: Path
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def url(self, name: str) -> str:
        """Where one of them is reached without the balancer."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def start(self, name: str, **more: str) -> None:
        """Start one; ``more`` are further variables of its environment."""
        self.ports.setdefault(name, free_port())
        (self.folder / name).unlink(missing_ok=True)
        own = self.settings
        environment = {
            "PLACET_AUTHORITY_ISSUER": own.issuer,
            "PLACET_AUTHORITY_PORT": str(self.ports[name]),
            "PLACET_AUTHORITY_DATABASE_URL": own.database_url,
            "PLACET_AUTHORITY_KEY_PASSPHRASE": own.key_passphrase.get_secret_value(),
            "PLACET_AUTHORITY_TEMPORAL_ADDRESS": self.temporal,
            "PLACET_AUTHORITY_READY_FILE": str(self.folder / name),
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = begun(
                [sys.executable, "-m", "placet.cli", "authority", "serve"],
                env={**os.environ, **environment, **more},
                stdout=log,
                stderr=log,
            )

    async def ready(self) -> None:
        """Wait until all that were started serve."""

        async def look() -> bool:
            for name, process in self.processes.items():
                log = (self.folder / f"{name}.log").read_text(errors="replace")
                assert process.poll() is None, f"{name} does not start: {log}"
            return all((self.folder / name).exists() for name in self.processes)

        await until(look, 60)

    def kill(self, name: str) -> None:
        """Kill one as if its power were cut."""
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait()

    def stop(self) -> None:
        """Stop all."""
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.asynccontextmanager
async def replicas(
    settings: AuthoritySettings, temporal: Client, dies: Mapping[str, str]
) -> AsyncIterator[Replicas]:
    """Three of them, and at the issuer's address a balancer that gives each request to the next.

    ``dies`` says at which kill point one of them dies.
    """
    with tempfile.TemporaryDirectory(prefix="placet-replicas-") as folder:
        address = temporal.service_client.config.target_host
        made = Replicas(settings, address, Path(folder))
        for name in ("a", "b", "c"):
            made.start(name, PLACET_KILL_AT=dies.get(name, ""))
        try:
            await made.ready()
            async with _balancer(made):
                yield made
        finally:
            await asyncio.to_thread(made.stop)


@contextlib.asynccontextmanager
async def _balancer(made: Replicas) -> AsyncIterator[None]:
    turns = itertools.count()

    async def forward(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = [(k, v) for k, v in request.headers.items() if k.lower() not in _KEPT_BACK]
        names = sorted(made.ports)
        turn = next(turns)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            try:
                answer = await http.request(
                    request.method, made.url(name) + request.path_qs, content=body, headers=headers
                )
            except httpx.ConnectError:
                continue  # it is down: the next one
            except httpx.HTTPError:
                break  # it died over this request, which it may have carried out
            kept = [(k, v) for k, v in answer.headers.items() if k.lower() not in _KEPT_BACK]
            return web.Response(status=answer.status_code, body=answer.content, headers=dict(kept))
        return web.Response(status=502, text="<html>bad gateway</html>", content_type="text/html")

    # Not aiohttp's client: it would send a request again whose answer was lost, unasked.
    async with httpx.AsyncClient(timeout=60) as http:
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", forward)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", made.settings.port).start()
            yield
        finally:
            await runner.cleanup()
