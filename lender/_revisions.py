"""The revisions of the systems' tables; every system has all the tables, whichever it uses.

A system that starts brings its tables to the revision that its program needs. It refuses those of
a newer program. Tables from before there were revisions name none: they are of the first.
"""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateSchema

from lender import _scope
from placet.revisions import NoWay, Revisions

REVISIONS = ("r0001", "r0002")
"""All of them, from the first: files of those names in ``_migrations/versions``."""

TABLES = Revisions(Path(__file__).parent / "_migrations", REVISIONS, lock=7_065_361)
NEEDED = TABLES.needed
_OURS = "loan"
"""A table that every revision has."""


class WrongRevision(Exception):
    """The tables are of a revision that this program does not know, or can't be brought to one."""


@dataclass(frozen=True)
class Migrated:
    """The revision that the tables had, if there were any, and the one that they have."""

    before: str | None
    after: str


def bring(connection: Connection, schema: str, to: str) -> Migrated:
    """Bring a system's tables to a revision, up or down, in the transaction under way.

    Who comes second, at the same instant, waits, and finds it done.

    Raises:
        WrongRevision: they are a newer program's, can't go down so far, or the database refuses it.
    """
    TABLES.lock_setup(connection)
    if connection.dialect.name == "postgresql":
        connection.execute(CreateSchema(schema, if_not_exists=True))
    before = _found(connection)
    if before != to:
        if connection.dialect.name == "postgresql":
            _scope.lift(connection, schema)
        _go(connection, before, to)
    return Migrated(before, to)


def _go(connection: Connection, before: str | None, to: str) -> None:
    try:
        TABLES.go(connection, before, to)
    except NoWay as error:
        raise WrongRevision(str(error)) from None
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        said = str(error.orig).splitlines()[0]
        raise WrongRevision(
            f"the tables could not be brought to {to}, and are as they were: {said}"
        ) from None


def _found(connection: Connection) -> str | None:
    found = TABLES.marked(connection)
    if found is None and inspect(connection).has_table(_OURS):
        found = REVISIONS[0]
        TABLES.mark(connection, found)
    if found is not None and found not in REVISIONS:
        raise WrongRevision(
            f"the system's tables are of revision {found:.40}, which is newer than this program "
            f"({NEEDED}): start the newer program, or have it migrate down to {NEEDED}"
        )
    return found
