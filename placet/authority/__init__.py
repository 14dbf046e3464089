"""The service that says yes or no: identities, policy, grants, checkpoints, the log, the archive."""

from placet.authority._bootstrap import AlreadyCreated, create_log
from placet.authority._serve import NoLog, open_authority, serve
from placet.authority._settings import AuthoritySettings
from placet.authority._signing import SigningKeys, WrongPassphrase
from placet.authority._store import Store, StoreError, StoreMismatch, StoreUnavailable

__all__ = [
    "AlreadyCreated",
    "AuthoritySettings",
    "NoLog",
    "SigningKeys",
    "Store",
    "StoreError",
    "StoreMismatch",
    "StoreUnavailable",
    "WrongPassphrase",
    "create_log",
    "open_authority",
    "serve",
]
