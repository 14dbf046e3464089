"""Lists are filtered, sorted and paged by the database, and cost the same whatever is open."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import Connection, event, text

from placet.authority._counts import MOST_COUNTED, overview
from placet.authority._errors import Invalid
from placet.authority._groups import list_groups
from placet.authority._health import refresh_metrics
from placet.authority._lines import relist
from placet.authority._lists import list_cases, list_checkpoints
from placet.authority._seats import Asker
from placet.authority._store import (
    Checkpoint,
    DecisionRow,
    HoldRow,
    Reader,
    ReviewRow,
    StandstillRow,
    Store,
    Tx,
)
from placet.model import (
    CaseQuery,
    CheckpointOrder,
    CheckpointPage,
    CheckpointQuery,
    GroupPage,
    GroupQuery,
    Standstill,
)
from placet.telemetry import metrics
from tests.authority import ORIGIN
from tests.harness.crowd import NOON, Asked, number_id, put, put_many
from tests.harness.databases import new_database

CLEO = Asker("operator:cleo", ("clerk",))
HAL = Asker("operator:hal", ("chief", "clerk"))
UNA = Asker("operator:una", ("auditor",))


async def fill(store: Store, *asked: Asked) -> None:
    for each in asked:
        await store.write(lambda tx, each=each: put(tx, each))


def stand(tx: Tx, case: str) -> None:
    """A case stands still."""
    said = Standstill(step="weigh", agent="scale", since=NOON).model_dump_json()
    tx.add(StandstillRow(case_id=case, step="weigh", place="run/1", said_json=said))


async def page(
    store: Store, asker: Asker = UNA, after: str | None = None, **query: Any
) -> CheckpointPage:
    wanted = CheckpointQuery(**query)
    return await store.read(lambda r: list_checkpoints(r, wanted, asker, after, NOON))


async def numbers(store: Store, asker: Asker = UNA, **query: Any) -> list[int]:
    """The numbers of all checkpoints of a list, page by page."""
    found: list[str] = []
    after: str | None = None
    while True:
        got = await page(store, asker, after, **query)
        found += [each.id for each in got.checkpoints]
        if (after := got.next) is None:
            return [_number(each) for each in found]


def _number(of: str) -> int:
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    value = 0
    for each in of.partition("-")[2]:
        value = value * 32 + alphabet.index(each)
    return value


async def test_each_order_is_the_databases_own_and_a_page_never_shows_one_twice(
    store: Store,
) -> None:
    await fill(
        store,
        *(
            Asked(
                n,
                amount=f"{(n * 7) % 5}.00" if n % 4 else None,
                due=timedelta(hours=(n * 5) % 7),
                opened=timedelta(hours=-((n * 3) % 5)),
                status="open" if n % 3 else "approved",
            )
            for n in range(1, 25)
        ),
    )
    keys = {
        "urgency": lambda n: ((n * 5) % 7, n),
        "amount": lambda n: ((n * 7) % 5 if n % 4 else -1, n),
        "opened": lambda n: (-((n * 3) % 5), n),
    }
    for order in CheckpointOrder:
        name = order.value.removeprefix("-")
        for status in ("open", None):
            mine = [n for n in range(1, 25) if status is None or n % 3]
            wanted = sorted(mine, key=keys[name], reverse=order.value.startswith("-"))
            assert await numbers(store, status=status, sort=order, limit=5) == wanted, order


async def test_each_filter_leaves_what_it_says(store: Store) -> None:
    await fill(
        store,
        Asked(1, subject="loan/L-1001/draw/1", amount="50.00", severities=("blocking", "info")),
        Asked(2, subject="loan/L-1001/draw/2", amount="500.00", severities=("warning",)),
        Asked(3, subject="loan/L-1002/draw/1", process="budget-change", amount=None),
        Asked(4, subject="loan/L-2/draw/1", due=-timedelta(hours=1), claimed_by="operator:cleo"),
        Asked(5, subject="loan/L-2/draw/2", status="expired", due=-timedelta(hours=2)),
        Asked(6, subject="loan/L-3/draw/9", claimed_by="operator:hal", roles=("chief",)),
    )
    wanted: list[tuple[dict[str, Any], list[int]]] = [
        ({"status": "expired"}, [5]),
        ({"process": "budget-change"}, [3]),
        ({"name": "release", "status": "open"}, [4, 1, 2, 3, 6]),
        ({"name": "other"}, []),
        ({"case": Asked(2).case}, [2]),
        ({"record": "loan/L-1001"}, [1, 2]),
        ({"record": "loan/L-100"}, [1, 2, 3]),
        ({"record": "loan/L-1001/draw/2"}, [2]),
        ({"severity": "blocking"}, [1]),
        ({"severity": "warning"}, [1, 2]),
        ({"severity": "info"}, [1, 2]),
        ({"overdue": True}, [4]),
        ({"claimed": "me"}, [4]),
        ({"claimed": "any"}, [4, 6]),
        ({"claimed": "none", "status": "open"}, [1, 2, 3]),
        ({"amount_min": "100.00"}, [5, 4, 2, 6]),
        ({"amount_max": "99.99"}, [1]),
        ({"amount_min": "50.00", "amount_max": "50.00"}, [1]),
        ({"text": "l-1001"}, [1, 2]),
        ({"text": "1001 2"}, [2]),
        ({"text": "RELEASE l-3"}, [6]),
        ({"text": "elease"}, []),
        ({"text": Asked(4).id}, [4]),
        ({"text": "%"}, []),
        ({"text": " / "}, [5, 4, 1, 2, 3, 6]),
        ({"role": "chief"}, [6]),
        ({"waits_for": "me"}, [4, 1, 2, 3]),
        ({"waits_for": "others"}, [6]),
        ({"waits_for": "me", "record": "loan/L-1001", "severity": "blocking"}, [1]),
    ]
    for query, found in wanted:
        assert await numbers(store, CLEO, **query) == found, query


async def test_what_waits_for_me_needs_my_role_and_has_not_my_word(store: Store) -> None:
    await fill(
        store,
        Asked(1, count=2),
        Asked(2, roles=("chief",)),
        Asked(3, roles=("chief", "clerk"), excluded=("operator:hal",)),
        Asked(4, status="approved"),
    )
    assert await numbers(store, HAL, waits_for="me") == [1, 2]
    assert await numbers(store, HAL, waits_for="others") == [3]
    assert await numbers(store, UNA, waits_for="me") == []
    assert [each.mine for each in (await page(store, HAL, status="open")).checkpoints] == [
        True,
        True,
        False,
    ]

    def decide(tx: Any) -> None:
        tx.add(
            DecisionRow(
                jti="j" * 16,
                checkpoint_id=Asked(1).id,
                operator="operator:hal",
                key="k",
                roles_json='["clerk"]',
                verdict="approve",
                jws="a.b.c",
                decided_at=NOON,
                counted=True,
                entry=1,
            )
        )
        relist(tx, Asked(1).id)

    await store.write(decide)

    assert await numbers(store, HAL, waits_for="me") == [2]
    assert await numbers(store, CLEO, waits_for="me") == [1, 3]
    (line,) = (await page(store, HAL, case=Asked(1).case)).checkpoints
    assert [(each.operator, each.verdict) for each in line.decided] == [("operator:hal", "approve")]
    assert line.missing == ("1 more approval by: clerk",)


async def test_what_one_person_decides_waits_for_them_and_who_stands_in(store: Store) -> None:
    """I6: whoever has the role alone is told neither that it is theirs nor counted so."""
    await fill(
        store,
        Asked(1, decided_by="operator:cleo"),
        Asked(2, decided_by="operator:hal", roles=("chief", "clerk"), process="budget-change"),
        Asked(3),
    )
    chief = Asker("operator:ruth", ("chief",))
    everywhere = Asker("operator:hal", ("clerk",), (("operator:cleo", None),))
    in_loans = Asker("operator:dan", ("clerk",), (("operator:hal", "loan-draw"),))
    in_both = Asker(
        "operator:dan",
        ("chief", "clerk"),
        (("operator:hal", "budget-change"), ("operator:hal", None)),
    )
    no_role = Asker("operator:cleo", ("auditor",))
    for asker, mine, others in (
        (CLEO, [1, 3], [2]),
        (HAL, [2, 3], [1]),
        (chief, [], [1, 2, 3]),
        (everywhere, [1, 2, 3], []),
        (in_loans, [3], [1, 2]),
        (in_both, [2, 3], [1]),
        (no_role, [], [1, 2, 3]),
    ):
        assert await numbers(store, asker, waits_for="me") == mine, asker
        assert await numbers(store, asker, waits_for="others") == others, asker
        shown = await page(store, asker)
        assert [_number(each.id) for each in shown.checkpoints if each.mine] == mine
        counted = await store.read(lambda r, asker=asker: overview(r, asker, NOON))
        assert counted.mine.count == len(mine), asker
    assert await numbers(store, CLEO, role="clerk") == [3]


async def test_a_checkpoint_that_ends_waits_for_nobody(store: Store) -> None:
    await fill(store, Asked(1), Asked(2))

    def expire(tx: Any) -> None:
        tx.change(Checkpoint, Asked(1).id, status="expired")
        relist(tx, Asked(1).id)

    await store.write(expire)

    assert await numbers(store, CLEO, waits_for="me") == [2]
    assert await numbers(store, CLEO, status="expired") == [1]


async def test_a_row_that_could_not_be_listed_is_not_written_at_all(store: Store) -> None:
    """I4: what lists show is in the same transaction as what it shows."""

    def broken(tx: Any) -> None:
        relist(tx, "ckpt-that-is-not-there")
        put(tx, Asked(1))

    with pytest.raises(LookupError):
        await store.write(broken)

    assert await numbers(store) == []


async def test_a_cursor_is_good_for_its_own_query_alone(store: Store) -> None:
    """I12: a cursor that someone made up is an answer, not a crash."""
    await fill(store, *(Asked(n) for n in range(1, 8)))
    first = await page(store, limit=3)
    assert first.next is not None
    assert len((await page(store, after=first.next, limit=2)).checkpoints) == 2
    for wrong in (
        {"sort": "opened"},
        {"sort": "amount"},
        {"status": "open"},
        {"process": "loan-draw"},
    ):
        with pytest.raises(Invalid, match="cursor"):
            await page(store, after=first.next, **wrong)
    for made_up in ("x", "e30", "bnVsbA", "W10", "WzEsMiwzXQ", "====", first.next[:-4]):
        with pytest.raises(Invalid, match="cursor"):
            await page(store, after=made_up)


async def test_pages_stay_right_while_rows_come_and_go(store: Store) -> None:
    await fill(store, *(Asked(n, due=timedelta(hours=n)) for n in range(1, 8)))
    first = await page(store, limit=3, status="open")

    def change(tx: Any) -> None:
        tx.change(Checkpoint, Asked(2).id, status="approved")
        relist(tx, Asked(2).id)
        put(tx, Asked(9, due=timedelta(minutes=1)))

    await store.write(change)
    second = await page(store, after=first.next, limit=3, status="open")

    assert [_number(each.id) for each in second.checkpoints] == [4, 5, 6]


async def test_cases_are_listed_by_when_they_were_opened(store: Store) -> None:
    await fill(store, *(Asked(n, opened=timedelta(hours=n)) for n in range(1, 6)))

    async def cases(**query: Any) -> list[int]:
        wanted, found, after = CaseQuery(limit=2, **query), [], None
        while True:
            got = await store.read(lambda r, after=after: list_cases(r, wanted, after))
            found += [_number(each.id) for each in got.cases]
            if (after := got.next) is None:
                return found

    assert await cases() == [5, 4, 3, 2, 1]
    assert await cases(sort="opened", status="open") == [1, 2, 3, 4, 5]
    assert await cases(status="closed") == []
    assert await cases(record="loan/L-3") == [3]
    for each in (number_id("case", 2), number_id("case", 4)):
        await store.write(lambda tx, case=each: stand(tx, case))
    assert await cases(standing=True) == [4, 2]
    assert await cases(standing=True, record="loan/L-2") == [2]
    assert await cases(standing=True, status="closed") == []


async def test_rows_say_which_hold_stops_them(store: Store) -> None:
    """A hold covers what is below its record, as a whole name; one that was lifted covers nothing."""
    await fill(
        store,
        Asked(1, subject="loan/L-1/draw/1"),
        Asked(2, subject="loan/L-10/draw/1"),
        Asked(3, subject="loan/L-3/draw/1"),
        Asked(4, subject="loan/L-3/draw/2"),
        Asked(5, subject="loan/L-5/draw/1"),
    )

    def hold(tx: Tx) -> None:
        for record in ("loan/L-1", "loan/L-3/draw/2", "loan/L-5"):
            ended = NOON if record == "loan/L-5" else None
            row = HoldRow(record=record, placed_by=CLEO.principal, placed_at=NOON, lifted_at=ended)
            tx.add(row)

    await store.write(hold)
    wanted = {"loan/L-1/draw/1": "loan/L-1", "loan/L-3/draw/2": "loan/L-3/draw/2"}
    lines = (await page(store)).checkpoints
    cases = (await store.read(lambda r: list_cases(r, CaseQuery(), None))).cases
    assert {each.subject: each.held_on for each in lines if each.held_on} == wanted
    assert {each.subject: each.held_on for each in cases if each.held_on} == wanted


async def test_rows_say_until_when_the_emergency_path_is(store: Store) -> None:
    """It ends by the clock, hours before the row is due; from then on no word counts by it."""
    await fill(store, Asked(1), Asked(2), Asked(3))
    until = NOON + timedelta(hours=1)

    def begin(tx: Tx) -> None:
        for number, end in ((1, until), (2, NOON)):
            case, asked = number_id("case", number), number_id("ckpt", number)
            tx.add(
                ReviewRow(
                    id=number_id("review", number),
                    checkpoint_id=asked,
                    case_id=case,
                    opened_by=CLEO.principal,
                    opened_at=NOON - timedelta(hours=1),
                    until=end,
                    status="open",
                )
            )

    await store.write(begin)
    lines = (await page(store)).checkpoints
    told = {_number(each.id): each.emergency_until for each in lines if each.emergency_until}
    assert told == {1: until}


async def test_an_overview_counts(store: Store) -> None:
    await fill(
        store,
        Asked(1, severities=("blocking",)),
        Asked(2, due=-timedelta(hours=1), claimed_by="operator:hal"),
        Asked(3, roles=("chief",), due=timedelta(days=3)),
        Asked(4, status="approved"),
    )
    await store.write(lambda tx: stand(tx, number_id("case", 1)))
    seen = await store.read(lambda r: overview(r, HAL, NOON))
    assert {
        name: getattr(seen, name).count
        for name in type(seen).model_fields
        if name not in {"cases", "processes"}
    } == {
        "open": 3,
        "mine": 3,
        "claimed": 1,
        "blocking": 1,
        "overdue": 1,
        "due_today": 1,
        "standing": 1,
    }
    assert seen.cases["open"].count == 4
    await refresh_metrics(cast("Any", SimpleNamespace(store=store, clock=lambda: NOON)))
    told = {
        f"{metric.name} {sample.labels['state']}": sample.value
        for metric in (*metrics.CASES.collect(), *metrics.CHECKPOINTS.collect())
        for sample in metric.samples
    }
    assert told == {
        "placet_cases stopped": 0,
        "placet_cases standing": 1,
        "placet_cases unarchived": 0,
        "placet_checkpoints waiting": 3,
        "placet_checkpoints overdue": 1,
    }


# --- what a page costs ------------------------------------------------------------------------

MANY = 16_000  # two thirds of them are a clerk's: more than the 10,000 that are counted


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def crowded_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with new_database(request, request.param, tmp_path_factory.mktemp("crowd")) as url:
        asyncio.run(_crowd(url))
        yield url


async def _crowd(url: str) -> None:
    async with await Store.open(url, origin=ORIGIN) as store:
        for start in range(1, MANY, 2000):
            await store.write(lambda tx, start=start: put_many(tx, range(start, start + 2000)))
        with store.engines.writer.connect() as connection:
            if not url.startswith("sqlite"):
                connection.execute(text("ANALYZE"))
            connection.commit()


@pytest.fixture
async def crowded(crowded_url: str) -> AsyncIterator[Store]:
    async with await Store.open(crowded_url, origin=ORIGIN) as opened:
        yield opened


def plans(reader: Reader, run: Any) -> list[str]:
    """How the database carries out each statement that ``run`` sends."""
    sent: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        sent.append((statement, values))

    connection: Connection = reader.connection
    event.listen(connection, "before_cursor_execute", note)
    try:
        run()
    finally:
        event.remove(connection, "before_cursor_execute", note)
    lite = connection.dialect.name == "sqlite"
    sent = [each for each in sent if not each[0].startswith("SET ")]
    explain = "EXPLAIN QUERY PLAN " if lite else "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) "
    told = []
    for statement, values in sent:
        rows = connection.exec_driver_sql(explain + statement, values).fetchall()
        told.append("\n".join(str(row[-1]) for row in rows) if lite else json.dumps(rows[0][0]))
    return told


def read_rows(plan: str) -> int:
    """The most rows that any part of a PostgreSQL plan has read."""
    return max(int(float(each)) for each in re.findall(r'"Actual Rows": ([0-9.]+)', plan))


def assert_flat(found: list[str]) -> None:
    """No statement has read much more than a page, or sorted anything."""
    for plan in found:
        short = plan[:1500]
        if "Actual Rows" in plan:
            assert read_rows(plan) <= 1001, short
        else:
            assert not re.search(r"SCAN listed_\w+$", plan, re.MULTILINE), short
            assert "TEMP B-TREE" not in plan, short


FLAT: tuple[dict[str, Any], ...] = (
    {},
    {"status": "open"},
    {"status": "open", "process": "loan-draw"},
    {"waits_for": "me"},
    {"role": "chief"},
    {"waits_for": "others"},
    {"case": Asked(77).case},
    {"record": "loan/L-777/"},
    {"record": "loan/L-"},
    {"text": "l-777"},
    {"text": "draw"},
    {"severity": "blocking"},
    {"claimed": "me"},
    {"claimed": "none"},
    {"amount_min": "899990.00"},
    {"amount_min": "1.00"},
    {"status": "expired"},
    {"due": "day"},
    {"gravest": "blocking", "status": "open"},
)


@pytest.mark.parametrize("sort", ["urgency", "-amount", "-opened"])
async def test_a_page_reads_a_page(crowded: Store, sort: str, subtests: pytest.Subtests) -> None:
    """No statement of a page reads or sorts the whole floor, on either database."""
    for query in FLAT:
        wanted = CheckpointQuery(**query, sort=CheckpointOrder(sort), limit=50)

        def look(reader: Reader, wanted: CheckpointQuery = wanted) -> list[str]:
            return plans(reader, lambda: list_checkpoints(reader, wanted, CLEO, None, NOON))

        with subtests.test(str(query)):
            assert_flat(await crowded.read(look))


@pytest.mark.parametrize("query", [{}, {"waits_for": "me"}, {"status": "open"}], ids=str)
async def test_the_last_page_costs_what_the_first_does(
    crowded: Store, query: dict[str, Any]
) -> None:
    wanted = CheckpointQuery(**query, limit=200)
    after: str | None = None
    for _ in range(40):
        got = await crowded.read(
            lambda r, after=after: list_checkpoints(r, wanted, HAL, after, NOON)
        )
        after = got.next
        assert after is not None

    def look(reader: Reader) -> list[str]:
        return plans(reader, lambda: list_checkpoints(reader, wanted, HAL, after, NOON))

    assert_flat(await crowded.read(look))


async def groups(
    store: Store, by: str, asker: Asker = UNA, after: str | None = None, **query: Any
) -> GroupPage:
    wanted = GroupQuery(by=by, **query)
    return await store.read(lambda r: list_groups(r, wanted, asker, after, NOON))


@pytest.mark.parametrize("asker", [UNA, CLEO], ids=["all", "mine"])
async def test_groups_count_what_their_queries_list(store: Store, asker: Asker) -> None:
    """Each group holds what its query lists, and together they hold all, each once."""
    hours = (-1, 2, 30, 100, 400)
    await fill(
        store,
        *(
            Asked(
                number,
                subject=f"loan/L-{number % 3}/draw/{number}",
                roles=("clerk",) if number % 2 else ("chief",),
                due=timedelta(hours=hours[number % len(hours)]),
                severities=(("blocking",), ("warning", "info"), ())[number % 3],
            )
            for number in range(1, 31)
        ),
    )
    query = {"waits_for": "me"} if asker is CLEO else {"status": "open"}
    whole = await numbers(store, asker, **query)
    for by in ("urgency", "findings", "record"):
        found = (await groups(store, by, asker, **query)).groups
        listed = []
        for each in found:
            rows = await numbers(store, asker, **each.query.model_dump(exclude_none=True))
            assert len(rows) == each.count.count
            listed += rows
        assert sorted(listed) == sorted(whole)
        assert len(found) > 2


async def test_records_are_grouped_page_by_page(store: Store) -> None:
    await fill(store, *(Asked(n, subject=f"loan/L-{n:03}/draw/1") for n in range(1, 8)))
    seen: list[str] = []
    after: str | None = None
    while True:
        found = await groups(store, "record", after=after, limit=3)
        seen += [each.name for each in found.groups]
        after = found.next
        if after is None:
            break
    assert seen == [f"loan/L-{number:03}" for number in range(1, 8)]
    with pytest.raises(Invalid, match="one page"):
        await groups(store, "urgency", after="loan/L-001")


async def test_groups_are_read_no_further_than_they_are_counted(crowded: Store) -> None:
    """No statement of a page of groups reads or sorts the whole floor, on either database."""
    for by in ("urgency", "findings", "record"):
        wanted = GroupQuery(by=by, status="open", limit=20)

        def look(reader: Reader, wanted: GroupQuery = wanted) -> list[str]:
            return plans(reader, lambda: list_groups(reader, wanted, CLEO, None, NOON))

        for plan in await crowded.read(look):
            if "Actual Rows" in plan:
                assert read_rows(plan) <= MOST_COUNTED + 1, plan[:1500]
            else:
                assert not re.search(r"SCAN listed_\w+$", plan, re.MULTILINE), plan
                assert "TEMP B-TREE" not in plan, plan


async def test_counts_are_bounded(crowded: Store) -> None:
    """No count reads a list to its end, however long it is."""
    seen = await crowded.read(lambda reader: overview(reader, CLEO, NOON))
    assert (seen.open.count, seen.open.more) == (10_000, True)
    assert (seen.mine.count, seen.mine.more) == (10_000, True)
    assert seen.claimed.count == 0

    def look(reader: Reader) -> list[str]:
        return plans(reader, lambda: overview(reader, CLEO, NOON))

    for plan in await crowded.read(look):
        if "Actual Rows" in plan:
            assert read_rows(plan) <= 10_001, plan[:1500]
        else:
            assert not re.search(r"SCAN listed_\w+$", plan, re.MULTILINE), plan
            assert "USING INDEX listed_urgency (status=?)" not in plan, plan
            assert "TEMP B-TREE" not in plan or "process_version" in plan, plan
