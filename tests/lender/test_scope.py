"""PostgreSQL itself holds each request to its grant: row-level security (I1).

The attacker here speaks SQL on the requests' own connection: whatever a mistake in the lender's
code, or an injection, could send.
"""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from psycopg import Connection as PostgresqlConnection
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlmodel import Session, select

from lender._scope import Scope, activate, admit
from lender._service import Base, Database, Failure
from lender.servicing import import_loan
from lender.servicing._tables import LoanRow, ReallocationRow
from tests.authority.throwaway_postgresql import PostgresqlCluster
from tests.lender.authority import new_grant_id
from tests.lender.lending import LOAN, Lending, analysis_of, lending, loan_file, until
from tests.lender.roles import OWNER, settings_on, urls

OTHER = "L-2002"


class Bank:
    """Loan servicing with two loans, and the requests' own way in."""

    def __init__(self, database: Database, requests: Engine) -> None:
        self.database = database
        self.requests = requests
        for loan in (LOAN, OTHER):
            import_loan(database, loan_file(loan))

    def scope(self, action: str = "loan:read", *, seconds: float = 60) -> Scope:
        """A scope over the first loan."""
        ends = datetime.now(UTC) + timedelta(seconds=seconds)
        return Scope(f"grant-of-{action}", action, f"loan/{LOAN}", ends)

    def ticket(self, scope: Scope | None = None) -> str:
        """A ticket, as the guard's side has one made for a verified grant."""
        asked = scope or self.scope()
        return self.database.run_here(lambda session: admit(session.connection(), asked))


@pytest.fixture(scope="module")
def bank(postgresql: PostgresqlCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    name = postgresql.create_database()
    settings = settings_on(postgresql, name, tmp_path_factory.mktemp("bank"))
    database = settings.database("loan-servicing")
    assert settings.requests_url is not None
    requests = create_engine(
        make_url(settings.requests_url).set(drivername="postgresql+psycopg"),
        connect_args={"options": "-c search_path=loan_servicing"},
        pool_size=1,
        max_overflow=0,
    )
    yield Bank(database, requests)
    requests.dispose()
    database.close()
    postgresql.drop_database(name)


def test_a_request_without_a_grant_reaches_no_table(bank: Bank) -> None:
    """I1: of every table, in every system's schema; what is not described is not reached."""
    names = [*Base.metadata.tables, "live_grant", "ended_grant", "activation", "alembic_version"]
    assert len(names) > 10
    for name in names:
        with bank.requests.connect() as connection:
            try:
                seen = connection.execute(text(f"SELECT count(*) FROM {name}")).scalar()  # noqa: S608 - names of tables
            except ProgrammingError as refused:
                assert "permission denied" in str(refused)
            else:
                assert seen == 0, name


def test_a_grant_reaches_its_own_record_whatever_is_asked_for(bank: Bank) -> None:
    """I1: a query that forgets its condition still reads one loan."""
    rows = bank.database.run_here(lambda session: session.exec(select(LoanRow)).all(), bank.scope())
    assert [row.id for row in rows] == [LOAN]


@pytest.mark.parametrize(
    "attack",
    [
        "SELECT set_config('role', 'lender_owner', true)",
        "SET LOCAL ROLE lender_owner",
        "SET LOCAL row_security = off",
        "SET LOCAL session_replication_role = replica",
        f"SELECT set_config('placet.record', 'loan/{OTHER}', false)",
        "CREATE TEMP TABLE activation AS SELECT pg_current_xact_id() AS transaction, "
        "'x' AS \"grant\", '{\"loan\": \"L-2002\"}'::jsonb AS parts, now() + '1 h' AS ends;"
        "SET LOCAL search_path = pg_temp, loan_servicing",
        "CREATE FUNCTION pg_temp.granted(text) RETURNS text LANGUAGE sql AS $$ SELECT 'L-2002' $$;"
        "SET LOCAL search_path = pg_temp, loan_servicing",
        "CREATE OR REPLACE FUNCTION loan_servicing.granted(what text) RETURNS text "
        "LANGUAGE sql AS $$ SELECT 'L-2002' $$",
        "DROP POLICY reading ON loan_servicing.loan",
        "ALTER TABLE loan_servicing.loan DISABLE ROW LEVEL SECURITY",
        'UPDATE loan_servicing.activation SET parts = \'{"loan": "L-2002"}\'',
        "INSERT INTO loan_servicing.live_grant VALUES (sha256('x'), 'x', '{}', now() + '1 h')",
        "DELETE FROM loan_servicing.ended_grant",
        "SELECT loan_servicing.activate('guessed')",
        "GRANT SELECT ON loan_servicing.loan TO PUBLIC",
        "COPY (SELECT * FROM loan_servicing.loan) TO PROGRAM 'cat'",
        "SELECT * FROM pg_read_file('PG_VERSION')",
        "COMMIT; BEGIN",
    ],
)
def test_nothing_that_a_request_may_send_widens_its_grant(bank: Bank, attack: str) -> None:
    """I1: forged settings, tables and functions in its way, changed policies, other tickets."""
    with bank.requests.connect() as connection:
        activate(connection, bank.ticket())
        connection.execute(text("SAVEPOINT before"))
        try:
            connection.exec_driver_sql(attack)
            seen = connection.execute(text("SELECT id FROM loan_servicing.loan")).scalars().all()
        except DBAPIError:
            connection.execute(text("ROLLBACK TO SAVEPOINT before"))
            seen = connection.execute(text("SELECT id FROM loan_servicing.loan")).scalars().all()
        assert set(seen) <= {LOAN}
        # A query for the very record of another is as empty.
        one = text("SELECT count(*) FROM loan_servicing.loan WHERE id = :id")
        assert connection.execute(one, {"id": OTHER}).scalar() == 0


def test_one_transaction_has_one_grant(bank: Bank) -> None:
    """I1: a second ticket, even a good one, adds nothing to the first."""
    other = Scope("grant-of-other", "loan:read", f"loan/{OTHER}", bank.scope().ends)
    first, second = bank.ticket(), bank.ticket(other)
    with bank.requests.connect() as connection:
        activate(connection, first)
        with pytest.raises(DBAPIError, match="duplicate key"):
            activate(connection, second)


def test_the_next_user_of_a_connection_sees_nothing(bank: Bank) -> None:
    """I1: an activation ends with its transaction, whether it was committed or not."""
    for ending in ("commit", "rollback"):
        with bank.requests.connect() as connection:
            server = connection.execute(text("SELECT pg_backend_pid()")).scalar()
            connection.rollback()
            activate(connection, bank.ticket())
            assert connection.execute(text("SELECT count(*) FROM loan")).scalar() == 1
            getattr(connection, ending)()
        with bank.requests.connect() as connection:
            assert connection.execute(text("SELECT pg_backend_pid()")).scalar() == server
            assert connection.execute(text("SELECT count(*) FROM loan")).scalar() == 0


def test_a_grant_that_has_ended_activates_nothing(bank: Bank) -> None:
    """I1: by the database's own clock."""
    with pytest.raises(Failure) as refused:
        bank.database.run_here(lambda _: None, bank.scope(seconds=-1))
    assert (refused.value.status, refused.value.problem.error) == (403, "insufficient_scope")


async def test_a_grant_that_ends_meanwhile_reaches_nothing_more(bank: Bank) -> None:
    """I1: a transaction that goes on for longer than its grant."""
    ticket = bank.ticket(bank.scope(seconds=0.5))
    with bank.requests.connect() as connection:
        activate(connection, ticket)
        count = text("SELECT count(*) FROM loan")
        assert connection.execute(count).scalar() == 1

        async def gone() -> bool:
            return connection.execute(count).scalar() == 0

        await until(gone)
        with pytest.raises(ProgrammingError, match="row-level security"):
            connection.execute(text("INSERT INTO use_outbox (id, body) VALUES ('x', '{}')"))


async def test_a_revocation_does_not_wait_and_reaches_into_a_transaction(bank: Bank) -> None:
    """I10: what was activated of a revoked grant reaches nothing from that moment on."""
    scope = Scope("grant-revoked", "loan:read", f"loan/{LOAN}", bank.scope().ends)
    ticket = bank.ticket(scope)
    with bank.requests.connect() as connection:
        activate(connection, ticket)
        count = text("SELECT count(*) FROM loan")
        assert connection.execute(count).scalar() == 1
        async with asyncio.timeout(4):  # less than what a lock may be waited for
            await bank.database.end(["grant-revoked"], scope.ends)
        assert connection.execute(count).scalar() == 0
    with pytest.raises(Failure):
        bank.database.run_here(lambda _: None, scope)
    await bank.database.end(["grant-revoked"], scope.ends)  # told twice: the feed may


def test_an_action_changes_what_it_is_for(bank: Bank) -> None:
    """I1: a grant to read a loan changes none, and starts no reallocation of its budget."""

    def change(session: Session) -> None:
        row = session.get(LoanRow, LOAN)
        assert row is not None
        row.holds = 5

    def add(session: Session) -> None:
        session.add(ReallocationRow(loan=LOAN, number=1, digest="d", body="{}"))

    for write in (change, add):
        with pytest.raises(Failure) as refused:
            bank.database.run_here(write, bank.scope())
        assert refused.value.status == 403
    assert bank.database.run_here(lambda s: s.get(LoanRow, LOAN).holds) == 0  # type: ignore[union-attr]  # there


def test_every_table_is_under_forced_row_level_security(bank: Bank) -> None:
    """I1: the owner too has a policy of its own, not a way round."""
    forced = text(
        "SELECT relname FROM pg_class WHERE relnamespace = 'loan_servicing'::regnamespace "
        "AND relrowsecurity AND relforcerowsecurity"
    )
    found = bank.database.run_here(lambda session: session.connection().execute(forced).all())
    assert {name for (name,) in found} == set(Base.metadata.tables)


def test_a_database_that_is_gone_without_a_word_is_given_up(bank: Bank) -> None:
    """Its machine or the network can't be cut here: what the system is asked to do is looked at."""
    assert bank.database._requests is not None
    for engine in (bank.database.engine, bank.database._requests):
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, PostgresqlConnection)
            told = driver.info.get_parameters()
        assert told["tcp_user_timeout"] == "10000"
        assert (told["keepalives_idle"], told["keepalives_count"]) == ("5", "3")


def test_a_role_that_would_see_everything_is_refused(
    postgresql: PostgresqlCluster, tmp_path: Path
) -> None:
    """I1: the tables' owner or a superuser as the requests' role stops the start, and says so."""
    name = postgresql.create_database()
    good = urls(postgresql, name)
    for bad in (good["database_url"], postgresql.url(name)):
        with pytest.raises(Failure, match="owns no table"):
            Database(good["database_url"], schema="loan_servicing", requests_url=bad)
    assert OWNER in good["database_url"]
    postgresql.drop_database(name)


async def test_what_the_feed_ends_ends_in_the_database(
    postgresql: PostgresqlCluster, tmp_path: Path
) -> None:
    """I10: the guard's feed reaches the database by itself."""
    name = postgresql.create_database()
    database = settings_on(postgresql, name, tmp_path).database("loan-servicing")
    async with lending({"loan-servicing": database}) as made:
        assert (await made.analyse(analysis_of())).status_code == 200
        made.authority.revoked.append(ended := new_grant_id())

        async def heard() -> bool:
            return _ended(made) == [ended]

        await until(heard)
    database.close()
    postgresql.drop_database(name)


def _ended(made: Lending) -> list[str]:
    asked = text('SELECT "grant" FROM loan_servicing.ended_grant')
    database = made.databases["loan-servicing"]
    return list(database.run_here(lambda s: s.connection().execute(asked).scalars().all()))
