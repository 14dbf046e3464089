"""A signing key's column says how its custody finds it again, wherever it is kept."""

from alembic import op

revision = "r0003"
down_revision = "r0002"


def upgrade() -> None:
    """Rename the column."""
    op.execute("ALTER TABLE signing_key RENAME COLUMN private_pem TO kept")


def downgrade() -> None:
    """Nothing is lost; a key that another process keeps is none that older code can use."""
    op.execute("ALTER TABLE signing_key RENAME COLUMN kept TO private_pem")
