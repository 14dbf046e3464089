"""Joining: a worker enrols the key that it has made, before it has any identity."""

import secrets
import ssl
from datetime import datetime

import aiohttp
from pydantic import ValidationError

from placet.model import Join, JoinAs, Joined, Problem
from placet.tokens import SigningKey, invitation_key, make_proof, sign_enrolment
from placet.transport import over_tls

_TIMEOUT = aiohttp.ClientTimeout(total=30)


class NotJoined(Exception):
    """The authority refused the worker; the message says why."""


class NotHeard(Exception):
    """The authority did not answer; the same key may ask again with the same token."""


async def join(
    issuer: str,
    asked: JoinAs,
    key: SigningKey,
    now: datetime,
    *,
    token: str | None = None,
    attestation: str | None = None,
    tls: ssl.SSLContext | None = None,
) -> Joined:
    """Enrol a key as one of an agent's; sent again with the same key, it is answered the same.

    Either with a one-time ``token``, which stays here, or with the platform's own signed one in
    ``attestation``.

    Raises:
        NotJoined: the authority refused.
        NotHeard: it did not answer, or can't judge now.
    """
    url = f"{issuer}/v1/joins"
    proof = make_proof(key, "POST", url, now=now, jti=secrets.token_urlsafe(18))
    identity = f"agent:{asked.agent}"
    enrolment = None
    if token is not None:
        invitation = invitation_key(identity, token)
        enrolment = sign_enrolment(invitation, identity, key.public, audience=issuer, now=now)
    sent = Join(**asked.model_dump(), enrolment=enrolment, attestation=attestation)
    body = sent.model_dump_json(exclude_none=True)
    headers = {"DPoP": proof, "Content-Type": "application/json"}
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.post(
                url, data=body, headers=headers, allow_redirects=False, ssl=tls or True
            ) as response,
        ):
            status, answer = response.status, await response.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        why = over_tls(error, url) or f" ({type(error).__name__})"
        raise NotHeard(f"the authority does not answer{why}") from None
    try:
        if status == 200:
            return Joined.model_validate_json(answer)
        problem = Problem.model_validate_json(answer)
    except ValidationError:
        raise NotHeard("the authority answered in a wrong form") from None
    if status == 503:
        raise NotHeard(problem.error_description)
    raise NotJoined(problem.error_description)
