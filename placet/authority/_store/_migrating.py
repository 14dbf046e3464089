"""Bringing a database's tables to another revision, in one transaction."""

from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from placet.authority._store._engines import Waits, make_engines
from placet.authority._store._errors import StoreMismatch, StoreUnavailable, first_line
from placet.authority._store._revisions import (
    NEEDED,
    REVISIONS,
    TABLES,
    find_revision,
    run_revisions,
)

_PATIENT = Waits(lock=60.0, connect=5.0, statement=24 * 3600.0)
"""A large table takes its time; nothing else works on the database meanwhile."""


@dataclass(frozen=True)
class Migrated:
    """The revision that the tables had, and the one that they have."""

    before: str
    after: str


def migrate(url: str, to: str = NEEDED) -> Migrated:
    """Bring the tables of the database at ``url`` to a revision, up or down, or leave all as it is.

    Every authority on it must have been stopped.

    Raises:
        ValueError: the URL is not one of a store, or there is no such revision.
        StoreMismatch: it has no tables, those of a newer program, or can't go down so far.
        StoreUnavailable: the database could not be reached, or did not do it.
    """
    if to not in REVISIONS:
        raise ValueError(f"there is no revision {to:.40}: name one of {', '.join(REVISIONS)}")
    engines = make_engines(url, _PATIENT)
    try:
        with engines.writer.connect() as connection, connection.begin():
            TABLES.lock_setup(connection)
            before = _known(find_revision(connection))
            run_revisions(connection, before, to)
    except SQLAlchemyError as error:
        said = f"the database was not migrated, and is as it was: {first_line(error)}"
        raise StoreUnavailable(said) from None
    finally:
        engines.dispose()
    return Migrated(before, to)


def _known(found: str | None) -> str:
    if found is None:
        raise StoreMismatch("the database has no log yet; run: placet authority init")
    if found not in REVISIONS:
        raise StoreMismatch(
            f"the database's tables are of revision {found:.40}, which this program does not "
            f"know: migrate it with the newer program (this one needs {NEEDED})"
        )
    return found
