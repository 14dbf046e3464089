"""A database of the first revision, with data, is brought to any other, and loses nothing."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, Table, select, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateSchema
from sqlmodel import select as select_rows
from typer.testing import CliRunner

from lender import _scope
from lender._engines import BUSY, make_engine
from lender._revisions import NEEDED, REVISIONS, TABLES, Migrated
from lender._scope import Scope
from lender._service import Base, Database, Failure
from lender.serve import SYSTEMS, LenderSettings
from lender.servicing._tables import LoanRow
from lender.system_commands import lender
from placet.revisions import VERSION_TABLE
from tests.authority.throwaway_postgresql import PostgresqlCluster
from tests.harness.tables import Rows, fill, form_of, rows_of, tables_of
from tests.lender.roles import REQUESTS, settings_on

FIRST = REVISIONS[0]
SYSTEM, SCHEMA = "loan-servicing", "loan_servicing"
OWN: dict[str, list[dict[str, Any]]] = {"payee": [{"standing": "hit"}]}
"""What must be more than anything at all."""

SCOPES = {"live_grant", "ended_grant", "activation"}
"""The scope's own tables in PostgreSQL."""

NEW = {"used_proof"}
"""Tables that the first revision had not."""


@contextmanager
def connected(settings: LenderSettings) -> Iterator[Connection]:
    """A transaction of the tables' owner, past the system."""
    url = settings.database_url or f"sqlite:///{settings.folder / SYSTEM}.db"
    engine = make_engine(make_url(url), SCHEMA, BUSY)
    try:
        with engine.connect() as connection, connection.begin():
            yield connection
    finally:
        engine.dispose()


def tables(connection: Connection) -> list[Table]:
    """The system's tables, as the database has them."""
    return tables_of(connection, but=SCOPES)


def rows(settings: LenderSettings) -> Rows:
    """Every row of every table."""
    with connected(settings) as connection:
        return rows_of(connection, tables(connection))


def make_first(settings: LenderSettings) -> Rows:
    """A database as it was before it named its revision, with a row in every table."""
    if settings.database_url is not None:
        with connected(settings) as connection:
            connection.execute(CreateSchema(SCHEMA))
    with connected(settings) as connection:
        TABLES.go(connection, None, FIRST)
        VERSION_TABLE.drop(connection)
        fill(connection, tables(connection), OWN)
        if settings.database_url is not None:
            then = MetaData()
            for each in Base.metadata.sorted_tables:
                if each.name not in NEW:
                    each.to_metadata(then)
            _scope.lay(connection, then, SCHEMA, REQUESTS)
    return rows(settings)


def read_as_a_request(database: Database, loan: str) -> list[str]:
    """The loans that a request under a grant for one sees."""
    scope = Scope("grant-1", "loan:read", f"loan/{loan}", datetime.now(UTC) + timedelta(seconds=60))
    found = database.run_here(lambda session: session.exec(select_rows(LoanRow)).all(), scope)
    return [each.id for each in found]


def forced(settings: LenderSettings) -> set[str]:
    """Which tables are under forced row-level security."""
    asked = text(
        "SELECT relname FROM pg_class WHERE relforcerowsecurity "
        f"AND relnamespace = '{SCHEMA}'::regnamespace"
    )
    with connected(settings) as connection:
        return set(connection.scalars(asked))


def test_first_revision_with_data_goes_up_and_down(settings: LenderSettings) -> None:
    """I1, I11: nothing is lost on the way, and PostgreSQL holds each request to its grant after."""
    before = make_first(settings)
    assert before["loan"]

    database = settings.database(SYSTEM)
    assert database.migrated == Migrated(FIRST, NEEDED)
    after = rows(settings)
    assert after.keys() - before.keys() == NEW
    assert {name: after[name] for name in before} == before
    assert read_as_a_request(database, "x") == ["x"]
    if settings.database_url is not None:
        assert read_as_a_request(database, "another") == []
        assert forced(settings) == set(Base.metadata.tables)
    database.close()

    assert settings.migrate(SYSTEM, FIRST) == Migrated(NEEDED, FIRST)
    assert rows(settings) == before
    for revision in REVISIONS:
        settings.migrate(SYSTEM, revision)
    if settings.database_url is not None:
        assert forced(settings) == set()  # no request reaches anything, until a system starts
    database = settings.database(SYSTEM)
    assert database.migrated == Migrated(NEEDED, NEEDED)
    assert rows(settings) == after
    assert read_as_a_request(database, "x") == ["x"]
    if settings.database_url is not None:
        assert forced(settings) == set(Base.metadata.tables)
    database.close()


@pytest.mark.parametrize("old", [False, True], ids=["empty", "old"])
def test_several_may_start_at_once(old: bool, settings: LenderSettings) -> None:
    """I11: one makes or migrates the tables, the others find it done, and all come up."""
    if old:
        make_first(settings)
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(settings.database, [SYSTEM] * 6))
    found = sorted(str(each.migrated.before) for each in made)
    assert found == sorted([str(FIRST if old else None), *([NEEDED] * 5)])
    for each in made:
        assert read_as_a_request(each, "x") == (["x"] if old else [])
        each.close()


def test_what_the_code_says_is_what_the_database_has(
    settings: LenderSettings, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """A table that was changed without a revision is found here."""
    settings.database(SYSTEM).close()
    other = LenderSettings(folder=tmp_path / "said")
    if settings.database_url is not None:
        cluster: PostgresqlCluster = request.getfixturevalue("postgresql")
        made = cluster.create_database()
        request.addfinalizer(lambda: cluster.drop_database(made))
        other = settings_on(cluster, made, tmp_path)
        with connected(other) as connection:
            connection.execute(CreateSchema(SCHEMA))
    else:
        other.folder.mkdir()
    with connected(other) as connection:
        Base.metadata.create_all(connection)
    with connected(settings) as have, connected(other) as said:
        assert {each.name for each in tables(have)} == {each.name for each in tables(said)}
        for name in Base.metadata.tables:
            assert form_of(have, name) == form_of(said, name), name


def test_what_can_not_be_migrated_is_said(settings: LenderSettings) -> None:
    """I12: a newer program's tables, no way down, a database that refuses; nothing is changed."""
    settings.database(SYSTEM).close()
    with connected(settings) as connection:
        connection.execute(update(VERSION_TABLE).values(version_num="r9999"))
    for start in (settings.database, lambda system: settings.migrate(system, FIRST)):
        with pytest.raises(Failure, match=f"r9999, which is newer than this program .{NEEDED}"):
            start(SYSTEM)
    with connected(settings) as connection:
        assert connection.scalar(select(VERSION_TABLE.c.version_num)) == "r9999"
        connection.execute(update(VERSION_TABLE).values(version_num=FIRST))
    # It has the table of the next revision already: that says so, and does not pass for busy.
    with pytest.raises(Failure, match="are as they were.*used_proof"):
        settings.database(SYSTEM)
    with connected(settings) as connection:
        assert connection.scalar(select(VERSION_TABLE.c.version_num)) == FIRST
    if settings.database_url is not None:
        assert forced(settings) == set(Base.metadata.tables)


def test_tables_are_migrated_by_command(
    settings: LenderSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up or down, each of the systems; a revision that there is not is a wrong use."""
    monkeypatch.setenv("PLACET_LENDER_FOLDER", str(settings.folder))
    for name in ("database_url", "requests_url"):
        if (value := getattr(settings, name)) is not None:
            monkeypatch.setenv(f"PLACET_LENDER_{name.upper()}", value)
    for asked, before, after in (
        ((), None, NEEDED),
        (("--to", FIRST), NEEDED, FIRST),
        ((), FIRST, NEEDED),
    ):
        done = CliRunner().invoke(lender, ["migrate", "--json", *asked])
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout) == [
            {"system": system, "before": before, "after": after} for system in SYSTEMS
        ]
    wrong = CliRunner().invoke(lender, ["migrate", "--to", "r7"])
    assert wrong.exit_code == 2
    assert "there is no revision r7" in wrong.stderr


def test_the_code_names_every_revision() -> None:
    script = ScriptDirectory(str(TABLES.folder))
    named = [each.revision for each in script.walk_revisions()]
    assert tuple(reversed(named)) == REVISIONS


def test_the_first_replica_makes_the_staffs_token(tmp_path: Path) -> None:
    """I11: of several that start at once all have the same one, whole, and nothing else is left."""
    for number in range(20):
        settings = LenderSettings(folder=tmp_path / str(number))
        with ThreadPoolExecutor(6) as pool:
            tokens = list(pool.map(lambda made: made.staff_token(), [settings] * 6))
        assert len(set(tokens)) == 1
        assert len(tokens[0]) > 40
        kept = list(settings.folder.iterdir())
        assert [each.name for each in kept] == ["staff.token"]
        assert kept[0].stat().st_mode & 0o777 == 0o600
