"""What people are told of an alarm: of an open case that it is stopped, of a closed one the alarm."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest_asyncio

from placet.authority import Store
from placet.authority._alarms import lose, meet_run, raise_alarm
from placet.authority._store import Case, OutboxRow, Tx
from tests.authority import ORIGIN
from tests.harness.crowd import NOON, Asked, number_id, put


class Site:
    """A store with some cases, and what was told of them."""

    def __init__(self, store: Store, now: list[datetime]) -> None:
        self.store = store
        self._now = now

    def tomorrow(self) -> None:
        """Let a day pass."""
        self._now[0] += timedelta(days=1)

    async def has(self, number: int, run: Callable[[Tx, Case], Any]) -> None:
        """Something is done about a case."""

        def write(tx: Tx) -> None:
            case = tx.get(Case, number_id("case", number))
            assert case is not None
            run(tx, case)

        await self.store.write(write)

    async def told(self) -> list[tuple[str, str, str]]:
        """Each notice: its kind, its case, and why."""
        rows = await self.store.read(lambda r: r.all(OutboxRow, order_by=[OutboxRow.id]))
        said = [json.loads(each.payload_json) for each in rows]
        assert all(each["to"] == ["role:administrator", "operator:pat"] for each in said)
        return [(each["kind"], each["case"], each["data"]["reason"]) for each in said]


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Three closed cases, and an open one."""
    url = f"sqlite:///{tmp_path / 'authority.db'}"
    now = [NOON]
    async with await Store.open(url, origin=ORIGIN, clock=lambda: now[0]) as store:

        def fill(tx: Tx) -> None:
            for number in range(1, 5):
                put(tx, Asked(number))
            for number in range(1, 4):
                tx.change(Case, number_id("case", number), status="closed", closed_at=NOON)

        await store.write(fill)
        yield Site(store, now)


async def test_people_are_told_of_a_closed_case_whose_run_is_another(site: Site) -> None:
    """I9: each run once; of an open case they hear when it is stopped."""
    await site.has(1, lambda tx, case: meet_run(tx, case, "r-1"))
    await site.has(1, lambda tx, case: meet_run(tx, case, "r-1"))
    await site.has(1, lambda tx, case: meet_run(tx, case, "r-2"))
    await site.has(4, lambda tx, case: meet_run(tx, case, "r-3"))
    case, why = number_id("case", 1), "of the closed case was reset, or started by someone else"
    assert await site.told() == [
        ("case.alarm", case, f"run r-1 {why}"),
        ("case.alarm", case, f"run r-2 {why}"),
    ]


async def test_of_many_closed_cases_with_the_same_trouble_one_is_told_a_day(site: Site) -> None:
    """A history that does not fit, or that Temporal has lost, may be every case's."""
    for number in (1, 2):
        await site.has(number, lambda tx, case: raise_alarm(tx, case, ["no such code"]))
        await site.has(number, lambda tx, case: lose(tx, case, f"Temporal has no {case.id}"))
    first, third = number_id("case", 1), number_id("case", 3)
    told = [
        ("case.alarm", first, "no such code"),
        ("case.alarm", first, f"Temporal has no {first}"),
    ]
    assert await site.told() == told
    site.tomorrow()
    await site.has(3, lambda tx, case: raise_alarm(tx, case, ["no such code"]))
    assert await site.told() == [*told, ("case.alarm", third, "no such code")]
