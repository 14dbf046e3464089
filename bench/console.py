"""The console on a real terminal, over HTTP to the authority: its start, its keys, its memory.

``python -m bench.console`` measures that alone and adds its figures to the results; with
``PLACET_BENCH_OPEN=1000`` so many checkpoints are open, and nothing is written.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

from bench.processor import resident_of
from bench.results import Figure, add
from bench.stage import PASSPHRASE, Stage, stage
from bench.terminal import Terminal
from bench.work import PROCESS
from placet.authority import Store
from placet.model import CheckpointQuery, CheckpointStatus, Grouping, GroupQuery, WaitsFor
from tests.harness.crowd import put_many

OPEN = int(os.environ.get("PLACET_BENCH_OPEN", "100000"))
STARTS, KEYS, PAGES, WARM_UP = 7, 60, 20, 50
UPDATES = int(os.environ.get("PLACET_BENCH_UPDATES", "600"))
_AT_ONCE = 2_000
_SETTLED = 1.0


async def console(stage: Stage) -> list[Figure]:
    """What a person waits for at the console, with all that ``inbox`` has put there."""
    newest = await _open_one(stage)
    return [
        await _first_screen(stage),
        *await _groups(stage),
        *await _keys(stage),
        *await _updates(stage, newest),
    ]


def _console(stage: Stage) -> AbstractAsyncContextManager[Terminal]:
    return Terminal(
        [sys.executable, "-m", "placet.cli", "console"],
        {
            "PLACET_ISSUER": stage.issuer,
            "PLACET_OPERATOR": "clerk",
            "PLACET_KEY_FILE": str(stage.folder / "clerk.key"),
            "PLACET_PASSPHRASE": PASSPHRASE,
            "PLACET_CONSOLE_IDLE_MINUTES": "0",
        },
    )


async def _first_screen(stage: Stage) -> Figure:
    """From the start of the process until the queue's first rows are on the terminal."""
    took: list[float] = []
    for _ in range(STARTS + 1):
        async with _console(stage) as terminal:
            shown = await terminal.drawn("waits for me", "Release the parcel")
            took.append((shown.at - terminal.begun) * 1000)
    return Figure("console.first_screen_ms", statistics.median(took[1:]), "ms", STARTS)


async def _groups(stage: Stage) -> list[Figure]:
    """All that is open in groups, each with its count, over HTTP with its proof."""
    figures: list[Figure] = []
    for by in Grouping:
        query = GroupQuery(status=CheckpointStatus.OPEN, by=by, limit=50)
        took: list[float] = []
        for _ in range(PAGES + 2):
            begun = time.perf_counter()
            assert (await stage.clerk.checkpoint_groups(query)).groups
            took.append((time.perf_counter() - begun) * 1000)
        name = f"console.groups_by_{by.value}_ms"
        figures.append(Figure(name, statistics.median(took[2:]), "ms", PAGES))
    return figures


async def _keys(stage: Stage) -> list[Figure]:
    """From a key to the whole frame that it changes, one after the other."""
    figures: list[Figure] = []
    async with _console(stage) as terminal:
        await terminal.drawn("for you", "Release the parcel")
        for name, keys, count in (("key", "j", KEYS), ("page", "\x1b[6~", PAGES)):
            took: list[float] = []
            for _ in range(count + 5):
                await terminal.quiet(0.1)
                pressed = terminal.press(keys)
                took.append(((await terminal.drawn()).at - pressed) * 1000)
            took = sorted(took[5:])
            middle, slow = statistics.median(took), took[int(len(took) * 0.95)]
            figures.append(Figure(f"console.{name}_to_paint_ms", middle, "ms", count))
            figures.append(Figure(f"console.{name}_to_paint_p95_ms", slow, "ms", count))
    return figures


async def _updates(stage: Stage, newest: str) -> list[Figure]:
    """Claim and unclaim what the cursor is on; each is seen there before the next is made."""
    took: list[float] = []
    async with _console(stage) as terminal:
        await terminal.drawn("for you", "Release the parcel")
        for _ in range(4):
            terminal.press("s")
            await terminal.quiet(_SETTLED)
        terminal.press("g")
        await terminal.quiet(_SETTLED)
        before = 0.0
        for number in range(WARM_UP + UPDATES):
            if number == WARM_UP:
                await terminal.quiet(_SETTLED)
                before = resident_of(terminal.pid)
            terminal.forget()
            begun = time.perf_counter()
            await (stage.clerk.unclaim if number % 2 else stage.clerk.claim)(newest)
            shown = await terminal.drawn(*(() if number % 2 else ("claimed by clerk",)))
            took.append((shown.at - begun) * 1000)
        await terminal.quiet(_SETTLED)
        after = resident_of(terminal.pid)
    return [
        Figure("console.change_to_paint_ms", statistics.median(took[WARM_UP:]), "ms", UPDATES),
        Figure("console.memory_mib", before, "MiB", 1),
        Figure("console.memory_after_hour_mib", after, "MiB", UPDATES),
    ]


async def _open_one(stage: Stage) -> str:
    """The newest checkpoint of all: a real one, so that real acts can be done on it."""
    opened = await stage.porter.open_case(PROCESS, "bench/0/item/newest")
    query = CheckpointQuery(waits_for=WaitsFor.ME, process=PROCESS)
    while True:
        for each in (await stage.clerk.checkpoint_page(query)).checkpoints:
            if each.case == opened.case:
                return each.id
        await asyncio.sleep(0.1)


async def _alone() -> None:
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as folder:
        async with stage(Path(folder)) as ready:
            settings = ready.settings
            async with await Store.open(settings.database_url, origin=settings.origin) as store:
                for start in range(0, OPEN, _AT_ONCE):
                    numbers = range(start, min(start + _AT_ONCE, OPEN))
                    await store.write(partial(put_many, numbers=numbers))
            figures = await console(ready)
    for each in figures:
        print(f"{each.name}: {each.value:.1f} {each.unit}")
    if "PLACET_BENCH_OPEN" not in os.environ:
        add(figures)


if __name__ == "__main__":
    asyncio.run(_alone())
