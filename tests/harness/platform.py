"""A platform that vouches for its workloads: an OIDC issuer with its discovery and keys."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from placet.tokens import Algorithm, SigningKey, spell_jwks
from placet.tokens._encoding import encode_base64url
from tests.harness.world import free_port


@dataclass
class Platform:
    """An issuer; ``key`` signs, and ``published`` are the keys that it shows."""

    issuer: str
    key: SigningKey
    published: list[SigningKey] = field(default_factory=list)
    asked: int = 0

    def token(self, key: SigningKey | None = None, **changed: Any) -> str:
        """A workload's token, with claims changed."""
        now = datetime.now(UTC)
        claims = {
            "iss": self.issuer,
            "aud": ["placet"],
            "sub": "system:serviceaccount:parcels:scale",
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(hours=1)).timestamp()),
            "kubernetes.io": {"namespace": "parcels"},
            **changed,
        }
        signer = key or self.key
        header = {"alg": signer.algorithm.value, "kid": signer.thumbprint}
        said = ".".join(encode_base64url(json.dumps(each).encode()) for each in (header, claims))
        return f"{said}.{encode_base64url(signer.sign(said.encode()))}"


@contextlib.asynccontextmanager
async def platform() -> AsyncIterator[Platform]:
    """Serve it on loopback."""
    key = SigningKey.generate(Algorithm.ES256)
    port = free_port()
    made = Platform(f"http://127.0.0.1:{port}/oidc", key, [key])

    async def discovery(_: web.Request) -> web.Response:
        made.asked += 1
        return web.json_response({"issuer": made.issuer, "jwks_uri": f"{made.issuer}/keys"})

    async def keys(_: web.Request) -> web.Response:
        return web.json_response(spell_jwks([each.public for each in made.published]))

    app = web.Application()
    app.router.add_get("/oidc/.well-known/openid-configuration", discovery)
    app.router.add_get("/oidc/keys", keys)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield made
    finally:
        await runner.cleanup()
