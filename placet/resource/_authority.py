"""A system's own link to the authority: keys, revocations, introspection, uses."""

import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError

from placet.model import (
    GrantUse,
    GrantUses,
    GrantUsesAnswer,
    Introspection,
    Name,
    Revocations,
    UseClaims,
)
from placet.resource._errors import CannotJudge
from placet.tokens import (
    KeyRefused,
    PublicKey,
    SigningKey,
    make_client_assertion,
    numeric_date,
    read_jwks,
    sign_use,
)
from placet.transport import over_tls

_M = TypeVar("_M", bound=BaseModel)
_TIMEOUT = aiohttp.ClientTimeout(total=10)
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_MAX_ANSWER = 1024 * 1024
"""Bytes: a page of the feed has about 100 kB, a hundred keys about 30."""

_SECONDS = re.compile(r"[0-9]{1,9}\Z")
_LONGEST = timedelta(minutes=5)
"""How long keys are kept at most; so long, if the authority does not say."""


class AuthorityAway(Exception):
    """The authority does not answer, or not in the form it must."""


@dataclass(frozen=True, slots=True)
class PublishedKeys:
    """The authority's keys by ``kid``, and for how long they are kept from the asking on."""

    keys: Mapping[str, PublicKey]
    max_age: timedelta


@dataclass(frozen=True, slots=True)
class Answer:
    """What the authority answered: the status, what says how long it may be kept, and the body."""

    status: int
    cache_control: str
    age: str
    body: Any


class SystemLink:
    """One system of record's link to the authority."""

    def __init__(
        self,
        system: Name,
        issuer: str,
        key: SigningKey,
        session: aiohttp.ClientSession,
        clock: Callable[[], datetime],
    ) -> None:
        self._client_id = f"system:{system}"
        self._issuer = issuer
        self._key = key
        self._session = session
        self._clock = clock

    async def keys(self) -> PublishedKeys:
        """The authority's published keys.

        Raises:
            AuthorityAway: they can't be had.
        """
        answer = await self._send("GET", "/.well-known/jwks.json")
        if answer.status != 200:
            raise AuthorityAway(f"the authority answered {answer.status} for its keys")
        try:
            keys = read_jwks(answer.body)
        except KeyRefused as error:
            raise AuthorityAway(f"the authority's keys are refused: {error}") from error
        if not keys:
            raise AuthorityAway("the authority published no key that verifies a grant")
        return PublishedKeys(keys, _freshness(answer))

    async def revocations(self, after: int) -> Revocations:
        """What was revoked after a cursor, at most a page of it.

        Raises:
            AuthorityAway: it does not answer.
        """
        answer = await self._send(
            "GET",
            f"/v1/revocations?after={after}",
            headers={"Client-Assertion": self._assertion()},
        )
        return self._model(answer, Revocations)

    async def introspect(self, token: str) -> Introspection:
        """Whether a grant lives (RFC 7662).

        Raises:
            AuthorityAway: it does not answer.
        """
        form = {
            "token": token,
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": self._assertion(),
        }
        answer = await self._send("POST", "/oauth/introspect", data=form)
        return self._model(answer, Introspection)

    async def tell(self, uses: tuple[GrantUse, ...]) -> GrantUsesAnswer:
        """Tell of uses; each is durable or refused when this returns.

        Raises:
            AuthorityAway: nothing is known to be durable.
        """
        signed = tuple(self._sign(each) for each in uses)
        body = GrantUses(client_assertion=self._assertion(), uses=signed)
        answer = await self._send(
            "POST",
            "/v1/uses",
            data=body.model_dump_json(exclude_none=True),
            headers={"Content-Type": "application/json"},
        )
        return self._model(answer, GrantUsesAnswer)

    def _sign(self, use: GrantUse) -> str:
        claims = UseClaims(
            iss=self._client_id,
            aud=self._issuer,
            iat=numeric_date(self._clock()),
            jti=use.id,
            sub=use.grant,
            details_digest=use.details_digest,
            jkt=use.jkt,
            stage=use.stage,
            action=use.action,
            record=use.record,
            status=use.status,
            body_digest=use.body_digest,
            used_at=numeric_date(use.used_at),
        )
        return sign_use(claims, self._key)

    def _model(self, answer: Answer, model: type[_M]) -> _M:
        if answer.status == 401:
            raise AuthorityAway(
                "the authority does not know this system: look at its key, its clock and whether "
                "it is enrolled"
            )
        if answer.status != 200:
            raise AuthorityAway(f"the authority answered {answer.status}")
        try:
            return model.model_validate(answer.body)
        except ValidationError as error:
            raise AuthorityAway(f"the authority's answer is no {model.__name__}") from error

    def _assertion(self) -> str:
        return make_client_assertion(
            self._key,
            self._client_id,
            issuer=self._issuer,
            now=self._clock(),
            jti=secrets.token_urlsafe(18),
        )

    async def _send(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, data: Any = None
    ) -> Answer:
        try:
            async with self._session.request(
                method,
                self._issuer + path,
                headers=headers,
                data=data,
                timeout=_TIMEOUT,
                allow_redirects=False,
            ) as response:
                return Answer(
                    response.status,
                    ",".join(response.headers.getall("Cache-Control", ())),
                    response.headers.get("Age", ""),
                    json.loads(await _read(response.content)),
                )
        # ValueError: not JSON, not UTF-8; RecursionError: JSON too deep.
        except (aiohttp.ClientError, TimeoutError, ValueError, RecursionError) as error:
            why = over_tls(error, self._issuer) or f" ({type(error).__name__})"
            raise AuthorityAway(f"the authority does not answer{why}") from None


async def _read(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > _MAX_ANSWER:
            raise AuthorityAway(f"the authority's answer is larger than {_MAX_ANSWER} bytes")
    return bytes(body)


def _freshness(answer: Answer) -> timedelta:
    """How long an answer may be kept (RFC 9111 section 4.2), its age in caches taken off."""
    longest = _LONGEST
    for directive in answer.cache_control.lower().split(","):
        name, _, value = directive.strip().partition("=")
        seconds = value.strip('"')
        if name in {"no-store", "no-cache"}:
            return timedelta(0)
        if name == "max-age":
            said = int(seconds) if _SECONDS.match(seconds) else 0
            longest = min(longest, timedelta(seconds=said))
    aged = int(answer.age) if _SECONDS.match(answer.age) else 0
    return max(timedelta(0), longest - timedelta(seconds=aged))


def cannot_judge(error: AuthorityAway) -> CannotJudge:
    """The refusal for an authority that is needed and away."""
    return CannotJudge(str(error))
