"""The first start: the log's first entry names the first administrators and the signing keys."""

import asyncio
import json
import os
from collections.abc import Sequence
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from placet.authority._acts import enrol
from placet.authority._log_keys import newest
from placet.authority._signing import (
    GRANTS,
    NEXT_HEADS,
    SigningKeys,
    note_verifier,
)
from placet.authority._store import (
    GovernanceRow,
    Identity,
    LedgerEntry,
    LogKeyRow,
    Reader,
    SigningKey,
    Store,
    TenantKey,
    Tx,
)
from placet.ledger import HEADS, log_verifier
from placet.model import (
    ADMINISTRATOR,
    AUTHORITY,
    EnrolIdentity,
    Name,
    RekeyLog,
    Thumbprint,
    canonical_json,
    first_governance,
    spell_id,
)
from placet.tokens import PublicKey


class NoLog(Exception):
    """The database has no log yet."""


class WrongName(ValueError):
    """An administrator's name is none, or their key another's."""


class AlreadyCreated(Exception):
    """The log exists; administrators are enrolled by acts from here on."""


async def create_log(
    store: Store,
    keys: SigningKeys,
    administrators: Sequence[tuple[Name, PublicKey]],
    *,
    signatures: int = 1,
) -> None:
    """Create the log: its first entry names the first administrators' key thumbprints.

    Everything that anyone may do later is chained to these keys (PROTOCOL.md). It also says how
    many of them sign what changes who may approve.

    Raises:
        AlreadyCreated: the database has a log.
        WrongName: no administrator was named, fewer than must sign, not as a name is spelled, or
            two with one key.
    """
    if len({name for name, _ in administrators}) != len(administrators):
        raise WrongName("an administrator is named twice")
    if len({key.thumbprint for _, key in administrators}) != len(administrators):
        raise WrongName("two have the same key: each makes one of their own")
    if signatures > len(administrators):
        raise WrongName("two signatures need two administrators: name both")
    if not administrators:
        raise WrongName("name at least one administrator and a public key")
    for name, _ in administrators:
        try:
            TypeAdapter(Name).validate_python(name)
        except ValidationError:
            raise WrongName(
                f"{name[:80]!r} is no name: lower-case letters, digits and hyphens"
            ) from None

    def require_new(reader: Reader) -> None:
        if reader.first(SigningKey) is not None or reader.first(Identity) is not None:
            raise AlreadyCreated("this database has a log already")

    await store.read(require_new)  # before keys are made that nobody needs
    heads = await asyncio.to_thread(keys.make, HEADS)
    grants = await asyncio.to_thread(keys.make, GRANTS)

    def write(tx: Tx) -> None:
        require_new(tx)
        tx.append(
            "log.created",
            AUTHORITY,
            {
                "administrators": {
                    f"operator:{name}": key.thumbprint for name, key in administrators
                },
                "signatures": signatures,
            },
        )
        tx.add(
            GovernanceRow(
                version=0,
                body_json=canonical_json(first_governance(signatures)).decode(),
                published_at=tx.now,
            )
        )
        keys.keep(tx, HEADS, heads, tx.now)
        keys.keep(tx, GRANTS, grants, tx.now)
        keys.payloads.create(tx, _tenant_key_id())
        for name, key in administrators:
            body = EnrolIdentity(jwk=json.loads(json.dumps(key.jwk())), roles=(ADMINISTRATOR,))
            enrol(tx, f"operator:{name}", key, body, by=AUTHORITY, signed={"act": None})

    await store.write(write)


async def rotate_keys(
    store: Store, keys: SigningKeys, *, at_once: bool = False
) -> tuple[str, datetime]:
    """Publish a new key for grants: its id, and when it begins to sign (PROTOCOL.md).

    ``at_once``, since the others may be stolen, it signs now, and nothing that they signed counts.

    Raises:
        NoLog: the database has no log to write it to.
        WrongPassphrase: the other keys are under another passphrase.
    """
    await require_log(store, keys)

    made = await asyncio.to_thread(keys.make, GRANTS)

    def write(tx: Tx) -> tuple[str, datetime]:
        return made.signer.public.thumbprint, keys.rotate(tx, made, at_once=at_once)

    return await store.write(write)


async def load_keys(store: Store, keys: SigningKeys) -> None:
    """Load the signing keys from the store."""
    signing, log_keys, tenant = await store.read(
        lambda r: (r.all(SigningKey), r.all(LogKeyRow), r.all(TenantKey))
    )
    await asyncio.to_thread(keys.load, signing, log_keys)
    keys.payloads.load(tenant)


async def require_log(store: Store, keys: SigningKeys) -> None:
    """Load the keys of a log that is there.

    Raises:
        NoLog: the database has none.
        WrongPassphrase: its keys are under another passphrase.
    """
    await load_keys(store, keys)
    if not keys.published(store.clock()):
        raise NoLog("the database has no log yet; run: placet authority init")


async def rotate_payload_keys(store: Store, keys: SigningKeys) -> int:
    """Make a new tenant key, and a new payload key for each open case; how many cases have keys.

    Raises:
        NoLog: the database has no log.
        WrongPassphrase: the other keys are under another passphrase.
    """
    await require_log(store, keys)
    return await store.write(lambda tx: keys.payloads.rotate(tx, _tenant_key_id()))


async def make_log_key(store: Store, keys: SigningKeys) -> RekeyLog:
    """Make a key for heads, for an administrator to name; the body of what they sign.

    Raises:
        NoLog: the database has no log.
        WrongPassphrase: the other keys are under another passphrase.
        Unavailable: whoever is to keep it does not answer.
    """
    await require_log(store, keys)
    made = await asyncio.to_thread(keys.make, NEXT_HEADS)

    def write(tx: Tx) -> RekeyLog:
        keys.put_by(tx, NEXT_HEADS, made, tx.now)
        return RekeyLog(
            key=log_verifier(store.origin, made.signer.public.jwk()).vkey,
            replaces=note_verifier(store.origin, newest(tx)).vkey,
        )

    return await store.write(write)


async def log_trust(store: Store) -> tuple[str, tuple[Thumbprint, ...]]:
    """What whoever audits must get elsewhere: the log's key of now, the first administrators'.

    Raises:
        NoLog: the database has no log.
    """

    def look(reader: Reader) -> tuple[str, tuple[Thumbprint, ...]]:
        first = reader.get(LedgerEntry, 0)
        if first is None:
            raise NoLog("the database has no log yet; run: placet authority init")
        administrators = json.loads(first.content)["data"]["administrators"]
        return note_verifier(store.origin, newest(reader)).vkey, tuple(administrators.values())

    return await store.read(look)


def _tenant_key_id() -> str:
    return spell_id("tenant", os.urandom(16))
