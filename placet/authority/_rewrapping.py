"""Another passphrase over the keys in the store: all of them, in one transaction.

1. (I7) What is under the passphrase is decrypted and encrypted anew, in memory; the keys themselves
   stay what they are, and so does everything under them.
2. (I11) Killed at any instant, all keys are under the one passphrase or all under the other; run
   again, it finishes, or finds nothing to do.
3. (I4) The ledger says so in the same transaction, and how many keys it was.
"""

import asyncio
from dataclasses import dataclass, field
from functools import partial

from placet.authority._bootstrap import require_log
from placet.authority._signing import SigningKeys
from placet.authority._store import SigningKey, Store, TenantKey, Tx
from placet.model import AUTHORITY


@dataclass(frozen=True)
class _Anew:
    """Rows as they were read, each with what takes the place of its secret."""

    signing: tuple[tuple[SigningKey, str | None], ...]
    tenant: tuple[tuple[TenantKey, tuple[bytes, bytes] | None], ...]
    seen: frozenset[object] = field(repr=False)


async def rotate_passphrase(store: Store, keys: SigningKeys) -> int:
    """Put all keys in the store under the passphrase of now; how many were not.

    Raises:
        NoLog: the database has no log.
        WrongPassphrase: a key is under neither of the two; nothing was changed.
    """
    await require_log(store, keys)
    while True:
        signing, tenant = await store.read(lambda r: (r.all(SigningKey), r.all(TenantKey)))
        anew = await asyncio.to_thread(_wrap, keys, signing, tenant)
        done = await store.write(partial(_replace, anew))
        if done is not None:
            return done


def _wrap(keys: SigningKeys, signing: list[SigningKey], tenant: list[TenantKey]) -> _Anew:
    """Before the transaction: stretching a passphrase takes long on purpose."""
    return _Anew(
        tuple((row, keys.rewrap(row)) for row in signing),
        tuple((row, keys.payloads.rewrap(row)) for row in tenant),
        _secrets(signing, tenant),
    )


def _replace(anew: _Anew, tx: Tx) -> int | None:
    """How many were replaced; ``None`` if a key came or changed meanwhile, and nothing was."""
    if _secrets(tx.all(SigningKey), tx.all(TenantKey)) != anew.seen:
        return None
    signing = [(row, kept) for row, kept in anew.signing if kept is not None]
    tenant = [(row, wrapped) for row, wrapped in anew.tenant if wrapped is not None]
    for row, kept in signing:
        tx.change(SigningKey, row.kid, kept=kept)
    for key, (salt, wrapped) in tenant:
        tx.change(TenantKey, key.id, salt=salt, wrapped=wrapped)
    changed = {"signing": len(signing), "tenant": len(tenant)}
    if any(changed.values()):
        tx.append("key.rotated", AUTHORITY, {"purpose": "passphrase", **changed})
    return sum(changed.values())


def _secrets(signing: list[SigningKey], tenant: list[TenantKey]) -> frozenset[object]:
    return frozenset(
        [*((row.kid, row.kept) for row in signing), *((row.id, row.wrapped) for row in tenant)]
    )
