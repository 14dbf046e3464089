"""The agent's link to the authority: asking for grants, reading inputs, settling.

Concurrent settlements share a request: while one is under way the next ones queue up. Answers are
checked like anyone's: a wrong form is "unavailable", never taken for a yes.
"""

import asyncio
import base64
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import aiohttp
from pydantic import ValidationError

from placet.agent._config import AgentConfig
from placet.agent._errors import denied, unavailable
from placet.model import (
    GrantedDetails,
    InputPart,
    InputParts,
    RequestedDetails,
    Settlement,
    SettlementAnswer,
    SettlementAnswers,
    Settlements,
)
from placet.tokens import make_client_assertion, make_proof

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TIMEOUT = aiohttp.ClientTimeout(total=30)
_MAX_BATCH = 32
_TERMINAL = {"access_denied", "invalid_authorization_details", "invalid_client", "forbidden"}


@dataclass(frozen=True)
class HeldGrant:
    """A grant as its holder keeps it: the token never leaves this process but in requests."""

    id: str
    token: str
    details: GrantedDetails
    expires: datetime

    def __repr__(self) -> str:
        """Show the id alone."""
        return f"HeldGrant({self.id})"


class AuthorityLink:
    """One worker's link to the authority."""

    def __init__(
        self, config: AgentConfig, session: aiohttp.ClientSession, clock: Callable[[], datetime]
    ) -> None:
        self._config = config
        self._session = session
        self._clock = clock
        self._queue: list[tuple[Settlement, asyncio.Future[SettlementAnswer]]] = []
        self._sending: asyncio.Task[None] | None = None

    async def grant(self, details: RequestedDetails) -> HeldGrant:
        """Ask for a grant.

        Raises:
            ApplicationError: denied (terminal), or the authority is away (retryable).
        """
        url = f"{self._config.issuer}/oauth/token"
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self.assertion(),
            "authorization_details": json.dumps([details.model_dump(mode="json")]),
        }
        asked = self._clock()
        status, body = await self._send("POST", url, data=form)
        if status != 200:
            raise _refusal(status, body)
        try:
            return _held(body, asked)
        except (KeyError, TypeError, ValueError, IndexError):
            raise unavailable("the authority answered a grant in a wrong form") from None

    async def inputs(self, grant: str, name: str) -> tuple[InputPart, ...]:
        """The settled parts of a name that the grant's step may read.

        Raises:
            ApplicationError: refused (terminal), or the authority is away (retryable).
        """
        url = f"{self._config.issuer}/v1/grants/{grant}/inputs/{name}"
        headers = {"Client-Assertion": self.assertion()}
        status, body = await self._send("GET", url, headers=headers)
        if status != 200:
            raise _refusal(status, body)
        try:
            return InputParts.model_validate_json(json.dumps(body)).parts
        except ValidationError:
            raise unavailable("the authority answered inputs in a wrong form") from None

    async def settle(self, settlement: Settlement) -> None:
        """Settle a grant; back once it is durable.

        Raises:
            ApplicationError: the authority refused it (the grant has ended; the step is tried
                again) or is away.
        """
        future: asyncio.Future[SettlementAnswer] = asyncio.get_running_loop().create_future()
        self._queue.append((settlement, future))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_settlements())
        answer = await future
        if answer.status != "settled":
            raise unavailable(f"the settlement was refused: {answer.reason}")

    def assertion(self) -> str:
        """A fresh client assertion (RFC 7523)."""
        return make_client_assertion(
            self._config.key,
            self._config.client_id,
            issuer=self._config.issuer,
            now=self._clock(),
            jti=secrets.token_urlsafe(18),
        )

    def proof(self, method: str, url: str, token: str | None = None) -> str:
        """A fresh proof of possession (RFC 9449)."""
        return make_proof(
            self._config.key,
            method,
            url,
            now=self._clock(),
            jti=secrets.token_urlsafe(18),
            access_token=token,
        )

    async def _send_settlements(self) -> None:
        while self._queue:
            batch, self._queue = self._queue[:_MAX_BATCH], self._queue[_MAX_BATCH:]
            try:
                answers = await self._settle([settlement for settlement, _ in batch])
                for (_, future), answer in zip(batch, answers, strict=True):
                    if not future.done():
                        future.set_result(answer)
            except Exception as error:  # noqa: BLE001 - handed to each waiting step, none is lost
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)

    async def _settle(self, settlements: list[Settlement]) -> tuple[SettlementAnswer, ...]:
        url = f"{self._config.issuer}/v1/settlements"
        body = Settlements(client_assertion=self.assertion(), settlements=tuple(settlements))
        status, answer = await self._send(
            "POST",
            url,
            data=body.model_dump_json(exclude_none=True),
            headers={"Content-Type": "application/json"},
        )
        if status != 200:
            raise _refusal(status, answer)
        try:
            answers = SettlementAnswers.model_validate_json(json.dumps(answer)).settlements
        except ValidationError:
            raise unavailable("the authority answered settlements in a wrong form") from None
        if [each.grant for each in answers] != [each.grant for each in settlements]:
            raise unavailable("the authority answered other settlements than were sent")
        return answers

    async def _send(
        self, method: str, url: str, *, headers: dict[str, str] | None = None, data: Any = None
    ) -> tuple[int, Any]:
        sent = {**(headers or {}), "DPoP": self.proof(method, url)}
        try:
            async with self._session.request(
                method, url, data=data, headers=sent, timeout=_TIMEOUT, allow_redirects=False
            ) as response:
                return response.status, await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise unavailable(f"the authority does not answer ({type(error).__name__})") from None


def _held(body: Any, asked: datetime) -> HeldGrant:
    if str(body["token_type"]).lower() != "dpop":
        raise ValueError("the grant is not bound to a key")
    token = str(body["access_token"])
    details = GrantedDetails.model_validate_json(json.dumps(body["authorization_details"][0]))
    return HeldGrant(
        id=_grant_id(token),
        token=token,
        details=details,
        expires=asked + timedelta(seconds=int(body["expires_in"])),
    )


def _grant_id(token: str) -> str:
    """The grant's id, as its payload says; the authority made it, and verifies it itself."""
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return str(claims["jti"])


def _refusal(status: int, body: Any) -> Exception:
    error = str(body.get("error", "")) if isinstance(body, dict) else ""
    description = str(body.get("error_description", "")) if isinstance(body, dict) else ""
    if error in _TERMINAL:
        reasons = tuple(str(each) for each in body.get("reasons", ()))
        return denied(description or error, reasons or (error,))
    return unavailable(f"the authority answered {status} {error}".strip())
