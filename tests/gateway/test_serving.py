"""The gateway as a process of its own, started as in production."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from placet import gateway
from placet.cli._app import app
from placet.tokens import SigningKey, make_proof, write_key_file
from tests.gateway.conftest import ROUTES, Plain
from tests.harness.world import free_port
from tests.resource.simulator import SYSTEM, Authority, Clock, served

COMMAND = (sys.executable, "-m", "placet.cli", "gateway")


def test_the_public_names() -> None:
    assert gateway.__all__ == [
        "BadRoutes",
        "Gateway",
        "GatewaySettings",
        "Routes",
        "make_app",
        "read_routes",
        "serve",
    ]
    assert all(hasattr(gateway, name) for name in gateway.__all__)


def _said(*more: str, **settings: str) -> tuple[int, str]:
    variables = {f"PLACET_GATEWAY_{name}": value for name, value in settings.items()}
    result = CliRunner().invoke(app, ["gateway", "--check", *more], env=variables)
    return result.exit_code, result.output + str(result.exception)


def test_what_is_set_wrongly_stops_the_start_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I12: a gateway that is not sure what it guards does not start."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    routes = tmp_path / "routes.toml"
    routes.write_text(ROUTES + ROUTES)
    good = {"SYSTEM": "library", "KEY_FILE": str(tmp_path / "k"), "ROUTES": str(routes)}
    _, said = _said(**good)
    assert "PLACET_GATEWAY_UPSTREAM" in said
    _, said = _said("--upstream", "http://127.0.0.1:1", **good)
    assert "overlaps" in said
    routes.write_text(ROUTES)
    assert _said("--upstream", "http://127.0.0.1:1", **good)[0] == 0
    for url in ("mysql://u:secret@h/x", "sqlite://", "sqlite:///:memory:", "postgresql://"):
        _, said = _said("--upstream", "http://127.0.0.1:1", PROOFS_URL=url, **good)
        assert "PLACET_GATEWAY_PROOFS_URL" in said
        assert "secret" not in said


class Wall(Clock):
    """The clock on the wall, which the gateway's process goes by."""

    now = property(lambda self: datetime.now(UTC), lambda self, _: None)  # type: ignore[assignment]


async def test_a_process_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """I1: ready once it hears of revocations; then a grant opens its record, and none nothing."""
    key, holder, clock, plain = SigningKey.generate(), SigningKey.generate(), Wall(), Plain()
    authority = Authority(clock, key)
    await authority.start()
    write_key_file(tmp_path / "library.key", key)
    (tmp_path / "routes.toml").write_text(ROUTES)
    port, behind = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {
        "SYSTEM": SYSTEM,
        "ISSUER": authority.issuer,
        "URL": url,
        "PORT": str(port),
        "ROUTES": str(tmp_path / "routes.toml"),
        "KEY_FILE": str(tmp_path / "library.key"),
        "USES_FILE": str(tmp_path / "uses.db"),
    }
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        "--upstream",
        f"http://127.0.0.1:{behind}",
        env={**os.environ, **{f"PLACET_GATEWAY_{name}": said for name, said in settings.items()}},
    )
    try:
        async with served(plain, behind), httpx.AsyncClient() as http:
            async with asyncio.timeout(90):
                while not await ready(http, url):
                    await asyncio.sleep(0.05)
            token = authority.grant(holder)
            proof = make_proof(
                holder, "GET", url + "/books/1", now=clock.now, jti="j" * 22, access_token=token
            )
            headers = {"Authorization": f"DPoP {token}", "DPoP": proof}
            assert (await http.get(url + "/books/1", headers=headers)).text == "a page"
            assert (await http.get(url + "/books/1")).status_code == 401
            async with asyncio.timeout(60):
                while not authority.uses:
                    await asyncio.sleep(0.02)
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        await authority.stop()
    assert len(plain.heard) == 1


async def ready(http: httpx.AsyncClient, url: str) -> bool:
    """Whether a gateway says that it is."""
    try:
        return (await http.get(url + "/readyz")).status_code == 200
    except httpx.TransportError:
        return False
