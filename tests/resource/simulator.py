"""A small authority and a small system of record, both over real HTTP on loopback.

The authority's answers can be held, spoilt or taken away; it never lies in a way that a real one
could not. The system is guarded by `placet.resource.Guard` under a clock that the test sets.
"""

import asyncio
import contextlib
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from placet.model import ActivityRef, GrantedDetails, spell_id
from placet.resource import Guard, Refused, ReplayCache
from placet.tokens import (
    Confirmation,
    GrantClaims,
    SigningKey,
    make_proof,
    sign_grant,
    spell_jwks,
    verify_client_assertion,
)
from tests.harness.uses import read_use
from tests.harness.world import free_port

SYSTEM = "library"
ACTION = "book:read"
AGENT = "agent:reader"
CASE = spell_id("case", bytes(range(16)))
JWKS, FEED, INTROSPECT, USES = (
    "/.well-known/jwks.json",
    "/v1/revocations",
    "/oauth/introspect",
    "/v1/uses",
)

ELSEWHERE = "/elsewhere"
"""Where good keys are too, for whoever follows a redirect."""


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 10, 0, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        """Move on, or back."""
        self.now += timedelta(seconds=seconds)


@contextlib.asynccontextmanager
async def served(app: Any, port: int, lifespan: str = "off") -> AsyncIterator[None]:
    """Serve an application on a loopback port."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        log_config=None,
        lifespan=lifespan,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield
    finally:  # as uvicorn does, without its pauses of a tenth of a second
        for listening in server.servers:
            listening.close()
        for connection in list(server.server_state.connections):
            connection.shutdown()
        async with asyncio.timeout(60):
            while server.server_state.connections or server.server_state.tasks:
                await asyncio.sleep(0.001)
        await server.lifespan.shutdown()


class Gate:
    """Holds answers back, and lets them out one by one or all."""

    def __init__(self) -> None:
        self._open = True
        self._passes = asyncio.Semaphore(0)

    def close(self) -> None:
        """Hold every answer from now on."""
        self._open = False

    def let_one(self) -> None:
        """Let one answer out."""
        self._passes.release()

    def open(self) -> None:
        """Let all out, also those that wait."""
        self._open = True
        for _ in range(1000):
            self._passes.release()

    async def wait(self) -> None:
        """Wait to be let out."""
        if not self._open:
            await self._passes.acquire()


@dataclass
class Authority:
    """The authority's public side, as far as a system of record sees it."""

    clock: Clock
    system_key: SigningKey
    port: int = field(default_factory=free_port)
    key: SigningKey = field(default_factory=SigningKey.generate)
    page: int = 1000
    cache_control: str | None = "max-age=300"
    jwks_age: str | None = None
    spoilt: dict[str, Callable[[], Response]] = field(default_factory=dict)
    feed: list[str] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)
    asked: Counter[str] = field(default_factory=Counter)
    gates: dict[str, Gate] = field(default_factory=dict)
    uses: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused_uses: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.published = [self.key]
        self.gates = {path: Gate() for path in (JWKS, FEED, INTROSPECT, USES)}
        self._up = contextlib.AsyncExitStack()

    @property
    def issuer(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Be there."""
        table = {
            JWKS: ("GET", self._jwks),
            FEED: ("GET", self._feed),
            INTROSPECT: ("POST", self._introspect),
            USES: ("POST", self._uses),
        }
        routes = [
            Route(path, self._answering(path, handler), methods=[method])
            for path, (method, handler) in table.items()
        ]
        routes.append(Route(ELSEWHERE, self._jwks))
        await self._up.enter_async_context(served(Starlette(routes=routes), self.port))

    async def stop(self) -> None:
        """Be away: connections are refused."""
        for gate in self.gates.values():
            gate.open()
        await self._up.aclose()

    def grant(self, key: SigningKey, record: str = "book/1", **changed: Any) -> str:
        """Issue a grant to the holder of a key."""
        at = int(self.clock.now.timestamp())
        signer = changed.pop("signer", self.key)
        step = ActivityRef(
            workflow_id=CASE, run_id="run-1", activity_id="1", activity_type="read", attempt=1
        )
        what: dict[str, Any] = {
            "locations": (f"urn:placet:system:{SYSTEM}",),
            "actions": (changed.pop("action", ACTION),),
            "identifier": record,
            "case": CASE,
            "activity": step,
        }
        details = GrantedDetails.model_validate(what | changed.pop("fixed", {}))
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": AGENT,
            "aud": f"urn:placet:system:{SYSTEM}",
            "iat": at,
            "nbf": at,
            "exp": at + 60,
            "jti": spell_id("grant", secrets.token_bytes(16)),
            "client_id": AGENT,
            "txn": CASE,
            "cnf": Confirmation(jkt=key.thumbprint),
            "authorization_details": (details,),
        }
        return sign_grant(GrantClaims(**{**claims, **changed}), signer)

    def revoke(self, grant: str) -> None:
        """End a grant by its id, and say so in the feed."""
        self.ended.add(grant)
        self.feed.append(grant)

    def _answering(self, path: str, handler: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            self.asked[path] += 1
            spoilt = self.spoilt.get(path)
            # What is held was said when it was asked: the world goes on while it is on its way.
            response = await handler(request) if spoilt is None else spoilt()
            await self.gates[path].wait()
            return response

        return answer

    async def _jwks(self, _: Request) -> Response:
        headers = {"Cache-Control": self.cache_control, "Age": self.jwks_age}
        return JSONResponse(
            spell_jwks(key.public for key in self.published),
            headers={name: value for name, value in headers.items() if value is not None},
        )

    async def _feed(self, request: Request) -> Response:
        self._admit(request.headers["Client-Assertion"])
        after = int(request.query_params["after"])
        rows = list(enumerate(self.feed, 1))[after : after + self.page]
        return JSONResponse(
            {
                "revocations": [{"cursor": cursor, "grant": grant} for cursor, grant in rows],
                "cursor": rows[-1][0] if rows else min(after, len(self.feed)),
                "complete": len(rows) < self.page,
            }
        )

    async def _introspect(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        self._admit(form["client_assertion"])
        grant = grant_id(form["token"])
        if grant in self.ended:
            return JSONResponse({"active": False})
        return JSONResponse({"active": True, "jti": grant})

    async def _uses(self, request: Request) -> Response:
        body = await request.json()
        self._admit(body["client_assertion"])
        told = {use["id"]: use for use in map(read_use, body["uses"])}
        refused = {use: why for use, why in self.refused_uses.items() if use in told}
        self.uses |= {use: value for use, value in told.items() if use not in refused}
        return JSONResponse({"refused": refused})

    def _admit(self, assertion: str) -> None:
        verify_client_assertion(
            assertion,
            {self.system_key.thumbprint: self.system_key.public},
            client_id=f"system:{SYSTEM}",
            issuer=self.issuer,
            now=self.clock.now,
        )


def grant_id(token: str) -> str:
    """A token's grant, unverified."""
    import jwt

    return str(jwt.decode(token, options={"verify_signature": False})["jti"])


@dataclass
class Library:
    """The guarded system of record, and the agent that holds a key and asks it."""

    authority: Authority
    clock: Clock
    guard: Guard
    url: str
    http: httpx.AsyncClient
    holder: SigningKey = field(default_factory=SigningKey.generate)

    def grant(self, record: str = "book/1", **changed: Any) -> str:
        """A grant for the holder."""
        return self.authority.grant(self.holder, record, **changed)

    def proof(self, token: str, **changed: Any) -> str:
        """A proof for reading book 1 with this token, with parts changed at will."""
        made: dict[str, Any] = {
            "key": self.holder,
            "method": "GET",
            "url": f"{self.url}/books/1",
            "now": self.clock.now,
            "jti": secrets.token_urlsafe(18),
            "access_token": token,
        }
        return make_proof(**{**made, **changed})

    async def read(
        self, token: str, proof: str | None = None, *, path: str = "/books/1"
    ) -> httpx.Response:
        """Read a book with a grant and a proof."""
        proof = proof or self.proof(token, url=self.url + path)
        return await self.send([("Authorization", f"DPoP {token}"), ("DPoP", proof)], path=path)

    async def send(
        self, headers: list[tuple[str, str]], *, path: str = "/books/1", method: str = "GET"
    ) -> httpx.Response:
        """Send just these headers."""
        return await self.http.request(method, self.url + path, headers=headers)


def library_app(guard: Guard) -> Starlette:
    """A system with one kind of record."""

    async def read(request: Request) -> Response:
        record = f"book/{request.path_params['book']}"
        grant = await guard.require(request, action=ACTION, record=record)
        return JSONResponse({"grant": grant.id})

    async def facts(request: Request) -> Response:
        await guard.require_inquiry(request, f"book/{request.path_params['book']}")
        return JSONResponse({"shelf": 3})

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return JSONResponse(error.problem.model_dump(), error.status, headers=error.headers)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with guard.following():
            yield

    return Starlette(
        routes=[
            Route("/books/{book:path}", read, methods=["GET", "POST"]),
            Route("/facts/{book:path}", facts, methods=["GET"]),
        ],
        exception_handlers={Refused: refused},
        lifespan=lifespan,
    )


@contextlib.asynccontextmanager
async def guarded(
    authority: Authority,
    clock: Clock,
    proofs: ReplayCache | None = None,
    address: str | None = None,
) -> AsyncIterator[Library]:
    """A guarded system, being served; callers know it by another ``address``, if there is one."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    guard = Guard(
        SYSTEM, authority.issuer, address or url, authority.system_key, clock=clock, proofs=proofs
    )
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(served(library_app(guard), port, lifespan="on"))
        http = await stack.enter_async_context(httpx.AsyncClient())
        yield Library(authority, clock, guard, url, http)
        for gate in authority.gates.values():
            gate.open()
