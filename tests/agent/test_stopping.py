"""A worker that is told to stop while its step runs."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

from placet.process import StepRequest
from placet.tokens import write_key_file
from tests.agent.surroundings import SETTLEMENTS, Surroundings

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _weighed(request: StepRequest) -> str:
    return "weighed"


async def _stopped(s: Surroundings, folder: Path) -> tuple[str, int | None, str]:
    """Start a worker of its own process and stop it in its step: case, exit status, its words."""
    key = folder / "scale.key"
    write_key_file(key, s.config.key)
    told = {
        "temporal": s.address,
        "issuer": s.config.issuer,
        "depot": s.config.systems["depot"],
        "key": str(key),
    }
    handle = await s.open()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-X",
        "dev",
        "-W",
        "always",
        "-m",
        "tests.agent.stopped_worker",
        cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(told).encode() + b"\n")
        async with asyncio.timeout(90):
            assert await process.stdout.readline() == b"running\n"
            process.send_signal(signal.SIGTERM)
            _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return handle.id, process.returncode, said.decode()


async def test_a_worker_stopped_in_its_step_ends_cleanly(s: Surroundings, tmp_path: Path) -> None:
    """Nothing is left open, the grant ends on the ledger, and another worker goes on."""
    async with s.working(None):
        case, status, said = await _stopped(s, tmp_path)
        assert (status, said) == (0, "")
        assert await s.ends(case) == [("grant.settled", "cancelled")]
        async with s.working(_weighed):
            assert await s.ending(s.temporal.get_workflow_handle(case)) == "weighed"
    assert await s.ends(case) == [("grant.settled", "cancelled"), ("grant.settled", "completed")]


async def test_a_worker_ends_although_it_can_not_settle(s: Surroundings, tmp_path: Path) -> None:
    """A worker that stops does not wait for an authority that is away; the grant ends itself."""
    s.gate.away[SETTLEMENTS] = 1_000_000
    async with s.working(None):
        case, status, said = await _stopped(s, tmp_path)
        assert status == 0
        assert "could not be settled" in said
        assert len(said.splitlines()) == 1, said
        s.gate.open()
        async with s.working(_weighed):
            assert await s.ending(s.temporal.get_workflow_handle(case)) == "weighed"
    assert await s.ends(case) == [("grant.revoked", None), ("grant.settled", "completed")]
