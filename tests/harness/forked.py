"""Our own programs as processes that are forked from one that has loaded them all.

A process that begins by itself takes seconds of the processor to load its modules and build its
models, and a test that kills parts begins dozens. A forked one differs in nothing that a test of
the whole looks at: it has an environment, a log, a process id and an end of its own. That each
program begins by itself as well is what ``tests/cli``, ``tests/gateway`` and ``tests/deploy`` see.
"""

import atexit
import multiprocessing
import multiprocessing.connection
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

_LOCK = threading.Lock()
_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(["tests.harness.loaded"])


def _program(name: str) -> Callable[[], Any]:
    from tests.harness.loaded import PROGRAMS  # noqa: PLC0415 - in the forked process alone

    return PROGRAMS[name]


def _become(
    name: str,
    arguments: list[str],
    environment: dict[str, str],
    logs: tuple[str | None, str | None],
    session: bool,
) -> None:
    """In the forked process: be the program."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if session:
        os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    for stream, log in enumerate(logs, 1):
        if log is not None:
            output = os.open(log, os.O_WRONLY | os.O_APPEND)
            os.dup2(output, stream)
            os.close(output)
    sys.argv = [name, *arguments]
    try:
        sys.exit(_program(name)())
    finally:
        atexit._run_exitfuncs()


class Forked(subprocess.Popen[bytes]):
    """One of our own programs; what starts, watches and ends it is what ``Popen`` has."""

    _child_created = False  # nothing of Popen's own is to be cleaned up

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        stdout: IO[bytes] | None = None,
        stderr: IO[bytes] | None = None,
        stdin: int | None = None,
        start_new_session: bool = False,
    ) -> None:
        logs = tuple(None if each is None else str(each.name) for each in (stdout, stderr))
        self.args = command
        self.stdin = self.stdout = self.stderr = None
        python, flag, name, *arguments = command
        assert (python, flag) == (sys.executable, "-m")
        self._process = _FORKING.Process(
            target=_become,
            args=(name, arguments, dict(env), logs, start_new_session),
            daemon=True,
        )
        with _LOCK:
            self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its status, once it has ended."""
        with _LOCK:
            self.returncode = self._process.exitcode
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its status, when it has ended."""
        found = multiprocessing.connection.wait([self._process.sentinel], timeout)
        status = self.poll() if found else None
        if status is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return status

    def send_signal(self, sig: int) -> None:
        """Send it a signal, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)


def begun(command: Sequence[str], **how: Any) -> subprocess.Popen[bytes]:
    """A process that runs a command: forked, if it is a program of ours.

    On Linux alone: macOS's own libraries may not be used in a forked process.
    """
    if sys.platform == "linux" and list(command[:2]) == [sys.executable, "-m"]:
        return Forked(command, **how)
    return subprocess.Popen(command, **how)
