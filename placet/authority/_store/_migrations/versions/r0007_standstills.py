"""What open cases stand still for."""

import sqlalchemy as sa
from alembic import op

revision = "r0007"
down_revision = "r0006"


def upgrade() -> None:
    """A row for each case that stands still."""
    op.create_table(
        "standstill",
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("said_json", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("case_id"),
    )
    op.create_index("ix_standstill_step", "standstill", ["step"])


def downgrade() -> None:
    """Nothing is lost: it is looked up again."""
    op.drop_table("standstill")
