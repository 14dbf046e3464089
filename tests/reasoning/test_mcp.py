"""An agent made with anything works in a case over MCP: the same grants, denials and budgets.

The client is the official SDK's.
"""

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx2
import pytest
import pytest_asyncio
import uvicorn
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent
from temporalio.worker import Worker

from placet.agent.reasoning import thinking
from placet.agent.reasoning.mcp import OutsideMind, guarded, think_of
from placet.audit import replay, verify
from placet.cli import fetch_log
from tests.harness.world import free_port, temporal_server, until, world
from tests.reasoning.process import DEFINITION, ParcelReading
from tests.reasoning.room import TOOLS, Answer, Room, brief, room

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]
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
    import asyncio

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
