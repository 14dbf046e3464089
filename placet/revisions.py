"""The revisions of a program's tables: which one a database has, and going to another (Alembic).

1. One process at a time makes or changes the tables.
2. All that lies between two revisions is done in the caller's one transaction, or nothing is.
3. A revision is a file that says what it does in the database's words; the program names all of
   them, in order, and never guesses which one a database has.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    String,
    Table,
    delete,
    insert,
    inspect,
    select,
    text,
)

VERSION_TABLE = Table(
    "alembic_version", MetaData(), Column("version_num", String(32), primary_key=True)
)
"""Alembic's own; one row."""


class NoWay(Exception):
    """A revision can't be left for another, say because data would be lost."""


@dataclass(frozen=True)
class Revisions:
    """All revisions of a program's tables.

    Attributes:
        folder: the folder whose ``versions`` has a file for each.
        names: their names, from the first.
        lock: the number of the advisory lock that whoever makes or changes the tables holds.
    """

    folder: Path
    names: tuple[str, ...]
    lock: int

    @property
    def needed(self) -> str:
        """The one that this program needs."""
        return self.names[-1]

    def lock_setup(self, connection: Connection) -> None:
        """Wait until no other process makes or changes the tables; held to the transaction's end.

        On SQLite the transaction itself is that lock.
        """
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": self.lock})

    def marked(self, connection: Connection) -> str | None:
        """The revision that a database says its tables have; ``None`` if it says none."""
        if not inspect(connection).has_table(VERSION_TABLE.name):
            return None
        found = connection.scalar(select(VERSION_TABLE.c.version_num))
        return None if found is None else str(found)

    def mark(self, connection: Connection, revision: str) -> None:
        """Have a database say that its tables have a revision."""
        VERSION_TABLE.create(connection, checkfirst=True)
        connection.execute(delete(VERSION_TABLE))
        connection.execute(insert(VERSION_TABLE), {"version_num": revision})

    def go(self, connection: Connection, before: str | None, to: str) -> None:
        """Go from the revision that the database says it has, or from no tables, to another.

        Raises:
            NoWay: there is no way down so far.
        """
        # Here, since only this needs it: it takes as long to import as a small command runs.
        from alembic.config import Config  # noqa: PLC0415 - as said
        from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415 - as said
        from alembic.script import ScriptDirectory  # noqa: PLC0415 - as said
        from alembic.script.revision import RevisionError  # noqa: PLC0415 - as said

        script = ScriptDirectory(str(self.folder))
        up = before is None or self.names.index(to) >= self.names.index(before)

        def steps(revision: Any, _context: object) -> Any:
            # As Alembic's own commands do.
            if up:
                return script._upgrade_revs(to, revision)  # pyright: ignore[reportPrivateUsage]
            return script._downgrade_revs(to, revision)  # pyright: ignore[reportPrivateUsage]

        # Without Alembic's files of settings: the caller knows the database.
        with EnvironmentContext(Config(), script, fn=steps) as environment:
            environment.configure(connection=connection)
            try:
                environment.run_migrations()
            except RevisionError as error:
                raise NoWay(f"the database can't go to revision {to}: {error}") from None


def run_file(connection: Connection, revision: str) -> None:
    """Run the statements of a first revision: they stand in one file of SQL for each database.

    So no later change of the code changes them. ``revision`` is the revision's own file.
    """
    file = Path(revision).with_suffix(f".{connection.dialect.name}.sql")
    for statement in file.read_text().split(";\n"):
        if statement.strip():
            connection.exec_driver_sql(statement)
