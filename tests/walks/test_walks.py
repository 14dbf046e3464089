"""Whatever people do in whatever order: the log holds, every case replays, and no error is odd.

A walk takes some seconds; the suite takes a short one of each kind, in which one thing comes after
the other, and ``make walks`` many (``PLACET_WALKS``), in which much is done at the same time.
"""

import contextlib
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from lender.embedded import ADMINISTRATOR
from placet.audit import (
    LogFiles,
    read_bundle,
    record_flight,
    replay,
    timeline,
    verify,
    verify_bundle,
    write_bundle,
)
from placet.authority import AuthoritySettings, Store, open_authority
from placet.cli import fetch_case
from placet.client import OperatorClient
from placet.model import CaseStatus
from tests.harness import parcel_work
from tests.harness.alone import alone
from tests.harness.databases import KINDS, new_database
from tests.harness.world import temporal_server, until, world
from tests.walks.branch import Forgetful, branch
from tests.walks.governing import GoverningWalk
from tests.walks.house import HouseWalk
from tests.walks.lending import LendingWalk
from tests.walks.money import Judge, Ledger
from tests.walks.registry import RegistryWalk
from tests.walks.standing import differences
from tests.walks.walking import faults, told, whole
from worker.registry import PROCESSES

FIRST = int(os.environ.get("PLACET_WALKS_FROM", "1"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("PLACET_WALKS", "1")))
MANY = "PLACET_WALKS" in os.environ


@pytest.fixture
def database(request: pytest.FixtureRequest, seed: int, tmp_path: Path) -> Iterator[str]:
    """One of SQLite; of many walks, every other two are on PostgreSQL."""
    kind = KINDS[seed // 2 % 2] if MANY else "sqlite"
    with new_database(request, kind, tmp_path) as url:
        yield url


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_befalls_identities_the_log_holds(
    seed: int, database: str, tmp_path: Path
) -> None:
    """I4, I6, I8, I10: where one administrator signs, and where two do."""
    signatures = 1 + seed % 2
    with faults() as odd:
        async with alone(database, signatures=signatures) as authority:
            async with RegistryWalk(seed, authority, tmp_path) as walk:
                walk.met("ada", authority.admin)
                if signatures == 2:
                    walk.met("bea", authority.second)
                await walk.begin()
                await walk.go(walk.steps, 500 if MANY else 120, at_once=2 if MANY else 1)
                files = await whole(walk.client("ada", authority.admin))
            wrong = await _kept_otherwise(authority.settings)
    assert told(verify(files)) == []
    assert wrong == []
    assert (walk.unforeseen, odd) == ([], [])
    assert len(walk.done) > len(walk.steps) / 3  # or it proves nothing


@pytest.fixture
def as_it_was() -> Iterator[None]:
    """What the parcels are worth is the module's."""
    worth, inspected = dict(parcel_work.VALUES), dict(parcel_work.INSPECTORS)
    yield
    parcel_work.VALUES.clear(), parcel_work.INSPECTORS.clear()
    parcel_work.VALUES |= worth
    parcel_work.INSPECTORS |= inspected


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_befalls_cases_the_log_holds_and_each_replays(
    seed: int, database: str, tmp_path: Path, as_it_was: None
) -> None:
    """I4, I5, I6, I8, I9, I10, I11, I13: beside a second authority, and beside reviews, too."""
    with faults() as odd:
        async with temporal_server() as temporal, world(temporal, tmp_path, database) as w:
            beside = open_authority(w.settings, temporal) if seed % 2 else contextlib.nullcontext()
            kind = GoverningWalk if seed % 3 else HouseWalk
            async with kind(seed, w, tmp_path) as walk, beside:
                await walk.prepare()
                async with walk.crew():
                    await walk.begin()
                    await walk.go(walk.steps, 300 if MANY else 90, at_once=3 if MANY else 1)
                    await walk.put_right()
                    await until(partial(_sealed, w.admin))
                files = await whole(w.admin)
                code = dict.fromkeys(walk.cases, walk.workflows)
                wrong = [*told(verify(files)), *await _of_each(files, w.admin, code)]
                wrong += await _kept_otherwise(w.settings)
    assert wrong == []
    assert (walk.unforeseen, odd) == ([], [])
    assert len(walk.done) > len(walk.steps) / 3  # or it proves nothing


async def _kept_otherwise(settings: AuthoritySettings) -> list[str]:
    """What the authority acts on that is not what its log tells."""
    async with await Store.open(settings.database_url, origin=settings.origin) as store:
        return await differences(store)


async def _sealed(admin: OperatorClient) -> bool:
    """Whether the history of each case that has closed is sealed."""
    closed = [each for each in await admin.cases() if each.status is CaseStatus.CLOSED]
    return all(each.archived or each.run_id is None for each in closed)  # or it never began


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_befalls_loans_what_was_approved_was_paid(seed: int, tmp_path: Path) -> None:
    """I2, I3, I4, I5, I6, I9, I11: by the lender's own books, with the lender's own processes."""
    dice = random.Random(seed)  # noqa: S311 - the same walk each time, not a secret
    lossy = Forgetful(dice, 0.04 if MANY else 0)
    with faults("placet", "lender", "worker", "uvicorn", "asyncio") as odd:
        async with temporal_server() as temporal, branch(temporal, tmp_path, lossy) as b:
            async with LendingWalk(seed, b, tmp_path) as walk:
                async with b.crew(dice) if MANY else b.workers():
                    await walk.begin()
                    before = {each: b.books.loan(each) for each in walk.loans}
                    await walk.go(walk.steps, 300 if MANY else 30, at_once=3 if MANY else 1)
                lossy.share = 0
                async with b.workers():
                    hung = await walk.finish()
                    admin = walk.people[ADMINISTRATOR]
                    await until(partial(_sealed, admin))
                files = await whole(admin)
                cases = {each.id: each for each in await admin.cases()}
                processes = {each.name: each.workflow for each in PROCESSES}
                some = islice(cases.values(), None if MANY else 2)  # each takes a second
                code = {each.id: [processes[each.process]] for each in some}
                wrong = [*told(verify(files)), *await _of_each(files, admin, code)]
                wrong += await _kept_otherwise(b.settings)
                money = list(Judge(b.books, Ledger(files), cases, before).wrong())
    assert (hung, wrong, money) == ([], [], [])
    assert (walk.unforeseen, odd) == ([], [])
    assert len(walk.done) > len(walk.steps) / 3  # or it proves nothing


async def _of_each(
    files: LogFiles, admin: OperatorClient, code: Mapping[str, Sequence[type]]
) -> list[Any]:
    """What does not hold of each case alone: of its bundle, its story, its history."""
    wrong: list[Any] = []
    for case in code:
        own = await fetch_case(admin, case)
        wrong += verify_bundle(read_bundle(write_bundle(own, case))).troubles
        assert list(timeline(own, case))[0].type == "case.opened"
    for case in files.archives.keys() & code.keys():
        for sealed in (True, False):
            wrong += (await replay(files, case, code[case], sealed=sealed)).troubles
        if not files.archives[case].erased:
            wrong += (await record_flight(files, case, code[case])).report.troubles
    return wrong
