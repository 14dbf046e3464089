"""I4: record first. Nobody is answered before the entry is durable, and nothing is half-written."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, OperationalError

from placet.authority._store import (
    LedgerEntry,
    Reader,
    Store,
    StoreUnavailable,
    Tx,
    UsedJti,
    Waits,
)
from placet.ledger import EntryError
from tests.authority import ORIGIN
from tests.authority.throwaway_postgresql import PostgresqlCluster

QUICK = Waits(lock=0.3, connect=1.0, statement=2.0)


def append(number: int) -> Callable[[Tx], int]:
    return lambda tx: tx.append("case.opened", "operator:ana", {"number": number})


def count(reader: Reader) -> int:
    return int(reader.scalar(select(func.count()).select_from(LedgerEntry)))


class CommitGate:
    """Holds the writer just before each COMMIT until it is opened, and counts them."""

    def __init__(self, store: Store) -> None:
        self.commits = 0
        self._reached = threading.Event()
        self._open = threading.Event()
        event.listen(store.engines.writer, "commit", self._stop_here)

    def _stop_here(self, _connection: object) -> None:
        self.commits += 1
        self._reached.set()
        assert self._open.wait(10)

    async def reached(self) -> None:
        """Wait until the writer stands before a COMMIT."""
        assert await asyncio.to_thread(self._reached.wait, 10)

    def open(self) -> None:
        """Let it commit, now and from now on."""
        self._open.set()


async def test_nobody_is_answered_before_the_commit(store: Store) -> None:
    """I4: the write function has run, but before COMMIT neither answer nor entry is there."""
    gate = CommitGate(store)
    seen = store.number("ledger")
    writing = asyncio.create_task(store.write(append(1)))
    await gate.reached()

    assert not writing.done()
    assert await store.read(count) == 0
    assert store.number("ledger") == seen

    gate.open()
    assert await writing == 0
    assert await store.read(count) == 1


async def test_failing_member_leaves_the_others(store: Store) -> None:
    """I4: members share one commit; one that raises, or breaks a constraint, vanishes alone."""
    gate = CommitGate(store)
    first = asyncio.create_task(store.write(append(0)))
    await gate.reached()

    def fail_after_appending(tx: Tx) -> None:
        tx.append("case.opened", "operator:ana", {"number": 666})
        tx.notify("outbox")
        raise KeyError("changed my mind")

    def break_constraint(tx: Tx) -> None:
        tx.append("case.opened", "operator:ana", {"number": 667})
        for _ in range(2):
            tx.add(UsedJti(issuer="i", jti="j", expires_at=tx.now))

    rest = [
        asyncio.create_task(store.write(run))
        for run in (append(1), fail_after_appending, append(2), break_constraint, append(3))
    ]
    await asyncio.sleep(0)  # lets the tasks queue their writes; the writer stands at the gate
    gate.open()
    answers: list[object] = await asyncio.gather(first, *rest, return_exceptions=True)

    assert gate.commits == 2
    assert [type(answer) for answer in answers] == [int, int, KeyError, int, IntegrityError, int]
    assert [answer for answer in answers if isinstance(answer, int)] == [0, 1, 2, 3]
    entries = await store.read(lambda reader: reader.all(LedgerEntry, order_by=["index"]))
    assert [b'"number":%d}' % entry.index in entry.content for entry in entries] == [True] * 4
    assert await store.read(lambda reader: reader.all(UsedJti)) == []
    assert store.number("outbox") == 0


async def test_given_up_write_is_not_started(store: Store) -> None:
    gate = CommitGate(store)
    first = asyncio.create_task(store.write(append(0)))
    await gate.reached()
    given_up = asyncio.create_task(store.write(append(666)))
    await asyncio.sleep(0)  # lets the task queue its write
    given_up.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await given_up
    gate.open()
    await first

    assert await store.write(append(1)) == 1


@contextmanager
def lost_commit(store: Store, *, happened: bool) -> Generator[None]:
    """The next COMMIT's answer is lost, whether it ``happened`` or not."""
    dialect = store.engines.writer.dialect
    real = dialect.do_commit

    def lose(dbapi_connection: Any) -> None:
        dialect.do_commit = real  # type: ignore[method-assign]  # put back
        if happened:
            real(dbapi_connection)
        raise OperationalError("COMMIT", None, ConnectionResetError("connection reset by peer"))

    dialect.do_commit = lose  # type: ignore[method-assign]  # for this one COMMIT
    try:
        yield
    finally:
        dialect.do_commit = real  # type: ignore[method-assign]  # put back


async def test_lost_answer_of_a_commit_that_happened_is_looked_up(store: Store) -> None:
    """I4, I11: the batch is found to be durable: the caller is answered, nothing written again."""
    with lost_commit(store, happened=True):
        assert await asyncio.gather(*(store.write(append(n)) for n in range(3))) == [0, 1, 2]
    assert await store.write(append(3)) == 3


async def test_lost_commit_that_did_not_happen_is_said(store: Store) -> None:
    """I4, I11: the batch is known not to be there: its callers are told, nothing written again."""
    with lost_commit(store, happened=False), pytest.raises(StoreUnavailable) as caught:
        await store.write(append(0))
    assert not caught.value.unknown
    assert "did not commit" in str(caught.value)
    assert await store.read(count) == 0
    assert await store.write(append(0)) == 0


@pytest.fixture
async def hurried(database_url: str) -> AsyncIterator[Store]:
    """A store that waits for its database only briefly."""
    async with await Store.open(database_url, origin=ORIGIN, waits=QUICK) as opened:
        yield opened


@contextmanager
def outage(url: str, request: pytest.FixtureRequest) -> Generator[None]:
    """The database can't be written: locked by someone else, or refusing connections."""
    parsed = make_url(url)
    assert parsed.database is not None
    if parsed.get_backend_name() == "sqlite":
        other = sqlite3.connect(parsed.database, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            other.close()
        return
    cluster: PostgresqlCluster = request.getfixturevalue("postgresql")
    with cluster.outage(parsed.database):
        yield


async def test_away_database_is_unavailable_and_comes_back(
    hurried: Store, database_url: str, request: pytest.FixtureRequest
) -> None:
    """I4: each caller is told within seconds, nothing is half-written, and it mends itself."""
    await hurried.write(append(0))
    with outage(database_url, request):
        async with asyncio.timeout(5):
            told = await asyncio.gather(
                *(hurried.write(append(n)) for n in range(20)), return_exceptions=True
            )
        assert {type(answer) for answer in told} == {StoreUnavailable}
        assert not any(answer.unknown for answer in told if isinstance(answer, StoreUnavailable))

    assert await hurried.write(append(1)) == 1
    assert await hurried.read(count) == 2


async def test_writers_fault_answers_everyone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I4: whatever goes wrong in the writer itself, nobody waits for ever."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("placet.authority._store._writer.keep_tile_tops", broken)
        with pytest.raises(StoreUnavailable, match="ZeroDivisionError"):
            await store.write(append(0))
    assert await store.write(append(0)) == 0


async def test_oversized_entry_is_refused_alone(store: Store) -> None:
    """I12: an entry above 65,535 bytes is its caller's error; the log goes on."""
    with pytest.raises(EntryError, match=r"65,?535"):
        await store.write(lambda tx: tx.append("case.opened", "operator:ana", {"x": "y" * 65_535}))
    assert await store.write(append(0)) == 0


@pytest.mark.parametrize(
    ("kind", "actor", "case"),
    [
        ("case.invented", "operator:ana", None),
        ("case.opened", "ana", None),
        ("case.opened", "operator:ana", "case-1"),
    ],
)
async def test_malformed_entry_is_refused_alone(
    kind: str, actor: str, case: str | None, store: Store
) -> None:
    """I12: what an auditor could not read never gets into the log."""
    with pytest.raises(ValueError, match=r"case|actor"):
        await store.write(lambda tx: tx.append(kind, actor, {}, case=case))
    assert await store.write(append(0)) == 0


async def test_close_finishes_what_is_queued(database_url: str) -> None:
    """I4: a write that was taken is answered."""
    store = await Store.open(database_url, origin=ORIGIN)
    writing = [asyncio.create_task(store.write(append(n))) for n in range(50)]
    await asyncio.sleep(0)  # lets the tasks queue their writes
    await store.close()
    assert await asyncio.gather(*writing) == list(range(50))


async def test_follower_hears_of_a_change_between_look_and_wait(store: Store) -> None:
    """I10: a follower that looked just before a change is woken at once."""
    seen = store.number("revocations")
    await store.write(lambda tx: tx.notify("revocations"))

    assert await store.changed("revocations", seen, timeout=10)
    assert not await store.changed("revocations", seen + 1, timeout=0.01)


async def test_follower_hears_of_another_process(database_url: str) -> None:
    """I10: what another process wrote between look and wait wakes followers too."""
    async with (
        await Store.open(database_url, origin=ORIGIN) as one,
        await Store.open(database_url, origin=ORIGIN) as two,
    ):
        await one.write(append(0))
        seen = one.number("revocations")
        await two.write(lambda tx: tx.notify("revocations"))  # no entry: the ledger does not grow

        assert await one.changed("revocations", seen, timeout=60)


async def test_a_part_that_raises_leaves_nothing_and_the_rest_stands(store: Store) -> None:
    """I4: rows, entries and topics of a part go together; what stands around it stays."""

    def run(tx: Tx) -> list[str]:
        said = []
        tx.append("case.opened", "operator:ana", {"number": 1})
        for number, broken in ((2, True), (3, False), (4, True)):
            with contextlib.suppress(IntegrityError, LookupError):
                with tx.part():
                    tx.append("case.opened", "operator:ana", {"number": number})
                    tx.notify(f"part-{number}")
                    if broken:
                        for _ in range(2):  # the second is one too many
                            tx.add(UsedJti(issuer="a", jti=f"j{number}", expires_at=tx.now))
                said.append(f"part-{number}")
        tx.append("case.opened", "operator:ana", {"number": 5})
        return said

    assert await store.write(run) == ["part-3"]
    size, _ = await store.head()
    assert size == 3
    assert await store.read(lambda reader: reader.all(UsedJti)) == []
    assert (store.number("part-2"), store.number("part-3"), store.number("part-4")) == (0, 1, 0)
    await store.write(append(6))  # the tree goes on from where it is
    assert (await store.head())[0] == 4
