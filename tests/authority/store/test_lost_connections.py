"""I4, I11 on a real PostgreSQL: connections cut inside COMMIT, and a server that goes away."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from placet.authority._store import LedgerEntry, Reader, Store, StoreUnavailable, Tx
from tests.authority import ORIGIN
from tests.authority.store.commit_cutter import CommitCutter, Cut
from tests.authority.throwaway_postgresql import PostgresqlCluster


@pytest.fixture
def database(postgresql: PostgresqlCluster) -> Iterator[str]:
    """The name of a new database."""
    name = postgresql.create_database()
    yield name
    postgresql.drop_database(name)


@pytest.fixture
async def cutter(postgresql: PostgresqlCluster) -> AsyncIterator[CommitCutter]:
    """A proxy before the server; its folder is not pytest's, since a socket's path is short."""
    with tempfile.TemporaryDirectory(prefix="placet-cut-") as folder:
        async with CommitCutter(Path(folder), postgresql.folder) as running:
            yield running


def append(number: int) -> Callable[[Tx], int]:
    return lambda tx: tx.append("case.opened", "operator:ana", {"number": number})


def count(reader: Reader) -> int:
    return int(reader.scalar(select(func.count()).select_from(LedgerEntry)))


@pytest.mark.parametrize("cut", list(Cut))
async def test_answer_is_the_truth_wherever_commit_was_cut(
    cut: Cut, cutter: CommitCutter, database: str, postgresql: PostgresqlCluster
) -> None:
    """I4, I11: told that it is durable, it is there; told that it is not, it never comes."""
    url = postgresql.url(database, host=cutter.folder)
    async with await Store.open(url, origin=ORIGIN) as store:
        await store.write(append(0))
        cutter.cut = cut
        answers = await asyncio.gather(
            *(store.write(append(n)) for n in (1, 2)), return_exceptions=True
        )
        assert cutter.cuts == 1
        await store.write(append(3))  # whatever was under way is over: it held the head's row
        there = await store.read(count)

    unavailable = [answer for answer in answers if isinstance(answer, StoreUnavailable)]
    assert not any(answer.unknown for answer in unavailable)
    if cut is Cut.BEFORE:
        assert unavailable
    else:
        assert answers == [1, 2]
    assert there == 2 + len(answers) - len(unavailable)


async def test_restarted_server_is_found_again(
    database: str, postgresql: PostgresqlCluster
) -> None:
    """I4: while the server is down callers are told at once; nothing has to be started again."""
    async with await Store.open(postgresql.url(database), origin=ORIGIN) as store:
        await store.write(append(0))
        await store.read(count)
        postgresql.stop()
        try:
            async with asyncio.timeout(5):
                with pytest.raises(StoreUnavailable):
                    await store.write(append(1))
                with pytest.raises(StoreUnavailable):
                    await store.read(count)
        finally:
            postgresql.start()

        assert await store.write(append(1)) == 1
        assert await store.read(count) == 2
