"""What can't be done for one case, however often it is tried, holds up no other (I11)."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio

from placet.authority import AuthoritySettings, SigningKeys, Store, _archiving
from placet.authority._archiving import Archivist
from placet.authority._core import Core
from placet.authority._definitions import Definitions
from placet.authority._errors import Unavailable
from placet.authority._outbox import ADMITTED, Outbox, put_signal
from placet.authority._store import Case, OutboxRow, Tx
from placet.authority._temporal import Execution, ExecutionNotFound, Temporal
from tests.harness.crowd import NOON, number_id, parcel_case
from tests.harness.world import PASSPHRASE

_TRIES = 60
"""More than there are doublings of a second in a time that Python can count."""


@dataclass
class Hearing:
    """A Temporal that knows no workflow of some cases, and can't be asked about others."""

    unknown: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    async def signal(self, *, workflow_id: str, **_: str) -> None:
        self._look(workflow_id)

    async def describe(self, workflow_id: str) -> Execution:
        self._look(workflow_id)
        raise Unavailable("it is away")

    def _look(self, workflow_id: str) -> None:
        self.asked.append(workflow_id)
        if workflow_id in self.unknown:
            raise ExecutionNotFound(workflow_id)
        if workflow_id in self.broken:
            raise ZeroDivisionError("a fault")


@dataclass
class Site:
    """A store, a clock and a Temporal, and what works on them."""

    store: Store
    temporal: Hearing
    now: datetime = NOON

    def core(self, settings: AuthoritySettings) -> Core:
        keys, temporal = SigningKeys(PASSPHRASE), cast(Temporal, self.temporal)
        return Core(settings, self.store, temporal, keys, lambda: self.now, os.urandom)


@pytest_asyncio.fixture
async def made(tmp_path: Path) -> AsyncIterator[tuple[Site, Core]]:
    """An authority's store, and no authority that works on it."""
    settings = AuthoritySettings(
        issuer="http://127.0.0.1:1",
        database_url=f"sqlite:///{tmp_path / 'authority.db'}",
        key_passphrase=PASSPHRASE,
    )
    site = Site(cast(Store, None), Hearing())
    site.store = await Store.open(
        settings.database_url, origin=settings.origin, clock=lambda: site.now
    )
    async with site.store:
        yield site, site.core(settings)


async def _signalled(site: Site, *numbers: int) -> None:
    def put(tx: Tx) -> None:
        for number in numbers:
            case = parcel_case(number)
            tx.add(case)
            put_signal(tx, case, ADMITTED, f"admitted/{number}")

    await site.store.write(put)


async def test_a_signal_that_nobody_hears_for_long_holds_up_no_other(
    made: tuple[Site, Core],
) -> None:
    """I11: as of a workflow that was terminated, or while Temporal is away for half an hour."""
    site, core = made
    one, two = number_id("case", 1), number_id("case", 2)
    site.temporal.unknown = {one}
    await _signalled(site, 1)
    for _ in range(_TRIES):
        await Outbox(core).deliver()
        site.now += timedelta(minutes=1)
    assert site.temporal.asked == [one] * _TRIES
    await _signalled(site, 2)
    await Outbox(core).deliver()
    assert site.temporal.asked[-1] == two
    rows = await site.store.read(lambda reader: reader.all(OutboxRow, order_by=[OutboxRow.id]))
    assert [row.done_at is not None for row in rows] == [False, True]


async def test_a_signal_that_meets_a_fault_waits_and_holds_up_no_other(
    made: tuple[Site, Core], caplog: pytest.LogCaptureFixture
) -> None:
    """I11: a fault of the authority's own is told in its log, and is not asked for each second."""
    site, core = made
    one, two = number_id("case", 1), number_id("case", 2)
    site.temporal.broken = {one}
    await _signalled(site, 1, 2)
    for _ in range(3):
        await Outbox(core).deliver()
    assert site.temporal.asked == [one, two]
    (told,) = [each for each in caplog.records if each.exc_info]
    assert vars(told)["case"] == one


async def test_many_cases_that_are_not_archived_hold_up_no_other(
    made: tuple[Site, Core], monkeypatch: pytest.MonkeyPatch
) -> None:
    """I9: the history of the next one would be gone from Temporal before they are."""
    site, core = made
    monkeypatch.setattr(_archiving, "_AT_ONCE", 3)

    def put(tx: Tx) -> None:
        for number in range(3):
            later = NOON + timedelta(minutes=5)
            tx.add(parcel_case(number, status="closed", archive_tries=12, archive_next=later))
        tx.add(parcel_case(3, status="closed"))

    await site.store.write(put)
    archivist = Archivist(core, Definitions())
    await archivist.archive_closed()
    assert site.temporal.asked == [number_id("case", 3)]
    site.now += timedelta(minutes=6)  # all are due, and what was tried least comes first
    await site.store.write(lambda tx: tx.add(parcel_case(4, status="closed")))
    await archivist.archive_closed()
    assert site.temporal.asked[1:] == [number_id("case", number) for number in (4, 3, 0)]


async def test_a_history_that_meets_a_fault_holds_up_no_other(
    made: tuple[Site, Core], caplog: pytest.LogCaptureFixture
) -> None:
    """I9: it is told at the case and in the log, and tried again later."""
    site, core = made
    one, two = number_id("case", 1), number_id("case", 2)
    site.temporal.broken = {one}
    await site.store.write(
        lambda tx: [tx.add(parcel_case(number, status="closed")) for number in (1, 2)]
    )
    for _ in range(3):
        await Archivist(core, Definitions()).archive_closed()
    assert site.temporal.asked == [one, two]
    case = await site.store.read(lambda reader: reader.get(Case, one))
    assert case is not None
    assert case.archive_trouble == "a fault of the authority's own; its log has it"
    (told,) = [each for each in caplog.records if each.exc_info]
    assert vars(told)["case"] == one
