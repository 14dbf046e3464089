"""Doing to the parts what a plan says, and starting them again as a supervisor would."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from bench.chaos.plan import Fault, Kind
from bench.chaos.stack import DATABASE, Stack

_LOOKS = 0.05
_MOMENT = 0.001


@dataclass
class Breaking:
    """What is broken now, and when it is mended."""

    stack: Stack
    down: dict[str, float] = field(default_factory=dict)
    """Parts that died, and when they are started again."""

    still: dict[str, float] = field(default_factory=dict)
    """Parts that stand still, and when they go on."""

    waits: dict[str, float] = field(default_factory=dict)
    """For how long a part that dies, or stands still, is left so."""

    befell: list[str] = field(default_factory=list)
    """What came to pass, in order."""

    async def supervise(self) -> None:
        """Start again what has died, and let go on what stands still, each in its time."""
        now = asyncio.get_running_loop().time
        while True:
            for part, process in tuple(self.stack.parts.items()):
                if process.poll() is not None:
                    self.still.pop(part, None)
                    since = self.down.setdefault(part, now() + self.waits.get(part, 0.0))
                    if now() >= since:
                        del self.down[part]
                        await asyncio.to_thread(self._start, part)
                elif self.stack.stands_still(part) and now() >= self.still.setdefault(
                    part, now() + self.waits.get(part, 0.0)
                ):
                    del self.still[part]
                    self.stack.signal(part, signal.SIGCONT)
            await asyncio.sleep(_LOOKS)

    def _start(self, part: str) -> None:
        if part != DATABASE:
            self.stack.start(part)
            return
        with contextlib.suppress(RuntimeError):  # the one before is not yet gone: soon again
            self.stack.start(part)

    async def do(self, fault: Fault) -> None:
        """Let one thing befall a part, from its time to its end."""
        await asyncio.sleep(fault.at)
        self.waits[fault.part] = fault.lasts
        self.befell.append(str(fault))
        if fault.point is not None:
            self.stack.arm(fault)
            return
        match fault.kind:
            case Kind.KILL:
                self._send(fault.part, signal.SIGKILL)
            case Kind.STOP:
                self._send(fault.part, signal.SIGSTOP)
            case Kind.DROP | Kind.HOLE:
                self.stack.cut(fault.part, fault.kind)
                await asyncio.sleep(fault.lasts)
                self.stack.mend(fault.part)
            case Kind.SKEW:
                self.waits[fault.part] = 0.0
                skewed = {"PLACET_CLOCK_SKEW": str(fault.skew)}
                self.stack.more[fault.part] = skewed
                self._send(fault.part, signal.SIGKILL)
                await asyncio.sleep(fault.lasts)
                if self.stack.more.get(fault.part) is skewed:  # another may have come meanwhile
                    del self.stack.more[fault.part]
                self._send(fault.part, signal.SIGKILL)

    def _send(self, part: str, number: signal.Signals) -> None:
        """Send a signal, and let nothing else go on before it has worked.

        A part that dies only after all were found whole stays dead; one that stands still only
        after another fault has let it go on stands still for ever.
        """
        process = self.stack.parts[part]
        self.stack.signal(part, number)
        while process.poll() is None and not (
            number is signal.SIGSTOP and self.stack.stands_still(part)
        ):
            time.sleep(_MOMENT)


@contextlib.asynccontextmanager
async def broken(stack: Stack, faults: Sequence[Fault]) -> AsyncIterator[Breaking]:
    """Let things befall the parts; at the end all of them are whole again."""
    breaking = Breaking(stack)
    supervising = asyncio.create_task(breaking.supervise())
    doing = [asyncio.create_task(breaking.do(each)) for each in faults]
    try:
        yield breaking
        await asyncio.gather(*doing)
    finally:
        for each in doing:
            each.cancel()
        await asyncio.gather(*doing, return_exceptions=True)
        stack.disarm()
        for part in stack.links:
            stack.mend(part)
        stack.more.clear()
        breaking.waits.clear()
        breaking.down.clear()
        breaking.still.clear()
        # What died or was stopped last is brought back before anyone looks.
        async with asyncio.timeout(30):
            while not _whole(stack):  # noqa: ASYNC110 - processes have no event
                await asyncio.sleep(_LOOKS)
        supervising.cancel()
        await asyncio.gather(supervising, return_exceptions=True)


def _whole(stack: Stack) -> bool:
    return all(
        process.poll() is None and not stack.stands_still(part)
        for part, process in stack.parts.items()
    )
