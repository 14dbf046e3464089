"""Where the time goes: a grant in the authority and a step in its worker, by what the code does.

py-spy looks at every Python thread many times a second, and Linux counts what each thread took; a
thread's time is shared out by what it was seen doing. Threads without Python are Temporal's SDK.
``python -m bench.profiling`` measures this alone and adds it to the results.
"""

import asyncio
import contextlib
import re
import signal
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.issuing import WARM_UP, asked_by_steps
from bench.measures import run_governed
from bench.processor import process_of, threads
from bench.results import Figure, add
from bench.stage import Stage, stage

_SPY = Path(sys.executable).parent / "py-spy"
_RATE = 200
_GRANTS, _CASES, _STEPS, _ROUNDS = 100, 20, 10, 3
_THREAD = re.compile(r"thread \((\d+)\)")
_WAITS = ("_worker (concurrent/futures", "Writer._next_batch", "wait (threading", "select (")
"""Where a thread that is seen running only waits for the interpreter's lock or for work."""

Parts = Sequence[tuple[str, tuple[str, ...]]]
OF_A_GRANT: Parts = (
    ("sign", ("Grants._sign ",)),
    ("authenticate", ("Requests.client ", "Requests.proof ", "use_sender ")),
    ("ask_temporal", ("Temporal.describe ",)),
    ("policy", ("decide (placet/rules",)),
    ("commit", ("Connection.commit ",)),
    ("write", ("record_grant ", "Access.add ", "Writer._save_head ")),
    ("look_up", ("Judge._judge ", "Grants._look ")),
    ("writer", ("Writer._work ",)),
    ("http", ("uvicorn/protocols", "placet/transport")),
)
OF_A_STEP: Parts = (
    ("ask_for_grant", ("placet/agent/_batches", "placet/agent/_link", "placet/tokens")),
    ("governing", ("placet/agent", "placet/client")),
    ("payloads", ("placet/payloads",)),
    ("workflow", ("_workflow_instance.py", "worker/_workflow.py", "workflow_sandbox")),
    ("activity", ("worker/_activity.py",)),
)
REST, NATIVE = "rest", "native"


@dataclass
class Seen:
    """What was seen of one process: samples by thread and stack, and each thread's seconds."""

    stacks: Mapping[int, Counter[str]] = field(default_factory=dict)
    seconds: Mapping[int, float] = field(default_factory=dict)

    def shares(self, parts: Parts) -> dict[str, float]:
        """Seconds of each part, its threads' sum."""
        spent = dict.fromkeys([*(part for part, _ in parts), REST, NATIVE], 0.0)
        for thread, took in self.seconds.items():
            stacks = self.stacks.get(thread)
            if not stacks:
                spent[NATIVE] += took
                continue
            seen = sum(stacks.values())
            for stack, times in stacks.items():
                spent[_part_of(stack, parts)] += took * times / seen
        return spent


def _part_of(stack: str, parts: Parts) -> str:
    for part, marks in parts:
        if any(mark in stack for mark in marks):
            return part
    return REST


@contextlib.asynccontextmanager
async def _watched(process: int, folder: Path, seen: Seen) -> AsyncIterator[None]:
    """See what a process does as long as this lasts."""
    kept = folder / f"stacks-{process}.txt"
    asked = ["record", "--rate", str(_RATE), "--format", "raw", "--threads", "--nonblocking"]
    spy = await asyncio.create_subprocess_exec(
        *(str(_SPY), *asked, "--duration", "600", "--output", str(kept), "--pid", str(process)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert spy.stdout is not None
    while b"Sampling" not in (line := await spy.stdout.readline()):
        if not line:
            raise SystemExit("py-spy may not look at its own children here")
    before = threads(process)
    yield
    after = threads(process)
    spy.send_signal(signal.SIGINT)
    await spy.communicate()
    seen.seconds = {each: after[each] - before.get(each, 0.0) for each in after}
    seen.stacks = _read(kept.read_text().splitlines())


def _read(lines: Sequence[str]) -> dict[int, Counter[str]]:
    found: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for line in lines:
        stack, _, times = line.rpartition(" ")
        thread = _THREAD.search(stack)
        if thread is not None and not any(each in stack.rpartition(";")[2] for each in _WAITS):
            found[int(thread[1])][f"{stack} "] += int(times)
    return found


async def profile(_shared: Stage | None = None) -> list[Figure]:
    """Processor time of a grant in the authority, and of an empty step in its worker, by part."""
    if not _SPY.exists():
        raise SystemExit("bench.profiling needs py-spy: bench/requirements.lock")
    with tempfile.TemporaryDirectory() as folder:
        async with stage(Path(folder)) as ready:
            return [*await _grants(ready), *await _steps(ready)]


async def _grants(ready: Stage) -> list[Figure]:
    seen, connections = Seen(), 8
    watched = _watched(process_of("authority"), ready.folder, seen)
    taken = await asked_by_steps(ready, connections, _GRANTS, watched)
    return _figures("grant", seen.shares(OF_A_GRANT), len(taken.each) + WARM_UP)


async def _steps(ready: Stage) -> list[Figure]:
    async def run(number: int) -> None:
        await asyncio.gather(
            *(run_governed(ready, f"p{number}-{case}", _STEPS) for case in range(_CASES))
        )

    await run(0)  # warms up
    seen = Seen()
    async with _watched(process_of("worker"), ready.folder, seen):
        for number in range(_ROUNDS):
            await run(number + 1)
    return _figures("step", seen.shares(OF_A_STEP), _ROUNDS * _CASES * (_STEPS + 1))


def _figures(of: str, spent: Mapping[str, float], count: int) -> list[Figure]:
    return [
        Figure(f"profile.{of}.{part}_ms", took * 1000 / count, "ms", count)
        for part, took in spent.items()
    ]


if __name__ == "__main__":
    add(asyncio.run(profile()))
