"""Replicas share which proofs of possession were used."""

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "used_proof",
        sa.Column("proof", sa.String(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("proof"),
    )
    op.create_index("ix_used_proof_until", "used_proof", ["until"])


def downgrade() -> None:
    """Nothing is lost that matters for longer than minutes."""
    op.drop_table("used_proof")
