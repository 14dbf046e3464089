"""The real thing on a real terminal: ``placet demo`` opens the console, in tmux."""

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

TMUX = shutil.which("tmux")
pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        TMUX is None and not os.environ.get("PLACET_REQUIRE_TMUX"),
        reason="tmux is not installed: the console was not seen on a real terminal",
    ),
]


class Terminal:
    """One tmux server of this test's own."""

    def __init__(self, folder: Path) -> None:
        self._socket = str(folder / f"{uuid.uuid4().hex[:8]}.tmux")

    def tmux(self, *arguments: str) -> str:
        assert TMUX is not None, "tmux is required here"
        command = [TMUX, "-S", self._socket, *arguments]
        environment = {k: v for k, v in os.environ.items() if k not in {"COLUMNS", "LINES"}}
        ran = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        return ran.stdout

    def start(self, command: list[str], size: tuple[int, int]) -> None:
        width, height = (str(each) for each in size)
        self.tmux("new-session", "-d", "-x", width, "-y", height, *command)

    def shown(self) -> str:
        return self.tmux("capture-pane", "-p")

    def keys(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def until(self, *words: str, patience: float = 60) -> str:
        end = time.monotonic() + patience
        while True:
            shown = self.shown()
            if all(each in shown for each in words):
                return shown
            assert time.monotonic() < end, f"{words} did not come:\n{shown}"
            time.sleep(0.1)

    def stop(self) -> None:
        try:
            self.tmux("kill-server")
        except subprocess.CalledProcessError:
            pass  # it ended by itself


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path)
    yield made
    made.stop()


def test_the_demo_opens_a_console_that_leads_to_the_dialog_of_a_draw(terminal: Terminal) -> None:
    """A person finds a draw, reads it, and is asked by name and amount."""
    terminal.start([sys.executable, "-m", "placet.cli", "demo"], (120, 40))
    terminal.until("waits for me: ", "draw 1 of L-1001", patience=200)
    terminal.keys("/")
    terminal.until("any word of it")
    terminal.keys("-l", "L-1001")
    terminal.until("waits for me: 1")
    terminal.keys("Enter")
    terminal.keys("Enter")
    terminal.until("Approval of a draw: draw 1 of L-1001 for $", "Continuation sheet")
    terminal.keys("a")
    terminal.until("Approve draw 1 of L-1001 for $", "sha-256:", "Passphrase")
    terminal.keys("Escape")  # nothing is signed; deciding by key and mouse is tested with a pilot
    terminal.until("Your approval would be the last")
