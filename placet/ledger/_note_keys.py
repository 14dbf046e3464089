"""Keys of signed notes: their spelling, their hashes, and Ed25519 (C2SP signed-note)."""

import base64
import binascii
import hashlib
import re
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from placet.ledger._errors import NoteError

_NAME = re.compile(r"[^\s+]{1,255}\Z")
_KEY_BYTES = 32


def require_key(name: str, key: bytes) -> None:
    """Hold a key's name and bytes to C2SP signed-note.

    Raises:
        NoteError: the name is empty or has spaces or '+'; the key has not 32 bytes.
    """
    if not _NAME.match(name) or len(key) != _KEY_BYTES:
        raise NoteError("a verifier key has a name without spaces or '+', and 32 bytes")


def key_hash(name: str, kind: bytes, key: bytes) -> bytes:
    """The four bytes that name a key of a signature type in a signature line."""
    return hashlib.sha256(name.encode() + b"\n" + kind + key).digest()[:4]


def spell_vkey(name: str, kind: bytes, key: bytes) -> str:
    """A verifier key in text, as C2SP signed-note spells it: ``name+hash+base64``."""
    return f"{name}+{key_hash(name, kind, key).hex()}+{base64.b64encode(kind + key).decode()}"


def read_vkey(text: str, kind: bytes, what: str) -> tuple[str, bytes]:
    """Read a verifier key of one signature type: its name, and the public key.

    Raises:
        NoteError: it is malformed, of another type than ``what``, or its hash does not fit.
    """
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise NoteError("a verifier key is spelled name+hash+base64")
    name, key = parts[0], decode_base64(parts[2], "verifier key")
    if key[:1] != kind:
        raise NoteError(f"the verifier key's type is not that of {what}")
    require_key(name, key[1:])
    if key_hash(name, kind, key[1:]).hex() != parts[1]:
        raise NoteError("the verifier key's hash does not fit its name and key")
    return name, key[1:]


class NoteKey(Protocol):
    """What signs notes: a private key of ``cryptography``, or whoever keeps one."""

    def public_key(self) -> Ed25519PublicKey:
        """Its public key."""
        ...

    def sign(self, data: bytes, /) -> bytes:
        """Sign."""
        ...


def public_bytes(key: NoteKey) -> bytes:
    """The 32 bytes of a private key's public key."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def require_signed(name: str, key: bytes, signature: bytes, message: bytes) -> None:
    """Verify an Ed25519 signature.

    Raises:
        NoteError: it does not hold, or the key is none.
    """
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise NoteError(f"the signature of {name} does not hold") from None


def signature_line(name: str, data: bytes) -> str:
    """A note's signature line, from the key's hash and the signature."""
    return f"\u2014 {name} {base64.b64encode(data).decode()}\n"


def decode_base64(text: str, what: str) -> bytes:
    """Read base64 in its one spelling.

    Raises:
        NoteError: it is none.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError(f"the {what} is not base64") from None
    if base64.b64encode(data).decode() != text:
        raise NoteError(f"the {what} is not base64 in its one spelling")
    return data
