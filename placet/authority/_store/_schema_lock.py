"""One process at a time makes or changes the tables."""

from sqlalchemy import Connection, text

_SETUP_LOCK = 0x706C61636574  # "placet"


def lock_setup(connection: Connection) -> None:
    """Wait until no other process makes or changes the tables; held to the transaction's end."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SETUP_LOCK})
