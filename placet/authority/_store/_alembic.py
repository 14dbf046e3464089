"""Running revisions with Alembic, without its files of settings: the store knows its database."""

from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from sqlalchemy import Connection

from placet.authority._store._errors import StoreMismatch
from placet.authority._store._revisions import REVISIONS

FOLDER = Path(__file__).parent / "_migrations"


def run_revisions(connection: Connection, before: str | None, to: str) -> None:
    """Go from a revision to another, within the connection's transaction.

    Raises:
        StoreMismatch: there is no way down so far.
    """
    script = ScriptDirectory(str(FOLDER))
    up = before is None or REVISIONS.index(to) >= REVISIONS.index(before)

    def steps(revision: Any, _context: object) -> Any:
        # As Alembic's own commands do.
        if up:
            return script._upgrade_revs(to, revision)  # pyright: ignore[reportPrivateUsage]
        return script._downgrade_revs(to, revision)  # pyright: ignore[reportPrivateUsage]

    with EnvironmentContext(Config(), script, fn=steps) as environment:
        environment.configure(connection=connection)
        try:
            environment.run_migrations()
        except RevisionError as error:
            raise StoreMismatch(f"the database can't go to revision {to}: {error}") from None
