"""NHI4:2025 Insecure Authentication: a private key that signs each request, or nothing."""

import base64
import json
import secrets

import httpx

from placet.tokens import SigningKey, make_client_assertion
from tests.harness.alone import Alone
from tests.owasp.attacking import agent, knock, send


def _forged(header: dict[str, str], claims: dict[str, object], signature: bytes) -> str:
    parts = [json.dumps(each).encode() for each in (header, claims)]
    return ".".join(
        base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in (*parts, signature)
    )


async def test_no_weaker_way_in_is_open(authority: Alone) -> None:
    """I6: no secret in the request, no unsigned word, no other's, no old and no used one."""
    issuer = authority.settings.issuer
    url = f"{issuer}/v1/keys/mine"
    async with authority.ada() as ada:
        key = await agent(ada)
    seconds = int(authority.now().timestamp())
    claims: dict[str, object] = {
        "iss": "agent:scale",
        "sub": "agent:scale",
        "aud": issuer,
        "iat": seconds,
        "exp": seconds + 30,
    }
    used = secrets.token_urlsafe(18)
    assert (await knock(authority, key, jti=used)).status_code == 200
    attempts: dict[str, httpx.Response] = {
        "used-before": await knock(authority, key, jti=used),
        "strangers-key": await knock(authority, SigningKey.generate()),
        "for-another": await knock(authority, key, issuer="https://elsewhere.example"),
        "as-another": await knock(authority, key, client="agent:carrier"),
    }
    for alg in ("none", "HS256"):
        jti = secrets.token_urlsafe(18)
        header = {"alg": alg, "typ": "JWT", "kid": key.thumbprint}
        signature = b"" if alg == "none" else bytes(32)
        forged = _forged(header, {**claims, "jti": jti}, signature)
        attempts[alg] = await send(authority, "GET", url, key, {"Client-Assertion": forged})
    async with httpx.AsyncClient() as http:
        basic = ("agent:scale", "a password")
        form = {"grant_type": "client_credentials", "client_secret": "a password"}
        attempts["secret"] = await http.post(f"{issuer}/oauth/token", data=form, auth=basic)
        good = make_client_assertion(
            key, "agent:scale", issuer=issuer, now=authority.now(), jti=secrets.token_urlsafe(18)
        )
        attempts["no-proof"] = await http.get(url, headers={"Client-Assertion": good})
        bearer = {"Authorization": f"Bearer {good}"}
        attempts["bearer"] = await http.get(f"{issuer}/v1/cases", headers=bearer)
    refused = {name: each.status_code for name, each in attempts.items()}
    assert set(refused.values()) <= {400, 401}, refused
