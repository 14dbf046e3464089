"""The first revision: the tables as they were when migrations began."""

from alembic import op
from alembic.script.revision import RevisionError

from placet.revisions import run_file

revision = "r0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    run_file(op.get_bind(), __file__)


def downgrade() -> None:
    """Nothing is before the first: it would be every record's end."""
    raise RevisionError("nothing is before the first revision")
