"""Many cases that wait for people at once: the memory they take, and the time to decide them all.

How many is ``PLACET_BENCH_WAITING`` (10,000 unless told): ``PLACET_BENCH_WAITING=200 python -m
bench.waiting`` measures that alone, and writes nothing.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from bench.processor import resident
from bench.results import Figure
from bench.stage import Stage, stage
from bench.work import PROCESS
from placet.model import CaseStatus, CheckpointLine, CheckpointQuery, Verdict, WaitsFor

COUNT = int(os.environ.get("PLACET_BENCH_WAITING", "10000"))
_AT_ONCE = 32
_BATCH = 50
_REST = 3.0
_POWER = len(str(COUNT)) - 1
_SIZE = f"1e{_POWER}" if 10**_POWER == COUNT else str(COUNT)


async def waiting(stage: Stage) -> list[Figure]:
    """Open so many cases, let each wait for a clerk, and let the clerk decide every one."""
    before = resident()
    begun = time.perf_counter()
    await _open(stage)
    await _until(partial(_all_wait, stage))
    opened = time.perf_counter() - begun
    await _at_rest(stage)
    during = resident()
    begun = time.perf_counter()
    await _decide_all(stage)
    decided = time.perf_counter() - begun
    await _until(partial(_all_closed, stage))
    resumed = time.perf_counter() - begun
    return [
        *(
            Figure(f"waiting.{part}_mib_{_SIZE}", during[part], "MiB", COUNT)
            for part in ("worker", "authority")
            if part in during
        ),
        *(
            Figure(f"waiting.{part}_more_mib_{_SIZE}", during[part] - before[part], "MiB", COUNT)
            for part in ("worker", "authority")
            if part in during
        ),
        Figure(f"waiting.open_all_s_{_SIZE}", opened, "s", COUNT),
        Figure(f"waiting.decide_all_s_{_SIZE}", decided, "s", COUNT),
        Figure(f"waiting.all_resumed_s_{_SIZE}", resumed, "s", COUNT),
    ]


async def _open(stage: Stage) -> None:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int) -> None:
        async with gate:
            await stage.porter.open_case(PROCESS, f"bench/0/item/w{number}")

    await asyncio.gather(*(one(number) for number in range(COUNT)))


async def _until(look: Callable[[], Awaitable[bool]]) -> None:
    while True:
        if await look():
            return
        await asyncio.sleep(0.5)


async def _all_wait(stage: Stage) -> bool:
    return (await stage.clerk.overview()).mine.count >= COUNT


async def _all_closed(stage: Stage) -> bool:
    return (await stage.auditor.overview()).cases[CaseStatus.OPEN].count == 0


async def _at_rest(stage: Stage) -> None:
    """Until the log does not grow: every workflow has read that its checkpoint is open."""
    before: str | None = ""
    while True:
        await asyncio.sleep(_REST)
        if before == (before := await stage.auditor.head()):
            return


async def _decide_all(stage: Stage) -> None:
    """As a person's tool does: look at each, sign each on its own evidence, send them together."""
    query = CheckpointQuery(waits_for=WaitsFor.ME, process=PROCESS)
    while True:
        page = (await stage.clerk.checkpoint_page(query)).checkpoints
        if not page:
            return
        for start in range(0, len(page), _BATCH):
            await _decide(stage, page[start : start + _BATCH])


async def _decide(stage: Stage, lines: tuple[CheckpointLine, ...]) -> None:
    shown = await asyncio.gather(*(stage.clerk.checkpoint(each.id) for each in lines))
    answers = (await stage.clerk.decide_many(shown, Verdict.APPROVE)).answers
    if any(each.answer is None for each in answers):
        raise RuntimeError("a decision was refused")


async def _alone() -> None:
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as folder:
        async with stage(Path(folder)) as ready:
            for each in await waiting(ready):
                print(f"{each.name}: {each.value:.1f} {each.unit}")


if __name__ == "__main__":
    asyncio.run(_alone())
