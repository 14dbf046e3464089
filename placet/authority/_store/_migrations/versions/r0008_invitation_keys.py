"""Invitations are kept as the thumbprints of the keys that are in them, not as digests of them."""

from alembic import op

revision = "r0008"
down_revision = "r0007"


def upgrade() -> None:
    """What was open is a digest, which no key has: it is not good any more."""
    op.execute("ALTER TABLE invitation RENAME COLUMN code_digest TO invitation_key")
    op.execute("ALTER TABLE join_token RENAME COLUMN digest TO invitation_key")


def downgrade() -> None:
    """Likewise the other way round."""
    op.execute("ALTER TABLE invitation RENAME COLUMN invitation_key TO code_digest")
    op.execute("ALTER TABLE join_token RENAME COLUMN invitation_key TO digest")
