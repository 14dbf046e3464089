"""What a grant costs as cases, identities, policies and the ledger grow.

``python -m bench.growth`` measures that alone and adds it to the results: at each size the same
grants, asked for by steps that run already, one after the other, on one authority each. What was
put in before is history: closed cases, agents that did nothing, policies about others, entries of
others. The plain thing is the same with the least. ``PLACET_BENCH_LEDGER=7`` goes on to 10^7
entries, which takes some ten minutes more and 4 GB of disk.
"""

import asyncio
import contextlib
import os
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from bench.identities import put
from bench.issuing import WARM_UP, asked_by_steps, on_postgresql
from bench.plans import fill_ledger
from bench.processor import seconds
from bench.results import Result, add
from bench.stage import Stage, stage
from bench.work import POLICIES, PROCESS, SCHEMA
from placet.authority import Store
from placet.authority._store import Case, Tx
from placet.model import PublishPolicy, spell_id

_GRANTS, _AT_ONCE = 60, 2_000
_LEDGER = int(os.environ.get("PLACET_BENCH_LEDGER", "6"))
_OLD = datetime(2025, 11, 24, 12, 0, tzinfo=UTC)
Grow = Callable[[int, int], Awaitable[None]]
"""From so many to so many."""


async def growth(_shared: Stage | None = None) -> list[Result]:
    """A grant's time and the authority's processor time for it, by what has grown to what size."""
    found: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        async with stage(Path(folder)) as ready:
            found += await _grown(ready, "cases", (1, 2, 3, 4), partial(_cases, ready))
            found += await _grown(ready, "identities", (1, 2, 3, 4), partial(_identities, ready))
            found += await _grown(ready, "policies", (1, 2, 3), partial(_policies, ready))
    async with on_postgresql() as (ready, url):

        async def grow(before: int, size: int) -> None:
            for start in range(before, size, 1_000_000):
                more = min(1_000_000, size - start)
                await asyncio.to_thread(fill_ledger, url, more)

        found += await _grown(ready, "ledger", tuple(range(4, _LEDGER + 1)), grow)
    return found


class _Counted(contextlib.AbstractAsyncContextManager[None]):
    """The authority's processor time while this lasts."""

    took = 0.0

    async def __aenter__(self) -> None:
        """The first is about to ask."""
        self.took -= seconds().get("authority", 0.0)

    async def __aexit__(self, *_: object) -> None:
        """The last has asked."""
        self.took += seconds().get("authority", 0.0)


async def _grown(ready: Stage, what: str, exponents: tuple[int, ...], grow: Grow) -> list[Result]:
    """The same grants at each size."""
    times: dict[int, float] = {}
    spent: dict[int, float] = {}
    size = 0
    for exponent in exponents:
        await grow(size, 10**exponent)
        size = 10**exponent
        counted = _Counted()
        taken = await asked_by_steps(ready, 1, _GRANTS, counted)
        times[exponent] = statistics.median(taken.each) * 1000
        spent[exponent] = counted.took * 1000 / (_GRANTS + WARM_UP)
    least = exponents[0]
    beside = f"the same with {10**least:,}"
    return [
        Result(f"growth.{what}{said}_1e{each}", kept[each], kept[least], "ms", beside, _GRANTS)
        for said, kept in (("", times), ("_processor", spent))
        for each in exponents[1:]
    ]


# --- what grows ---------------------------------------------------------------------------------


async def _written(ready: Stage, before: int, size: int, put_some: Callable[..., None]) -> None:
    settings = ready.settings
    async with await Store.open(settings.database_url, origin=settings.origin) as store:
        for start in range(before, size, _AT_ONCE):
            numbers = range(start, min(start + _AT_ONCE, size))
            await store.write(partial(put_some, numbers=numbers))


async def _cases(ready: Stage, before: int, size: int) -> None:
    await _written(ready, before, size, _put_cases)


def _put_cases(tx: Tx, numbers: range) -> None:
    """Cases that were closed and archived a year ago."""
    for number in numbers:
        case = spell_id("case", number.to_bytes(16))
        tx.add(
            Case(
                id=case,
                process=PROCESS,
                version=1,
                subject=f"bench/1/item/old-{number}",
                status="closed",
                opened_by="operator:porter",
                opened_at=_OLD,
                closed_at=_OLD,
                archived_at=_OLD,
                workflow_id=case,
                workflow_type="GovernedBench",
                task_queue="orchestrator",
                request_id=case,
            )
        )


async def _identities(ready: Stage, before: int, size: int) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    put_some = partial(put, now=now, old=now - timedelta(days=400))
    await _written(ready, before, size, put_some)


async def _policies(ready: Stage, _before: int, size: int) -> None:
    """Permits for agents that don't ask."""
    more = "".join(
        f'@id("other-{each}")\npermit (principal == Placet::Agent::"other{each}",'
        ' action == Placet::Action::"item:touch", resource);\n'
        for each in range(size - POLICIES.count("@id("))
    )
    policy = PublishPolicy(policies=POLICIES + more, cedar_schema=SCHEMA)
    await ready.admin.act("policy.publish", PROCESS, policy)


if __name__ == "__main__":
    add(asyncio.run(growth()))
