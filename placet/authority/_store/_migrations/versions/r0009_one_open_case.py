"""A record's open case is found whatever its process is."""

import sqlalchemy as sa
from alembic import op

revision = "r0009"
down_revision = "r0008"


def upgrade() -> None:
    """It is not unique: of a record, two processes may have had a case each until now."""
    op.drop_index("case_subject", "case_")
    still_open = sa.text("closed_at IS NULL")
    op.create_index(
        "case_open_subject",
        "case_",
        ["subject"],
        sqlite_where=still_open,
        postgresql_where=still_open,
    )


def downgrade() -> None:
    """Nothing is lost."""
    op.drop_index("case_open_subject", "case_")
    op.create_index("case_subject", "case_", ["process", "subject"])
