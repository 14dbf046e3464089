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
PATIENCE = 120  # seconds: a busy machine may take long, and ends nothing sooner
pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        TMUX is None and not os.environ.get("PLACET_REQUIRE_TMUX"),
        reason="tmux is not installed: the console was not seen on a real terminal",
    ),
]


class Terminal:
    """One tmux server of this test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._socket = str(folder / f"{uuid.uuid4().hex[:8]}.tmux")

    def tmux(self, *arguments: str) -> str:
        assert TMUX is not None, "tmux is required here"
        command = [TMUX, "-S", self._socket, *arguments]
        environment = {k: v for k, v in os.environ.items() if k not in {"COLUMNS", "LINES"}}
        ran = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        return ran.stdout

    def start(self, command: list[str], size: tuple[int, int]) -> None:
        width, height = (str(each) for each in size)
        self.tmux("new-session", "-d", "-x", width, "-y", height, "-c", str(self.folder), *command)

    def shown(self) -> str:
        return self.tmux("capture-pane", "-p")

    def keys(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def until(self, *words: str, patience: float = PATIENCE) -> str:
        end = time.monotonic() + patience
        while True:
            shown = self.shown()
            if all(each in shown for each in words):
                return shown
            assert time.monotonic() < end, f"{words} did not come:\n{shown}"
            time.sleep(0.1)

    def step(self, key: str) -> None:
        """Press a key that moves the focus, and wait until it is seen to have moved."""
        before = self.tmux("capture-pane", "-p", "-e")
        self.keys(key)
        end = time.monotonic() + PATIENCE
        while self.tmux("capture-pane", "-p", "-e") == before:
            assert time.monotonic() < end, f"{key} changed nothing:\n{self.shown()}"
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


def test_a_terminal_without_utf_8_keeps_its_columns(terminal: Terminal) -> None:
    """What it can't draw is one mark in its cell: spelled out, it shifted all that follows."""
    latin = ["env", "PYTHONIOENCODING=latin-1", "PLACET_ISSUER=http://127.0.0.1:9"]
    terminal.start([*latin, sys.executable, "-m", "placet.cli", "console"], (80, 24))
    shown = terminal.until("Passphrase of the key", "Sign in")
    assert "\\u" not in shown
    (line,) = (each for each in shown.splitlines() if "kept in memory only" in each)
    assert (line[:6], line.rindex("?")) == ("  ?  ?", 77)


def test_a_draw_of_the_demo_is_found_read_and_approved_with_real_keys(terminal: Terminal) -> None:
    """I6: a person finds a draw, reads it, is asked by name and amount, and signs it."""
    terminal.start([sys.executable, "-m", "placet.cli", "demo"], (120, 40))
    terminal.until("In another terminal, as the loan officer:", "Enter opens", patience=240)
    terminal.keys("Enter")  # whoever works in another terminal has copied what stands there
    terminal.until("waits for me: ", "draw 1 of L-1001")
    terminal.keys("/")
    terminal.until("any word of it")
    terminal.keys("-l", "L-1001")
    terminal.until("waits for me: 1")
    terminal.keys("Enter")  # from the filter to the list: its keys are at the foot then
    terminal.until("Open", "Filter")
    terminal.keys("Enter")
    terminal.until("Approval of a draw: draw 1 of L-1001 for $", "Continuation sheet")
    terminal.until("Your approval would be the last")
    terminal.keys("a")
    said = 'omar\'s is "omar is only a demo"'  # what a newcomer has to type, as it is typed
    terminal.until("Approve draw 1 of L-1001 for $", "sha-256:", "Passphrase", said)
    terminal.keys("-l", "omar is only a demo")  # at Cancel: it goes where something is missing
    terminal.until("•" * len("omar is only a demo"))
    terminal.step("Enter")  # on to the button that names the act
    terminal.keys("Enter")
    terminal.until("This has ended: approved")
    terminal.keys("p")
    terminal.until("holds: ", "things checked, replayed")  # by itself, though it ended just now
    terminal.keys("e")
    terminal.until("Kept as", "placet audit verify")
    (kept,) = terminal.folder.glob("case-*.zip")
    verify = [sys.executable, "-m", "placet.cli", "audit", "verify", str(kept)]
    verified = subprocess.run(verify, capture_output=True, check=False, text=True)
    assert verified.returncode == 3, verified  # it holds, under the log's own key alone
    assert "everything that was checked holds" in verified.stdout
