"""A system's own link to the authority: keys, revocations, introspection, uses."""

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
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
)
from placet.resource._errors import CannotJudge
from placet.tokens import KeyRefused, PublicKey, SigningKey, make_client_assertion, read_jwks

_M = TypeVar("_M", bound=BaseModel)
_TIMEOUT = aiohttp.ClientTimeout(total=10)
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class AuthorityAway(Exception):
    """The authority does not answer, or not in the form it must."""


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

    async def keys(self) -> Mapping[str, PublicKey]:
        """The authority's published keys.

        Raises:
            AuthorityAway: they can't be had.
        """
        status, body = await self._send("GET", "/.well-known/jwks.json")
        try:
            if status != 200:
                raise AuthorityAway(f"the authority answered {status} for its keys")
            return read_jwks(body)
        except KeyRefused as error:
            raise AuthorityAway(f"the authority's keys are refused: {error}") from error

    async def revocations(self, after: int, wait: int) -> Revocations:
        """What was revoked after a cursor; a long poll of ``wait`` seconds.

        Raises:
            AuthorityAway: it does not answer.
        """
        status, body = await self._send(
            "GET",
            f"/v1/revocations?after={after}&wait={wait}",
            headers={"Client-Assertion": self._assertion()},
        )
        return self._model(status, body, Revocations)

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
        status, body = await self._send("POST", "/oauth/introspect", data=form)
        return self._model(status, body, Introspection)

    async def tell(self, uses: tuple[GrantUse, ...]) -> GrantUsesAnswer:
        """Tell of uses; each is durable or refused when this returns.

        Raises:
            AuthorityAway: nothing is known to be durable.
        """
        body = GrantUses(client_assertion=self._assertion(), uses=uses)
        status, answer = await self._send(
            "POST",
            "/v1/uses",
            data=body.model_dump_json(exclude_none=True),
            headers={"Content-Type": "application/json"},
        )
        return self._model(status, answer, GrantUsesAnswer)

    def _model(self, status: int, body: Any, model: type[_M]) -> _M:
        if status != 200:
            raise AuthorityAway(f"the authority answered {status}")
        try:
            return model.model_validate(body)
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
    ) -> tuple[int, Any]:
        try:
            async with self._session.request(
                method,
                self._issuer + path,
                headers=headers,
                data=data,
                timeout=_TIMEOUT,
                allow_redirects=False,
            ) as response:
                return response.status, await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise AuthorityAway(f"the authority does not answer ({type(error).__name__})") from None


def cannot_judge(error: AuthorityAway) -> CannotJudge:
    """The refusal for an authority that is needed and away."""
    return CannotJudge(str(error))
