"""Rows go in and come out as they were, on both databases."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import delete, insert
from sqlalchemy.exc import DBAPIError, IntegrityError

from placet.authority._errors import Unauthenticated
from placet.authority._identities import use_jti
from placet.authority._store import (
    Case,
    GrantRevocation,
    Identity,
    Reader,
    Store,
    StoreMismatch,
    StoreUnavailable,
    Tx,
    UsedJti,
)
from placet.authority._store._sweeping import MOST
from tests.authority import ORIGIN

NOON = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)


def identity(name: str) -> Identity:
    return Identity(
        principal=f"agent:{name}",
        kind="agent",
        status="active",
        enrolled_at=NOON,
        enrolled_by="operator:ana",
    )


def case(number: int) -> Case:
    return Case(
        id=f"case-{number}",
        process="loan-draw",
        version=1,
        subject="loan/L-1001/draw/7",
        status="open",
        opened_by="operator:ana",
        opened_at=NOON,
        workflow_id=f"case-{number}",
        workflow_type="LoanDrawReview",
        task_queue="orchestrator",
        request_id="r",
    )


async def test_row_comes_back_as_it_was(store: Store) -> None:
    await store.write(lambda tx: tx.add(identity("draw-intake")))

    found = await store.read(lambda reader: reader.get(Identity, "agent:draw-intake"))

    assert found == identity("draw-intake")
    assert await store.read(lambda reader: reader.get(Identity, "agent:other")) is None


async def test_time_keeps_its_instant_in_utc(store: Store) -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=-8)))
    await store.write(lambda tx: tx.add(UsedJti(issuer="i", jti="j", expires_at=elsewhere)))

    found = await store.read(lambda reader: reader.get(UsedJti, ("i", "j")))

    assert found is not None
    assert found.expires_at == NOON
    assert found.expires_at.utcoffset() == timedelta(0)
    before = await store.read(
        lambda reader: reader.all(UsedJti, UsedJti.expires_at <= NOON - timedelta(microseconds=1))
    )
    assert before == []


async def test_misspelt_or_missing_column_is_an_error() -> None:
    with pytest.raises(TypeError, match=r"UsedJti.*expires_at, expiry"):
        UsedJti(issuer="i", jti="j", expiry=NOON)  # type: ignore[call-arg]  # the slip itself


async def test_jti_is_used_once(store: Store) -> None:
    """I6, I11: the second use of a jti breaks a constraint, whatever the code above forgot."""
    use = UsedJti(issuer="agent:a", jti="x" * 16, expires_at=NOON)
    await store.write(lambda tx: tx.add(use))

    with pytest.raises(IntegrityError):
        await store.write(lambda tx: tx.add(use))


async def test_one_open_case_per_subject(store: Store) -> None:
    await store.write(lambda tx: tx.add(case(1)))
    with pytest.raises(IntegrityError):
        await store.write(lambda tx: tx.add(case(2)))

    await store.write(lambda tx: tx.change(Case, "case-1", status="closed", closed_at=NOON))
    await store.write(lambda tx: tx.add(case(2)))

    open_cases = await store.read(lambda reader: reader.all(Case, Case.status == "open"))
    assert [found.id for found in open_cases] == ["case-2"]


async def test_changing_a_missing_row_is_an_error(store: Store) -> None:
    with pytest.raises(LookupError, match="case_ has no row 'case-9'"):
        await store.write(lambda tx: tx.change(Case, "case-9", status="closed"))


async def test_comparing_plain_values_is_an_error(store: Store) -> None:
    with pytest.raises(TypeError, match="compares a column"):
        await store.read(lambda reader: reader.all(Case, "open" == "open"))  # noqa: PLR0133  # the slip itself


async def test_cursor_counts_up_and_is_never_given_twice(store: Store) -> None:
    """I10: a follower that has seen a cursor never misses a later revocation."""

    def revoke(tx: Tx) -> int:
        row = GrantRevocation(
            grant_id=f"g{tx.append('case.opened', 'operator:ana', {})}", expires_at=NOON, at=NOON
        )
        tx.add(row)
        return row.cursor

    first = await store.write(revoke)
    await store.write(lambda tx: tx.execute(delete(GrantRevocation)))
    assert await store.write(revoke) > first


async def test_a_jti_is_swept_once_nothing_with_it_can_verify(store: Store) -> None:
    """I11: as long as it may come again it stays; then it goes, however many there are."""
    now = store.clock()
    ages = {"old": 3600, "lately": 60, "alive": -60, **{str(n): 86_400 for n in range(MOST)}}

    def use(tx: Tx) -> None:
        rows = [
            {"issuer": "i", "jti": jti, "expires_at": now - timedelta(seconds=age)}
            for jti, age in ages.items()
        ]
        tx.execute(insert(UsedJti), rows)

    await store.write(use)
    await store.sweep()
    left = await store.read(lambda reader: reader.all(UsedJti))
    assert {row.jti for row in left} == {"lately", "alive"}


async def test_a_grant_leaves_the_feed_once_it_could_verify_nowhere(store: Store) -> None:
    """I10: not before; and the newest stays, by which a follower sees that a feed went back."""
    now = store.clock()
    ages = [86_400] * MOST + [3600, 60, -60, 3600]

    def revoke(tx: Tx) -> None:
        rows = [
            {"grant_id": f"g{n}", "expires_at": now - timedelta(seconds=age), "at": now}
            for n, age in enumerate(ages)
        ]
        tx.execute(insert(GrantRevocation), rows)

    await store.write(revoke)
    await store.sweep()
    left = await store.read(lambda reader: reader.all(GrantRevocation))
    assert {row.grant_id for row in left} == {f"g{MOST + n}" for n in (1, 2, 3)}
    assert max(row.cursor for row in left) == len(ages)


async def test_a_jti_that_may_have_been_swept_is_not_used(store: Store) -> None:
    """I11: a process that stood still since it verified a copy finds no use of it to collide with."""
    now = store.clock()
    await store.write(lambda tx: use_jti(tx, "i", "alive", now))
    with pytest.raises(Unauthenticated, match="expired meanwhile"):
        await store.write(lambda tx: use_jti(tx, "i", "late", now - timedelta(minutes=1)))
    assert {row.jti for row in await store.read(lambda r: r.all(UsedJti))} == {"alive"}


async def test_reopened_database_is_the_same_log(database_url: str) -> None:
    async with await Store.open(database_url, origin=ORIGIN) as store:
        await store.write(lambda tx: tx.append("case.opened", "operator:ana", {"n": 1}))
        head = await store.head()
    async with await Store.open(database_url, origin=ORIGIN) as store:
        assert await store.head() == head


async def test_database_of_another_log_is_refused(database_url: str) -> None:
    async with await Store.open(database_url, origin=ORIGIN):
        pass
    with pytest.raises(StoreMismatch, match=r"authority\.example/ledger.*not 'other"):
        await Store.open(database_url, origin="other.example/ledger")


async def test_several_may_open_a_new_database_at_once(database_url: str) -> None:
    """I11: replicas that start together make the tables once."""
    stores = await asyncio.gather(*(Store.open(database_url, origin=ORIGIN) for _ in range(4)))
    for number, store in enumerate(stores):
        assert await store.write(lambda tx: tx.append("case.opened", "operator:ana", {})) == number
        await store.close()


async def test_reading_writes_nothing(store: Store) -> None:
    """I4: nothing gets past the writer."""
    row = {"issuer": "i", "jti": "j", "expires_at": NOON}
    with pytest.raises((DBAPIError, StoreUnavailable), match=r"read.?only"):
        await store.read(lambda reader: reader.execute(insert(UsedJti), row))
    assert await store.read(lambda reader: reader.all(UsedJti)) == []


async def test_reading_sees_one_moment(store: Store) -> None:
    """A write that becomes durable in the middle of a read is not seen by it."""
    looked, written = threading.Event(), threading.Event()

    def look_twice(reader: Reader) -> tuple[int, int]:
        before = len(reader.all(UsedJti))
        looked.set()
        assert written.wait(10)
        return before, len(reader.all(UsedJti))

    reading = asyncio.create_task(store.read(look_twice))
    assert await asyncio.to_thread(looked.wait, 10)
    await store.write(lambda tx: tx.add(UsedJti(issuer="i", jti="j", expires_at=NOON)))
    written.set()

    assert await reading == (0, 0)


@pytest.mark.parametrize(
    "url", ["", "no url", "mysql://u:secret@h/d", "sqlite://", "sqlite:///:memory:"]
)
async def test_unknown_url_is_refused_without_its_password(url: str) -> None:
    """I7: what the error says holds no password."""
    with pytest.raises(ValueError, match="store") as caught:
        await Store.open(url, origin=ORIGIN)
    assert "secret" not in str(caught.value)


async def test_closed_store_takes_no_write(database_url: str) -> None:
    store = await Store.open(database_url, origin=ORIGIN)
    await store.close()
    await store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.write(lambda tx: None)
