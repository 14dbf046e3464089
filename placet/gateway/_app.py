"""The gateway as an application: verify, write down, ask the system, and hand its answer back.

1. (I1, I2) Nothing reaches the system without a live grant for the route's action on the record
   that the path names. What can't be verified, or is not spelled in its one way, is refused.
2. (I4) A use that changes something is durable at the authority before the system hears of it;
   what a read brought is handed back once its use is on the disk. That nothing came of an intent is
   told only where it is known: what was under way when all broke off may have been done.
3. (I10) When the grant ends, so does what is under way: the answer is cut off.
4. (I12) A system that is away, or answers with what can't be read, is a 502 or 504.
"""

import asyncio
import contextlib
import logging
import secrets
import sqlite3
import ssl
from collections.abc import AsyncIterator, Mapping, MutableMapping
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from placet.gateway._headers import pass_on
from placet.gateway._outbox import UseFile
from placet.gateway._routes import SAFE, Match, Routes, Unacceptable
from placet.gateway._settings import GatewaySettings
from placet.gateway._upstream import Answer, Broken, TooLarge, Upstream
from placet.model import Digest, Problem, UseStage, digest_bytes
from placet.resource import CannotJudge, Guard, Refused, VerifiedGrant, WrongAction, tell_uses
from placet.telemetry import Check, Health

_LOOK = 0.25
"""Seconds between two looks whether the grant of what is under way is alive still."""

_OF_SOMETHING_BETWEEN = {502, 504}
"""Bad Gateway, Gateway Timeout (RFC 9110 sections 15.6.3, 15.6.5): not of the system itself."""

_log = logging.getLogger("placet.gateway")


class Gateway:
    """The ASGI application; made by :func:`make_app`."""

    def __init__(
        self,
        settings: GatewaySettings,
        routes: Routes,
        guard: Guard,
        tls: ssl.SSLContext | None = None,
        checks: Mapping[str, Check] | None = None,
    ) -> None:
        self._settings = settings
        self._tls = tls
        self._routes = routes
        self._guard = guard
        self._further = frozenset(settings.pass_headers)
        self.health = Health({"authority": guard.require_fresh, **(checks or {})})
        self._uses: UseFile | None = None
        self._upstream: Upstream | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or live as long as the server."""
        match scope["type"]:
            case "lifespan":
                await self._live(receive, send)
            case "http":
                await self._answer(Request(scope, receive), send)
            case _:  # a WebSocket: nothing of it could be verified after its beginning
                await send({"type": "websocket.close", "code": 1008})

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the authority, and tell it of uses."""
        uses = UseFile(self._settings.uses_file)
        async with self._guard.following(), Upstream(self._settings, self._tls) as upstream:
            self._uses, self._upstream = uses, upstream
            telling = asyncio.create_task(tell_uses(self._guard, uses))
            try:
                yield
            finally:
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)
                uses.close()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self.running():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    # --- one request --------------------------------------------------------------------------

    async def _answer(self, request: Request, send: Send) -> None:
        started = Started(send)
        try:
            own = {"/livez": self.health.live, "/readyz": self.health.ready}.get(request.url.path)
            if own is not None and request.method == "GET":
                told = await own(request)
                await told(request.scope, request.receive, started)
                return
            match = self._routes.match(
                request.method, _path_as_sent(request), request.scope["query_string"]
            )
            await self._guarded(request, match, started)
        except (Refused, Unacceptable) as refusal:
            if not started:
                await _refuse(refusal)(request.scope, request.receive, started)
        except (ClientDisconnect, asyncio.CancelledError):
            raise
        except Exception:  # noqa: BLE001 - the last line of defence; it is logged with its trace
            _log.exception("unforeseen error at %r", request.url.path)
            if not started:
                unforeseen = Unacceptable(500, "server_error", "an unforeseen error; logged")
                await _refuse(unforeseen)(request.scope, request.receive, started)

    async def _guarded(self, request: Request, match: Match, send: "Started") -> None:
        route = match.route
        grant = await self._guard.require(request, action=route.action, record=match.record)
        use = _Use(self._guard, self._file, grant)
        try:
            headers = pass_on(request.headers.raw, self._further)
            if not route.has_intent and _is_fixed(grant):
                raise WrongAction("people fixed what this grant is for; its route has no intent")
            body = await self._body(request, route.has_intent)
            if route.has_intent:
                await use.intend(digest_bytes(body if isinstance(body, bytes) else b""))
            asked = self._system.ask(route.method, match.target, headers, grant, body)
            await self._relay(asked, use, grant, send)
        except (Refused, Unacceptable) as refusal:
            await use.breaks_off(refusal.status)
            raise
        except (ClientDisconnect, asyncio.CancelledError):
            await use.breaks_off(499)
            raise

    async def _body(self, request: Request, whole: bool) -> "bytes | AsyncIterator[bytes] | None":
        """The request's body: whole where its digest is told before, or as it comes."""
        length = request.headers.get("content-length")
        if request.method in SAFE:
            if length not in {None, "0"} or "transfer-encoding" in request.headers:
                raise Unacceptable(400, "invalid_request", f"{request.method} has no body")
            return None
        if length is not None and int(length) > self._settings.max_body:
            raise self._too_large()
        if not whole:
            return self._stream(request)
        return b"".join([chunk async for chunk in self._stream(request)])

    async def _stream(self, request: Request) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > self._settings.max_body:
                raise self._too_large()
            if chunk:
                yield chunk

    def _too_large(self) -> Unacceptable:
        said = f"the body is larger than {self._settings.max_body} bytes"
        return Unacceptable(413, "invalid_request", said)

    async def _relay(
        self,
        asked: contextlib.AbstractAsyncContextManager[Answer],
        use: "_Use",
        grant: VerifiedGrant,
        send: "Started",
    ) -> None:
        """Hand back the system's answer for as long as the grant lives."""

        async def relay() -> None:
            use.may_be_heard = True
            async with asked as answer:
                if answer.status in _OF_SOMETHING_BETWEEN:
                    await use.breaks_off(answer.status, must=not use.intended)
                else:
                    await use.ends(answer.status, must=not use.intended)
                await send(
                    {
                        "type": "http.response.start",
                        "status": answer.status,
                        "headers": answer.headers,
                    }
                )
                async for chunk in answer.chunks:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        relaying = asyncio.create_task(relay())
        try:
            while not (await asyncio.wait([relaying], timeout=_LOOK))[0]:
                self._guard.require_still(grant)
            await relaying
        except Broken as broken:
            use.may_be_heard = broken.may_be_heard
            if not send:
                raise Unacceptable(broken.status, "bad_gateway", str(broken)) from None
            _log.warning("an answer was cut off: %s", broken)
        except TooLarge:
            _log.warning("an answer larger than %d bytes was cut off", self._settings.max_answer)
        except Refused as ended:
            if not send:
                raise
            _log.warning("an answer to grant %s was cut off: %s", grant.id, ended)
        finally:
            relaying.cancel()
            await asyncio.gather(relaying, return_exceptions=True)

    @property
    def _file(self) -> UseFile:
        if self._uses is None:
            raise RuntimeError("the gateway is used outside its running()")
        return self._uses

    @property
    def _system(self) -> Upstream:
        if self._upstream is None:
            raise RuntimeError("the gateway is used outside its running()")
        return self._upstream


class _Use:
    """One use of a grant, from its intent to its end."""

    def __init__(self, guard: Guard, uses: UseFile, grant: VerifiedGrant) -> None:
        self._guard = guard
        self._uses = uses
        self._grant = grant
        self._number = secrets.token_hex(8)  # one grant may be used, and refused, many times
        self._body: Digest | None = None
        self._ended = False
        self.intended = False
        self.may_be_heard = False
        """Whether the system behind may have heard of it, and so may have done it."""

    async def intend(self, body: Digest) -> None:
        """Make the intent durable at the authority.

        Raises:
            Refused: it could not be; nothing may be done.
        """
        self._body = body
        try:
            await self._guard.record_intent(self._grant, self._id("intent"), body)
        except CannotJudge:
            self.intended = True  # it may be durable all the same: only the answer lacks
            raise
        self.intended = True

    async def breaks_off(self, status: int, *, must: bool = False) -> None:
        """Write down that nothing came of it, where that is known.

        Raises:
            CannotJudge: as :meth:`ends`.
        """
        if self.intended and self.may_be_heard and not self._ended:
            said = "it is unknown what came of %s of %s under grant %s (%d): no result is told"
            what = self._grant.claims.details
            _log.error(said, what.action, what.identifier, self._grant.id, status)
        else:
            await self.ends(status, must=must)

    async def ends(self, status: int, *, must: bool = False) -> None:
        """Write down what came of it, once.

        Raises:
            CannotJudge: it could not be written, and it ``must`` be.
        """
        if self._ended:
            return
        stage = UseStage.RESULT if self.intended else UseStage.USE
        use = self._guard.use(self._grant, self._id(stage.value), stage, status, self._body)
        try:
            await self._uses.put(use)
        except sqlite3.Error as error:
            _log.error("the use of grant %s can't be written down: %s", self._grant.id, error)
            if must:
                raise CannotJudge("the use can't be written down, so there is no answer") from None
        self._ended = True

    def _id(self, what: str) -> str:
        return f"{what}-{self._grant.id}-{self._number}"


class Started:
    """Sends, and knows whether the answer has begun: then it can't become another one."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._started = False

    def __bool__(self) -> bool:
        return self._started

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        """Send one message."""
        self._started = True
        await self._send(message)


def _is_fixed(grant: VerifiedGrant) -> bool:
    what = grant.claims.details
    return any((what.max_amount, what.approvals, what.payments_digest, what.evidence_digest))


def _path_as_sent(request: Request) -> bytes:
    raw: bytes | None = request.scope.get("raw_path")
    if raw is None:
        raise Unacceptable(500, "server_error", "the server does not say the path as it was sent")
    return raw


def _refuse(refusal: Refused | Unacceptable) -> JSONResponse:
    if isinstance(refusal, Refused):
        problem, headers = refusal.problem, dict(refusal.headers)
    else:
        problem, headers = Problem(error=refusal.error, error_description=str(refusal)), {}
    answered: Mapping[str, str] = {**headers, "Cache-Control": "no-store"}
    return JSONResponse(problem.model_dump(mode="json"), refusal.status, headers=answered)


def make_app(
    settings: GatewaySettings,
    routes: Routes,
    guard: Guard,
    tls: ssl.SSLContext | None = None,
    checks: Mapping[str, Check] | None = None,
) -> Gateway:
    """The gateway before one system.

    ``tls`` is for asking it, ``checks`` say what else the gateway needs to be ready.
    """
    return Gateway(settings, routes, guard, tls, checks)
