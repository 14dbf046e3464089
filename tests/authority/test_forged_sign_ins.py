"""An identity provider's answer that is not what it should be: each is refused by name."""

import asyncio
import base64
import contextlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from placet.cli._fetch import fetch_log
from placet.client import AuthorityError, OperatorClient
from placet.model import Governance, GroupRoles, IdentityProvider
from placet.tokens import SigningKey
from tests.authority.test_two_administrators import troubles
from tests.harness.alone import Alone, alone
from tests.harness.world import free_port


@dataclass
class Forger:
    """A provider that answers whatever a test wants."""

    issuer: str
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "good"}))
    nonce: str = ""
    make: Callable[["Forger", dict[str, Any]], str] | None = None
    refreshes: bool = False
    refreshing: asyncio.Event = field(default_factory=asyncio.Event)
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0

    def claims(self) -> dict[str, Any]:
        """A good ID token's."""
        now = int(time.time())
        return {
            "iss": self.issuer,
            "sub": "u-1",
            "aud": "placet",
            "iat": now,
            "exp": now + 600,
            "nonce": self.nonce,
            "preferred_username": "cleo",
            "groups": ["clerks"],
        }

    def sign(self, claims: dict[str, Any], key: Any = None, **header: Any) -> str:
        """A token under the provider's key, or another."""
        return jwt.encode(
            {"alg": "ES256", "kid": "good", **header},
            claims,
            key or self.key,
            algorithms=[header.get("alg", "ES256")],
        )

    def app(self) -> Starlette:
        """Its endpoints."""

        async def metadata(_: Request) -> Response:
            names = ("device_authorization_endpoint", "token_endpoint", "jwks_uri")
            return JSONResponse(
                {"issuer": self.issuer} | {name: f"{self.issuer}/{name}" for name in names}
            )

        async def device(request: Request) -> Response:
            self.nonce = parse_qs((await request.body()).decode())["nonce"][0]
            return JSONResponse(
                {
                    "device_code": "a-device-code",
                    "user_code": "AAAA",
                    "verification_uri": f"{self.issuer}/device",
                    "interval": 1,
                    "expires_in": 600,
                }
            )

        async def token(request: Request) -> Response:
            form = parse_qs((await request.body()).decode())
            if form["grant_type"] == ["refresh_token"]:
                self.asked += 1
                self.refreshing.set()
                await self.answering.wait()
                return JSONResponse({"error": "invalid_grant"}, 400)  # who asks about them: left
            claims = self.claims()
            made = self.sign(claims) if self.make is None else self.make(self, claims)
            told = {"access_token": "x", "token_type": "Bearer", "id_token": made}
            return JSONResponse(told | ({"refresh_token": "once"} if self.refreshes else {}))

        async def jwks(_: Request) -> Response:
            return JSONResponse({"keys": [self.key.as_dict(private=False)]})

        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", metadata),
                Route("/device_authorization_endpoint", device, methods=["POST"]),
                Route("/token_endpoint", token, methods=["POST"]),
                Route("/jwks_uri", jwks),
            ]
        )


@contextlib.asynccontextmanager
async def _served() -> AsyncIterator[Forger]:
    port = free_port()
    forger = Forger(f"http://127.0.0.1:{port}")
    server = uvicorn.Server(
        uvicorn.Config(forger.app(), host="127.0.0.1", port=port, log_config=None, lifespan="off")
    )
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield forger
    finally:
        server.should_exit = True
        await task


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[tuple[Alone, Forger]]:
    """An authority whose rules name the forger."""
    async with _served() as forger, alone(f"sqlite:///{tmp_path / 'authority.db'}") as made:
        provider = IdentityProvider(
            issuer=forger.issuer,
            client_id="placet",
            algorithms=("ES256",),
            recheck_seconds=1,
            decision_seconds=0,
            roles=(GroupRoles(group="clerks", roles=("clerk",)),),
        )
        async with made.ada() as ada:
            rules = Governance(version=1, identity_provider=provider)
            await ada.act("governance.publish", "governance", rules)
        yield made, forger


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _unsigned(forger: Forger, claims: dict[str, Any]) -> str:
    return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(claims)}."


def _confused(forger: Forger, claims: dict[str, Any]) -> str:
    """Signed with HMAC, the provider's public key for a secret."""
    signed = f"{_part({'alg': 'HS256', 'kid': 'good'})}.{_part(claims)}"
    mac = hmac.new(forger.key.as_pem(private=False), signed.encode(), "sha256").digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


FORGERIES: dict[str, Callable[[Forger, dict[str, Any]], str]] = {
    "another-key": lambda f, c: f.sign(c, ECKey.generate_key("P-256")),
    "another-key-of-another-name": lambda f, c: f.sign(c, ECKey.generate_key("P-256"), kid="x"),
    "an-algorithm-that-is-not-allowed": lambda f, c: f.sign(
        c, RSAKey.generate_key(2048), alg="RS256"
    ),
    "unsigned": _unsigned,
    "hmac-with-the-public-key": _confused,
    "another-issuer": lambda f, c: f.sign({**c, "iss": "https://elsewhere.example"}),
    "another-audience": lambda f, c: f.sign({**c, "aud": "someone-else"}),
    "a-second-audience": lambda f, c: f.sign({**c, "aud": ["placet", "someone-else"]}),
    "another-party": lambda f, c: f.sign({**c, "azp": "someone-else"}),
    "another-nonce": lambda f, c: f.sign({**c, "nonce": "of-another-sign-in"}),
    "expired": lambda f, c: f.sign({**c, "iat": c["iat"] - 700, "exp": c["exp"] - 700}),
    "from-long-ago": lambda f, c: f.sign({**c, "iat": c["iat"] - 3600}),
    "from-the-future": lambda f, c: f.sign({**c, "iat": c["iat"] + 60}),
    "without-an-end": lambda f, c: f.sign({n: v for n, v in c.items() if n != "exp"}),
    "about-nobody": lambda f, c: f.sign({n: v for n, v in c.items() if n != "sub"}),
    "no-token": lambda f, c: "what is this",
}


async def test_forged_id_tokens_open_nothing(at: tuple[Alone, Forger]) -> None:
    """I6: each forgery is refused, nothing of it is recorded, and the honest one gets in."""
    authority, forger = at
    issuer = authority.settings.issuer
    for name, make in FORGERIES.items():
        forger.make = make
        async with OperatorClient(issuer, "operator:x", SigningKey.generate()) as device:
            begun = await device.begin_sign_in()
            with pytest.raises(AuthorityError) as refused:
                await device.finish_sign_in(begun)
        assert (refused.value.status, refused.value.problem.error) == (400, "invalid_grant"), name
    forger.make = None
    async with OperatorClient(issuer, "operator:x", SigningKey.generate()) as device:
        done = await device.finish_sign_in(await device.begin_sign_in())
        assert done is not None
        assert done.operator == "operator:cleo"
    async with authority.ada() as ada:
        started = await ada.entries("session.started")
        assert [each["data"]["principal"] for each in started] == ["operator:cleo"]


@pytest.mark.parametrize("doing", ["reads", "acts"])
async def test_nothing_passes_while_the_answer_is_on_its_way(
    at: tuple[Alone, Forger], doing: str
) -> None:
    """I10: the regular look, or another process, asks about who left; whatever they try in that
    very instant waits for that answer, and the provider is asked once."""
    authority, forger = at
    forger.refreshes = True
    async with OperatorClient(authority.settings.issuer, "operator:x", SigningKey.generate()) as it:
        await it.finish_sign_in(await it.begin_sign_in())
        await asyncio.wait_for(forger.refreshing.wait(), 30)
        trying = asyncio.create_task(
            it.cases() if doing == "reads" else it.act("hold.place", "depot/D1", {"reason": "so"})
        )
        await asyncio.wait({trying}, timeout=0.5)  # time enough to be let through wrongly
        forger.answering.set()
        with pytest.raises(AuthorityError) as refused:
            await trying
    assert refused.value.problem.reasons == ("I10", "lost")
    assert forger.asked == 1
    async with authority.ada() as ada:
        assert await ada.entries("hold.placed") == []


_LIES = {
    "other-roles": ("session.started", {"roles": ["chief"]}, "session"),
    "no-group": ("session.started", {"groups": []}, "session"),
    "an-administrator": ("session.started", {"roles": ["administrator"]}, "session"),
    "another-provider": ("session.started", {"issuer": "https://elsewhere.example"}, "session"),
    "without-end": ("session.started", {"ends_at": 9_999_999_999}, "session"),
    "over-before": ("session.started", {"ends_at": 1}, "act-signature"),
    "never-began": ("session.started", None, "act-signature"),
}


async def test_the_audit_finds_a_session_that_nobody_vouched_for(
    at: tuple[Alone, Forger],
) -> None:
    """I6: a session gives the roles of its groups, while it lasts, by the rules in force."""
    authority, forger = at
    issuer = authority.settings.issuer
    async with OperatorClient(issuer, "operator:x", SigningKey.generate()) as device:
        await device.finish_sign_in(await device.begin_sign_in())
        await device.act("hold.place", "depot/D1", {"reason": "a test"})
    async with authority.ada() as ada:
        files = await fetch_log(ada)
    assert troubles(files, "", {}) == set()
    for name, (type_, change, trouble) in _LIES.items():
        assert trouble in troubles(files, type_, change), name
