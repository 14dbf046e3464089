"""The first revision: the tables as they were when migrations began.

They stand in one file of SQL for each database, so that no later change of the code changes them.
"""

from pathlib import Path

from alembic import op
from alembic.script.revision import RevisionError

revision = "r0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    dialect = op.get_bind().dialect.name
    statements = Path(__file__).with_name(f"r0001_first.{dialect}.sql").read_text()
    for statement in statements.split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    """Nothing is before the first: it would be every record's end."""
    raise RevisionError("nothing is before the first revision")
