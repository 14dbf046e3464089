"""The agent's link to the authority: asking for grants, reading inputs, settling.

What is asked at the same time shares a request, and with it one authentication: asks of one
activity type, and settlements. Answers are checked like anyone's: a wrong form is "unavailable",
never taken for a yes.
"""

import asyncio
import base64
import io
import json
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import aiohttp
from pydantic import BaseModel, ValidationError
from temporalio.exceptions import ApplicationError

from placet.agent._batches import Batches
from placet.agent._config import AgentConfig
from placet.agent._errors import (
    ANOTHER_PAST,
    denied,
    settlement_refused,
    unauthenticated,
    unavailable,
)
from placet.agent._heads import Heads
from placet.model import (
    ActivityRef,
    AskKeys,
    CaseKeys,
    GrantAnswers,
    GrantAsks,
    GrantedDetails,
    GrantGiven,
    GrantRefused,
    InputPart,
    InputParts,
    Problem,
    RequestedDetails,
    Settlement,
    SettlementAnswer,
    SettlementAnswers,
    SettlementClaims,
    Settlements,
    SignedSettlement,
    digest_json,
)
from placet.payloads import Keyring
from placet.telemetry import carried
from placet.tokens import make_client_assertion, make_proof, numeric_date, sign_settlement
from placet.transport import over_tls, seconds_to_wait

_TIMEOUT = aiohttp.ClientTimeout(total=30)
_RENEW_BEFORE = timedelta(seconds=10)
_MAX_BATCH = 32
_MAX_BATCH_BYTES = 4 * 1024 * 1024  # the authority takes 8 MiB; one settlement may need them alone
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0
_TERMINAL = {"access_denied", "invalid_authorization_details", "forbidden"}
_UNKNOWN = {"invalid_client", "invalid_dpop_proof"}
"""Errors that say nothing of the step: the worker's clock is off, or its key is not enrolled."""

_TOO_LARGE = "too_large"
"""The reason for which a request is refused that would be refused again."""

_SAY_AGAIN = 60.0
"""Seconds for which a worker that is not known is not logged again."""

_log = logging.getLogger("placet.agent")


@dataclass(frozen=True)
class HeldGrant:
    """A grant as its holder keeps it: the token never leaves this process but in requests.

    ``renew`` is when its holder asks for the next one, in time before it ``expires``.
    """

    id: str
    token: str
    details: GrantedDetails
    renew: datetime
    expires: datetime

    def __repr__(self) -> str:
        """Show the id alone."""
        return f"HeldGrant({self.id})"


class AuthorityLink:
    """One worker's link to the authority."""

    def __init__(
        self,
        config: AgentConfig,
        session: aiohttp.ClientSession,
        clock: Callable[[], datetime],
        heads: Heads | None = None,
    ) -> None:
        self._config = config
        self._session = session
        self._clock = clock
        self._asking: dict[str, Batches[RequestedDetails, HeldGrant | GrantRefused]] = {}
        self._settling = Batches(self._settle, _MAX_BATCH, _MAX_BATCH_BYTES, _size)
        self.heads = heads or Heads(config.issuer, session)
        self._said: float | None = None

    async def grant(self, details: RequestedDetails) -> HeldGrant:
        """Ask for a grant.

        Raises:
            ApplicationError: denied (terminal), or the authority is away or does not know the
                worker (retryable).
        """
        answer = await self._asks_of(details.activity.activity_type).put(details)
        if isinstance(answer, GrantRefused):
            raise self._refusal(200, answer.problem, answer.retry_after)
        return answer

    def _asks_of(self, activity_type: str) -> "Batches[RequestedDetails, HeldGrant | GrantRefused]":
        """Asks of one type wait for the same systems' facts: no slow one holds up other types."""
        found = self._asking.get(activity_type)
        if found is None:
            found = self._asking[activity_type] = Batches(self._ask, _MAX_BATCH)
        return found

    async def inputs(self, grant: str, name: str) -> tuple[InputPart, ...]:
        """The settled parts of a name that the grant's step may read.

        Raises:
            ApplicationError: refused (terminal), or the authority is away (retryable).
        """
        url = f"{self._config.issuer}/v1/grants/{grant}/inputs/{name}"
        headers = {"Client-Assertion": self.assertion()}
        status, body = await self._send("GET", url, headers=headers)
        if status != 200:
            raise self._refusal(status, _problem(body))
        try:
            parts = InputParts.model_validate_json(body).parts
        except ValidationError:
            raise unavailable("the authority answered inputs in a wrong form") from None
        if any(each.part.digest != each.digest for each in parts):  # this is signed as read
            raise unavailable("the authority answered inputs that are not what their digests say")
        return parts

    async def ring(
        self, case: str, installed: Mapping[str, str], activity: ActivityRef | None = None
    ) -> Keyring:
        """The payload keys of a case in which a step of this agent runs.

        Raises:
            ApplicationError: denied (terminal), or the authority is away or does not know the
                worker (retryable).
        """
        asked = AskKeys(code=dict(installed), activity=activity)
        url = f"{self._config.issuer}/v1/cases/{case}/keys"
        status, body = await self._send(
            "POST",
            url,
            data=io.BytesIO(asked.model_dump_json(exclude_none=True).encode()),
            headers={"Client-Assertion": self.assertion(), "Content-Type": "application/json"},
        )
        if status != 200:
            raise self._refusal(status, _problem(body))
        try:
            given = CaseKeys.model_validate_json(body)
        except ValidationError:
            raise unavailable("the authority answered payload keys in a wrong form") from None
        if given.case != case:
            raise unavailable("the authority answered another case's payload keys")
        return Keyring.of(given)

    async def settle(self, settlement: Settlement, details: GrantedDetails) -> None:
        """Sign how a grant of these details ended, and tell; back once it is durable.

        Whoever waits says for how long. While the authority is away it is told again, and again
        if an answer got lost: told twice, a settlement counts once.

        Raises:
            ApplicationError: the authority refused it: the agent may do nothing any more, or what
                it says is not allowed (terminal), or the grant has ended (retryable: the step asks
                for its next one); or the ledger is not the one of before (retryable).
        """
        signed: SignedSettlement | None = None
        for pause in _pauses():
            try:
                if signed is None:
                    signed = self._sign(settlement, details, await self.heads.to_sign())
                answer = await self._settling.put(signed)
            except ApplicationError as error:
                if error.non_retryable or error.type == ANOTHER_PAST:
                    raise
            else:
                if answer.final:
                    raise settlement_refused(answer.reason or "no reason was given")
                if answer.status != "settled":
                    raise unavailable(f"the settlement was refused: {answer.reason}")
                return
            await asyncio.sleep(pause)

    async def close(self) -> None:
        """Stop sending; nobody waits for it any more."""
        await self._settling.close()
        for each in self._asking.values():
            await each.close()

    async def send(self, method: str, path: str, body: BaseModel | None) -> bytes:
        """Ask the authority something under this key, apart from any step.

        Raises:
            ApplicationError: refused (terminal), or the authority is away or does not know the key
                (retryable).
        """
        if body is not None:
            return await self._post(path, body)
        headers = {"Client-Assertion": self.assertion()}
        status, answer = await self._send(method, f"{self._config.issuer}{path}", headers=headers)
        if status != 200:
            raise self._refusal(status, _problem(answer))
        return answer

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

    async def _ask(self, asks: list[RequestedDetails]) -> Sequence[HeldGrant | GrantRefused]:
        body = GrantAsks(client_assertion=self.assertion(), asks=tuple(asks))
        asked = self._clock()
        answer = await self._post("/v1/grants", body)
        try:
            answers = GrantAnswers.model_validate_json(answer).grants
            held = [
                _held(each, asked) if isinstance(each, GrantGiven) else each for each in answers
            ]
            pairs = list(zip(asks, held, strict=True))
        except (KeyError, TypeError, ValueError, IndexError):
            raise unavailable("the authority answered grants in a wrong form") from None
        for ask, each in pairs:
            if isinstance(each, HeldGrant) and each.details.activity != ask.activity:
                raise unavailable("the authority answered other asks than were sent")
        return held

    def _sign(
        self, settlement: Settlement, details: GrantedDetails, head: str | None
    ) -> SignedSettlement:
        claims = SettlementClaims(
            iss=self._config.client_id,
            aud=self._config.issuer,
            iat=numeric_date(self._clock()),
            sub=settlement.grant,
            txn=details.case,
            details_digest=digest_json(details),
            settlement_digest=settlement.settled().digest,
            ledger_head=head,
        )
        jws = sign_settlement(claims, self._config.key)
        return SignedSettlement(settlement=jws, body=settlement)

    async def _settle(self, settlements: list[SignedSettlement]) -> Sequence[SettlementAnswer]:
        body = Settlements(client_assertion=self.assertion(), settlements=tuple(settlements))
        answer = await self._post("/v1/settlements", body)
        try:
            answers = SettlementAnswers.model_validate_json(answer).settlements
        except ValidationError:
            raise unavailable("the authority answered settlements in a wrong form") from None
        if [each.grant for each in answers] != [each.body.grant for each in settlements]:
            raise unavailable("the authority answered other settlements than were sent")
        return answers

    async def _post(self, path: str, body: BaseModel) -> bytes:
        status, answer = await self._send(
            "POST",
            f"{self._config.issuer}{path}",
            data=io.BytesIO(body.model_dump_json(exclude_none=True).encode()),
            headers={"Content-Type": "application/json"},
        )
        if status != 200:
            raise self._refusal(status, _problem(answer))
        return answer

    async def _send(
        self, method: str, url: str, *, headers: dict[str, str] | None = None, data: Any = None
    ) -> tuple[int, bytes]:
        sent = {**(headers or {}), **carried(), "DPoP": self.proof(method, url)}
        try:
            async with self._session.request(
                method, url, data=data, headers=sent, timeout=_TIMEOUT, allow_redirects=False
            ) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            why = over_tls(error, url) or f" ({type(error).__name__})"
            raise unavailable(f"the authority does not answer{why}") from None
        if response.status == 429:
            waits = seconds_to_wait(response.headers.get("Retry-After"))
            raise self._refusal(429, _problem(body), waits)
        return response.status, body

    def _refusal(self, status: int, problem: Problem, retry_after: int | None = None) -> Exception:
        error, description, reasons = problem.error, problem.error_description, problem.reasons
        if error in _TERMINAL:
            return denied(description or error, reasons or (error,))
        if error in _UNKNOWN:
            self._say(description)
            return unauthenticated(description)
        if _TOO_LARGE in reasons:  # only a settlement can be
            return settlement_refused(description)
        if "limit" in reasons:
            return unavailable(description, retry_after)
        said = f"the authority answered {error or status}"
        return unavailable(f"{said}: {description}" if description else said)

    def _say(self, why: str) -> None:
        now = asyncio.get_running_loop().time()
        if self._said is None or now - self._said >= _SAY_AGAIN:
            self._said = now
            _log.error(
                "the authority does not know this worker as %s: %s; look at its clock, its key and "
                "its enrolment; its steps are tried again until then",
                self._config.client_id,
                why,
            )


def _pauses() -> Iterator[float]:
    """Seconds between tries, for ever."""
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, _LONGEST_PAUSE)


def _problem(body: bytes) -> Problem:
    """A refusal as the authority words it; whatever else answered in its place said nothing."""
    try:
        return Problem.model_validate_json(body)
    except ValidationError:
        return Problem(error="", error_description="")


def _size(settlement: SignedSettlement) -> int:
    return len(settlement.model_dump_json().encode())


def _held(given: GrantGiven, asked: datetime) -> HeldGrant:
    life = timedelta(seconds=given.expires_in)
    return HeldGrant(
        id=_grant_id(given.access_token),
        token=given.access_token,
        details=given.details,
        renew=asked + life - min(_RENEW_BEFORE, life / 4),
        expires=asked + life,
    )


def _grant_id(token: str) -> str:
    """The grant's id, as its payload says; the authority made it, and verifies it itself."""
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return str(claims["jti"])
