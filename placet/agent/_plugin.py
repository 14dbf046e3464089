"""The plugin that governs an agent's worker: all that a worker adds (Temporal's Plugin API).

1. A worker with an activity that is not ``@governed`` does not start.
2. (I1) No step runs without a grant; a retry asks for its own.
3. (I7) The step's tokens are looked for in its result, its error and its heartbeats before they
   leave: a leak is a terminal error, and settled as one.
4. (I4) The grant is settled, durably, before the result leaves the worker.
5. Local activities and asynchronous completion can't be governed and are refused.
"""

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import aiohttp
from temporalio import activity
from temporalio.activity import _CompleteAsyncError  # pyright: ignore[reportPrivateUsage]  # the SDK has no public name for it
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.plugin import SimplePlugin
from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    WorkerConfig,
)

from placet.agent._config import AgentConfig
from placet.agent._errors import UngovernedActivity, leaked, unavailable, ungoverned
from placet.agent._grant import CurrentGrant, current_grant
from placet.agent._link import AuthorityLink
from placet.kill import kill_point
from placet.model import (
    ActivityRef,
    RequestedDetails,
    Settlement,
    SettlementOutcome,
    payloads_digest,
    system_urn,
)
from placet.process import StepRequest
from placet.tokens import find_token

_log = logging.getLogger("placet.agent")
_MARK = "__placet_governed__"
_MAX_ERROR = 1000
_HEARTBEAT_SECONDS = 2.5
_F = TypeVar("_F", bound=Callable[..., Any])


def governed(*, action: str, system: str) -> Callable[[_F], _F]:
    """Mark an activity as a governed step: one action, at one system of record.

    The activity is ``async`` and its one argument is a :class:`placet.process.StepRequest`.

    Raises:
        TypeError: the function is not ``async``.
    """

    def mark(function: _F) -> _F:
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"{function.__name__}: a governed activity is async")
        setattr(function, _MARK, (action, system))
        return function

    return mark


def _system_clock() -> datetime:
    return datetime.now(UTC)


class PlacetPlugin(SimplePlugin):
    """Governs every activity of a worker under one agent's identity.

    Give it to ``Client.connect``; workers made with that client inherit it.
    """

    def __init__(
        self, config: AgentConfig, *, clock: Callable[[], datetime] = _system_clock
    ) -> None:
        self._governor = Governor(config, clock)
        super().__init__(
            "placet.agent",
            data_converter=pydantic_data_converter,
            interceptors=[_Interceptor(self._governor)],
            run_context=self._governor.session,
        )

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """Refuse a worker with an activity that is not governed.

        Raises:
            UngovernedActivity: it names the activity.
        """
        require_governed(config.get("activities") or ())
        return super().configure_worker(config)


def require_governed(activities: Sequence[Callable[..., Any]]) -> None:
    """Refuse activities that are not marked with ``@governed``.

    Raises:
        UngovernedActivity: it names the first.
    """
    for function in activities:
        if getattr(function, _MARK, None) is None:
            name = getattr(function, "__qualname__", repr(function))
            raise UngovernedActivity(
                f"activity {name} is not governed; mark it with @governed(action=…, system=…)"
            )


class Governor:
    """What all steps of one worker share."""

    def __init__(self, config: AgentConfig, clock: Callable[[], datetime]) -> None:
        self._config = config
        self._clock = clock
        self._http: aiohttp.ClientSession | None = None
        self._link: AuthorityLink | None = None

    @asynccontextmanager
    async def session(self) -> AsyncIterator[None]:
        """Keep one HTTP session for as long as the worker runs."""
        async with aiohttp.ClientSession() as http:
            self._http, self._link = http, AuthorityLink(self._config, http, self._clock)
            try:
                yield
            finally:
                self._http = self._link = None

    async def run(self, step: ExecuteActivityInput, proceed: Callable[[], Any]) -> Any:
        """Run one step under its grant."""
        if self._http is None or self._link is None:
            raise ungoverned("the worker has no session with the authority")
        details = _details(step)
        beating = asyncio.create_task(_beat(activity.heartbeat))
        try:
            return await self._governed(step, proceed, details)
        finally:
            beating.cancel()

    async def _governed(
        self, step: ExecuteActivityInput, proceed: Callable[[], Any], details: RequestedDetails
    ) -> Any:
        if self._http is None or self._link is None:
            raise unavailable("the worker is stopping")
        kill_point("agent.before-grant")
        held = await self._link.grant(details)
        kill_point("agent.after-grant")
        grant = CurrentGrant(self._config, self._link, self._http, self._clock, details, held)
        digest = _digest(step.args)
        entered = grant.enter()
        try:
            result = await proceed()
        except BaseException as error:  # noqa: BLE001 - every end of a step is settled, and raised again
            await self._failed(self._link, grant, digest, error)
            raise _clean(error) from None
        finally:
            grant.leave(entered)
        if _leaks(grant, _encode([result])):
            await self._end(self._link, grant, digest, SettlementOutcome.LEAKED)
            raise leaked()
        kill_point("agent.before-settle")
        await self._link.settle(
            Settlement(
                grant=grant.id,
                outcome=SettlementOutcome.COMPLETED,
                input_digest=digest,
                output_digest=_digest([result]),
                reasoning=grant.reasoning,
                parts=grant.parts,
            )
        )
        kill_point("agent.after-settle")
        return result

    async def _failed(
        self, link: AuthorityLink, grant: CurrentGrant, digest: str, error: BaseException
    ) -> None:
        if isinstance(error, asyncio.CancelledError):
            outcome, said = SettlementOutcome.CANCELLED, "cancelled"
        elif _leaks(grant, [_said(error).encode()]):
            await self._end(link, grant, digest, SettlementOutcome.LEAKED)
            raise leaked() from None
        else:
            outcome, said = SettlementOutcome.FAILED, _said(error)[:_MAX_ERROR]
        await self._end(link, grant, digest, outcome, said)

    async def _end(
        self,
        link: AuthorityLink,
        grant: CurrentGrant,
        digest: str,
        outcome: SettlementOutcome,
        said: str | None = None,
    ) -> None:
        """Settle a step that did not complete; what fails here must not hide why."""
        settlement = Settlement(
            grant=grant.id,
            outcome=outcome,
            input_digest=digest,
            reasoning="" if outcome is SettlementOutcome.LEAKED else grant.reasoning,
            error=said,
        )
        try:
            await asyncio.shield(link.settle(settlement))
        except ApplicationError as error:
            _log.warning("grant %s could not be settled: %s", grant.id, error.message)


async def _beat(heartbeat: Callable[[], None]) -> None:
    """Say that the worker lives, for as long as a step runs."""
    while True:
        await asyncio.sleep(_HEARTBEAT_SECONDS)
        heartbeat()


class _Interceptor(Interceptor):
    def __init__(self, governor: Governor) -> None:
        self._governor = governor

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's own name
        return _Inbound(next, self._governor)


class _Inbound(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, governor: Governor) -> None:
        super().__init__(following)
        self._governor = governor

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's own name
        return await self._governor.run(input, lambda: self.next.execute_activity(input))


class _Outbound(ActivityOutboundInterceptor):
    def heartbeat(self, *details: Any) -> None:
        if details and _leaks(current_grant(), _encode(details)):
            raise leaked()
        super().heartbeat(*details)


def _details(step: ExecuteActivityInput) -> RequestedDetails:
    """What to ask a grant for: from the mark, Temporal's own info, and the request's record."""
    info = activity.info()
    if info.is_local:
        raise ungoverned("a local activity can't be governed: Temporal does not show it")
    mark = getattr(step.fn, _MARK, None)
    if mark is None:
        raise ungoverned(f"activity {info.activity_type} is not governed")
    request = step.args[0] if len(step.args) == 1 else None
    if not isinstance(request, StepRequest):
        raise ungoverned(f"activity {info.activity_type}: its one argument is a StepRequest")
    if request.case != info.workflow_id or info.workflow_id is None:
        raise ungoverned("the request names another case than the workflow's")
    action, system = mark
    return RequestedDetails(
        locations=(system_urn(system),),
        actions=(action,),
        identifier=request.record,
        case=request.case,
        activity=ActivityRef(
            workflow_id=info.workflow_id,
            run_id=info.workflow_run_id or "",
            activity_id=info.activity_id,
            activity_type=info.activity_type,
            attempt=info.attempt,
        ),
    )


def _encode(values: Sequence[Any]) -> list[bytes]:
    payloads = pydantic_data_converter.payload_converter.to_payloads(list(values))
    return [payload.data for payload in payloads]


def _digest(values: Sequence[Any]) -> str:
    return payloads_digest(_encode(values))


def _leaks(grant: CurrentGrant, leaving: Sequence[bytes]) -> bool:
    return any(find_token(data, grant.tokens) for data in leaving)


def _said(error: BaseException) -> str:
    """Everything that a failure would carry: messages, details and causes."""
    said: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(said) < 20:
        said.append(f"{type(seen).__name__}: {seen}")
        if isinstance(seen, ApplicationError):
            said += [str(each) for each in seen.details]
        said += [str(note) for note in getattr(seen, "__notes__", ())]
        seen = seen.__cause__ or seen.__context__
    return "\n".join(said)


def _clean(error: BaseException) -> BaseException:
    if isinstance(error, _CompleteAsyncError):
        return ungoverned("asynchronous completion can't be governed")
    return error
