"""What the jobs look for every second is found by an index, however much is done already."""

from alembic import op

revision = "r0005"
down_revision = "r0004"


def upgrade() -> None:
    """Cases that are closed and not archived yet; deliveries that wait at any channel."""
    op.create_index("case_to_archive", "case_", ["status", "archived_at", "id"])
    op.create_index("delivery_status", "delivery", ["status", "id"])


def downgrade() -> None:
    """Nothing is lost."""
    op.drop_index("delivery_status", "delivery")
    op.drop_index("case_to_archive", "case_")
