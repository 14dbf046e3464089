"""Owners' own tools: whatever one does or says, it is a proof, or a failure in our words."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from placet.governance._tools import MOST_BYTES, ToolFailed, call
from placet.governance.keeping import BadTools, Tool, read_tools
from placet.model import Goal, Standing, ToolProof, ToolTask, proof_trouble
from tests.harness.waiting import pauses

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
ORDER = "order-" + "7" * 26
TASK = ToolTask(
    order=ORDER,
    identity="api-key:aws/one",
    goal=Goal.ROTATE,
    source="aws",
    ordered_at=NOW,
    tries=1,
)
PROOF = '{"credential": "AKIA-2", "at": "2026-11-28T12:00:00Z", "earlier": "disabled"}'
SECRET = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2"


def shell(script: str, **more: object) -> Tool:
    """A tool that is a line of shell, which its settings say and no case."""
    return Tool.model_validate({"command": ("/bin/sh", "-c", script), **more})


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("exit 3", "ended with status 3"),
        (f"echo '{PROOF}'; exit 1", "ended with status 1"),
        (f"""echo '{{"credential": "{SECRET}"}}'""", "looks like a secret"),
        (f"""echo '{{"{SECRET}": "x"}}'""", "looks like a secret"),
        ("""echo '{"password": "hunter2"}'""", "no proof"),
        (f"head -c {MOST_BYTES * 3} /dev/zero | tr '\\0' x", "more than"),
        ("yes", "more than"),
        ("echo not json", "no proof"),
        ("true", "no proof"),
        (PROOF.replace("AKIA-2", "two words").join(("echo '", "'")), "no proof .credential."),
    ],
)
async def test_what_is_no_proof_fails_in_our_words(script: str, why: str) -> None:
    """I7, I12: nothing of what it said is repeated."""
    with pytest.raises(ToolFailed, match=why) as failed:
        await call(shell(script), TASK)
    assert SECRET not in str(failed.value)
    assert "hunter2" not in str(failed.value)


async def test_a_command_is_told_what_to_do_and_nothing_of_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I7: it sees the order on its standard input, and of our environment what is named."""
    monkeypatch.setenv("PLACET_WORKER_SECRET", "of the worker")
    monkeypatch.setenv("AWS_PROFILE", "rotator")
    script = f"cat > {tmp_path}/told; env > {tmp_path}/env; echo '{PROOF}'"
    proof = await call(shell(script, environment=("AWS_PROFILE",)), TASK)
    assert proof == ToolProof(credential="AKIA-2", at=NOW, earlier=Standing.DISABLED)
    told = ToolTask.model_validate_json(
        (tmp_path / "told").read_text().replace("}", ', "tries": 1}')
    )
    assert told == TASK
    seen = (tmp_path / "env").read_text()
    assert f"PLACET_ORDER={ORDER}" in seen
    assert "AWS_PROFILE=rotator" in seen
    assert "of the worker" not in seen


async def test_a_command_ends_in_time_with_all_that_it_started(tmp_path: Path) -> None:
    """I11: a tool that hangs is over when its time is, and so are its children."""
    with pytest.raises(ToolFailed, match="within 1 second"):
        await call(shell(f"sleep 600 & echo $! > {tmp_path}/pid; wait", seconds=1), TASK)
    child = int((tmp_path / "pid").read_text())
    for pause in pauses():
        status = Path(f"/proc/{child}/status")
        if not status.exists() or "State:\tZ" in status.read_text():
            break
        await asyncio.sleep(pause)


async def test_a_command_that_is_not_there_fails() -> None:
    """I12: no traceback."""
    with pytest.raises(ToolFailed, match="could not be started: No such file"):
        await call(Tool(command=("/nowhere/at-all",)), TASK)


async def test_an_address_is_asked_once_with_the_order_as_its_key(tmp_path: Path) -> None:
    """I7, I11: the order is the idempotency key; a redirect is not followed with the token."""
    seen: list[web.Request] = []

    async def good(request: web.Request) -> web.Response:
        seen.append(request)
        assert (await request.json())["identity"] == TASK.identity
        return web.Response(text=PROOF)

    async def elsewhere(request: web.Request) -> web.Response:
        seen.append(request)
        raise web.HTTPFound("/good")

    async def broken(request: web.Request) -> web.Response:
        return web.Response(status=500, text=SECRET)

    handlers: dict[str, Callable[[web.Request], Awaitable[web.Response]]] = {
        "good": good,
        "elsewhere": elsewhere,
        "broken": broken,
    }
    app = web.Application()
    for name, handler in handlers.items():
        app.router.add_post(f"/{name}", handler)
    bearer = tmp_path / "token"
    bearer.write_text("the owner's token\n")
    async with TestServer(app) as server:

        def tool(name: str) -> Tool:
            return Tool(url=f"http://127.0.0.1:{server.port}/{name}", bearer_file=bearer)

        assert (await call(tool("good"), TASK)).credential == "AKIA-2"
        assert seen[0].headers["Idempotency-Key"] == ORDER
        assert seen[0].headers["Authorization"] == "Bearer the owner's token"
        with pytest.raises(ToolFailed, match="status 302"):
            await call(tool("elsewhere"), TASK)
        with pytest.raises(ToolFailed, match="status 500") as failed:
            await call(tool("broken"), TASK)
        assert SECRET not in str(failed.value)
        gone = tool("good")
    with pytest.raises(ToolFailed, match="could not be reached"):
        await call(gone, TASK)
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[aws.rotate]\n", "aws.rotate: .*a tool is one of them"),
        ('[aws.rotate]\nurl = "http://far.example"', "aws.rotate.url"),
        ('[aws.burn]\ncommand = ["x"]', "aws.burn"),
        ('[aws.rotate]\ncommand = "rm -rf /"', "aws.rotate.command"),
        ("no toml", "Expected"),
    ],
)
def test_settings_that_are_wrong_are_named(tmp_path: Path, text: str, why: str) -> None:
    """I12: which inventory, which goal, what is wrong."""
    file = tmp_path / "tools.toml"
    file.write_text(text)
    with pytest.raises(BadTools, match=why):
        read_tools(file)
    file.unlink()
    with pytest.raises(BadTools, match="No such file"):
        read_tools(file)


def test_settings_name_the_tool_of_an_inventory_and_goal(tmp_path: Path) -> None:
    """Nothing else chooses it."""
    file = tmp_path / "tools.toml"
    file.write_text('[aws.rotate]\ncommand = ["/bin/rotate"]\nseconds = 30\n')
    tools = read_tools(file)
    assert tools.tool("aws", Goal.ROTATE) == Tool(command=("/bin/rotate",), seconds=30)
    assert tools.tool("aws", Goal.OFFBOARD) is None
    assert tools.tool("gcp", Goal.ROTATE) is None


@pytest.mark.parametrize(
    ("minutes", "goal", "earlier", "why"),
    [
        (0, Goal.ROTATE, Standing.ACTIVE, None),
        (-5, Goal.ROTATE, Standing.DELETED, None),
        (5, Goal.OFFBOARD, Standing.DISABLED, None),
        (-6, Goal.ROTATE, Standing.DELETED, "before it was ordered"),
        (6, Goal.ROTATE, Standing.DELETED, "five minutes"),
        (0, Goal.OFFBOARD, Standing.ACTIVE, "active still"),
    ],
)
def test_a_proof_is_of_this_order_and_of_what_was_ordered(
    minutes: int, goal: Goal, earlier: Standing, why: str | None
) -> None:
    """I11: a credential that was made before it was ordered proves nothing; clocks may differ."""
    at = NOW.replace(minute=minutes) if minutes >= 0 else NOW.replace(hour=11, minute=60 + minutes)
    found = proof_trouble(goal, ToolProof(credential="k", at=at, earlier=earlier), NOW, NOW)
    assert (found is None) == (why is None)
    assert (why or "") in (found or "")
