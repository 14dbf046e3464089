"""What a grant costs, and a bundle, as cases, identities, policies and the ledger grow.

``python -m bench.growth`` measures that alone and adds it to the results: at each size the same
grants, asked for by steps that run already, one after the other, each time on an authority of its
own: the cases of what was measured before would be its work meanwhile. What was put in is history:
closed cases, agents that did nothing, policies about others, entries of others. The plain thing is
the same with the least. ``PLACET_BENCH_LEDGER=7`` goes on to 10^7 entries, which takes some minutes
more and 4 GB of disk.
"""

import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from functools import partial

from bench.audit import typical
from bench.identities import put
from bench.issuing import WARM_UP, asked_by_steps, on_postgresql, on_sqlite
from bench.plans import fill_ledger
from bench.processor import seconds
from bench.results import Result, add
from bench.stage import Stage
from bench.work import POLICIES, PROCESS, SCHEMA
from placet.audit import write_bundle
from placet.authority import Store
from placet.authority._store import Case, Tx
from placet.cli import fetch_case
from placet.model import PublishPolicy, spell_id

_GRANTS, _EXPORTS, _AT_ONCE = 200, 10, 2_000
_LEDGER = int(os.environ.get("PLACET_BENCH_LEDGER", "6"))
_OLD = datetime(2025, 11, 24, 12, 0, tzinfo=UTC)
Place = Callable[[], AbstractAsyncContextManager[tuple[Stage, str]]]
"""A stage, and the URL of its ledger's database."""
Grow = Callable[[Stage, str, int], Awaitable[None]]
"""To so many."""


async def growth(_shared: Stage | None = None) -> list[Result]:
    """A grant's time and the authority's processor time for it, by what has grown to what size."""
    return [
        *await _grown(on_sqlite, "cases", (1, 2, 3, 4), _cases),
        *await _grown(on_sqlite, "identities", (1, 2, 3, 4), _identities),
        *await _grown(on_sqlite, "policies", (1, 2, 3), _policies),
        *await _grown(on_postgresql, "ledger", tuple(range(4, _LEDGER + 1)), _entries),
        *await _exported(tuple(range(4, _LEDGER + 1))),
    ]


class _Counted(AbstractAsyncContextManager[None]):
    """The authority's processor time while this lasts."""

    took = 0.0

    async def __aenter__(self) -> None:
        """The first is about to ask."""
        self.took -= seconds().get("authority", 0.0)

    async def __aexit__(self, *_: object) -> None:
        """The last has asked."""
        self.took += seconds().get("authority", 0.0)


async def _grown(place: Place, what: str, exponents: tuple[int, ...], grow: Grow) -> list[Result]:
    """The same grants at each size."""
    times: dict[int, float] = {}
    spent: dict[int, float] = {}
    for exponent in exponents:
        counted = _Counted()
        async with place() as (ready, url):
            await grow(ready, url, 10**exponent)
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


async def _exported(exponents: tuple[int, ...]) -> list[Result]:
    """One case's bundle, fetched and written, at each size of the ledger."""
    times: dict[int, float] = {}
    for exponent in exponents:
        async with on_postgresql() as (ready, url):
            await _entries(ready, url, 10**exponent)
            case, _ = await typical(ready)
            taken: list[float] = []
            for _ in range(_EXPORTS):
                begun = time.perf_counter()
                write_bundle(await fetch_case(ready.auditor, case), case)
                taken.append(time.perf_counter() - begun)
        times[exponent] = statistics.median(taken) * 1000
    least = exponents[0]
    beside = f"the same with {10**least:,}"
    return [
        Result(f"growth.export_1e{each}", times[each], times[least], "ms", beside, _EXPORTS)
        for each in exponents[1:]
    ]


# --- what grows ---------------------------------------------------------------------------------


async def _written(ready: Stage, size: int, put_some: Callable[..., None]) -> None:
    settings = ready.settings
    async with await Store.open(settings.database_url, origin=settings.origin) as store:
        for start in range(0, size, _AT_ONCE):
            numbers = range(start, min(start + _AT_ONCE, size))
            await store.write(partial(put_some, numbers=numbers))


async def _cases(ready: Stage, _url: str, size: int) -> None:
    await _written(ready, size, _put_cases)


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


async def _identities(ready: Stage, _url: str, size: int) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    put_some = partial(put, now=now, old=now - timedelta(days=400))
    await _written(ready, size, put_some)


async def _policies(ready: Stage, _url: str, size: int) -> None:
    """Permits for agents that don't ask."""
    more = "".join(
        f'@id("other-{each}")\npermit (principal == Placet::Agent::"other{each}",'
        ' action == Placet::Action::"item:touch", resource);\n'
        for each in range(size - POLICIES.count("@id("))
    )
    policy = PublishPolicy(policies=POLICIES + more, cedar_schema=SCHEMA)
    await ready.admin.act("policy.publish", PROCESS, policy)


async def _entries(_ready: Stage, url: str, size: int) -> None:
    """Entries of the ledger about others, with what stands beside them."""
    for start in range(0, size, 1_000_000):
        await asyncio.to_thread(fill_ledger, url, min(1_000_000, size - start))


if __name__ == "__main__":
    add(asyncio.run(growth()))
