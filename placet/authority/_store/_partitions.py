"""The large tables of PostgreSQL, in ranges of ledger entries: docs/adr/0008.

Entries are numbered in the order of time, so a range of numbers is a span of time, and the number
stays unique over all ranges. There are always ranges ahead of what is written.
"""

import re

from sqlalchemy import Connection, select, text

from placet.authority._store._access import table_of
from placet.authority._store._engines import Engines
from placet.authority._store._ledger_tables import TreeState
from placet.authority._store._revisions import TABLES

RANGE = 1 << 24
"""Entries of one range: whole tiles and bundles, and some gigabytes with its indexes."""

PARTITIONED = ("grant_use", "ledger_entry")
_BOUNDS = text(
    "SELECT pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i"
    " JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass(:parent)"
)
_TO = re.compile(r"TO \('?(\d+)'?\)")


def make_ahead(connection: Connection, size: int) -> int:
    """Make ranges until one more than that of the next entry is there; how many were made."""
    made = 0
    for table in PARTITIONED:
        bounds = [str(each) for each in connection.scalars(_BOUNDS, {"parent": table})]
        end = max((int(to) for each in bounds for to in _TO.findall(each)), default=0)
        while end < size + RANGE:
            part = f"{table}_p{end // RANGE:05d}"
            # Made alone and then attached: that locks out no reader and no writer.
            connection.execute(text(f"CREATE TABLE {part} (LIKE {table} INCLUDING DEFAULTS)"))
            connection.execute(
                text(
                    f"ALTER TABLE {table} ATTACH PARTITION {part}"
                    f" FOR VALUES FROM ({end}) TO ({end + RANGE})"
                )
            )
            end += RANGE
            made += 1
    return made


def keep_ahead(engines: Engines) -> int:
    """See that there are ranges ahead; other processes do the same, one at a time."""
    if not engines.is_postgresql:
        return 0
    with engines.writer.connect() as connection, connection.begin():
        TABLES.lock_setup(connection)
        return make_ahead(connection, connection.scalar(select(table_of(TreeState).c.size)) or 0)
