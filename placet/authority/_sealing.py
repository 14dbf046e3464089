"""Encrypting what must come back to the authority alone, or rest in its database (I7).

AES-256-GCM under a key derived from the tenant's first one, so that every replica has it and a copy
of the database alone opens nothing.
"""

import base64
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from placet.authority._core import Core

_NONCE = 12


class NotSealed(ValueError):
    """It was not sealed here, for this purpose, or was changed since."""


def seal(core: Core, purpose: str, content: bytes) -> str:
    """Encrypt ``content`` for one purpose; base64url without padding."""
    nonce = os.urandom(_NONCE)
    sealed = nonce + _cipher(core, purpose).encrypt(nonce, content, purpose.encode())
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def unseal(core: Core, purpose: str, sealed: str) -> bytes:
    """Decrypt what :func:`seal` made.

    Raises:
        NotSealed: it did not, for this purpose.
    """
    try:
        data = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
        return _cipher(core, purpose).decrypt(data[:_NONCE], data[_NONCE:], purpose.encode())
    except (ValueError, InvalidTag):
        raise NotSealed(f"not sealed by this authority as {purpose}") from None


def fingerprint(core: Core, purpose: str, content: str) -> str:
    """A digest that only this authority can make: what it is of can't be guessed from it."""
    return hmac.new(_key(core, purpose), content.encode(), "sha256").hexdigest()


def _cipher(core: Core, purpose: str) -> AESGCM:
    return AESGCM(_key(core, purpose))


def _key(core: Core, purpose: str) -> bytes:
    return core.keys.payloads.derive(f"seal {purpose}")
