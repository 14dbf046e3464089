"""OpenBao beside us: a server of its own, with its audit device on, that issues service tokens.

``bench/requirements.lock`` brings it. It stores as its makers advise: integrated storage (Raft),
which is durable before it answers, as the authority's database is.
"""

import asyncio
import contextlib
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from lender.ports import free_ports

_BESIDE = Path(sys.executable).parent / "bao"
_STARTS_WITHIN = 60.0


@dataclass(frozen=True)
class OpenBao:
    """A running, unsealed server."""

    url: str
    token: str

    async def issue(self, http: aiohttp.ClientSession) -> None:
        """Have a service token issued, good for a minute."""
        body = {"ttl": "60s", "policies": ["default"]}
        headers = {"X-Vault-Token": self.token}
        url = f"{self.url}/v1/auth/token/create"
        async with http.post(url, json=body, headers=headers) as answer:
            if answer.status != 200:
                raise RuntimeError(f"OpenBao answered {answer.status}: {await answer.text()}")
            await answer.read()

    async def serve_database(self, connection_url: str, role: str) -> None:
        """Have PostgreSQL roles made and issued by its database engine, each good for a minute."""
        made = "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"
        config = {
            "plugin_name": "postgresql-database-plugin",
            "allowed_roles": [role],
            "connection_url": connection_url,
        }
        given = {
            "db_name": "records",
            "creation_statements": [made],
            "default_ttl": "60s",
            "max_ttl": "60s",
        }
        async with aiohttp.ClientSession(headers={"X-Vault-Token": self.token}) as http:
            for path, body in (
                ("sys/mounts/database", {"type": "database"}),
                ("database/config/records", config),
                (f"database/roles/{role}", given),
            ):
                async with http.post(f"{self.url}/v1/{path}", json=body) as answer:
                    if answer.status >= 300:
                        raise RuntimeError(f"OpenBao: {path}: {await answer.text()}")


def program() -> Path | None:
    """Its program, if it is installed."""
    found = shutil.which("bao")
    return _BESIDE if _BESIDE.is_file() else Path(found) if found else None


@contextlib.asynccontextmanager
async def openbao(bao: Path, folder: Path) -> AsyncIterator[OpenBao]:
    """Start a server with its files in an empty folder, and unseal it."""
    port, cluster_port = free_ports(2)
    url = f"http://127.0.0.1:{port}"
    (folder / "server.hcl").write_text(f"""
storage "raft" {{
  path = "{folder}"
  node_id = "one"
}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_disable = true
}}
audit "file" "to-file" {{
  options {{ file_path = "{folder}/audit.log" }}
}}
api_addr = "{url}"
cluster_addr = "http://127.0.0.1:{cluster_port}"
disable_mlock = true
""")
    with (folder / "server.log").open("wb") as said:
        server = await asyncio.create_subprocess_exec(
            str(bao),
            "server",
            f"-config={folder}/server.hcl",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        )
        try:
            yield OpenBao(url, await _unsealed(url))
        finally:
            server.terminate()
            await server.wait()


async def _unsealed(url: str) -> str:
    """Initialise it with one share, unseal it, and wait until it serves; its root token."""
    async with aiohttp.ClientSession() as http, asyncio.timeout(_STARTS_WITHIN):
        shares = {"secret_shares": 1, "secret_threshold": 1}
        made = await _once_up(http, f"{url}/v1/sys/init", shares)
        await _once_up(http, f"{url}/v1/sys/unseal", {"key": made["keys"][0]})
        while True:
            async with http.get(f"{url}/v1/sys/health") as health:
                if health.status == 200:
                    return str(made["root_token"])
            await asyncio.sleep(0.05)


async def _once_up(
    http: aiohttp.ClientSession, url: str, body: Mapping[str, object]
) -> dict[str, Any]:
    """Its answer, once it listens."""
    while True:
        with contextlib.suppress(aiohttp.ClientConnectionError):
            async with http.put(url, json=body) as answer:
                told = json.loads(await answer.read())
                if answer.status == 200:
                    return dict(told)
        await asyncio.sleep(0.05)
