"""What is read or used once inside a transaction: replays, what is in force, rows of old data."""

import asyncio
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from placet.authority._definitions import Definitions
from placet.authority._errors import Unauthenticated, Unavailable
from placet.authority._identities import use_jti
from placet.authority._store import LedgerEntry, PolicySet, Store, Tx, table_of
from tests.authority import ORIGIN

ROOT = Path(__file__).parents[2]
SCHEMA = """
namespace Placet {
  entity Agent, Record;
  action read appliesTo { principal: Agent, resource: Record };
}
"""
READ_ALL = """
import asyncio, sys
from placet.authority._store import LedgerEntry, Store
async def read():
    async with await Store.open(sys.argv[1], origin=sys.argv[2]) as store:
        for row in await store.read(lambda reader: reader.all(LedgerEntry)):
            print(row.type)
asyncio.run(read())
"""


async def test_jti_counts_once_among_the_writes_of_one_batch(store: Store) -> None:
    """I11: of replays that come together one counts; the others leave nothing and stop nobody."""
    until = datetime.now(UTC) + timedelta(minutes=1)
    busy, go_on = threading.Event(), threading.Event()

    def hold_up(_: Tx) -> None:
        busy.set()
        assert go_on.wait(10)

    def act(number: int, jti: str) -> asyncio.Future[int]:
        def write(tx: Tx) -> int:
            use_jti(tx, "agent:ana", jti, until)
            return tx.append("case.opened", "operator:ana", {"number": number})

        return asyncio.ensure_future(store.write(write))

    first = asyncio.ensure_future(store.write(hold_up))
    assert await asyncio.to_thread(busy.wait, 10)
    writes = [act(number, jti) for number, jti in enumerate(["a", "a", "b", "a", "c"])]
    await asyncio.sleep(0)
    go_on.set()
    await first
    done = await asyncio.gather(*writes, return_exceptions=True)

    assert [type(each) for each in done] == [int, Unauthenticated, int, Unauthenticated, int]
    rows = await store.read(lambda r: r.all(LedgerEntry, order_by=[LedgerEntry.index]))
    assert [row.index for row in rows] == [each for each in done if isinstance(each, int)]


async def test_policies_in_force_are_read_in_each_transaction(store: Store) -> None:
    """I3: what was parsed is kept; which set is in force never is."""
    definitions = Definitions()

    async def publish(name: str) -> None:
        policies = f'@id("{name}") permit (principal, action, resource);'

        def write(tx: Tx) -> None:
            tx.execute(table_of(PolicySet).update().values(current=False))
            if tx.get(PolicySet, name) is None:
                row = PolicySet(
                    digest=name, policies=policies, policy_schema=SCHEMA, published_at=tx.now
                )
                tx.add(row)
            tx.change(PolicySet, name, current=True)

        await store.write(write)

    async def in_force() -> list[str]:
        loaded = await store.read(definitions.policies)
        return sorted(loaded.ids.values())

    with pytest.raises(Unavailable):
        await in_force()
    for name in ("one", "two", "one"):
        await publish(name)
        assert await in_force() == [name]


async def test_process_that_has_made_no_row_reads_rows(database_url: str) -> None:
    """A restarted authority reads before it writes."""
    async with await Store.open(database_url, origin=ORIGIN) as store:
        await store.write(lambda tx: tx.append("case.opened", "operator:ana", {}))

    said = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", READ_ALL, database_url, ORIGIN],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert said.stdout == "case.opened\n", said.stderr
