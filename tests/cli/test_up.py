"""``placet up`` leaves nothing running, however it is ended; its parts say when they are ready."""

import asyncio
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lender import embedded_commands
from lender.embedded import Embedded, PartDied, _state, embedded
from placet.model import Mode
from tests.cli.conftest import Placet

READY = {
    "authority": "ready for requests at http://127.0.0.1:",
    "lender": "ready for requests at http://127.0.0.1:",
    "worker-draw-analyst": "draw-analyst takes steps from Temporal at 127.0.0.1:",
}


def children(parent: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    return [pid for pid, ppid in pairs if ppid == parent]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_closed_terminal_ends_every_part(tmp_path: Path) -> None:
    """Parts that outlive their command hold ports, keys and memory."""
    process = subprocess.Popen(
        [sys.executable, "-m", "placet.cli", "up"],
        env={**os.environ, "PLACET_HOME": str(tmp_path / "home")},
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "Ctrl+C" in line:
                break
        parts = children(process.pid)
        noted = json.loads((tmp_path / "home" / "begun.json").read_text())
        assert set(noted.values()) == set(parts)
        assert len(parts) >= 9  # Temporal, the authority, the systems of record, six workers
        for part, said in READY.items():
            log = tmp_path / "home" / "logs" / f"{part}.log"
            give_up = time.monotonic() + 30
            while said not in log.read_text():
                assert time.monotonic() < give_up, log.read_text()
                time.sleep(0.05)
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=60) == 0
        assert [pid for pid in parts if alive(pid)] == []
        assert not (tmp_path / "home" / "begun.json").exists()
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


async def test_what_a_killed_start_has_left_is_not_taken_for_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I11: the next one would go on with processes that nobody stops, of another version perhaps."""
    begun: list[str] = []
    monkeypatch.setattr(Embedded, "start", lambda _, part: begun.append(part))
    folder = tmp_path / "home"
    state = _state(folder, Mode.ASSIST)
    (folder / "begun.json").write_text('{"temporal": 4711, "authority": 4712}')
    with socket.create_server(("127.0.0.1", state["ports"][0])), pytest.raises(PartDied) as told:
        async with embedded(folder):
            pytest.fail("it went on")
    assert str(told.value) == (
        f"{folder}: another start's parts answer here (temporal): stop it, or, if it was "
        "killed, end the processes that it has left: temporal 4711, authority 4712"
    )
    assert begun == []
    assert (folder / "begun.json").exists()


def test_two_do_not_start_at_once_in_one_folder(placet: Placet, tmp_path: Path) -> None:
    """I11: before the first one's parts answer, too."""
    held = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        ended = placet("up", PLACET_HOME=str(tmp_path))
    finally:
        os.close(held)
    said = f"placet: {tmp_path}: it is started there already; stop that first\n"
    assert (ended.code, ended.err) == (3, said)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
async def test_each_way_to_stop_it_is_heard(number: signal.Signals) -> None:
    """What ends then is the same whichever it was: the test above."""
    waiting = asyncio.create_task(embedded_commands._until_stopped())
    await asyncio.sleep(0)  # it listens from its first step on
    assert not waiting.done()
    os.kill(os.getpid(), number)
    assert await waiting is None
