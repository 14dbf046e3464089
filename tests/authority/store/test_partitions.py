"""On PostgreSQL the ledger is in ranges of entries, made ahead; an old one can be taken away."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator

import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from placet.authority._store import (
    GrantUseRow,
    LedgerEntry,
    Reader,
    Store,
    StoreDamaged,
    Tx,
    hash_reader,
    read_bundle,
    read_tile,
    table_of,
)
from placet.authority._store._partitions import RANGE
from placet.ledger import Bundle, Tile, inclusion_path
from tests.authority import ORIGIN
from tests.authority.store.test_processes import entries_of
from tests.authority.throwaway_postgresql import PostgresqlCluster

SMALL = 256
"""A range of one bundle: what holds for it holds for any number of whole bundles."""


@pytest.fixture
def database(postgresql: PostgresqlCluster) -> Iterator[str]:
    """The URL of a new PostgreSQL database."""
    name = postgresql.create_database()
    yield postgresql.url(name)
    postgresql.drop_database(name)


@pytest.fixture
async def store(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    """A store of small ranges, with two and a half of them written."""
    monkeypatch.setattr("placet.authority._store._partitions.RANGE", SMALL)
    async with await Store.open(database, origin=ORIGIN) as opened:
        for _ in range(5):
            await opened.write(append(SMALL // 2))
            await opened.keep_ahead()
        yield opened


def append(count: int) -> Callable[[Tx], None]:
    def run(tx: Tx) -> None:
        for number in range(count):
            tx.append("case.opened", "operator:ana", {"number": number})

    return run


def ranges(url: str, table: str) -> list[str]:
    """The ranges that a table has."""
    with psycopg.connect(make_url(url).render_as_string()) as connection:
        found = connection.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass"
            " ORDER BY 1",
            (table,),
        )
        return [row[0] for row in found]


def administer(url: str, statement: str) -> None:
    """What a database's administrator does."""
    with psycopg.connect(make_url(url).render_as_string(), autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[call-overload]  # the test's own words


def test_a_range_is_of_whole_bundles() -> None:
    """I8: no bundle, and no tile, is in two ranges: taking one away cuts none."""
    assert RANGE % (1 << 16) == 0


async def test_ranges_are_made_ahead_by_any_process(store: Store, database: str) -> None:
    """I4: there is always room; two processes make no range twice."""
    assert ranges(database, "ledger_entry") == [f"ledger_entry_p{n:05d}" for n in range(4)]
    assert ranges(database, "grant_use") == [f"grant_use_p{n:05d}" for n in range(4)]
    async with await Store.open(database, origin=ORIGIN) as other:
        await store.write(append(SMALL))
        assert sum(await asyncio.gather(other.keep_ahead(), store.keep_ahead())) == 2
    assert len(await entries_of(database)) == 3 * SMALL + SMALL // 2


async def test_a_number_is_there_once_in_all_ranges(store: Store) -> None:
    """I8: the database itself refuses a second entry of a number."""
    with pytest.raises(IntegrityError):
        await store.write(
            lambda tx: tx.execute(
                text("INSERT INTO ledger_entry SELECT * FROM ledger_entry WHERE index = 300")
            )
        )


async def test_an_old_range_is_taken_away_and_put_back(store: Store, database: str) -> None:
    """I8: what is left is served and proven as before, the log grows, and nothing is lost."""
    entry = 2 * SMALL + 7

    def prove(reader: Reader) -> tuple[bytes, bytes, tuple[bytes, ...]]:
        size = 2 * SMALL + SMALL // 2
        bundle, tile = Bundle(2, SMALL // 2), Tile(1, 0, 2)
        path = inclusion_path(hash_reader(reader), entry, size)
        return read_bundle(reader, bundle), read_tile(reader, tile), path

    before = await store.read(prove)
    administer(database, "ALTER TABLE ledger_entry DETACH PARTITION ledger_entry_p00000")
    assert await store.read(prove) == before
    with pytest.raises(StoreDamaged, match="not all entries"):
        await store.read(lambda reader: read_bundle(reader, Bundle(0, SMALL)))
    await store.write(append(1))

    administer(
        database,
        "ALTER TABLE ledger_entry ATTACH PARTITION ledger_entry_p00000"
        f" FOR VALUES FROM (0) TO ({SMALL})",
    )
    assert len(await entries_of(database)) == 2 * SMALL + SMALL // 2 + 1


async def test_only_the_ranges_that_matter_are_looked_into(store: Store) -> None:
    """A page of the ledger, and a grant's uses, come from their own ranges."""
    use, entry = table_of(GrantUseRow), table_of(LedgerEntry)

    def plan(reader: Reader) -> set[str]:
        page = select(entry.c.index).where(entry.c.index >= 300, entry.c.index < 400)
        uses = select(use.c.id).where(use.c.grant_id == "g", use.c.entry > 2 * SMALL)
        said = [
            str(line)
            for each in (page, uses)
            for line in reader.connection.scalars(
                text("EXPLAIN " + str(each.compile(compile_kwargs={"literal_binds": True})))
            )
        ]
        return set(re.findall(r"(?:ledger_entry|grant_use)_p\d{5}", " ".join(said)))

    assert await store.read(plan) == {"ledger_entry_p00001", "grant_use_p00002", "grant_use_p00003"}
