"""An agent outside, over the Model Context Protocol, as a mind. Needs the extra ``placet[llm]``.

1. The agent outside takes the model's place and nothing else: each of its calls becomes a turn of
   the case's reasoning, and the step that the signed process has for it, with its own grant,
   denial, budget and entries (I1, I2, I3). It holds no key and no token.
2. One case: turns of other cases are left to other workers.
3. A call is answered when its step has ended. Where the reasoning ends first, or has ended, that is
   the answer. What several clients ask at the same time is one turn.
4. A turn that is asked for again has the same calls: none is lost, and none has another's answer.
"""

import asyncio
import contextlib
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from mcp.server import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
)
from starlette.types import ASGIApp, Receive, Scope, Send
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from placet.agent._errors import unavailable
from placet.agent.reasoning._mind import MAX_CALLS, Answered, NoAnswer, Question, RawCall

BRIEF = "brief"
"""The tool that says what is asked; it reads what is settled already, and takes no step."""

_LOOK = 1.0
_MISSES = 5
"""Looks at a case that Temporal does not know, until there is none."""

_SILENT = 300.0
"""Seconds for which the agent outside may say nothing in a turn."""

_ENDED = "The reasoning has ended: nothing more can be asked."


@dataclass
class _Call:
    raw: RawCall
    answer: "asyncio.Future[str]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class OutsideMind:
    """A mind whose turns an MCP client takes, in one case."""

    def __init__(self, case: str, agent: str, temporal: Client, *, silent: float = _SILENT) -> None:
        self._case = case
        self._agent = agent
        self._temporal = temporal
        self._silent = silent
        self._asked: asyncio.Queue[_Call] = asyncio.Queue()
        self._waiting: list[_Call] = []
        self._question: Question | None = None
        self._begun = asyncio.Event()
        self._ended = False
        self._missed = 0
        self.server: Server[Any] = Server(
            "placet",
            instructions=f"Work on {case} as {agent}. Call {BRIEF} first.",
            on_list_tools=self._list,
            on_call_tool=self._call,
        )

    @property
    def name(self) -> str:
        """What a kill switch calls it."""
        return f"mcp:{self._agent}"

    async def take_turn(self, question: Question) -> Answered:
        """Give what became of the calls before, and wait for the next ones.

        Raises:
            NoAnswer: the agent outside was silent for too long.
            ApplicationError: it is another case's turn (retryable: by another worker).
        """
        if question.case != self._case:
            raise unavailable(f"this worker serves {self._case} alone")
        again = self._question is not None and _turn_of(question) == _turn_of(self._question)
        if not again:
            self._tell(question)
        self._question = question
        self._begun.set()
        if not self._waiting:
            self._waiting = await self._next_calls()
        return Answered(answered_by=self.name, calls=tuple(each.raw for each in self._waiting))

    async def _next_calls(self) -> list[_Call]:
        try:
            async with asyncio.timeout(self._silent):
                taken = [await self._asked.get()]
        except TimeoutError:
            raise NoAnswer(f"the agent said nothing for {self._silent:g} seconds") from None
        while not self._asked.empty() and len(taken) < MAX_CALLS:
            taken.append(self._asked.get_nowait())
        return taken

    def _tell(self, question: Question) -> None:
        turns = question.conversation.turns
        uses = turns[-1].uses if turns else ()
        texts = {each.result.key: each.text for each in question.told}
        for use, call in zip(uses, self._waiting, strict=False):
            said = [texts.get(use.called.key, ""), use.problem or ""]
            if not call.answer.done():
                call.answer.set_result("\n".join(part for part in said if part))
        self._waiting = []

    # --- the protocol ---------------------------------------------------------------------------

    async def _list(
        self, _: ServerRequestContext[Any, Any], __: PaginatedRequestParams | None
    ) -> ListToolsResult:
        question = await self._first()
        tools = [] if question is None else question.tools
        brief = Tool(
            name=BRIEF,
            description="What you are asked to do, and on what.",
            input_schema={"type": "object"},
        )
        return ListToolsResult(
            tools=[
                brief,
                *(
                    Tool(
                        name=each.name,
                        description=each.description,
                        input_schema=dict(each.schema),
                    )
                    for each in tools
                ),
            ]
        )

    async def _call(
        self, _: ServerRequestContext[Any, Any], params: CallToolRequestParams
    ) -> CallToolResult:
        question = await self._first()
        if question is None or self._ended:
            return _answer(_ENDED, error=True)
        if params.name == BRIEF:
            said = question.conversation
            return _answer(f"{said.instructions}\n\n{said.opening}")
        call = _Call(RawCall(params.name, json.dumps(params.arguments or {})))
        self._asked.put_nowait(call)
        while not call.answer.done():
            await asyncio.wait({call.answer}, timeout=_LOOK)
            if not call.answer.done() and await self._over():
                self._ended, self._waiting = True, []
                return _answer(_ENDED)
        text = call.answer.result()
        return _answer(text, error=text.startswith(("denied", "not done")))

    async def _first(self) -> Question | None:
        """The first question; ``None`` if the reasoning is over before it came."""
        while self._question is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._begun.wait()
            if self._question is None and await self._closed():
                return None
        return self._question

    async def _closed(self) -> bool:
        try:
            described = await self._temporal.get_workflow_handle(self._case).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            self._missed += 1  # the authority starts it a moment after it has opened the case
            return self._missed >= _MISSES
        return described.close_time is not None

    async def _over(self) -> bool:
        """Whether no step of this agent is on its way any more, at two looks."""
        for _ in range(2):
            if await self._busy():
                return False
            await asyncio.sleep(_LOOK)
        return True

    async def _busy(self) -> bool:
        described = await self._temporal.get_workflow_handle(self._case).describe()
        question = self._question
        assert question is not None  # it was asked before anything was called
        own = {each.name for each in question.tools} | {self.thinks}
        pending = described.raw_description.pending_activities
        return any(each.activity_type.name in own for each in pending)

    thinks: str = ""
    """The activity type that asks this mind; set by who starts its worker."""


def _turn_of(question: Question) -> tuple[str, int]:
    """Which turn a question asks for."""
    return question.conversation.reasoning, len(question.conversation.turns)


def _answer(text: str, *, error: bool = False) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=error)


def guarded(app: ASGIApp, token: str) -> ASGIApp:
    """An HTTP application for whoever says the token (RFC 6750), and for nobody else."""

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            sent = [value for name, value in scope["headers"] if name == b"authorization"]
            if len(sent) != 1 or not hmac.compare_digest(sent[0], f"Bearer {token}".encode()):
                await send(
                    {
                        "type": "http.response.start",
                        "status": 401,
                        "headers": [(b"www-authenticate", b"Bearer")],
                    }
                )
                await send({"type": "http.response.body", "body": b""})
                return
        await app(scope, receive, send)

    return guard


def think_of(activities: Sequence[Any], mind: OutsideMind) -> None:
    """Let the mind know which activity asks it: the one that names its model."""
    for each in activities:
        _, _, model = getattr(each, "__placet_governed__", (None, None, None))
        if model == mind.name:
            mind.thinks = getattr(each, "__temporal_activity_definition").name


@contextlib.asynccontextmanager
async def over_stdio(mind: OutsideMind) -> AsyncIterator["asyncio.Task[None]"]:
    """Serve the mind's tools on standard input and output."""
    from mcp.server.stdio import stdio_server  # noqa: PLC0415 - it takes the streams over

    async def serve() -> None:
        async with stdio_server() as (read, write):
            await mind.server.run(read, write, mind.server.create_initialization_options())

    task = asyncio.create_task(serve())
    try:
        yield task
    finally:
        task.cancel()
