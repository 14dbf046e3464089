"""A database of the first revision, with data, is brought to any other, and loses nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select, update

from placet.authority._store import LogKeyRow, Store, StoreMismatch, migrate
from placet.authority._store._base import Row
from placet.authority._store._engines import Waits, make_engines
from placet.authority._store._revisions import NEEDED, REVISIONS, TABLES, run_revisions
from placet.ledger import Frontier, leaf_hash
from placet.revisions import VERSION_TABLE
from tests.authority import ORIGIN
from tests.authority.store.test_processes import entries_of
from tests.harness.tables import Rows, fill, rows_of, tables_of, whole

FIRST = REVISIONS[0]
SIZE = 5
RENAMED = {"private_pem": "kept", "code_digest": "invitation_key", "digest": "invitation_key"}


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A transaction past the store."""
    engines = make_engines(url, Waits())
    try:
        with engines.writer.connect() as connection, connection.begin():
            yield connection
    finally:
        engines.dispose()


def rows(url: str) -> Rows:
    """Every row of every table."""
    with connected(url) as connection:
        return rows_of(connection, tables_of(connection), RENAMED)


def make_first(url: str) -> Rows:
    """A log of the first revision, with a row in every table, that no code of today has made."""
    contents = [b'{"entry":%d}' % number for number in range(SIZE)]
    tree = Frontier.of([leaf_hash(content) for content in contents])
    head = {"batches": SIZE, "size": SIZE, "frontier": tree.encode(), "root": tree.root()}
    own: dict[str, list[dict[str, Any]]] = {
        "schema_version": [{"version": 24, "origin": ORIGIN}],
        "tree_state": [head],
        "ledger_entry": [
            {"index": number, "content": content, "leaf_hash": leaf_hash(content)}
            for number, content in enumerate(contents)
        ],
    }

    with connected(url) as connection:
        run_revisions(connection, None, FIRST)
        fill(connection, tables_of(connection), own)
    return rows(url)


async def test_first_revision_with_data_goes_up_and_down(database_url: str) -> None:
    """I8, I11: nothing is lost on the way, and the log is the same one, whole, and goes on."""
    before = make_first(database_url)

    assert migrate(database_url).before == FIRST
    after = rows(database_url)
    kept = before.keys() & after.keys()
    assert len(kept) >= len(before) - 1
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert after["log_name"] == [[("id", 1), ("origin", ORIGIN)]]
    assert len(await entries_of(database_url)) == SIZE

    migrate(database_url, FIRST)
    assert rows(database_url) == before

    for revision in REVISIONS:
        migrate(database_url, revision)
    async with await Store.open(database_url, origin=ORIGIN) as store:
        entry = await store.write(lambda tx: tx.append("case.opened", "operator:ana", {}))
    assert entry == SIZE
    assert len(await entries_of(database_url)) == SIZE + 1


@pytest.mark.parametrize("made", ["by-revisions", "new"])
async def test_what_the_code_says_is_what_the_database_has(made: str, database_url: str) -> None:
    """A column that was changed without a revision is found here."""
    if made == "new":
        async with await Store.open(database_url, origin=ORIGIN):
            pass
    else:
        with connected(database_url) as connection:
            run_revisions(connection, None, NEEDED)
    with connected(database_url) as connection:
        opts = {"compare_type": True, "include_object": lambda each, *_: whole(each)}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, Row.metadata) == []


@pytest.mark.parametrize(
    ("revision", "told"),
    [
        (FIRST, f"revision {FIRST}, this program needs {NEEDED}.*placet authority migrate"),
        ("r9999", f"revision r9999, which is newer than this program .{NEEDED}"),
    ],
)
async def test_an_authority_does_not_start_on_other_tables(
    revision: str, told: str, database_url: str
) -> None:
    """I12: in one line; and nothing was changed."""
    async with await Store.open(database_url, origin=ORIGIN):
        pass
    with connected(database_url) as connection:
        connection.execute(update(VERSION_TABLE).values(version_num=revision))
    before = rows(database_url)
    with pytest.raises(StoreMismatch, match=told) as caught:
        await Store.open(database_url, origin=ORIGIN)
    assert "\n" not in str(caught.value)
    assert rows(database_url) == before
    with connected(database_url) as connection:
        assert connection.scalar(select(VERSION_TABLE.c.version_num)) == revision


def test_what_can_not_be_migrated_is_said(database_url: str) -> None:
    """I12: no log, no such revision, a newer program's, tables of no revision."""
    with pytest.raises(StoreMismatch, match="no log yet"):
        migrate(database_url)
    with pytest.raises(ValueError, match="no revision r7"):
        migrate(database_url, "r7")
    make_first(database_url)
    with connected(database_url) as connection:
        connection.execute(update(VERSION_TABLE).values(version_num="r9999"))
    with pytest.raises(StoreMismatch, match="newer program"):
        migrate(database_url)
    with connected(database_url) as connection:
        VERSION_TABLE.drop(connection)
    with pytest.raises(StoreMismatch, match="name no revision"):
        migrate(database_url)


async def test_a_log_whose_key_was_changed_does_not_go_back(database_url: str) -> None:
    """I8, I12: older code would sign its heads with either key; nothing is changed."""
    async with await Store.open(database_url, origin=ORIGIN) as store:
        keys = {"kid": "b", "before": "a", "key": "b", "replaces": "a"}
        await store.write(lambda tx: tx.add(LogKeyRow(named=3, overlaps_until=tx.now, **keys)))
    before = rows(database_url)
    with pytest.raises(StoreMismatch, match="key was changed"):
        migrate(database_url, "r0005")
    assert rows(database_url) == before
    async with await Store.open(database_url, origin=ORIGIN) as store:
        await store.write(lambda tx: tx.remove(LogKeyRow, 3))
    assert migrate(database_url, "r0005").after == "r0005"


def test_the_code_names_every_revision() -> None:
    script = ScriptDirectory(str(TABLES.folder))
    named = [each.revision for each in script.walk_revisions()]
    assert tuple(reversed(named)) == REVISIONS
