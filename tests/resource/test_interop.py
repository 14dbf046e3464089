"""An OAuth client that knows nothing of Placet gets a grant, uses it, asks about it and ends it.

authlib is the client, joserfc makes its proofs (no library at hand makes DPoP proofs by itself);
where anything is, they read in the RFC 8414 metadata. The authority, the step and the guard are
real.
"""

import hashlib
import json
import secrets
import time
import warnings
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from joserfc import jwk as jose_jwk
from joserfc import jwt as jose_jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio import activity
from temporalio.client import Client

from placet.model import EnrolIdentity
from placet.resource import Guard, Refused
from placet.tokens import SigningKey
from tests.harness.processes import DEFINITION
from tests.harness.raw import details_of, rogue_worker
from tests.harness.world import World, free_port, temporal_server, until, world
from tests.resource.simulator import served
from tests.tokens.test_keys import private_jwk

pytestmark = pytest.mark.asyncio(loop_scope="module")
SUBJECT = "depot/D1/parcel/7"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def temporal() -> AsyncIterator[Client]:
    """A real Temporal server."""
    async with temporal_server() as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def w(temporal: Client, tmp_path: Path) -> AsyncIterator[World]:
    """A real authority whose process weighs at a system of record of its own."""
    async with world(temporal, tmp_path) as made:
        steps = tuple(
            step.model_copy(update={"system": "yard"}) if step.activity_type == "weigh" else step
            for step in DEFINITION.steps
        )
        definition = DEFINITION.model_copy(update={"version": 2, "steps": steps})
        await made.admin.act("process.publish", definition.name, definition)
        yield made


class StandardClient:
    """A client written from the RFCs: its id, its key, and the metadata's address."""

    def __init__(self, client_id: str, key: SigningKey, issuer: str) -> None:
        self.client_id = client_id
        self.key = jose_jwk.import_key(private_jwk(key))  # type: ignore[arg-type]  # a JWK from JSON
        self.issuer = issuer
        self.metadata: dict[str, Any] = {}

    async def discover(self) -> None:
        """Read the metadata (RFC 8414 section 3), and let authlib judge it."""
        from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url

        async with httpx.AsyncClient() as http:
            found = await http.get(get_well_known_url(self.issuer, external=True))
        self.metadata = AuthorizationServerMetadata(found.json())
        assert self.metadata["issuer"] == self.issuer  # RFC 8414 section 3.3
        # RFC 8414 section 2 asks for the array, and the standard has no value for "none at all".
        assert self.metadata["response_types_supported"] == []
        AuthorizationServerMetadata(
            {**found.json(), "response_types_supported": ["none"]}
        ).validate()
        for endpoint in ("token", "introspection", "revocation"):
            assert "private_key_jwt" in self.metadata[f"{endpoint}_endpoint_auth_methods_supported"]
            algorithms = self.metadata[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]
            assert "ES256" in algorithms
        assert "ES256" in self.metadata["dpop_signing_alg_values_supported"]
        assert "placet_record" in self.metadata["authorization_details_types_supported"]

    def oauth(self) -> Any:
        """authlib's client, with a fresh assertion (RFC 7523; its audience is the issuer)."""
        from authlib.deprecate import AuthlibDeprecationWarning
        from authlib.oauth2.rfc7523 import PrivateKeyJWT

        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", AuthlibDeprecationWarning
            )  # of httpx, for its successor
            from authlib.integrations.httpx_client import AsyncOAuth2Client
        made = AsyncOAuth2Client(
            self.client_id,
            self.key,
            token_endpoint_auth_method="private_key_jwt",
            revocation_endpoint_auth_method="private_key_jwt",
        )
        claims = {"exp": int(time.time()) + 60}
        method = PrivateKeyJWT(self.metadata["issuer"], claims=claims, alg="ES256")
        made.register_client_auth_method(method)
        return made

    def proof(self, method: str, url: str, access_token: str | None = None) -> dict[str, str]:
        """The header of a DPoP proof (RFC 9449 section 4.2)."""
        claims: dict[str, Any] = {
            "jti": secrets.token_urlsafe(24),
            "htm": method,
            "htu": url,
            "iat": int(time.time()),
        }
        if access_token is not None:
            digest = hashlib.sha256(access_token.encode()).digest()
            claims["ath"] = urlsafe_b64encode(digest).rstrip(b"=").decode()
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.key.as_dict(private=False)}
        return {"DPoP": jose_jwt.encode(header, claims, self.key)}

    async def fetch(self, details: list[dict[str, Any]], **changed: Any) -> Any:
        """Get a token with authorization_details (RFC 9396 section 6)."""
        url = self.metadata["token_endpoint"]
        async with self.oauth() as client:
            return await client.fetch_token(
                url,
                grant_type="client_credentials",
                authorization_details=json.dumps(details),
                headers=changed.get("headers", self.proof("POST", url)),
            )

    async def introspect(self, token: str) -> httpx.Response:
        """RFC 7662 section 2.1."""
        async with self.oauth() as client:
            return await client.introspect_token(
                self.metadata["introspection_endpoint"], token, "access_token"
            )

    async def revoke(self, token: str) -> httpx.Response:
        """RFC 7009 section 2.1."""
        url = self.metadata["revocation_endpoint"]
        async with self.oauth() as client:
            return await client.revoke_token(
                url, token, "access_token", headers=self.proof("POST", url)
            )

    async def weigh(self, url: str, token: str) -> httpx.Response:
        """Use a token at the system of record (RFC 9449 section 7)."""
        headers = {"Authorization": f"DPoP {token}", **self.proof("POST", url, token)}
        async with httpx.AsyncClient() as http:
            return await http.post(url, headers=headers)


def yard(guard: Guard) -> Starlette:
    """A system of record that weighs parcels."""

    async def weigh(request: Request) -> Response:
        record = f"depot/D1/parcel/{request.path_params['parcel']}"
        grant = await guard.require(request, action="parcel:weigh", record=record)
        return JSONResponse({"by": grant.claims.sub})

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return JSONResponse(error.problem.model_dump(), error.status, headers=error.headers)

    return Starlette(
        routes=[Route("/parcels/{parcel}/weight", weigh, methods=["POST"])],
        exception_handlers={Refused: refused},
    )


async def in_a_step(w: World, probe: Any) -> None:
    """Run a probe inside a real step of a real case."""
    seen: list[Any] = []

    async def look() -> list[Any]:
        return seen

    async def guarded_probe(info: activity.Info) -> Any:
        try:
            await probe(info)
        except Exception as error:  # shown by the test, and not retried for ever by Temporal
            return error
        return "done"

    worker = rogue_worker(w, "scale", "weigh", guarded_probe, seen)
    async with w.workers(only=("orchestrator",)), worker:
        await w.open(SUBJECT)
        await until(look)
    if isinstance(seen[0], Exception):
        raise seen[0]


async def test_a_standard_client_gets_uses_asks_about_and_ends_a_grant(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I1, I10: with RFC 6749, 7523, 8414, 9396, 9449, 7662 and 7009, and nothing else."""
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")  # HTTP, since it is loopback
    system_key = SigningKey.generate()
    await w.admin.act("system.enrol", "system:yard", EnrolIdentity(jwk=system_key.public.jwk()))
    agent = StandardClient("agent:scale", w.agents["scale"], w.issuer)
    system = StandardClient("system:yard", system_key, w.issuer)
    await agent.discover()
    await system.discover()
    port = free_port()
    guard = Guard("yard", w.issuer, f"http://127.0.0.1:{port}", system_key)
    address = f"http://127.0.0.1:{port}/parcels/7/weight"

    async def probe(info: activity.Info) -> None:
        asked = details_of(info, system="yard")
        token = await agent.fetch([asked])
        assert token["token_type"] == "DPoP"
        assert 0 < token["expires_in"] <= 60
        assert token["authorization_details"] == [asked]
        access_token = token["access_token"]
        async with httpx.AsyncClient() as http:
            keys = jose_jwk.KeySet.import_key_set(
                (await http.get(agent.metadata["jwks_uri"])).json()
            )
        claims = jose_jwt.decode(access_token, keys, algorithms=["ES256"]).claims
        assert (claims["iss"], claims["sub"]) == (agent.metadata["issuer"], "agent:scale")
        assert claims["cnf"]["jkt"] == agent.key.thumbprint()

        alive = (await system.introspect(access_token)).json()
        assert alive["active"] is True
        assert (alive["sub"], alive["jti"]) == ("agent:scale", claims["jti"])
        used = await agent.weigh(address, access_token)
        assert (used.status_code, used.json()) == (200, {"by": "agent:scale"})
        bearer = {"Authorization": f"Bearer {access_token}"}
        async with httpx.AsyncClient() as http:
            answer = await http.post(address, headers=bearer)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("DPoP ")

        assert (await agent.revoke(access_token)).status_code == 200
        assert (await system.introspect(access_token)).json() == {"active": False}

        async def refused() -> httpx.Response | None:
            again = await agent.weigh(address, access_token)
            return again if again.status_code == 401 else None

        answer = await until(refused)
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
        assert (await agent.revoke(access_token)).status_code == 200  # RFC 7009 section 2.2

    async with guard.following(), served(yard(guard), port):
        await in_a_step(w, probe)
    (revoked,) = await w.entries("grant.revoked")
    assert (revoked["actor"], revoked["data"]["reason"]) == ("agent:scale", "by_agent")


async def test_a_standard_client_understands_each_refusal(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 6749 section 5.2: the error codes are the standards' own."""
    from authlib.integrations.base_client import OAuthError

    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    agent = StandardClient("agent:scale", w.agents["scale"], w.issuer)
    stranger = StandardClient("agent:scale", SigningKey.generate(), w.issuer)
    await agent.discover()
    await stranger.discover()

    async def probe(info: activity.Info) -> None:
        asked = details_of(info, system="yard")
        other = details_of(info, system="yard", record="depot/D1/parcel/8")
        elsewhere = agent.proof("POST", agent.metadata["revocation_endpoint"])
        for client, details, headers, error in (
            (agent, [other], None, "access_denied"),
            (agent, [asked, asked], None, "invalid_authorization_details"),
            (agent, [{"type": "unknown"}], None, "invalid_authorization_details"),
            (agent, [asked], {}, "invalid_dpop_proof"),
            (agent, [asked], elsewhere, "invalid_dpop_proof"),
            (stranger, [asked], None, "invalid_client"),
        ):
            changed = {} if headers is None else {"headers": headers}
            with pytest.raises(OAuthError) as refused:
                await client.fetch(details, **changed)
            assert refused.value.error == error

    await in_a_step(w, probe)
