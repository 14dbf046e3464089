"""On PostgreSQL the ledger and the uses are in ranges of entries; a use's key has its entry."""

from alembic import op
from alembic.script.revision import RevisionError
from sqlalchemy import text

revision = "r0004"
down_revision = "r0003"

_RANGE = 1 << 24
_COLUMNS = "id, entry, grant_id, system, stage, action, record, status, body_digest, at"
_USES = """CREATE TABLE grant_use_new (
    id VARCHAR NOT NULL, entry {entry}, grant_id VARCHAR NOT NULL, system VARCHAR NOT NULL,
    stage VARCHAR NOT NULL, action VARCHAR NOT NULL, record VARCHAR NOT NULL, status INTEGER,
    body_digest VARCHAR, at DATETIME NOT NULL, PRIMARY KEY ({key}))"""
_INDEXES = {
    "ledger_entry": {"ledger_entry_case": "case_id, index", "ix_ledger_entry_type": "type"},
    "grant_use": {"ix_grant_use_grant_id": "grant_id"},
}
_KEYS = {"ledger_entry": ("index", "index"), "grant_use": ("entry", "id, entry")}


def upgrade() -> None:
    """What is there becomes the first range as it stands; nothing is copied on PostgreSQL."""
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_uses("INTEGER NOT NULL", "id, entry")
        return
    for statement in (
        "ALTER TABLE grant_use DROP CONSTRAINT grant_use_pkey",
        "ALTER TABLE grant_use ALTER COLUMN entry SET NOT NULL",
        "ALTER TABLE grant_use ADD PRIMARY KEY (id, entry)",
    ):
        op.execute(statement)
    size = op.get_bind().scalar(text("SELECT size FROM tree_state")) or 0
    end = (size // _RANGE + 1) * _RANGE
    for table, (column, key) in _KEYS.items():
        _into_ranges(table, column, key, end)


def _into_ranges(table: str, column: str, key: str, end: int) -> None:
    first, following = f"{table}_p00000", f"{table}_p{end // _RANGE:05d}"
    op.execute(f"ALTER TABLE {table} RENAME TO {first}")
    for index in (f"{table}_pkey", *_INDEXES[table]):
        op.execute(f"ALTER INDEX {index} RENAME TO {index}_p00000")
    op.execute(
        f"CREATE TABLE {table} (LIKE {first} INCLUDING DEFAULTS) PARTITION BY RANGE ({column})"
    )
    op.execute(f"ALTER TABLE {table} ADD PRIMARY KEY ({key})")
    _make_indexes(table)
    op.execute(f"ALTER TABLE {table} ATTACH PARTITION {first} FOR VALUES FROM (0) TO ({end})")
    op.execute(
        f"CREATE TABLE {following} PARTITION OF {table} FOR VALUES FROM ({end}) TO ({end + _RANGE})"
    )


def downgrade() -> None:
    """Nothing is lost, if every range is attached."""
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_uses("INTEGER", "id")
        return
    connection = op.get_bind()
    size = connection.scalar(text("SELECT size FROM tree_state"))
    there = connection.scalar(text("SELECT count(*) FROM ledger_entry"))
    if size != there:
        raise RevisionError(f"the ledger has {size} entries and {there} are attached: attach all")
    for table, key in (("ledger_entry", "index"), ("grant_use", "id")):
        op.execute(f"CREATE TABLE {table}_all (LIKE {table} INCLUDING DEFAULTS)")
        op.execute(f"INSERT INTO {table}_all SELECT * FROM {table}")  # noqa: S608 - names of ours
        op.execute(f"DROP TABLE {table}")
        op.execute(f"ALTER TABLE {table}_all RENAME TO {table}")
        op.execute(f"ALTER TABLE {table} ADD PRIMARY KEY ({key})")
        _make_indexes(table)
    op.execute("ALTER TABLE grant_use ALTER COLUMN entry DROP NOT NULL")


def _make_indexes(table: str) -> None:
    for name, columns in _INDEXES[table].items():
        op.execute(f"CREATE INDEX {name} ON {table} ({columns})")


def _rebuild_uses(entry: str, key: str) -> None:
    op.execute(_USES.format(entry=entry, key=key))
    op.execute(
        f"INSERT INTO grant_use_new ({_COLUMNS}) SELECT {_COLUMNS} FROM grant_use"  # noqa: S608 - names of ours
    )
    op.execute("DROP TABLE grant_use")
    op.execute("ALTER TABLE grant_use_new RENAME TO grant_use")
    _make_indexes("grant_use")
