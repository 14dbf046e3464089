"""Making the tables, and refusing a database that is another log's."""

from sqlalchemy import Connection, insert, select, text

from placet.authority._store._access import table_of
from placet.authority._store._base import Row
from placet.authority._store._engines import Engines
from placet.authority._store._errors import StoreMismatch
from placet.authority._store._tables import SchemaVersion, TreeState
from placet.ledger import Frontier

SCHEMA_VERSION = 24
"""Raised with every change of the tables that older code can't work with."""

_SETUP_LOCK = 0x706C61636574  # "placet": one process at a time makes the tables


def prepare(engines: Engines, origin: str) -> None:
    """Make what is missing, and check that the database is this log's.

    Raises:
        StoreMismatch: it is of another origin, or of another version of the tables.
    """
    with engines.writer.connect() as connection, connection.begin():
        if engines.is_postgresql:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SETUP_LOCK})
        Row.metadata.create_all(connection)
        _check_version(connection, origin)


def _check_version(connection: Connection, origin: str) -> None:
    versions = table_of(SchemaVersion)
    found = connection.execute(select(versions)).mappings().first()
    if found is None:
        connection.execute(insert(versions), {"id": 1, "version": SCHEMA_VERSION, "origin": origin})
        empty = Frontier()
        connection.execute(
            insert(table_of(TreeState)),
            {
                "id": 1,
                "batches": 0,
                "size": 0,
                "frontier": empty.encode(),
                "root": empty.root(),
            },
        )
        return
    if found["version"] != SCHEMA_VERSION:
        raise StoreMismatch(
            f"the database has version {found['version']} of the tables, this program needs "
            f"version {SCHEMA_VERSION}: migrate it, or start the program it belongs to"
        )
    if found["origin"] != origin:
        raise StoreMismatch(
            f"the database is the log {found['origin']!r}, not {origin!r}: check the store's URL "
            "and the authority's address"
        )
