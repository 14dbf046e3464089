"""The lender's OpenID provider, as its client: discovery, the device flow, refreshing, keys.

RFC 8628 (device flow), OpenID Connect Core and Discovery 1.0. Answers are bounded and read
strictly; redirects are not followed. What a provider says is believed only as a verified ID token,
or as its userinfo for the same ``sub``.
"""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import aiohttp

from placet.authority._core import Core
from placet.authority._errors import Unavailable
from placet.model import IdentityProvider
from placet.tokens import (
    IdTokenClaims,
    KeyRefused,
    PublicKey,
    TokenError,
    UnknownKey,
    verify_id_token,
)

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_SECONDS = aiohttp.ClientTimeout(total=10)
_MAX_ANSWER = 256 * 1024
_DISCOVERY_KEPT = timedelta(minutes=10)
_KEYS_APART = timedelta(seconds=5)
"""How soon they are fetched again for a key that is not among them: a rotation, or a forgery."""

_log = logging.getLogger("placet.authority.provider")


class ProviderRefused(Exception):
    """The provider said no; ``error`` is OAuth's code."""

    def __init__(self, error: str) -> None:
        super().__init__(f"the identity provider refused: {error}")
        self.error = error


@dataclass(frozen=True)
class DeviceStart:
    """What the provider gave for one sign-in."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    expires_in: int
    interval: int


@dataclass(frozen=True)
class Person:
    """Who signed in at the provider, as it says now."""

    claims: IdTokenClaims
    name: str
    groups: tuple[str, ...]
    refresh_token: str | None


class Provider:
    """The client of one provider at a time: the one of the rules in force."""

    def __init__(self, core: Core, session: aiohttp.ClientSession) -> None:
        self._core = core
        self._session = session
        self._found: tuple[str, dict[str, Any], datetime] | None = None
        self._keys: tuple[str, dict[str, PublicKey], datetime] | None = None

    async def start(self, provider: IdentityProvider, nonce: str, *, fresh: bool) -> DeviceStart:
        """Ask for a device code; ``fresh`` wants the person to prove anew that they are there.

        Raises:
            Unavailable: the provider is away, or answers in another form.
            ProviderRefused: it said no.
        """
        # With max_age a provider must say when the person signed in (Core section 3.1.2.1).
        form = {
            "scope": " ".join(provider.scopes),
            "nonce": nonce,
            "max_age": str(60 * provider.session_minutes),
        }
        if fresh:
            form |= {"prompt": "login", "max_age": "300"}
        if "offline_access" in provider.scopes:
            form["prompt"] = f"{form.get('prompt', '')} consent".strip()
        answer = await self._post(provider, "device_authorization_endpoint", form)
        try:
            return DeviceStart(
                device_code=_text(answer, "device_code"),
                user_code=_text(answer, "user_code"),
                verification_uri=_text(answer, "verification_uri"),
                verification_uri_complete=answer.get("verification_uri_complete"),
                expires_in=int(answer["expires_in"]),
                interval=max(1, int(answer.get("interval", 5))),
            )
        except (KeyError, TypeError, ValueError):
            raise Unavailable("the identity provider's device code is in a wrong form") from None

    async def poll(self, provider: IdentityProvider, device_code: str, nonce: str) -> Person:
        """Trade a device code, once its person has signed in.

        Raises:
            ProviderRefused: ``authorization_pending``, ``slow_down``, ``expired_token``, …
            TokenError: its ID token does not hold.
            Unavailable: the provider is away, or answers in another form.
        """
        form = {"grant_type": DEVICE_GRANT, "device_code": device_code}
        answer = await self._post(provider, "token_endpoint", form)
        return await self._person(provider, answer, nonce=nonce)

    async def refresh(
        self, provider: IdentityProvider, refresh_token: str, nonce: str, subject: str
    ) -> Person:
        """Ask whether a person may still be here, and in which groups they are now.

        Raises:
            ProviderRefused: ``invalid_grant``: they may not.
            TokenError: its ID token does not hold, or is about someone else.
            Unavailable: the provider is away, or answers in another form.
        """
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        answer = await self._post(provider, "token_endpoint", form)
        return await self._person(provider, answer, nonce=nonce, subject=subject)

    async def _person(
        self,
        provider: IdentityProvider,
        answer: Mapping[str, Any],
        *,
        nonce: str,
        subject: str | None = None,
    ) -> Person:
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise Unavailable("the identity provider gave no ID token")
        claims = await self._verify(provider, token, nonce, subject)
        said: Mapping[str, Any] = {**(claims.model_extra or {}), "sub": claims.sub}
        if provider.groups_claim not in said or provider.name_claim not in said:
            told = await self._userinfo(provider, answer.get("access_token"))
            if told.get("sub") != claims.sub:
                raise Unavailable("the identity provider's userinfo is about someone else")
            said = {**told, **said}
        groups, name = said.get(provider.groups_claim, []), said.get(provider.name_claim)
        if not isinstance(groups, list) or not all(isinstance(each, str) for each in groups):
            raise Unavailable(f"the identity provider's {provider.groups_claim} is no list")
        if not isinstance(name, str):
            raise Unavailable(f"the identity provider gave no {provider.name_claim}")
        refresh = answer.get("refresh_token")
        return Person(claims, name, tuple(groups), refresh if isinstance(refresh, str) else None)

    async def _verify(
        self, provider: IdentityProvider, token: str, nonce: str, subject: str | None
    ) -> IdTokenClaims:
        for again in (False, True):
            keys = await self.current_keys(provider.issuer, again=again)
            try:
                return verify_id_token(
                    token,
                    keys,
                    issuer=provider.issuer,
                    client_id=provider.client_id,
                    algorithms=provider.algorithms,
                    now=self._core.clock(),
                    nonce=nonce,
                    subject=subject,
                )
            except UnknownKey:
                if again:
                    raise
            except TokenError as error:
                _log.warning("the identity provider's ID token is refused: %s", error)
                raise
        raise AssertionError("the second look returns or raises")

    async def current_keys(self, issuer: str, *, again: bool) -> Mapping[str, PublicKey]:
        """The issuer's keys; asked again at most every few seconds, whoever forges tokens.

        Raises:
            Unavailable: it is away, or answers in another form.
        """
        now = self._core.clock()
        if self._keys is not None:
            whose, kept, at = self._keys
            if whose == issuer and (not again or now - at < _KEYS_APART):
                return kept
        metadata = await self._metadata(issuer)
        answer = await self._ask("GET", _address(metadata, "jwks_uri"))
        found = answer.get("keys")
        keys: dict[str, PublicKey] = {}
        for jwk in found if isinstance(found, list) else ():
            try:
                key = PublicKey.from_jwk(jwk)
            except KeyRefused:
                continue  # for encryption, or of an algorithm that we don't take
            kid = jwk.get("kid")
            keys[kid if isinstance(kid, str) else key.thumbprint] = key
        self._keys = (issuer, keys, now)
        return keys

    async def _userinfo(self, provider: IdentityProvider, token: Any) -> dict[str, Any]:
        if not isinstance(token, str):
            raise Unavailable("the identity provider gave no access token")
        address = _address(await self._metadata(provider.issuer), "userinfo_endpoint")
        return await self._ask("GET", address, headers={"Authorization": f"Bearer {token}"})

    async def _metadata(self, issuer: str) -> dict[str, Any]:
        now = self._core.clock()
        if self._found is not None:
            whose, metadata, at = self._found
            if whose == issuer and now - at < _DISCOVERY_KEPT:
                return metadata
        address = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        metadata = await self._ask("GET", address)
        if metadata.get("issuer") != issuer:
            raise Unavailable("the identity provider calls itself by another issuer")
        self._found = (issuer, metadata, now)
        return metadata

    async def _post(
        self, provider: IdentityProvider, endpoint: str, form: Mapping[str, str]
    ) -> dict[str, Any]:
        address = _address(await self._metadata(provider.issuer), endpoint)
        secret = self._core.settings.oidc_client_secret
        data = {**form, "client_id": provider.client_id}
        auth = None
        if secret is not None:
            auth = aiohttp.BasicAuth(provider.client_id, secret.get_secret_value())
        return await self._ask("POST", address, data=data, auth=auth)

    async def _ask(self, method: str, address: str, **how: Any) -> dict[str, Any]:
        try:
            async with self._session.request(
                method, address, timeout=_SECONDS, allow_redirects=False, **how
            ) as response:
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > _MAX_ANSWER:
                        raise Unavailable("the identity provider's answer is too large")
                status = response.status
            answer = json.loads(bytes(body))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable("the identity provider does not answer") from error
        except (ValueError, RecursionError):
            raise Unavailable("the identity provider answered no JSON") from None
        if not isinstance(answer, dict):
            raise Unavailable("the identity provider answered in a wrong form")
        if status == 200:
            return answer
        error_code = answer.get("error")
        if 400 <= status < 500 and isinstance(error_code, str):
            raise ProviderRefused(error_code[:64])
        raise Unavailable(f"the identity provider answered {status}")


_SAFE = re.compile(r"https://[!-~]+|http://(?:127\.0\.0\.1|localhost)(?::[0-9]+)?/[!-~]*")


def _address(metadata: Mapping[str, Any], name: str) -> str:
    address = metadata.get(name)
    if not isinstance(address, str) or not _SAFE.fullmatch(address):
        raise Unavailable(f"the identity provider names no {name} that is safe to use")
    return address


def _text(answer: Mapping[str, Any], name: str) -> str:
    value = answer[name]
    if not isinstance(value, str) or not value:
        raise ValueError(name)
    return value
