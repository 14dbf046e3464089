"""What an attacker has in hand: an agent's key, its HTTP, and no scruples."""

import secrets
from typing import Any

import httpx

from placet.client import OperatorClient
from placet.model import EnrolIdentity, RegisterIdentity
from placet.tokens import SigningKey, make_client_assertion, make_proof
from tests.authority.test_registry import SAID
from tests.harness.alone import Alone


async def agent(
    ada: OperatorClient, name: str = "scale", said: RegisterIdentity = SAID
) -> SigningKey:
    """An agent that is enrolled and registered; its key."""
    key = SigningKey.generate()
    body = EnrolIdentity(jwk=key.public.jwk(), owner=said.owner)
    await ada.act("agent.enrol", f"agent:{name}", body)
    await ada.act("identity.register", f"agent:{name}", said)
    return key


async def knock(
    authority: Alone, key: SigningKey, client: str = "agent:scale", **changed: Any
) -> httpx.Response:
    """Ask the authority who this key is: the door that every request of an agent goes through."""
    url = f"{authority.settings.issuer}/v1/keys/mine"
    said: dict[str, Any] = {"issuer": authority.settings.issuer, "jti": secrets.token_urlsafe(18)}
    assertion = make_client_assertion(key, client, now=authority.now(), **{**said, **changed})
    return await send(authority, "GET", url, key, {"Client-Assertion": assertion})


async def send(
    authority: Alone,
    method: str,
    url: str,
    key: SigningKey,
    headers: dict[str, str],
    **body: Any,
) -> httpx.Response:
    """Send a request with a proof by a key."""
    proof = make_proof(key, method, url, now=authority.now(), jti=secrets.token_urlsafe(18))
    async with httpx.AsyncClient() as http:
        return await http.request(method, url, headers={"DPoP": proof, **headers}, **body)
