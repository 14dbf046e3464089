"""Which revision of the tables a database has, and which this program needs.

A database that is new gets the tables as they are now. One that has tables is taken only at the
revision that this program needs; ``placet authority migrate`` brings it there, up or down.
"""

from pathlib import Path

from sqlalchemy import Connection, inspect

from placet.authority._store._errors import StoreMismatch
from placet.revisions import NoWay, Revisions

REVISIONS = ("r0001", "r0002", "r0003", "r0004", "r0005", "r0006", "r0007", "r0008", "r0009")
"""All of them, from the first: files of those names in ``_migrations/versions``."""

TABLES = Revisions(
    Path(__file__).parent / "_migrations", REVISIONS, lock=0x706C61636574
)  # "placet"
NEEDED = TABLES.needed

_OURS = "tree_state"
"""A table that every revision has."""


def find_revision(connection: Connection) -> str | None:
    """The revision of a database's tables; ``None`` if it has none.

    Raises:
        StoreMismatch: it has tables of ours that no revision describes.
    """
    found = TABLES.marked(connection)
    if found is None and inspect(connection).has_table(_OURS):
        raise StoreMismatch(
            "the database's tables name no revision: they are older than the first one, or half "
            "put back; put a whole backup back"
        )
    return found


def run_revisions(connection: Connection, before: str | None, to: str) -> None:
    """Go from a revision to another, within the connection's transaction.

    Raises:
        StoreMismatch: there is no way down so far.
    """
    try:
        TABLES.go(connection, before, to)
    except NoWay as error:
        raise StoreMismatch(str(error)) from None


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
