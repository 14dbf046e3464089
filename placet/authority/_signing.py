"""The authority's own keys: for grants (published in the JWKS), and for the ledger's heads.

Keys rest in the store as encrypted PKCS#8 (I7). Rotation overlaps (PROTOCOL.md): a new key is
published ``PUBLISH_AHEAD`` before it signs, and an old one stays published until the last token
that it signed has expired.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from placet.authority._payload_keys import PayloadKeys, WrongPassphrase
from placet.authority._store import SigningKey as SigningKeyRow
from placet.authority._store import Tx
from placet.model import canonical_json
from placet.tokens import Algorithm, PublicKey, SigningKey

GRANTS = "grants"
HEADS = "heads"
JWKS_MAX_AGE = timedelta(minutes=5)
PUBLISH_AHEAD = 2 * JWKS_MAX_AGE
"""Longer than anyone may cache the JWKS, so that nobody meets a key it has not seen."""

STAYS_AFTER = timedelta(minutes=15)
"""How long a retired key stays published: more than the longest token (a session) lives."""


@dataclass(frozen=True)
class OwnKey:
    """One signing key with its times."""

    key: SigningKey
    purpose: str
    signs_from: datetime
    retires_at: datetime | None


class SigningKeys:
    """The keys that are published, and the one that signs now. Reloaded from the store."""

    def __init__(self, passphrase: str) -> None:
        self._passphrase = passphrase.encode()
        self.payloads = PayloadKeys(passphrase)
        """The tenant's keys, under the same passphrase."""
        self._keys: tuple[OwnKey, ...] = ()

    def load(self, rows: list[SigningKeyRow]) -> None:
        """Take over what the store has.

        Raises:
            WrongPassphrase: the keys can't be decrypted.
        """
        self._keys = tuple(self._read(row) for row in rows)

    def create(self, tx: Tx, purpose: str, signs_from: datetime) -> SigningKey:
        """Make a key, store it encrypted, and write ``key.published`` to the ledger."""
        algorithm = Algorithm.ED25519 if purpose == HEADS else Algorithm.ES256
        key = SigningKey.generate(algorithm)
        pem = key.crypto.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(self._passphrase)
        )
        tx.add(
            SigningKeyRow(
                kid=key.thumbprint,
                purpose=purpose,
                private_pem=pem.decode(),
                public_jwk_json=canonical_json(dict(key.public.jwk())).decode(),
                created_at=tx.now,
                published_at=tx.now,
                signs_from=signs_from,
            )
        )
        tx.append(
            "key.published",
            "system:authority",
            {"purpose": purpose, "jwk": dict(key.public.jwk())},
        )
        return key

    def rotate(self, tx: Tx) -> SigningKey:
        """Publish a new key for grants; it signs once everyone can have seen it."""
        signs_from = tx.now + PUBLISH_AHEAD
        for row in tx.all(SigningKeyRow, SigningKeyRow.purpose == GRANTS):
            if row.retires_at is None:
                retires = signs_from + STAYS_AFTER
                tx.change(SigningKeyRow, row.kid, retires_at=retires)
                tx.append("key.retired", "system:authority", {"kid": row.kid, "purpose": GRANTS})
        return self.create(tx, GRANTS, signs_from)

    def signer(self, now: datetime) -> SigningKey:
        """The key that signs grants now: the newest that already may."""
        ready = [own for own in self._keys if own.purpose == GRANTS and own.signs_from <= now]
        return max(ready, key=lambda own: own.signs_from).key

    def head_key(self) -> Ed25519PrivateKey:
        """The key that signs the ledger's heads."""
        crypto = next(own.key.crypto for own in self._keys if own.purpose == HEADS)
        if not isinstance(crypto, Ed25519PrivateKey):
            raise TypeError("heads are signed with Ed25519 (C2SP signed-note)")
        return crypto

    def published(self, now: datetime) -> tuple[PublicKey, ...]:
        """The public keys of the JWKS: those that sign, will sign, or have signed lately."""
        return tuple(
            own.key.public
            for own in self._keys
            if own.purpose == GRANTS and (own.retires_at is None or own.retires_at > now)
        )

    def _read(self, row: SigningKeyRow) -> OwnKey:
        try:
            crypto = load_pem_private_key(row.private_pem.encode(), self._passphrase)
        except ValueError:
            raise WrongPassphrase(
                "the signing keys in the database are under another passphrase; "
                "set PLACET_AUTHORITY_KEY_PASSPHRASE to the one they were made with"
            ) from None
        key = SigningKey.of(crypto)
        if key.public.jwk() != json.loads(row.public_jwk_json):
            raise WrongPassphrase(f"signing key {row.kid} is not the one that was published")
        return OwnKey(key, row.purpose, row.signs_from or row.created_at, row.retires_at)
