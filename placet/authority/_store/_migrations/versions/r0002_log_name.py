"""The log's name has a table of its own; the tables' version is Alembic's to keep."""

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"

_VERSION = 24
"""What the version was when Alembic took over."""


def upgrade() -> None:
    """Keep the origin, drop the version."""
    op.create_table(
        "log_name",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute("INSERT INTO log_name (id, origin) SELECT id, origin FROM schema_version")
    op.drop_table("schema_version")


def downgrade() -> None:
    """Nothing is lost: the version is known."""
    op.create_table(
        "schema_version",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute(
        f"INSERT INTO schema_version (id, version, origin) SELECT id, {_VERSION}, origin"  # noqa: S608 - a number of ours
        " FROM log_name"
    )
    op.drop_table("log_name")
