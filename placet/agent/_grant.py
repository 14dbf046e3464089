"""The grant of the step that runs now, and the client that can do that one thing.

1. ``current_grant()`` outside a governed step raises: there is no default that passes for one.
2. The client speaks to the step's own system only, follows no redirect, and proves possession
   anew in each request.
3. A step that outlives its grant gets the next one in time; every check is made again (I1).
"""

import asyncio
import base64
import contextvars
import io
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import aiohttp
from pydantic import BaseModel, JsonValue
from yarl import URL

from placet.agent._config import AgentConfig
from placet.agent._errors import NotGoverned, leaked, unavailable
from placet.agent._link import AuthorityLink, HeldGrant
from placet.model import (
    GrantedDetails,
    InputPart,
    Part,
    PartRef,
    Proposal,
    RequestedDetails,
)
from placet.telemetry import carried, span
from placet.tokens import find_token
from placet.transport import over_tls

_current: "contextvars.ContextVar[CurrentGrant]" = contextvars.ContextVar("placet_current_grant")
MAX_ANSWER = 64 * 1024 * 1024
"""Bytes of one answer of a system of record: a packet's largest file and its envelope."""


def current_grant() -> "CurrentGrant":
    """The grant of the governed step that runs here.

    Raises:
        NotGoverned: no governed step runs in this context.
    """
    try:
        return _current.get()
    except LookupError:
        raise NotGoverned("there is no current grant: this code runs in no governed step") from None


def new_salt() -> str:
    """32 random bytes, as salts are spelled."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")


class Answer:
    """What a system of record answered."""

    def __init__(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.status = status
        self.body = body
        self.headers = headers


class CurrentGrant:
    """What a step may do, and what it leaves behind."""

    def __init__(
        self,
        config: AgentConfig,
        link: AuthorityLink,
        session: aiohttp.ClientSession,
        clock: Callable[[], datetime],
        requested: RequestedDetails,
        held: HeldGrant,
    ) -> None:
        self._config = config
        self._link = link
        self._session = session
        self._clock = clock
        self._requested = requested
        self._held = held
        self._tokens = [held.token]
        self._leaked = False
        self._renewing = asyncio.Lock()
        self._reasons: list[str] = []
        self._given: set[str] = set()
        self._parts: dict[str, Part] = {}
        self._refs: dict[str, PartRef] = {}

    def __repr__(self) -> str:
        """Show the grant's id alone."""
        return f"CurrentGrant({self._held.id})"

    @property
    def id(self) -> str:
        """The grant's id."""
        return self._held.id

    @property
    def record(self) -> str:
        """The one record it is for."""
        return self._held.details.identifier

    @property
    def details(self) -> GrantedDetails:
        """What was granted; for a guarded action with what people fixed."""
        return self._held.details

    def reason(self, text: str) -> None:
        """Say why the step does what it does; it is settled with the grant."""
        self._reasons.append(text)

    def keep(self, name: str, data: BaseModel, proposal: Proposal | None = None) -> PartRef:
        """Leave an evidence part; the workflow gets the reference.

        Raises:
            ValueError: a part of this name was kept already.
        """
        said: dict[str, JsonValue] = data.model_dump(mode="json", exclude_none=True)
        return self.keep_part(
            Part(name=name, record=self.record, salt=new_salt(), data=said, proposal=proposal)
        )

    def keep_part(self, part: Part) -> PartRef:
        """Leave a part as it is, say as the authority told it.

        Raises:
            ValueError: a part of this name was kept already.
        """
        if part.name in self._parts:
            raise ValueError(f"the part {part.name} was kept already")
        self._parts[part.name] = part
        ref = PartRef(name=part.name, record=part.record, digest=part.digest)
        self._refs[part.name] = ref
        return ref

    async def inputs(self, name: str) -> tuple[InputPart, ...]:
        """The settled parts of that name, one for each record, that the step may read (I13)."""
        await self._renew()
        found = await self._link.inputs(self._held.id, name)
        self._given |= {each.digest for each in found}
        return found

    async def request(self, method: str, path: str, *, json: BaseModel | None = None) -> Answer:
        """Ask the step's system of record; ``path`` begins with a slash.

        Raises:
            ApplicationError: the system is away, or answered 5xx (retryable).
            ValueError: the path is not one of this system.
        """
        if not path.startswith("/") or path.startswith("//"):
            raise ValueError("a path begins with one slash")
        await self._renew()
        url = self._config.address_of(self._requested.system) + path
        token = self._held.token
        headers = {
            "Authorization": f"DPoP {token}",
            "DPoP": self._link.proof(method, url, token),
        }
        with span("ask the system of record", system=self._requested.system, method=method):
            answer = await self._ask(method, url, {**headers, **carried()}, json)
        if answer.status >= 500:
            raise unavailable(f"{self._requested.system} answered {answer.status}")
        return answer

    async def _ask(
        self, method: str, url: str, headers: dict[str, str], json: BaseModel | None
    ) -> Answer:
        body = None
        if json is not None:
            headers["Content-Type"] = "application/json"
            body = io.BytesIO(json.model_dump_json(exclude_none=True).encode())
        try:
            async with self._session.request(
                method,
                URL(url, encoded=True),  # spelled anew, it would not be what the proof is for
                data=body,
                headers=headers,
                allow_redirects=False,
            ) as response:
                data = await self._read(response)
                return Answer(response.status, data, dict(response.headers))
        except (aiohttp.ClientError, TimeoutError) as error:
            why = over_tls(error, url) or f" ({type(error).__name__})"
            raise unavailable(f"{self._requested.system} does not answer{why}") from None

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        chunks, size = [], 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > MAX_ANSWER:
                raise unavailable(f"{self._requested.system} answered more than {MAX_ANSWER} bytes")
            chunks.append(chunk)
        return b"".join(chunks)

    async def _renew(self) -> None:
        async with self._renewing:  # two at once would revoke each other's
            if self._clock() >= self._held.renew:
                await self._take_next()

    async def _take_next(self) -> None:
        self._held = await self._link.grant(self._requested)
        self._tokens.append(self._held.token)

    # --- for the plugin -----------------------------------------------------------------------

    def guard(self, leaving: Iterable[bytes]) -> None:
        """Look for the step's tokens in what is about to leave; one leak decides the step's end.

        Raises:
            ApplicationError: there is one, or was one before (terminal).
        """
        self._leaked = self._leaked or any(find_token(each, self._tokens) for each in leaving)
        if self._leaked:
            raise leaked()

    @property
    def leaked(self) -> bool:
        """Whether the step tried to send out a token."""
        return self._leaked

    async def outlive(self) -> None:
        """Get the next grant if this one's time is over: a dead one can't be settled for long."""
        if self._clock() >= self._held.expires:
            await self._take_next()

    @property
    def reasoning(self) -> str:
        """What the step said of its reasons."""
        return "\n".join(self._reasons).encode(errors="replace").decode()[:10_000]

    @property
    def given(self) -> tuple[str, ...]:
        """The digests of the settled parts that the step was given."""
        return tuple(sorted(self._given))

    @property
    def parts(self) -> tuple[Part, ...]:
        """What the step leaves behind."""
        return tuple(self._parts.values())

    def enter(self) -> "contextvars.Token[CurrentGrant]":
        """Make this the current grant of the running context."""
        return _current.set(self)

    def leave(self, token: "contextvars.Token[CurrentGrant]") -> None:
        """Make it current no more."""
        _current.reset(token)
