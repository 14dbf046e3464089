"""Each list, and each job that looks again and again, has an index to look into.

That PostgreSQL also chooses it at a million rows is for ``bench/plans.py`` to see.
"""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy.engine import make_url

from placet.client import AuthorityError
from tests.authority.throwaway_postgresql import PostgresqlCluster
from tests.harness.alone import alone
from tests.harness.plans import LISTS, judge, tell_plans

GROWING = frozenset(
    "archive case_ case_key case_run checkpoint context_blob decision delivery denial evidence_opened"
    " grant_ grant_input grant_revocation grant_use_p00000 history_prefix identity_key"
    " ledger_entry_p00000 ledger_node listed_checkpoint listed_role listed_word outbox part proposal"
    " remark review session signed_act signed_head used_jti".split()
)
"""Tables that grow with the work."""


@pytest.fixture
def database(postgresql: PostgresqlCluster) -> Iterator[str]:
    """The URL of a database that tells its plans, and reads no whole table if an index will do."""
    name = postgresql.create_database()
    url = postgresql.url(name)
    with psycopg.connect(make_url(url).render_as_string(), autocommit=True) as connection:
        tell_plans(connection, name, enable_seqscan="off")
    yield url
    postgresql.drop_database(name)


async def test_lists_and_jobs_have_an_index(database: str, postgresql: PostgresqlCluster) -> None:
    log = postgresql.folder / "log"
    start = log.stat().st_size
    async with alone(database) as made, made.ada() as ada:
        for path in LISTS:
            try:
                await ada.get(path)
            except AuthorityError as error:
                assert error.status == 404, path  # nobody is enrolled; it was looked for
    statements, bad = judge(log.read_bytes()[start:].decode(errors="replace"), GROWING)
    assert len(statements) > 60
    assert bad == set()
