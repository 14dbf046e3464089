"""Runs each step under its grant, and settles how it ended.

1. (I1) No step runs without a grant; a retry asks for its own.
2. (I7) The step's tokens are looked for in its result, its error, its heartbeats and what it leaves
   behind, before any of it leaves. A leak decides the end, whatever the step made of it: terminal,
   and settled as one. What can't be looked at does not leave.
3. (I4) The grant is settled, durably, before the result leaves the worker. It is tried for as long
   as Temporal waits for the step; no cancellation tears a settlement from its step. What the
   authority will never take makes the step fail, for good, and is settled as a failure.
4. Asynchronous completion can't be governed and is refused.
"""

import asyncio
import contextlib
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any, NoReturn

import aiohttp
from temporalio import activity
from temporalio.activity import _CompleteAsyncError  # pyright: ignore[reportPrivateUsage]  # the SDK has no public name for it
from temporalio.exceptions import ApplicationError
from temporalio.worker import ExecuteActivityInput

from placet.agent._config import AgentConfig
from placet.agent._errors import (
    SETTLEMENT_REFUSED,
    leaked,
    too_large,
    unavailable,
    ungoverned,
    unspeakable,
)
from placet.agent._governed import requested_details, running_activity
from placet.agent._grant import CurrentGrant, new_salt
from placet.agent._heartbeats import Heartbeats
from placet.agent._leaving import as_bytes, as_values, causes, departing, digest, encode
from placet.agent._link import AuthorityLink
from placet.agent._rings import Rings
from placet.agent._rotation import Rotation
from placet.kill import kill_point
from placet.model import Settlement, SettlementOutcome
from placet.payloads import ClearFailure, ClosedPayload, Keyring
from placet.telemetry import about, metrics, span

_log = logging.getLogger("placet.agent")
_MAX_ERROR = 1000
_MARGIN = 1.0
"""Seconds before the end of a step's time in which its end must still reach Temporal."""
_LAST_WORDS = 5.0
"""Seconds that a cancelled step may still try to settle: a worker that stops must end."""

_MAX_RESULT = 2_000_000
"""Bytes of a result: Temporal takes 2 MiB with its envelope, and would refuse it settled."""

_IDLE_SECONDS = 2.0
"""Seconds for which an idle connection is used again: servers close theirs after five (uvicorn),
and a request that meets the closing is lost."""


@dataclass(frozen=True)
class _Session:
    http: aiohttp.ClientSession
    link: AuthorityLink


class Governor:
    """What all steps of one client's workers share."""

    def __init__(self, config: AgentConfig, clock: Callable[[], datetime]) -> None:
        self._config = config
        self._clock = clock
        self._workers = 0
        self._session: _Session | None = None
        self._links: list[AuthorityLink] = []
        self._rotating: asyncio.Task[None] | None = None
        self._rings = Rings(self._fetch_ring)
        self.installed: dict[str, str] = {}
        """The code digests of the workflows that the client's workers run, by process."""

    @asynccontextmanager
    async def session(self) -> AsyncIterator[None]:
        """Keep one HTTP session for as long as any worker of the client runs."""
        self._workers += 1
        if self._session is None:
            http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    keepalive_timeout=_IDLE_SECONDS, ssl=self._config.tls or True
                )
            )
            self._session = _Session(http, AuthorityLink(self._config, http, self._clock))
            self._links = [self._session.link]
            rotation = Rotation(self._config, http, self._clock, self._adopt)
            self._rotating = asyncio.create_task(rotation.run())
        http, rotating = self._session.http, self._rotating
        try:
            yield
        finally:
            self._workers -= 1
            if self._workers == 0:
                self._session = None
                if rotating is not None:
                    rotating.cancel()
                try:
                    for each in self._links:
                        await each.close()
                finally:
                    await http.close()

    def _adopt(self, config: AgentConfig) -> None:
        """Go on with the next key; steps under way keep the link of theirs."""
        self._config = config
        if self._session is not None:
            http, heads = self._session.http, self._session.link.heads
            link = AuthorityLink(config, http, self._clock, heads)
            self._session = _Session(http, link)
            self._links.append(link)

    async def ring(self, case: str, key: str | None = None) -> Keyring:
        """A case's payload keys, for the codec.

        Raises:
            ApplicationError: the authority refuses, or is away, or no worker runs (retryable).
        """
        return await self._rings.ring(case, key)

    async def _fetch_ring(self, case: str) -> Keyring:
        if self._session is None:
            raise unavailable("payload keys are for workers that run; this one does not")
        return await self._session.link.ring(case, self.installed)

    async def _say_why_closed(self) -> NoReturn:
        """Say why a step's input stayed closed: the authority is asked again, for this very step.

        Raises:
            ClearFailure: always.
        """
        info, session = activity.info(), self._session
        try:
            if session is None:
                raise unavailable("the worker has no session with the authority: it is stopping")
            await session.link.ring(info.workflow_id or "", self.installed, running_activity())
        except ApplicationError as error:
            raise ClearFailure(
                error.message,
                *error.details,
                type=error.type,
                non_retryable=error.non_retryable,
            ) from None
        raise ClearFailure("the payload keys came too late for this try", type="Unavailable")

    async def run(
        self,
        step: ExecuteActivityInput,
        proceed: Callable[[], Awaitable[Any]],
        heartbeats: Heartbeats,
    ) -> Any:
        """Run one step under its grant; gives its result as the payload that was looked at.

        Raises:
            ApplicationError: denied, leaked or not to be governed (terminal), or something is away
                (retryable).
        """
        info = activity.info()
        with (
            about(
                case=info.workflow_id or "",
                agent=self._config.agent,
                activity=info.activity_type,
                attempt=info.attempt,
            ),
            _told(info.activity_type),
            span(
                f"step {info.activity_type}",
                case=info.workflow_id or "",
                activity=info.activity_type,
                attempt=info.attempt,
                agent=self._config.agent,
            ),
        ):
            return await self._run(step, proceed, heartbeats)

    async def _run(
        self,
        step: ExecuteActivityInput,
        proceed: Callable[[], Awaitable[Any]],
        heartbeats: Heartbeats,
    ) -> Any:
        until = asyncio.get_running_loop().time() + _time_left()
        if any(isinstance(each, ClosedPayload) for each in step.args):
            await self._say_why_closed()
        details = requested_details(step)
        given = digest(encode(step.args))
        if self._session is None:
            raise unavailable("the worker has no session with the authority: it is stopping")
        http, link = self._session.http, self._session.link
        beating = asyncio.create_task(heartbeats.beat())
        try:
            kill_point("agent.before-grant")
            held = await link.grant(details)
            kill_point("agent.after-grant")
            grant = CurrentGrant(self._config, link, http, self._clock, details, held)
            with about(grant=held.id):
                return await under_grant(proceed, grant, given, link, until)
        finally:
            beating.cancel()


@contextlib.contextmanager
def _told(activity_type: str) -> Iterator[None]:
    """Count and time a step."""
    began, outcome = perf_counter(), "failed"
    try:
        yield
        outcome = "completed"
    except asyncio.CancelledError:
        outcome = "cancelled"
        raise
    finally:
        metrics.STEP_SECONDS.labels(activity_type).observe(perf_counter() - began)
        metrics.STEPS.labels(activity_type, outcome).inc()


async def under_grant(
    proceed: Callable[[], Awaitable[Any]],
    grant: CurrentGrant,
    given: str,
    link: AuthorityLink,
    until: float,
) -> Any:
    """Run a step's own code under a grant that it has, and settle how it ended."""
    entered = grant.enter()
    try:
        result = encode([await proceed()])
        grant.guard(as_bytes(result))
        if (size := result[0].ByteSize()) > _MAX_RESULT:
            raise too_large(size, _MAX_RESULT)
        await grant.outlive()
        settlement = _completed(grant, given, digest(result))
    except BaseException as error:
        instead = _replacement(grant, error)
        await _settle_failed(link, grant, given, instead or error, until)
        if grant.leaked:
            raise leaked() from None
        if instead is not None:
            raise instead from None
        raise
    finally:
        grant.leave(entered)
    kill_point("agent.before-settle")
    try:
        await _settle(link, grant, settlement, until)
    except ApplicationError as error:
        if error.type == SETTLEMENT_REFUSED:
            await _settle_failed(link, grant, given, error, until)
        raise
    kill_point("agent.after-settle")
    return as_values(result)[0]


async def _settle_failed(
    link: AuthorityLink, grant: CurrentGrant, given: str, error: BaseException, until: float
) -> None:
    try:
        await _settle(link, grant, _failed(grant, given, error), until)
    except ApplicationError as trouble:  # it must not hide why the step failed
        _log.warning(
            "the grant could not be settled: %s", trouble.message, extra={"grant": grant.id}
        )


def _replacement(grant: CurrentGrant, error: BaseException) -> ApplicationError | None:
    """What must leave in an error's place, or nothing if it may leave as it is."""
    if isinstance(error, _CompleteAsyncError):
        return ungoverned("asynchronous completion can't be governed")
    try:
        grant.guard(departing(error))
    except Exception:  # noqa: BLE001 - a leak, or nobody knows what would leave
        return unspeakable(error)
    return None


def _completed(grant: CurrentGrant, given: str, made: str) -> Settlement:
    settlement = Settlement(
        grant=grant.id,
        outcome=SettlementOutcome.COMPLETED,
        input_digest=given,
        inputs=grant.given,
        output_digest=made,
        reasoning=grant.reasoning,
        salt=new_salt(),
        parts=grant.parts,
    )
    grant.guard([settlement.model_dump_json().encode()])
    return settlement


def _failed(grant: CurrentGrant, given: str, error: BaseException) -> Settlement:
    cancelled = isinstance(error, asyncio.CancelledError)
    settlement = Settlement(
        grant=grant.id,
        outcome=SettlementOutcome.CANCELLED if cancelled else SettlementOutcome.FAILED,
        input_digest=given,
        inputs=grant.given,
        reasoning=grant.reasoning,
        error="cancelled" if cancelled else _said(error),
        salt=new_salt(),
    )
    with contextlib.suppress(ApplicationError):
        grant.guard([settlement.model_dump_json().encode()])
        return settlement
    return Settlement(
        grant=grant.id,
        outcome=SettlementOutcome.LEAKED,
        input_digest=given,
        inputs=grant.given,
        salt=new_salt(),
    )


def _said(error: BaseException) -> str:
    lines = [line for each in causes(error) for line in traceback.format_exception_only(each)]
    return "".join(lines).encode(errors="replace").decode().strip()[:_MAX_ERROR]


async def _settle(
    link: AuthorityLink, grant: CurrentGrant, settlement: Settlement, until: float
) -> None:
    """Settle, also while the step is cancelled: what it says must be what Temporal hears."""
    loop = asyncio.get_running_loop()
    if activity.is_cancelled():
        until = min(until, loop.time() + _LAST_WORDS)
    settling = asyncio.create_task(link.settle(settlement, grant.details))
    while True:
        try:
            await asyncio.wait({settling}, timeout=max(0.0, until - loop.time()))
        except asyncio.CancelledError:
            until = min(until, loop.time() + _LAST_WORDS)
        else:
            break
    if not settling.done():
        settling.cancel()
        raise unavailable("the grant could not be settled in the step's time")
    await settling


def _time_left() -> float:
    """Seconds for which Temporal waits for this attempt, less a margin, at its start."""
    info = activity.info()
    left = [info.start_to_close_timeout] if info.start_to_close_timeout else []
    if info.schedule_to_close_timeout:
        left.append(info.schedule_to_close_timeout - (info.started_time - info.scheduled_time))
    seconds = min(left).total_seconds()
    return seconds - min(_MARGIN, seconds / 10)
