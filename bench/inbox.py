"""How long the first page of what waits takes, however much is open."""

import statistics
import time
from functools import partial

from bench.results import Figure
from bench.stage import Stage
from placet.authority import Store
from placet.model import CheckpointQuery, WaitsFor
from tests.harness.crowd import put_many

SIZES = (100, 10_000, 100_000)
PAGES = 50
_AT_ONCE = 2_000


async def inbox(stage: Stage) -> list[Figure]:
    """The first page of what waits for a clerk, most urgent first, over HTTP with its proof."""
    query = CheckpointQuery(waits_for=WaitsFor.ME)
    figures: list[Figure] = []
    settings = stage.settings
    async with await Store.open(settings.database_url, origin=settings.origin) as store:
        filled = 0
        for size in SIZES:
            for start in range(filled, size, _AT_ONCE):
                numbers = range(start, min(start + _AT_ONCE, size))
                await store.write(partial(put_many, numbers=numbers))
            filled = size
            took: list[float] = []
            for _ in range(PAGES + 5):
                begun = time.perf_counter()
                page = await stage.clerk.checkpoint_page(query)
                took.append((time.perf_counter() - begun) * 1000)
                assert len(page.checkpoints) >= min(size // 2, query.limit)
            name = f"inbox.first_page_ms_1e{len(str(size)) - 1}"
            figures.append(Figure(name, statistics.median(took[5:]), "ms", PAGES))
    return figures
