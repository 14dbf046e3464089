"""A program on a terminal of its own: keys go in, and whole frames come out, timed."""

import asyncio
import fcntl
import os
import pty
import re
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

_SIZE = (40, 120)
_ASKS_FRAMES, _HAS_FRAMES = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
_FRAME_ENDS = b"\x1b[?2026l"
_STYLE = re.compile(rb"\x1b\[[0-9;?<>=]*[ -/]*[@-~]")
_PATIENCE = 120.0


@dataclass(frozen=True)
class Frame:
    """What was drawn at once: its text without what moves and colours it, and when it was whole."""

    text: str
    at: float


class Terminal:
    """A terminal that knows whole frames, as those do that draw without flicker."""

    def __init__(self, command: Sequence[str], settings: Mapping[str, str]) -> None:
        self._command = list(command)
        self._settings = {**os.environ, "TERM": "xterm-256color", **settings}
        self._settings.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled
        self._frames: asyncio.Queue[Frame] = asyncio.Queue()
        self._held = b""
        self._process: asyncio.subprocess.Process | None = None
        self._line = -1
        self.begun = 0.0

    async def __aenter__(self) -> "Terminal":
        """Start it."""
        self._line, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", *_SIZE, 0, 0))
        os.set_blocking(self._line, False)
        self.begun = time.perf_counter()
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=its,
            stdout=its,
            stderr=its,
            env=self._settings,
            start_new_session=True,
        )
        os.close(its)
        asyncio.get_running_loop().add_reader(self._line, self._read)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        asyncio.get_running_loop().remove_reader(self._line)
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        os.close(self._line)

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def _read(self) -> None:
        try:
            self._held += os.read(self._line, 1 << 16)
        except OSError:  # it has ended
            asyncio.get_running_loop().remove_reader(self._line)
            return
        if _ASKS_FRAMES in self._held:
            self._held = self._held.replace(_ASKS_FRAMES, b"")
            os.write(self._line, _HAS_FRAMES)
        now = time.perf_counter()
        *whole, self._held = self._held.split(_FRAME_ENDS)
        for each in whole:
            text = _STYLE.sub(b"\n", each).decode("utf-8", "replace")
            self._frames.put_nowait(Frame(" ".join(text.split()), now))

    def press(self, keys: str) -> float:
        """Press keys; when."""
        self.forget()
        os.write(self._line, keys.encode())
        return time.perf_counter()

    def forget(self) -> None:
        """Forget the frames that nobody has waited for."""
        while not self._frames.empty():
            self._frames.get_nowait()

    async def drawn(self, *words: str) -> Frame:
        """The next frame, or the next that has these words."""
        seen: list[str] = []
        try:
            async with asyncio.timeout(_PATIENCE):
                while True:
                    frame = await self._frames.get()
                    if all(each in frame.text for each in words):
                        return frame
                    seen.append(frame.text)
        except TimeoutError:
            raise RuntimeError(f"{words} were not drawn, but {seen[-3:]} {self._held!r}") from None

    async def quiet(self, seconds: float) -> None:
        """Until nothing was drawn for so long."""
        while True:
            try:
                await asyncio.wait_for(self._frames.get(), seconds)
            except TimeoutError:
                return
