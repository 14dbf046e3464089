"""What the store raises.

``StoreError``
 ├── ``StoreUnavailable``  the database could not be written or read just now
 ├── ``StoreDamaged``      the database has lost entries of the ledger, or their hashes
 └── ``StoreMismatch``     the database is another log's, or another version's
"""

from sqlalchemy.exc import (
    DBAPIError,
    DisconnectionError,
    InterfaceError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout


class StoreError(Exception):
    """The base of the store's errors."""


class StoreUnavailable(StoreError):  # what it says, like HTTP's 503
    """The database did not take it now; nothing of it took effect, as far as is known.

    ``unknown`` says that the connection was lost at COMMIT and the database could not be asked
    afterwards: the caller asks again with the same idempotency key, and finds its own write.
    """

    def __init__(self, message: str, *, unknown: bool = False) -> None:
        super().__init__(message)
        self.unknown = unknown


class StoreDamaged(StoreError):  # what it says
    """The database has lost entries of the ledger, or their hashes."""


class StoreMismatch(StoreError):  # what it says
    """The database belongs to another log or to another version of the tables."""


# SQLite's result codes that are the statement's own fault, not an outage.
_SQLITE_OWN_FAULTS = frozenset({"SQLITE_ERROR", "SQLITE_CONSTRAINT", "SQLITE_MISMATCH"})


def is_outage(error: BaseException) -> bool:
    """Whether ``error`` says that the database is away, busy or full, not that we asked wrongly."""
    if isinstance(error, (DisconnectionError, PoolTimeout)):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    code = getattr(error.orig, "sqlite_errorname", None)
    if code is not None:
        return isinstance(error, OperationalError) and code not in _SQLITE_OWN_FAULTS
    return isinstance(error, (OperationalError, InterfaceError))


def first_line(error: BaseException) -> str:
    """The first line of what the driver says: it names no statement and no parameters (I7)."""
    said = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    return (said.splitlines() or [type(error).__name__])[0][:200]
