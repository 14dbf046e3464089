"""The service that says yes or no: identities, policy, grants, checkpoints, log, archive."""

from placet.authority._bootstrap import (
    AlreadyCreated,
    NoLog,
    WrongName,
    create_log,
    log_trust,
    make_log_key,
    rotate_keys,
    rotate_payload_keys,
)
from placet.authority._bootstrap import load_keys as load_signing_keys
from placet.authority._custody import SignerAway
from placet.authority._foreseen import FORESEEN
from placet.authority._namespace import NamespaceTrouble
from placet.authority._passphrases import WrongPassphrase
from placet.authority._rewrapping import rotate_passphrase
from placet.authority._serve import open_authority, serve
from placet.authority._settings import AuthoritySettings
from placet.authority._signer import SignerSettings, serve_signer
from placet.authority._signing import SigningKeys
from placet.authority._store import (
    Migrated,
    Store,
    StoreError,
    StoreMismatch,
    StoreUnavailable,
    migrate,
)

__all__ = [
    "FORESEEN",
    "AlreadyCreated",
    "AuthoritySettings",
    "Migrated",
    "NamespaceTrouble",
    "NoLog",
    "SignerAway",
    "SignerSettings",
    "SigningKeys",
    "Store",
    "StoreError",
    "StoreMismatch",
    "StoreUnavailable",
    "WrongName",
    "WrongPassphrase",
    "create_log",
    "load_signing_keys",
    "log_trust",
    "make_log_key",
    "migrate",
    "open_authority",
    "rotate_keys",
    "rotate_passphrase",
    "rotate_payload_keys",
    "serve",
    "serve_signer",
]
