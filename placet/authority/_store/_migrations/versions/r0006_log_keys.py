"""The key of the ledger's heads may be another than the log's first."""

import sqlalchemy as sa
from alembic import op
from alembic.script.revision import RevisionError

revision = "r0006"
down_revision = "r0005"


def upgrade() -> None:
    """A row for each key that takes another's place."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "log_key",
        sa.Column("named", number, autoincrement=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("before", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("replaces", sa.String(), nullable=False),
        sa.Column("overlaps_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired", number, nullable=True),
        sa.PrimaryKeyConstraint("named"),
    )


def downgrade() -> None:
    """A log whose key was never changed loses nothing; any other stays as it is, and does not go.

    Older code would sign its heads with whichever key it finds first.
    """
    if op.get_bind().scalar(sa.text("SELECT count(*) FROM log_key")):
        raise RevisionError("the log's key was changed: older code can't go on with this log")
    op.drop_table("log_key")
