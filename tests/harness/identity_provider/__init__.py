"""A real OpenID provider that others wrote, with people that a test moves about.

``oidc-provider`` comes from npm, into a throw-away folder, at the versions and hashes of
``package-lock.json``. Without npm the tests that need it are skipped, and say so; where
``PLACET_REQUIRE_NPM`` is set, as in ``.ci/run``, they fail.
"""

import asyncio
import contextlib
import html
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from placet.model import GroupRoles, IdentityProvider
from tests.harness.world import free_port

HERE = Path(__file__).parent
ROLES = (
    GroupRoles(group="clerks", roles=("clerk",)),
    GroupRoles(group="chiefs", roles=("chief", "clerk")),
)


def installed(folder: Path) -> Path:
    """A folder with the provider and what it needs."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        said = "node and npm are missing: sign-in at an identity provider is not tested"
        if os.environ.get("PLACET_REQUIRE_NPM") == "1":
            pytest.fail(said)
        pytest.skip(said)
    for name in ("package.json", "package-lock.json", "provider.mjs"):
        shutil.copy(HERE / name, folder / name)
    done = subprocess.run(
        [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, f"npm ci: {done.stderr[-500:]}"
    return folder


@dataclass
class Running:
    """A provider that runs."""

    issuer: str
    control: str
    people: dict[str, dict[str, object]] = field(default_factory=dict)

    def rules(self, **changed: object) -> IdentityProvider:
        """What the lender publishes of it."""
        settings: dict[str, object] = {
            "issuer": self.issuer,
            "client_id": "placet",
            "algorithms": ("ES256",),
            "roles": ROLES,
            "recheck_seconds": 1,
            **changed,
        }
        return IdentityProvider.model_validate(settings)

    async def employ(self, sub: str, name: str, *groups: str) -> None:
        """Someone works there, in these groups and no others."""
        self.people[sub] = {"name": name, "groups": list(groups)}
        await self._put()

    async def dismiss(self, sub: str) -> None:
        """They work there no longer."""
        del self.people[sub]
        await self._put()

    async def _put(self) -> None:
        async with httpx.AsyncClient() as http:
            await http.put(f"{self.control}/people", json=self.people)

    async def tell(self, what: str) -> None:
        """``rotate``, ``down`` or ``up``."""
        async with httpx.AsyncClient() as http:
            await http.post(f"{self.control}/{what}")

    async def sign_in(self, address: str, sub: str) -> str:
        """Do what a person does in a browser, page by page; the last page's text."""
        async with httpx.AsyncClient(follow_redirects=True, timeout=30) as browser:
            page = await browser.get(address)
            for _ in range(6):
                action = re.search(r'<form[^>]*action="([^"]+)"', page.text)
                if action is None or "Sign-in Success" in page.text:
                    break
                named = re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page.text)
                fields = {name: html.unescape(value) for name, value in named}
                if "login" in page.text and 'name="login"' in page.text:
                    fields |= {"login": sub, "password": "any"}
                page = await browser.post(str(page.url.join(html.unescape(action[1]))), data=fields)
            return page.text


@contextlib.asynccontextmanager
async def provider(folder: Path) -> AsyncIterator[Running]:
    """Run it; ``folder`` is what :func:`installed` made."""
    port, control = free_port(), free_port()
    process = await asyncio.create_subprocess_exec(
        "node",
        "provider.mjs",
        str(port),
        str(control),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(90):
            while await process.stdout.readline() != b"ready\n":
                pass
        yield Running(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{control}")
    finally:
        process.terminate()
        await process.wait()
