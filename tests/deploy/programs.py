"""Other parties' programs that the compose file starts, where they are installed: HAProxy, Prometheus."""

import asyncio
import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.deploy.compose import ROOT
from tests.harness.outages import until


def find_program(name: str) -> str | None:
    """Where a program is; Debian keeps some where only root looks."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def program(name: str, required: str) -> str:
    """A program; without it the test is skipped, or fails where the variable says that it is there."""
    found = find_program(name)
    if found is None:
        if os.environ.get(required) == "1":
            pytest.fail(f"{required}=1, but {name} is not installed")
        pytest.skip(f"NOT TESTED: {name} is not installed")
    return found


@contextlib.contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program, until the end of the block."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=log.parent
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def balancer_file(port: int, servers: Mapping[str, int]) -> str:
    """``deploy/haproxy.cfg`` with its servers named: what looks them up is the engine's own."""
    text = (ROOT / "deploy/haproxy.cfg").read_text()
    named = "\n".join(f"    server {name} 127.0.0.1:{at}" for name, at in servers.items())
    for there, here in (
        (r"^resolvers docker\n(?:    .*\n)+\n", ""),
        (r" resolvers docker init-addr none$", ""),
        (r"^    bind :8600$", f"    bind 127.0.0.1:{port}"),
        (r"^    server-template authority 4 authority:8600$", named),
    ):
        text, count = re.subn(there, here, text, flags=re.MULTILINE)
        assert count == 1, there
    return text


def scraped(targets: Mapping[str, str], authorities: Sequence[str]) -> dict[str, Any]:
    """``deploy/prometheus.yaml`` with the addresses of this machine, asking every second."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "deploy/prometheus.yaml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for job in config["scrape_configs"]:
        named = [each for group in job.get("static_configs", ()) for each in group["targets"]]
        named += [
            f"{name}:{group['port']}"
            for group in job.pop("dns_sd_configs", ())
            for name in group["names"]
        ]
        found = [
            address
            for each in named
            for address in (authorities if each == "authority:9464" else [targets[each]])
        ]
        job["static_configs"] = [{"targets": found}]
    return config


class Prometheus:
    """A running one."""

    def __init__(self, address: str) -> None:
        self.address = address

    async def ask(self, path: str, **query: str) -> Any:
        """What its API answers."""
        async with httpx.AsyncClient(timeout=10) as http:
            answer = await http.get(f"http://{self.address}/api/v1/{path}", params=query)
        told = answer.json()
        assert told["status"] == "success", told
        return told["data"]

    async def answered(self, query: str) -> list[Any]:
        """A query's answer, as soon as it has one."""

        async def look() -> list[Any] | None:
            return (await self.ask("query", query=query))["result"] or None

        return await until(look)


@contextlib.asynccontextmanager
async def scraping(
    command: str, folder: Path, port: int, config: Mapping[str, Any]
) -> AsyncIterator[Prometheus]:
    """A Prometheus with a configuration, and the alerts beside it."""
    folder.mkdir()
    (folder / "prometheus.yaml").write_text(json.dumps(config))
    shutil.copy(ROOT / "deploy/alerts.yaml", folder)
    told = Prometheus(f"127.0.0.1:{port}")
    options = (
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'kept'}",
        f"--web.listen-address={told.address}",
    )
    with running([command, *options], folder / "prometheus.log") as process:

        async def ready() -> bool | None:
            assert process.poll() is None, (folder / "prometheus.log").read_text()[-2000:]
            with contextlib.suppress(httpx.TransportError):
                async with httpx.AsyncClient() as http:
                    answer = await http.get(f"http://{told.address}/-/ready")
                return answer.is_success or None
            return None

        await until(ready)
        yield told


async def checked(*command: str) -> str:
    """What a checking program says; it must be content."""
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
