"""An agent made with anything works in a case over MCP: the same grants, denials and budgets.

The client is the official SDK's.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import cycle
from typing import Any

import httpx2
import pytest
import pytest_asyncio
import uvicorn
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent
from starlette.types import Receive, Scope, Send
from temporalio.worker import Worker

from placet.agent import CurrentGrant, _governor
from placet.agent._errors import unavailable
from placet.agent.reasoning import _think, thinking
from placet.agent.reasoning.mcp import OutsideMind, guarded, think_of
from placet.audit import replay, verify
from placet.cli import fetch_log
from placet.model import Settlement
from tests.harness.world import free_port, temporal_server, until, world
from tests.reasoning.process import DEFINITION, ParcelReading
from tests.reasoning.room import TAKEN, TOOLS, Answer, Room, brief, room

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]
E = "depot/D1/parcel/2"
TOKEN = "a token for tests of MCP only"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def outside(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Room]:
    """A room whose reader comes over MCP; the log verifies and each case replays (I8, I9)."""
    async with temporal_server() as temporal:
        async with world(temporal, tmp_path_factory.mktemp("mcp")) as made:
            async with room(made, outside=True) as opened:
                yield opened
                closed = [each.id for each in await made.people["una"].cases("closed")]
                assert closed
                for case in closed:
                    await made.until_archived(case)
                files = await fetch_log(made.people["una"])
                assert verify(files).troubles == ()
                for case in closed:
                    assert (await replay(files, case, [ParcelReading])).troubles == ()


@contextlib.asynccontextmanager
async def serving(outside: Room, case: str) -> AsyncIterator[OutsideMind]:
    """A worker that serves one case."""
    client = await outside.world.agent_client("scale")
    mind = OutsideMind(case, "scale", client, silent=20)
    activities = [thinking(DEFINITION, "reading", mind, brief, Answer), *TOOLS]
    think_of(activities, mind)
    assert mind.thinks == "think"
    worker = Worker(
        client,
        task_queue="scale",
        activities=activities,
        graceful_shutdown_timeout=timedelta(seconds=1),
    )
    async with worker:
        yield mind


@contextlib.asynccontextmanager
async def over_http(mind: OutsideMind) -> AsyncIterator[str]:
    """The mind's tools on a port of loopback."""
    port = free_port()
    app = guarded(mind.server.streamable_http_app(), TOKEN)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="on"))
    task = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started)
    try:
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        server.should_exit = True
        await task


def said(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


async def test_an_agent_over_http_works_under_grants_and_is_denied_the_rest(outside: Room) -> None:
    """I1, I2, I3: each call is a step of the case; what is denied is denied here as well."""
    case = await outside.open(lambda turn, messages: [])
    async with serving(outside, case) as mind, over_http(mind) as url:
        async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}) as http:
            async with Client(streamable_http_client(url, http_client=http)) as agent:
                tools = {each.name for each in (await agent.list_tools()).tools}
                assert tools == {
                    "brief",
                    "read_slip",
                    "read_earlier",
                    "send_off",
                    "charge",
                    "conclude",
                }
                assert "Read the slip" in said(await agent.call_tool("brief", {}))
                assert "page 3: a slip of" in said(await agent.call_tool("read_slip", {"page": 3}))
                no = await agent.call_tool("read_slip", {"record": "depot/D9/parcel/1"})
                assert no.is_error and said(no).startswith("denied: I2, out_of_scope")
                no = await agent.call_tool("burn", {})
                assert no.is_error and said(no).startswith("denied: there is no such tool")
                no = await agent.call_tool("read_slip", {"page": "one"})
                assert no.is_error and "page: must be integer" in said(no)
                done = await agent.call_tool("conclude", {"says": "it is a slip"})
                assert said(done) == "The reasoning has ended: nothing more can be asked."
                assert (await agent.call_tool("read_slip", {})).is_error
        async with httpx2.AsyncClient() as stranger:
            assert (await stranger.post(url, json={})).status_code == 401
    assert (await outside.world.until_closed(case)).result == "concluded"
    issued = await outside.entries(case, "grant.issued")
    assert {each["data"].get("model") for each in issued} == {None, "mcp:scale"}
    assert len(await outside.entries(case, "grant.denied")) == 1
    last = (await outside.conversation(case)).turns[-1]
    assert last.conclusion == {"says": "it is a slip", "heavy": False, "pages": []}


async def test_a_turn_that_is_taken_again_has_the_same_calls(
    outside: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I11: no call is lost, and none has another's answer, where the authority was away."""
    real = _governor._settle
    away = [False, True, False, True]

    async def settle(link: Any, grant: CurrentGrant, settlement: Settlement, until: float) -> None:
        thought = grant.details.activity.activity_type == "think"
        if thought and settlement.outcome == "completed" and away and away.pop(0):
            raise unavailable("the authority is away")
        await real(link, grant, settlement, until)

    monkeypatch.setattr(_governor, "_settle", settle)
    monkeypatch.setattr(_think, "_KEPT", 0)  # so that the mind itself is asked again
    case = await outside.open(lambda turn, messages: [])
    async with serving(outside, case) as mind, Client(mind.server) as agent:
        for page in (1, 2, 3):
            answer = said(await agent.call_tool("read_slip", {"page": page}))
            assert f"page {page}: a slip of" in answer
        await agent.call_tool("conclude", {"says": "it is a slip"})
    assert (await outside.world.until_closed(case)).result == "concluded"
    uses = [each for turn in (await outside.conversation(case)).turns for each in turn.uses]
    assert [json.loads(each.arguments).get("page") for each in uses] == [1, 2, 3, None]


HOSTILE: dict[str, tuple[str, dict[str, Any]]] = {
    "a-path": ("read_slip", {"record": "../../etc/passwd"}),
    "sql": ("read_slip", {"record": "depot/D1/parcel/1' OR '1'='1"}),
    "oversize": ("read_slip", {"record": "x" * 200_000}),
    "deep": ("read_slip", {"page": [[[[[[[[1]]]]]]]]}),
    "half-a-pair": ("read_slip", {"page": "1\N{REPLACEMENT CHARACTER}"}),
    "another-argument": ("read_slip", {"token": "eyJ"}),
    "money": ("charge", {"amount": "1e9"}),
    "no-form": ("conclude", {"says": ["no"], "approve": True}),
}


async def test_hostile_arguments_are_answered_and_nothing_is_taken(outside: Room) -> None:
    """I12: each is told what is wrong with it; two clients at once, and both are heard."""
    before = len(TAKEN)
    case = await outside.open(lambda turn, messages: [])
    async with serving(outside, case) as mind, Client(mind.server) as agent:
        async with Client(mind.server) as other:
            answers = await asyncio.gather(  # what waits together is one turn
                *(
                    client.call_tool(name, given)
                    for client, (name, given) in zip(
                        cycle((agent, other)), HOSTILE.values(), strict=False
                    )
                )
            )
            for kind, answer in zip(HOSTILE, answers, strict=True):
                assert answer.is_error and said(answer).startswith("not done"), kind
            assert TAKEN[before:] == []
            both = await asyncio.gather(
                agent.call_tool("read_slip", {}), other.call_tool("read_earlier", {"record": E})
            )
            assert ["a slip of" in said(each) for each in both] == [True, True]
            await agent.call_tool("conclude", {"says": "done"})
            late = await other.call_tool("read_slip", {})
            assert late.is_error and "has ended" in said(late)
    assert (await outside.world.until_closed(case)).result == "concluded"
    assert await outside.entries(case, "grant.denied") == []


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer "}, {"Authorization": TOKEN}])
async def test_nobody_is_served_over_http_without_the_token(headers: dict[str, str]) -> None:
    """I7: not a word of the case; nor with the token said twice."""
    reached: list[str] = []

    async def inside(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(scope["type"])

    transport = httpx2.ASGITransport(guarded(inside, TOKEN))
    async with httpx2.AsyncClient(transport=transport, base_url="http://t") as stranger:
        answer = await stranger.post("/mcp", headers=headers)
        twice = [("Authorization", f"Bearer {TOKEN}")] * 2
        again = await stranger.post("/mcp", headers=twice)
    assert [(each.status_code, each.content) for each in (answer, again)] == [(401, b"")] * 2
    assert reached == []


async def test_a_case_that_has_ended_or_never_was_has_no_tools(outside: Room) -> None:
    """I1: there is nothing to take a turn in."""
    case = await outside.open(lambda turn, messages: [])
    async with serving(outside, case) as mind, Client(mind.server) as agent:
        await agent.call_tool("conclude", {"says": "done"})
        await outside.world.until_closed(case)
    for each in (case, f"case-{'0' * 26}"):
        async with serving(outside, each) as mind, Client(mind.server) as agent:
            assert {tool.name for tool in (await agent.list_tools()).tools} == {"brief"}
            late = await agent.call_tool("read_slip", {})
            assert late.is_error and "has ended" in said(late)


async def test_an_agent_that_tries_on_is_ended(outside: Room) -> None:
    """I2, I12: the refusals' budget holds for whoever asks."""
    case = await outside.open(lambda turn, messages: [])
    async with serving(outside, case) as mind, Client(mind.server) as agent:
        answers = [
            said(await agent.call_tool("read_slip", {"record": f"depot/D9/parcel/{number}"}))
            for number in range(1, 7)
        ]
    assert [each.partition(":")[0] for each in answers[:3]] == ["denied"] * 3
    assert all("has ended" in each for each in answers[4:])
    assert (await outside.world.until_closed(case)).result == "refused"
    assert len(await outside.entries(case, "grant.denied")) == 4
