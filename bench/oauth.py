"""``python -m bench.oauth PORT``: the least OAuth server that mints what Keycard's zone would.

It verifies the client's secret and signs each token (ES256), as an authorization server does; it
decides nothing, and keeps nothing.
"""

import base64
import hmac
import secrets
import sys
import time

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec

from bench.credentials import CLIENT

_KEY = ec.generate_private_key(ec.SECP256R1())
_WANTED = "Basic " + base64.b64encode(":".join(CLIENT).encode()).decode()


async def _metadata(request: web.Request) -> web.Response:
    issuer = f"http://{request.host}"
    return web.json_response(
        {
            "issuer": issuer,
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/jwks",
            "authorization_endpoint": f"{issuer}/authorize",
            "response_types_supported": ["code"],
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }
    )


async def _token(request: web.Request) -> web.Response:
    form = await request.post()
    if not hmac.compare_digest(request.headers.get("Authorization", ""), _WANTED):
        return web.json_response({"error": "invalid_client"}, status=401)
    now = int(time.time())
    claims = {
        "iss": f"http://{request.host}",
        "sub": CLIENT[0],
        "aud": str(form.get("resource", "")),
        "iat": now,
        "exp": now + 60,
        "jti": secrets.token_urlsafe(18),
    }
    signed = jwt.encode(claims, _KEY, algorithm="ES256")
    answer = {"access_token": signed, "token_type": "Bearer", "expires_in": 60}
    return web.json_response(answer)


def main() -> None:
    """Serve until told to stop."""
    app = web.Application()
    app.router.add_get("/.well-known/oauth-authorization-server", _metadata)
    app.router.add_post("/token", _token)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)


if __name__ == "__main__":
    main()
