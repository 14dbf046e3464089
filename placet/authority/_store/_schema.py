"""Making the tables, and refusing a database that is another log's."""

from sqlalchemy import Connection, insert, select

from placet.authority._store._access import table_of
from placet.authority._store._base import Row
from placet.authority._store._engines import Engines
from placet.authority._store._errors import StoreMismatch
from placet.authority._store._ledger_tables import LogName, TreeState
from placet.authority._store._partitions import make_ahead
from placet.authority._store._revisions import NEEDED, TABLES, find_revision, require_needed
from placet.ledger import Frontier


def prepare(engines: Engines, origin: str) -> None:
    """Make the tables of a new database, and check that one with tables is this log's.

    Raises:
        StoreMismatch: it is of another origin, or of another revision of the tables.
    """
    with engines.writer.connect() as connection, connection.begin():
        TABLES.lock_setup(connection)
        found = find_revision(connection)
        if found is None:
            _make(connection, origin)
        else:
            require_needed(found)
            _require_own(connection, origin)


def _make(connection: Connection, origin: str) -> None:
    Row.metadata.create_all(connection, checkfirst=False)  # it is new: to ask for each takes long
    if connection.dialect.name == "postgresql":
        make_ahead(connection, 0)
    TABLES.mark(connection, NEEDED)
    connection.execute(insert(table_of(LogName)), {"id": 1, "origin": origin})
    empty = Frontier()
    first = {"id": 1, "batches": 0, "size": 0, "frontier": empty.encode(), "root": empty.root()}
    connection.execute(insert(table_of(TreeState)), first)


def _require_own(connection: Connection, origin: str) -> None:
    found = connection.scalar(select(table_of(LogName).c.origin))
    if found != origin:
        raise StoreMismatch(
            f"the database is the log {found!r}, not {origin!r}: check the store's URL "
            "and the authority's address"
        )
