"""``python -m bench.plans``: how PostgreSQL carries out the store's queries at a million rows.

A real authority works on a database that has that many rows already: cases are opened, decided and
closed, people read every list, and the jobs run. PostgreSQL itself tells the plan of each statement
(auto_explain). Whatever reads a large table from one end to the other is named, and is the exit
code.
"""

import argparse
import asyncio
import contextlib
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Boolean, Column, DateTime, Integer, LargeBinary, Table, select, update
from sqlalchemy.engine import make_url

from placet.authority._store import (
    LedgerEntry,
    Reader,
    TreeState,
    table_of,
)
from placet.authority._store._base import Row, Utc
from placet.authority._store._engines import Waits, make_engines
from placet.authority._store._nodes import keep_tile_tops
from placet.authority._store._partitions import make_ahead
from placet.client import AuthorityError
from placet.ledger import Frontier, leaf_hash
from placet.model import Verdict
from tests.authority.throwaway_postgresql import PostgresqlCluster, find_binaries
from tests.harness.plans import LARGE, LISTS, judge, tell_plans
from tests.harness.world import World, temporal_server, world

MILLION = 1_000_000
CASES = 12
_CASE = "'case-' || lpad(({0})::text, 26, '0')"
_OLD = "now() - interval '400 days' + g * interval '30 seconds'"

OWN: dict[str, dict[str, str]] = {
    "case_": {
        "id": _CASE.format("g"),
        "process": "'parcel-check'",
        "version": "1",
        "subject": "'depot/D' || g % 500 || '/parcel/old' || g",
        "status": "'closed'",
        "result": "'dispatched'",
        "closed_at": _OLD,
        "archived_at": _OLD,
    },
    "grant_": {
        "case_id": _CASE.format("1 + g % {cases}"),
        "agent": "'agent:' || (ARRAY['scale','second-scale','carrier','orchestrator'])[1 + g % 4]",
        "action": "'parcel:weigh'",
        "system": "'authority'",
        "status": "'settled'",
        "entry": "g",
    },
    "grant_use": {"grant_id": "'grant-' || g / 3", "stage": "'use'", "entry": "g"},
    "outbox": {"kind": "'signal'", "done_at": _OLD, "case_id": _CASE.format("1 + g % {cases}")},
    "delivery": {"status": "'done'", "channel": "'log'", "done_at": _OLD},
    "checkpoint": {
        "case_id": _CASE.format("1 + g % {cases}"),
        "name": "'release' || g",
        "status": "'approved'",
        "resolved_at": _OLD,
    },
    "decision": {"operator": "'operator:cleo'", "verdict": "'approve'", "counted": "true"},
    "part": {"case_id": _CASE.format("1 + g % {cases}"), "name": "'weight'"},
    "listed_checkpoint": {
        "case_id": _CASE.format("1 + g % {cases}"),
        "process": "'parcel-check'",
        "status": "'approved'",
    },
    "review": {"status": "'closed'", "ended_at": _OLD, "case_id": _CASE.format("1 + g % {cases}")},
    "proposal": {"status": "'lapsed'", "ended_at": _OLD},
    "session": {"status": "'ended'", "principal": "'operator:p' || g % 2000"},
    "used_jti": {"expires_at": "now() + interval '1 hour'"},
    "identity_key": {"principal": "'agent:scale'", "status": "'revoked'", "jwk_json": "'{}'"},
}
"""Columns whose values matter; all others are made up, each row's its own."""

WHOLE = (
    "grant_",
    "grant_use",
    "used_jti",
    "part",
    "grant_input",
    "grant_revocation",
    "context_blob",
)
FIFTH = (
    *("case_", "checkpoint", "decision", "outbox", "delivery", "signed_act", "listed_checkpoint"),
    *("listed_role", "listed_word", "case_run", "case_key", "history_prefix", "denial", "remark"),
    *("evidence_opened", "review", "proposal", "session", "archive", "case_code"),
)
"""Tables with as many rows as asked for, and with a fifth of that."""

OF_A_CASE = ("", "/archive", "/entries?from=0&limit=100")
OF_A_CHECKPOINT = ("", "/prospect", "/proof")


def _made_up(column: Column[Any]) -> str:
    kind = column.type
    if column.nullable:
        return "NULL"
    if isinstance(kind, Utc | DateTime):
        return _OLD
    if isinstance(kind, Boolean):
        return "false"
    if isinstance(kind, LargeBinary):
        return "'\\x00'::bytea"
    if isinstance(kind, Integer):
        return "g"
    return f"'{column.name.removesuffix('_id')}-' || g"


def fill_table(connection: psycopg.Connection, table: Table, rows: int, cases: int) -> None:
    """Put made-up rows into a table; keys that the database counts are left to it."""
    own = OWN.get(table.name, {})
    columns = [each for each in table.columns if not _is_counted(each)]
    values = (own.get(each.name, _made_up(each)).format(cases=cases) for each in columns)
    spelled = ", ".join(f'"{each.name}"' for each in columns)
    statement = (
        f'INSERT INTO "{table.name}" ({spelled}) SELECT {", ".join(values)}'
        f" FROM generate_series(1, {rows}) g ON CONFLICT DO NOTHING"
    )
    # Indexes are made afterwards: a tenth of the time.
    indexes = connection.execute(
        "SELECT c.relname, pg_get_indexdef(i.indexrelid) FROM pg_index i"
        " JOIN pg_class c ON c.oid = i.indexrelid LEFT JOIN pg_constraint k"
        " ON k.conindid = i.indexrelid WHERE i.indrelid = to_regclass(%s) AND k.oid IS NULL",
        (f'"{table.name}"',),
    ).fetchall()
    before = [f'DROP INDEX "{name}"' for name, _ in indexes]
    for each in (*before, statement, *(definition for _, definition in indexes)):
        connection.execute(each)


def _is_counted(column: Column[Any]) -> bool:
    return (
        column.primary_key
        and isinstance(column.type, Integer)
        and column.autoincrement is not False
        and len(column.table.primary_key.columns) == 1
    )


def fill_ledger(url: str, rows: int) -> None:
    """Make the log that much longer: a whole tree, with entries that say nothing."""
    engines = make_engines(url, Waits(lock=600, statement=3600))
    tree, entry = table_of(TreeState), table_of(LedgerEntry)
    with engines.writer.connect() as connection, connection.begin():
        state = connection.execute(select(tree).with_for_update()).one()
        make_ahead(connection, state.size + rows)
        leaves: list[bytes] = []
        driver: Any = connection.connection.dbapi_connection
        columns = "index, content, leaf_hash, type, case_id, record, time"
        copy = f"COPY {entry.name} ({columns}) FROM STDIN"
        with driver.cursor() as cursor, cursor.copy(copy) as out:
            for number in range(rows):
                content = b'{"filler":%d}' % number
                leaves.append(leaf_hash(content))
                case = f"case-{number % (rows // 40 + 1):026d}"
                at = "2026-01-01 00:00:00+00"
                line = (state.size + number, content, leaves[-1], "grant.issued", case, None, at)
                out.write_row(line)
        frontier = Frontier.decode(state.frontier, state.size)
        for leaf in leaves:
            frontier = frontier.append(leaf)
        keep_tile_tops(Reader(connection), state.size, frontier.size)
        now = {"size": frontier.size, "frontier": frontier.encode(), "root": frontier.root()}
        connection.execute(update(tree).values(**now))
    engines.dispose()


def fill(url: str, rows: int) -> None:
    """Fill every large table, and have the planner know it."""
    tables = {each.name: each for each in Row.metadata.sorted_tables}
    cases = rows // 5
    fill_ledger(url, rows)
    plain = make_url(url).render_as_string()
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # no look at each reference
        connection.execute("SET maintenance_work_mem = '256MB'")
        for name in ("case_", *WHOLE, *FIFTH[1:]):
            began = time.monotonic()
            fill_table(connection, tables[name], rows if name in WHOLE else rows // 5, cases)
            sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s\n")
        connection.execute("ANALYZE")


async def work(w: World) -> None:
    """Everything that an authority does: cases to their end, lists, and the jobs beside."""
    una, cleo = w.people["una"], w.people["cleo"]

    async def one(number: int) -> None:
        case = await w.open(f"depot/D9/parcel/{number}")
        found = await w.until_checkpoint(case)
        await cleo.decide(found, Verdict.APPROVE, amount=found.evidence.proposal.amount)
        await w.until_closed(case)
        await w.until_archived(case)
        for more in OF_A_CASE:
            await una.get(f"/v1/cases/{case}{more}")
        for more in OF_A_CHECKPOINT:
            await cleo.get(f"/v1/checkpoints/{found.id}{more}")

    async with w.workers():
        await asyncio.gather(*(one(number) for number in range(CASES)))
    for path in LISTS:
        # A list of made-up rows can't be answered; its statements have run by then.
        with contextlib.suppress(AuthorityError):
            await una.get(path)
    await asyncio.sleep(15)  # each job has looked by then, the slowest too


async def measure(rows: int) -> int:
    """Do all of it; how many statements read too much."""
    binaries = find_binaries()
    if binaries is None:
        sys.exit("PostgreSQL's programs are missing: apt-get install postgresql")
    cluster = PostgresqlCluster(binaries)
    try:
        name = cluster.create_database()
        url = cluster.url(name)
        with psycopg.connect(make_url(url).render_as_string(), autocommit=True) as connection:
            tell_plans(connection, name)
        with tempfile.TemporaryDirectory() as folder:
            async with temporal_server() as temporal, world(temporal, Path(folder), url) as w:
                await asyncio.to_thread(fill, url, rows)
                log = cluster.folder / "log"
                start = log.stat().st_size
                await work(w)
        with psycopg.connect(make_url(url).render_as_string()) as connection:
            counted = connection.execute(
                "SELECT relname, relkind::text, reltuples FROM pg_class WHERE relkind IN ('r', 'i')"
            ).fetchall()
        large = {each for each, _, tuples in counted if tuples > LARGE}
        statements, bad = judge(log.read_bytes()[start:].decode(errors="replace"), large)
    finally:
        cluster.remove()
    tables = len({each for each, kind, _ in counted if kind == "r"} & large)
    print(f"{len(statements)} different statements on {tables} large tables")
    for each in sorted(bad, key=lambda found: (found.table, found.statement)):
        print(f"\n{each.how} on {each.table}:\n  {each.statement[:600]}")
    return len(bad)


def main() -> None:
    """Parse, measure, exit."""
    logging.disable()  # made-up rows can't be answered, and the authority says so
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=MILLION)
    sys.exit(min(1, asyncio.run(measure(parser.parse_args().rows))))


if __name__ == "__main__":
    main()
