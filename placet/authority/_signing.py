"""The authority's own keys: for grants (published in the JWKS), and for the ledger's heads.

Where the private keys are is for a custody to say (:mod:`._custody`); the store encrypts them
itself unless told otherwise (I7). Rotation overlaps (PROTOCOL.md): a new key is published
``PUBLISH_AHEAD`` before it signs, and an old one stays published until the last token that it
signed has expired; one that may be stolen ends at once, with all that it signed. That of heads is
another matter (:mod:`._log_keys`).
"""

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import JsonValue

from placet.authority._custody import Custody, HeadKey, InSigner, InStore, MadeKey
from placet.authority._errors import Unavailable
from placet.authority._passphrases import Passphrases, WrongPassphrase
from placet.authority._payload_keys import PayloadKeys
from placet.authority._settings import AuthoritySettings
from placet.authority._store import LogKeyRow, Reader, Tx
from placet.authority._store import SigningKey as SigningKeyRow
from placet.ledger import HEADS, NoteVerifier, log_verifier
from placet.model import AUTHORITY, canonical_json
from placet.tokens import Algorithm, PublicKey, Signer

T = TypeVar("T")

GRANTS = "grants"
NEXT_HEADS = "next heads"
"""The purpose of a key that was made for heads, and that no entry of the ledger names yet."""

_ARE_YOU_THERE = b"Does the signer answer?"
"""Signed to see it: no token's signing input, which is base64url and a full stop."""

JWKS_MAX_AGE = timedelta(minutes=5)
PUBLISH_AHEAD = 2 * JWKS_MAX_AGE
"""Longer than anyone may cache the JWKS, so that nobody meets a key it has not seen."""

STAYS_AFTER = timedelta(minutes=15)
"""How long a retired key stays published: more than the longest token (a session) lives."""


@dataclass(frozen=True)
class OwnKey:
    """One signing key with its times; one of heads with the entry that names it."""

    signer: Signer
    purpose: str
    signs_from: datetime
    retires_at: datetime | None
    named: int


class SigningKeys:
    """The keys that are published, and the one that signs now. Reloaded from the store.

    ``custody`` makes new keys and keeps them; without one the store does. Those that the store has
    kept go on signing until they are rotated. ``grants`` is what a new key for grants signs with.
    """

    def __init__(
        self,
        passphrase: str,
        custody: Custody | None = None,
        *,
        before: str | None = None,
        grants: Algorithm = Algorithm.ES256,
    ) -> None:
        passphrases = Passphrases.of(passphrase, before)
        self._in_store = InStore(passphrases)
        self._custody: Custody = custody or self._in_store
        self._grants = grants
        self.payloads = PayloadKeys(passphrases)
        """The tenant's keys, under the same passphrase."""
        self._keys: tuple[OwnKey, ...] = ()

    @classmethod
    def of(cls, settings: AuthoritySettings) -> "SigningKeys":
        """Those of an authority that is set up like this."""
        custody = None if settings.signer is None else InSigner(settings.signer)
        before = settings.key_passphrase_before
        return cls(
            settings.key_passphrase.get_secret_value(),
            custody,
            before=before.get_secret_value() or None if before else None,
            grants=Algorithm(settings.grant_algorithm),
        )

    def load(self, rows: list[SigningKeyRow], log_keys: Iterable[LogKeyRow] = ()) -> None:
        """Take over what the store has; ``log_keys`` say which key of heads came after another.

        Raises:
            WrongPassphrase: the keys can't be decrypted.
            Unavailable: whoever keeps them does not answer.
        """
        self._keys = self._opened(rows, log_keys)

    def make(self, purpose: str) -> MadeKey:
        """Make a key, before the transaction that keeps it: it may take a while.

        Raises:
            Unavailable: whoever is to keep it does not answer.
        """
        heads = purpose in {HEADS, NEXT_HEADS}
        return self._custody.make(Algorithm.ED25519 if heads else self._grants)

    def keep(self, tx: Tx, purpose: str, made: MadeKey, signs_from: datetime) -> None:
        """Keep a key that was made, and write ``key.published`` to the ledger."""
        jwk: dict[str, JsonValue] = {**made.signer.public.jwk()}
        self.put_by(tx, purpose, made, signs_from)
        tx.append("key.published", AUTHORITY, {"purpose": purpose, "jwk": jwk})

    def put_by(self, tx: Tx, purpose: str, made: MadeKey, signs_from: datetime) -> None:
        """Keep a key that was made; the ledger is told by someone else."""
        jwk: dict[str, JsonValue] = {**made.signer.public.jwk()}
        tx.add(
            SigningKeyRow(
                kid=made.signer.public.thumbprint,
                purpose=purpose,
                kept=made.kept,
                public_jwk_json=canonical_json(jwk).decode(),
                created_at=tx.now,
                published_at=tx.now,
                signs_from=signs_from,
            )
        )

    def rotate(self, tx: Tx, made: MadeKey, *, at_once: bool) -> datetime:
        """Publish a new key for grants; when it signs: once everyone can have seen it.

        ``at_once`` it signs now, and all others end now, as where they may be stolen.
        """
        signs_from = tx.now if at_once else tx.now + PUBLISH_AHEAD
        retires = tx.now if at_once else signs_from + STAYS_AFTER
        for row in tx.all(SigningKeyRow, SigningKeyRow.purpose == GRANTS):
            if row.retires_at is None or (at_once and row.retires_at > retires):
                tx.change(SigningKeyRow, row.kid, retires_at=retires)
                tx.append("key.retired", AUTHORITY, {"kid": row.kid, "purpose": GRANTS})
        self.keep(tx, GRANTS, made, signs_from)
        return signs_from

    def rewrap(self, row: SigningKeyRow) -> str | None:
        """How a key is kept under the passphrase of now; ``None`` where nothing is to change.

        Raises:
            WrongPassphrase: it is under neither passphrase.
        """
        return self._in_store.rewrap(row.kept) if InStore.keeps(row.kept) else None

    def signer(self, now: datetime) -> Signer:
        """The key that signs grants now: the newest that already may.

        Raises:
            Unavailable: none may yet: the clock is behind.
        """
        ready = [own for own in self._live(now) if own.signs_from <= now]
        if not ready:
            raise Unavailable("the authority's clock is behind: none of its keys signs yet")
        return max(ready, key=lambda own: own.signs_from).signer

    async def sign(self, now: datetime, sign: Callable[[Signer], T]) -> T:
        """Sign something with the key that signs now; nobody else waits if that takes a while.

        Raises:
            Unavailable: whoever keeps the key does not answer, or the clock is behind.
        """
        signer = self.signer(now)
        if self._custody.waits:
            return await asyncio.to_thread(sign, signer)
        return sign(signer)

    @property
    def elsewhere(self) -> bool:
        """Whether another process keeps them."""
        return self._custody.waits

    async def answers(self, now: datetime) -> None:
        """See whether whoever keeps them signs.

        Raises:
            Unavailable: it does not, or none signs yet.
        """
        await self.sign(now, lambda signer: signer.sign(_ARE_YOU_THERE))

    def head_key(self) -> HeadKey:
        """The newest key of the ledger's heads."""
        heads = [own for own in self._keys if own.purpose == HEADS]
        return HeadKey(max(heads, key=lambda own: own.named).signer)

    def head_keys(
        self, size: int, rows: list[SigningKeyRow], log_keys: list[LogKeyRow]
    ) -> tuple[HeadKey, ...]:
        """What signs a head of so many entries, the newest key first, as the store has them.

        None of them is named by an entry that the head has not.

        Raises:
            WrongPassphrase: one can't be decrypted.
            Unavailable: whoever keeps it does not answer.
        """
        heads = [own for own in self._opened(rows, log_keys) if own.named < size]
        return tuple(HeadKey(each.signer) for each in sorted(heads, key=lambda own: -own.named))

    def published(self, now: datetime) -> tuple[PublicKey, ...]:
        """The public keys of the JWKS: those that sign, will sign, or have signed lately."""
        return tuple(own.signer.public for own in self._live(now))

    def _live(self, now: datetime) -> list[OwnKey]:
        return [
            own
            for own in self._keys
            if own.purpose == GRANTS and (own.retires_at is None or own.retires_at > now)
        ]

    def _opened(
        self, rows: list[SigningKeyRow], log_keys: Iterable[LogKeyRow]
    ) -> tuple[OwnKey, ...]:
        known = {own.signer.public.thumbprint: own.signer for own in self._keys}
        named = {row.kid: row.named for row in log_keys}
        return tuple(self._read(row, known.get(row.kid), named.get(row.kid, 0)) for row in rows)

    def _read(self, row: SigningKeyRow, known: Signer | None, named: int) -> OwnKey:
        custody = self._in_store if InStore.keeps(row.kept) else self._custody
        signer = known or custody.open(row.kept)
        if signer.public.jwk() != json.loads(row.public_jwk_json):
            raise WrongPassphrase(f"signing key {row.kid} is not the one that was published")
        starts = row.signs_from or row.created_at
        return OwnKey(signer, row.purpose, starts, row.retires_at, named)


HeadKeys = tuple[list[SigningKeyRow], list[LogKeyRow]]
"""The keys of heads in the store, and which of them was named by which entry."""


def read_head_keys(reader: Reader) -> HeadKeys:
    """The keys that sign heads now."""
    return reader.all(SigningKeyRow, SigningKeyRow.purpose == HEADS), reader.all(LogKeyRow)


def note_verifier(origin: str, row: SigningKeyRow) -> NoteVerifier:
    """The verifier of heads under a key of the store."""
    return log_verifier(origin, json.loads(row.public_jwk_json))
