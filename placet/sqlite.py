"""SQLite files that lose nothing they have committed, and that several processes open at once."""

import sqlite3
import time

_LOOKS = 0.01


def make_durable(connection: sqlite3.Connection) -> None:
    """Let a COMMIT be on the disk when it returns, and leave transactions to the caller.

    A file that is not in WAL mode yet is brought there, for which nobody else may use it. SQLite
    does not wait for that by itself (its busy handler is not asked), so processes that open a new
    file at the same instant are told that it is locked; here each waits as long as the
    connection's own timeout lets it wait for a lock.

    Raises:
        sqlite3.OperationalError: others used the file all that time, or it can't be written.
    """
    connection.isolation_level = None  # the driver begins no transaction
    (milliseconds,) = connection.execute("PRAGMA busy_timeout").fetchone()
    give_up = time.monotonic() + milliseconds / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(_LOOKS)
    connection.execute("PRAGMA synchronous=FULL")
