"""Payload keys: one per tenant, under the passphrase; and one per case, under the tenant's.

1. (I7) A case's secrets rest in the store wrapped under the tenant key (AES-256-GCM, bound to the
   case), the tenant key under the passphrase (scrypt). No payload is encrypted with either itself.
2. A case's secrets are random, never derived: once their rows are deleted, nobody can make them
   again, and what was encrypted under them is erased wherever it lies.
3. Rotating makes a new tenant key, wraps every case's secrets anew, and gives each open case a
   new one: what is encrypted from then on is under it, what was before stays readable. The ledger
   says so, in the same transaction (I4).
4. Under another passphrase only the tenant's keys are wrapped anew: they stay what they are.
"""

import base64
import contextlib
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import JsonValue
from sqlalchemy import bindparam, select

from placet.authority._errors import Unavailable
from placet.authority._passphrases import Passphrases, WrongPassphrase
from placet.authority._store import Case, CaseKey, Reader, TenantKey, Tx, table_of
from placet.model import AUTHORITY
from placet.payloads import CaseSecret, Keyring

_NONCE, _SECRET = 12, 32
_KEY = table_of(CaseKey)
_OF_CASE = select(_KEY).where(_KEY.c.case_id == bindparam("case"))


@dataclass(frozen=True)
class _Tenant:
    id: str
    key: bytes = field(repr=False)


class PayloadKeys:
    """The tenant's keys, and cases' keys under them."""

    def __init__(self, passphrases: Passphrases) -> None:
        self._passphrases = passphrases
        self._tenants: dict[str, _Tenant] = {}
        self._newest = ""
        self._oldest = ""

    # --- the tenant's -------------------------------------------------------------------------

    def load(self, rows: Sequence[TenantKey]) -> None:
        """Take over what the store has.

        Raises:
            WrongPassphrase: a key can't be decrypted.
        """
        for row in rows:
            if row.id not in self._tenants:
                self._tenants[row.id] = _Tenant(row.id, self._open_tenant(row))
        if rows:
            self._newest = max(rows, key=_age).id
            self._oldest = min(rows, key=_age).id

    def create(self, tx: Tx, name: str) -> None:
        """Make a tenant key; from now on it wraps."""
        key = os.urandom(_SECRET)
        salt, wrapped = self._wrap_tenant(name, key)
        tx.add(TenantKey(id=name, salt=salt, wrapped=wrapped, created_at=tx.now))
        self._tenants[name] = _Tenant(name, key)
        self._newest = name
        self._oldest = self._oldest or name

    def tag(self, purpose: str, said: str) -> str:
        """A short name for something said that tells nobody else what it was (128 bits, base64url).

        It is made with the oldest tenant key: rotating leaves it as it is.
        """
        mac = hmac.digest(self.derive(f"tag {purpose}"), said.encode(), "sha256")
        return base64.urlsafe_b64encode(mac[:16]).decode().rstrip("=")

    def derive(self, purpose: str) -> bytes:
        """A key for one purpose, made with the oldest tenant key: rotating leaves it as it is."""
        key = self._tenants[self._oldest].key
        return HKDF(SHA256(), _SECRET, salt=None, info=f"placet {purpose}".encode()).derive(key)

    def rotate(self, tx: Tx, name: str) -> int:
        """Make a new tenant key, and wrap every case's secrets under it; how many cases there are.

        Open cases get a new secret each.
        """
        self._catch_up(tx)
        before = self._newest
        self.create(tx, name)
        cases: set[str] = set()
        for row in tx.all(CaseKey):
            secret = self._open_case(tx, row)
            wrapped = self._wrap_case(row.case_id, row.number, secret)
            tx.change(CaseKey, (row.case_id, row.number), tenant_key=name, wrapped=wrapped)
            cases.add(row.case_id)
        still_open = tx.all(Case, Case.closed_at.is_(None))  # type: ignore[union-attr]  # a column on the class
        for case in still_open:
            self.make(tx, case.id)
        told: dict[str, JsonValue] = {
            "purpose": "payloads",
            "key": name,
            "replaces": before,
            "cases": len(cases),
            "open": len(still_open),
        }
        tx.append("key.rotated", AUTHORITY, told)
        return len(cases)

    def _catch_up(self, reader: Reader) -> None:
        """Take over what another process has rotated since the keys were loaded.

        Raises:
            Unavailable: the passphrase over them was changed as well.
        """
        rows = reader.all(TenantKey)
        if max(rows, key=_age).id == self._newest:
            return
        try:
            self.load(rows)
        except WrongPassphrase as error:
            raise Unavailable(f"the payload keys were rotated; {error}") from None

    def rewrap(self, row: TenantKey) -> tuple[bytes, bytes] | None:
        """A key's salt and wrapping under the passphrase of now; ``None`` where it is so already.

        Raises:
            WrongPassphrase: it is under another than the two.
        """
        key, under = self._opened(row)
        return None if under == self._passphrases.now else self._wrap_tenant(row.id, key)

    def _open_tenant(self, row: TenantKey) -> bytes:
        return self._opened(row)[0]

    def _opened(self, row: TenantKey) -> tuple[bytes, bytes]:
        for each in self._passphrases.all():
            with contextlib.suppress(InvalidTag):
                return _unwrap(_stretched(each, row.salt), row.wrapped, row.id), each
        raise WrongPassphrase(self._passphrases.wrong("tenant's payload"))

    def _wrap_tenant(self, name: str, key: bytes) -> tuple[bytes, bytes]:
        salt = os.urandom(16)
        return salt, _wrap(_stretched(self._passphrases.now, salt), key, name)

    # --- a case's -----------------------------------------------------------------------------

    def make(self, tx: Tx, case: str) -> None:
        """Give a case a new secret: its first, or one more."""
        self._catch_up(tx)
        number = 1 + max((row.number for row in _rows(tx, case)), default=0)
        wrapped = self._wrap_case(case, number, os.urandom(_SECRET))
        tx.add(
            CaseKey(
                case_id=case,
                number=number,
                tenant_key=self._newest,
                wrapped=wrapped,
                created_at=tx.now,
            )
        )

    def ring(self, reader: Reader, case: str) -> Keyring:
        """A case's keys, newest first; none if the case was erased, or is none."""
        rows = sorted(_rows(reader, case), key=lambda row: -row.number)
        return Keyring(
            case, tuple(CaseSecret(str(r.number), self._open_case(reader, r)) for r in rows)
        )

    def destroy(self, tx: Tx, case: str) -> int:
        """Delete a case's keys, for good; how many there were."""
        rows = _rows(tx, case)
        for row in rows:
            tx.remove(CaseKey, (case, row.number))
        return len(rows)

    def _wrap_case(self, case: str, number: int, secret: bytes) -> bytes:
        tenant = self._tenants[self._newest]
        return _wrap(tenant.key, secret, f"{tenant.id}/{case}/{number}")

    def _open_case(self, reader: Reader, row: CaseKey) -> bytes:
        if row.tenant_key not in self._tenants:
            self._catch_up(reader)
        tenant = self._tenants[row.tenant_key]
        return _unwrap(tenant.key, row.wrapped, f"{tenant.id}/{row.case_id}/{row.number}")


def _stretched(passphrase: bytes, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=_SECRET, n=2**14, r=8, p=1).derive(passphrase)


def _age(row: TenantKey) -> tuple[datetime, str]:
    return row.created_at, row.id


def _rows(reader: Reader, case: str) -> list[CaseKey]:
    return reader.rows(CaseKey, _OF_CASE, {"case": case})


def _wrap(key: bytes, secret: bytes, of: str) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, secret, of.encode())


def _unwrap(key: bytes, wrapped: bytes, of: str) -> bytes:
    return AESGCM(key).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], of.encode())
