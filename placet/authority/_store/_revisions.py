"""Which revision of the tables a database has, and which this program needs.

A database that is new gets the tables as they are now. One that has tables is taken only at the
revision that this program needs; ``placet authority migrate`` brings it there, up or down.
"""

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, inspect, select

from placet.authority._store._errors import StoreMismatch

REVISIONS = ("r0001", "r0002", "r0003", "r0004", "r0005")
"""All of them, from the first: files of those names in ``_migrations/versions``."""

NEEDED = REVISIONS[-1]
VERSION_TABLE = Table(
    "alembic_version", MetaData(), Column("version_num", String(32), primary_key=True)
)
"""Alembic's own; one row."""

_OURS = "tree_state"
"""A table that every revision has."""


def find_revision(connection: Connection) -> str | None:
    """The revision of a database's tables; ``None`` if it has none.

    Raises:
        StoreMismatch: it has tables of ours that no revision describes.
    """
    tables = inspect(connection)
    if tables.has_table(VERSION_TABLE.name):
        found = connection.scalar(select(VERSION_TABLE.c.version_num))
        if found is not None:
            return str(found)
    if tables.has_table(_OURS):
        raise StoreMismatch(
            "the database's tables name no revision: they are older than the first one, or half "
            "put back; put a whole backup back"
        )
    return None


def mark_new(connection: Connection) -> None:
    """Say that tables that were just made are of the newest revision."""
    VERSION_TABLE.create(connection)
    connection.execute(insert(VERSION_TABLE), {"version_num": NEEDED})


def require_needed(found: str) -> None:
    """Go on if this is the revision that the program needs.

    Raises:
        StoreMismatch: it is older, or newer.
    """
    if found == NEEDED:
        return
    if found in REVISIONS:
        raise StoreMismatch(
            f"the database's tables are of revision {found}, this program needs {NEEDED}: stop "
            "every authority on it, make a backup, and run: placet authority migrate"
        )
    raise StoreMismatch(
        f"the database's tables are of revision {found:.40}, which is newer than this program "
        f"({NEEDED}): start the newer program, or have it migrate down to {NEEDED}"
    )
