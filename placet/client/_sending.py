"""How a client sends and is answered: its session, proofs of its key, and errors."""

import asyncio
import functools
import secrets
import ssl
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from placet.clock import system_clock
from placet.model import (
    Problem,
    SignInAnswer,
    SignInBegun,
    first_error,
)
from placet.settings import BadSettingsFile
from placet.tokens import (
    SigningKey,
    make_proof,
    make_sign_in,
)
from placet.transport import BadTls, TlsSettings, Transport, over_tls, seconds_to_wait

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_SESSION_RENEW = 60
_UNPROVEN = {400, 401}  # what a wrong proof or assertion is refused with
_CLOCKS_AGREE = 5  # seconds, after which a proof is from the future
_PATIENCE = 60
"""Seconds for which one request comes again when it is told to come later."""
UNHEARD = (httpx.HTTPError, ssl.SSLError)
"""What a request ends with that nobody answers: httpx lets through what TLS says meanwhile."""
M = TypeVar("M", bound=BaseModel)


class AuthorityError(Exception):
    """The authority refused. Its text says why to a person.

    ``problem`` says it to a program, by codes; ``status`` is the HTTP status.
    """

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(problem.error_description)
        self.status = status
        self.problem = problem

    @property
    def undecided(self) -> bool:
        """Whether it says no more than that it can't say now: what was sent may have been done."""
        return self.status >= 500 or self.status == 429


class AuthorityAway(Exception):
    """The authority does not answer, or not in the form it must."""


class EvidenceMismatch(Exception):
    """What is shown does not have the digest that would be signed; nothing was signed."""


class AnotherPast(EvidenceMismatch):
    """The ledger does not continue the one that was seen before; nothing was signed (I8)."""


@functools.cache
def _trusted(scheme: str) -> ssl.SSLContext:
    """Whom clients trust: nobody where no TLS is spoken; reading all certificates takes 40 ms.

    Raises:
        AuthorityAway: what ``PLACET_TLS_…`` names can't be used, so that nobody can be trusted.
    """
    if scheme == "http":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return Transport(TlsSettings()).client or httpx.create_ssl_context()
    except (BadTls, BadSettingsFile) as error:
        raise AuthorityAway(str(error)) from None
    except ValidationError as error:
        _, said = first_error(error)
        raise AuthorityAway(f"PLACET_TLS: {said}") from None


class Sender:
    """One operator's key and session, and the way to the authority."""

    def __init__(
        self,
        issuer: str,
        operator: str,
        key: SigningKey,
        *,
        clock: Callable[[], datetime] = system_clock,
        transport: httpx.AsyncBaseTransport | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.issuer = issuer.rstrip("/")
        self.operator = operator
        self._key = key
        self._clock = clock
        trusted = tls or _trusted(httpx.URL(self.issuer).scheme)
        self._http = httpx.AsyncClient(timeout=30, transport=transport, verify=trusted)
        self._session: tuple[str, float] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    @property
    def thumbprint(self) -> str:
        """The key's RFC 7638 thumbprint."""
        return self._key.thumbprint

    # --- signing in --------------------------------------------------------------------------

    async def begin_sign_in(self, *, fresh: bool = False) -> SignInBegun:
        """Begin a sign-in at the lender's identity provider, bound to this key.

        Raises:
            AuthorityError: the lender has none, or too many begin at once.
        """
        url = f"{self.issuer}/oauth/device_authorization"
        form = {"client_id": "placet", **({"prompt": "login"} if fresh else {})}
        return self._model(await self._send_form(url, lambda: form), SignInBegun)

    async def finish_sign_in(self, begun: SignInBegun) -> SignInAnswer | None:
        """Whether the person has signed in by now; ``None`` before. Ask every ``interval`` seconds.

        Raises:
            AuthorityError: they did not, in time, or may not.
        """
        url = f"{self.issuer}/oauth/token"
        form = {"grant_type": DEVICE_GRANT, "device_code": begun.device_code}
        try:
            answer = self._model(await self._send_form(url, lambda: form), SignInAnswer)
        except AuthorityError as error:
            if error.problem.error in {"authorization_pending", "slow_down"}:
                return None
            raise
        self.operator = answer.operator
        self._session = (answer.access_token, self._clock().timestamp() + answer.expires_in)
        return answer

    async def sign_in_again(self) -> None:
        """Sign in anew with the key: the authority then knows that it is at hand now."""
        self._session = None
        await self._token()

    # --- sending -----------------------------------------------------------------------------

    async def _pages(
        self, path: str, name: str, query: Mapping[str, str], key: str = "id"
    ) -> list[Any]:
        found: list[Any] = []
        after = ""
        while True:
            page = self._member(await self._get(path, {**query, "after": after}), name)
            found += page
            if len(page) < 100:
                return found
            after = page[-1][key]

    async def _get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        return self._read(await self._patiently(lambda: self._asked(path, query)))

    async def _get_bytes(self, path: str) -> bytes:
        response = await self._patiently(lambda: self._asked(path))
        if response.status_code != 200:
            raise self._refusal(response)
        return response.content

    async def _asked(self, path: str, query: Mapping[str, str] | None = None) -> httpx.Request:
        url = self.issuer + path
        headers = await self._headers(url)
        return self._http.build_request("GET", url, params=query, headers=headers)

    async def _headers(self, url: str, method: str = "GET") -> dict[str, str]:
        """What a read is sent with: the session, and a fresh proof for this address."""
        token = await self._token()
        return {"Authorization": f"DPoP {token}", "DPoP": self._proof(method, url, token)}

    async def _post(self, path: str, body: BaseModel, model: type[M]) -> M:
        content = body.model_dump_json(exclude_none=True)

        async def made() -> httpx.Request:
            headers = {"Content-Type": "application/json"}
            return self._http.build_request(
                "POST", self.issuer + path, content=content, headers=headers
            )

        return self._model(self._read(await self._patiently(made)), model)

    async def _send_form(self, url: str, form: Callable[[], Mapping[str, str]]) -> Any:
        """Send a form with a proof, both made anew each time: neither is good for long."""

        async def made() -> httpx.Request:
            headers = {"DPoP": self._proof("POST", url)}
            return self._http.build_request("POST", url, data=form(), headers=headers)

        return self._read(await self._patiently(made))

    async def _token(self) -> str:
        now = self._clock().timestamp()
        if self._session is not None and now + _SESSION_RENEW < self._session[1]:
            return self._session[0]
        url = f"{self.issuer}/oauth/token"

        def form() -> dict[str, str]:
            assertion = make_sign_in(
                self._key,
                self.operator,
                issuer=self.issuer,
                now=self._clock(),
                jti=secrets.token_urlsafe(18),
            )
            return {"grant_type": JWT_BEARER, "assertion": assertion}

        answer = await self._send_form(url, form)
        token, lives = self._member(answer, "access_token"), self._member(answer, "expires_in")
        if not isinstance(token, str) or not isinstance(lives, int):
            raise AuthorityAway(f"what answers at {self.issuer} is no authority: no session")
        self._session = (token, now + lives)
        return self._session[0]

    def _proof(self, method: str, url: str, token: str | None = None) -> str:
        return make_proof(
            self._key,
            method,
            url,
            now=self._clock(),
            jti=secrets.token_urlsafe(18),
            access_token=token,
        )

    async def _patiently(self, make: Callable[[], Awaitable[httpx.Request]]) -> httpx.Response:
        """Send, and come again when told to come later (RFC 6585 section 4), for a minute at most.

        Who reads a whole log asks faster than anyone may.
        """
        left, anew = _PATIENCE, False
        while True:
            try:
                response = await self._http.send(await make())
            except UNHEARD as error:
                raise self.away(error) from error
            if not anew and self.session_refused(response):
                anew = True
                continue
            pause = None
            if response.status_code == 429:
                pause = seconds_to_wait(response.headers.get("Retry-After"))
            if pause is None or pause > left:
                return response
            left -= pause
            await asyncio.sleep(pause)

    def session_refused(self, response: httpx.Response) -> bool:
        """Whether the session was refused: the key that signed it has ended. It is forgotten."""
        if response.status_code != 401 or self._session is None:
            return False
        if response.request.headers.get("Authorization") != f"DPoP {self._session[0]}":
            return False
        self._session = None
        return True

    def away(self, error: Exception) -> AuthorityAway:
        """That it does not answer; and what TLS says, as of a certificate that is not believed."""
        said = over_tls(error, self.issuer)
        return AuthorityAway(f"the authority at {self.issuer} does not answer{said}")

    def _read(self, response: httpx.Response) -> Any:
        try:
            if response.status_code == 200:
                return response.json()
        except ValueError as error:
            raise self._wrong_form(response) from error
        raise self._refusal(response)

    def _refusal(self, response: httpx.Response) -> AuthorityError:
        try:
            problem = Problem.model_validate(response.json(), strict=False)
        except ValueError as error:
            raise self._wrong_form(response) from error
        said = problem.error_description + self._clocks_apart(response)
        return AuthorityError(
            response.status_code, problem.model_copy(update={"error_description": said})
        )

    def _clocks_apart(self, response: httpx.Response) -> str:
        """That this machine's clock is wrong, where that may be why: a proof is good for seconds.

        The authority's clock is read from its answer (RFC 9110 section 6.6.1).
        """
        try:
            off = self._clock() - parsedate_to_datetime(response.headers["Date"])
        except (KeyError, ValueError, TypeError):  # it says none, or one without a zone
            return ""
        behind, ahead = -off.total_seconds(), (off - response.elapsed).total_seconds()
        if response.status_code not in _UNPROVEN or max(behind, ahead) < _CLOCKS_AGREE:
            return ""
        said = f"{ahead:,.0f} s ahead of" if ahead > behind else f"{behind:,.0f} s behind"
        return f"; this machine's clock is {said} the authority's"

    def _wrong_form(self, response: httpx.Response) -> AuthorityAway:
        return AuthorityAway(
            f"the authority at {self.issuer} answered {response.status_code} in a wrong form"
        )

    def _member(self, body: Any, name: str) -> Any:
        if not isinstance(body, dict) or name not in body:
            raise AuthorityAway(f"what answers at {self.issuer} is no authority: no {name}")
        return body[name]

    def _model(self, body: Any, model: type[M]) -> M:
        try:
            return model.model_validate(body)
        except ValidationError as error:
            raise AuthorityAway(
                f"the answer of {self.issuer} is no {model.__name__}: {error.error_count()} errors"
            ) from error


def parameters(query: BaseModel, after: str | None) -> dict[str, str]:
    """A query as the parameters of its route."""
    told = query.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    if "waits_for" in told:
        told["for"] = told.pop("waits_for")
    spelled = {name: "true" if value is True else str(value) for name, value in told.items()}
    return spelled if after is None else {**spelled, "after": after}


def segment(text: str) -> str:
    """A text as one segment of a path, whatever is in it."""
    return quote(text, safe=":", errors="replace")
