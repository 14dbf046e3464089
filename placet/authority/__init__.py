"""The service that says yes or no: identities, policy, grants, checkpoints, log, archive."""

from placet.authority._bootstrap import AlreadyCreated, create_log
from placet.authority._bootstrap import load_keys as load_signing_keys
from placet.authority._serve import NoLog, open_authority, serve
from placet.authority._settings import AuthoritySettings, authority_settings
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
    "authority_settings",
    "create_log",
    "load_signing_keys",
    "open_authority",
    "serve",
]
