"""Signed notes and heads: C2SP signed-note and tlog-checkpoint, with Ed25519.

A head is the note's text: origin, size in decimal, root in base64, and extension lines. A second
spelling of the same head is an error.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from placet.ledger._errors import NoteError
from placet.ledger._merkle import HASH_BYTES

_ED25519 = b"\x01"  # C2SP signed-note: the signature type of Ed25519
_SIGNATURE = re.compile(r"\u2014 (\S+) ([A-Za-z0-9+/]+=*)")
_NAME = re.compile(r"[^\s+]{1,255}\Z")
_SIZE = re.compile(r"0|[1-9][0-9]{0,17}\Z")
MAX_NOTE_CHARS = 65_536  # a head and a few dozen witnesses' lines; far above what is served
MAX_SIGNATURES = 100


@dataclass(frozen=True, slots=True)
class NoteVerifier:
    """A name and public key whose signatures on notes are believed."""

    name: str
    key: bytes

    def __post_init__(self) -> None:
        if not _NAME.match(self.name) or len(self.key) != HASH_BYTES:
            raise NoteError("a verifier key has a name without spaces or '+', and 32 bytes")

    @classmethod
    def from_vkey(cls, text: str) -> "NoteVerifier":
        """Read a verifier key as C2SP signed-note spells it: ``name+hash+base64``.

        Raises:
            NoteError: it is malformed, of another algorithm, or its hash does not fit.
        """
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise NoteError("a verifier key is spelled name+hash+base64")
        data = _decode(parts[2], "verifier key")
        if data[:1] != _ED25519:
            raise NoteError("the verifier key's algorithm is not Ed25519")
        verifier = cls(parts[0], data[1:])
        if verifier.key_hash.hex() != parts[1]:
            raise NoteError("the verifier key's hash does not fit its name and key")
        return verifier

    @property
    def key_hash(self) -> bytes:
        """The four bytes that name the key in a signature line."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.key).digest()[:4]

    @property
    def vkey(self) -> str:
        """The verifier key in text."""
        data = base64.b64encode(_ED25519 + self.key).decode()
        return f"{self.name}+{self.key_hash.hex()}+{data}"

    def verify(self, text: str, signature: bytes) -> None:
        """Verify a signature over a note's text.

        Raises:
            NoteError: it does not hold.
        """
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, text.encode())
        except InvalidSignature:
            raise NoteError(f"the signature of {self.name} does not hold") from None


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """A name and private key that sign notes."""

    name: str
    key: Ed25519PrivateKey

    @property
    def verifier(self) -> NoteVerifier:
        """Whoever believes this signer."""
        return NoteVerifier(
            self.name, self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        )

    def line(self, text: str) -> str:
        """The signature line for a note's text."""
        data = self.verifier.key_hash + self.key.sign(text.encode())
        return f"\u2014 {self.name} {base64.b64encode(data).decode()}\n"


def sign_note(text: str, signers: Sequence[NoteSigner]) -> str:
    """Sign a note's text, which ends in a newline.

    Raises:
        NoteError: the text is empty, or does not end in a newline.
    """
    if not text.endswith("\n") or "\r" in text:
        raise NoteError("a note's text ends in a newline and has no carriage return")
    return text + "\n" + "".join(signer.line(text) for signer in signers)


def open_note(note: str, verifiers: Sequence[NoteVerifier]) -> tuple[str, tuple[str, ...]]:
    """Verify a note: its text, and the names of those whose signatures held.

    Signatures of keys that are not known are passed over, as C2SP signed-note asks.

    Raises:
        NoteError: malformed, a known key's signature is wrong, or none is by a known key.
    """
    if len(note) > MAX_NOTE_CHARS:
        raise NoteError(f"the note has more than {MAX_NOTE_CHARS} characters")
    text, gap, rest = note.rpartition("\n\n")
    if not gap or not text or not rest.endswith("\n"):
        raise NoteError("a note is text, a blank line, and signature lines")
    text += "\n"
    if any(ord(each) < 0x20 and each != "\n" for each in note):
        raise NoteError("a note has no control characters")
    lines = rest[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise NoteError(f"the note has more than {MAX_SIGNATURES} signatures")
    known = {(each.name, each.key_hash): each for each in verifiers}
    held: list[str] = []
    for line in lines:
        found = _SIGNATURE.fullmatch(line)
        if found is None:
            raise NoteError("a signature line is malformed")
        data = _decode(found[2], "signature")
        if len(data) < 5:
            raise NoteError("a signature line is too short")
        verifier = known.get((found[1], data[:4]))
        if verifier is not None and verifier.name not in held:
            verifier.verify(text, data[4:])
            held.append(verifier.name)
    if not held:
        raise NoteError("the note has no signature by a key that is known")
    return text, tuple(held)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A head: the size and root of the log of that origin (C2SP tlog-checkpoint)."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lines = (self.origin, *self.extensions)
        if any(not line or "\n" in line for line in lines) or len(self.root) != HASH_BYTES:
            raise NoteError("a head has an origin, a size, a root of 32 bytes, no empty line")
        if not 0 <= self.size < 10**18:
            raise NoteError("a head's size is a count of entries")

    @property
    def text(self) -> str:
        """The note's text."""
        root = base64.b64encode(self.root).decode()
        return "\n".join((self.origin, str(self.size), root, *self.extensions)) + "\n"

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Read the text of a head.

        Raises:
            NoteError: it is not a head, or not in its one spelling.
        """
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1]:
            raise NoteError("a head has at least three lines")
        if not _SIZE.fullmatch(lines[1]):
            raise NoteError("a head's size is a decimal number without leading zeros")
        head = cls(lines[0], int(lines[1]), _decode(lines[2], "root"), tuple(lines[3:-1]))
        if head.text != text:
            raise NoteError("the head is not in its one spelling")
        return head


def sign_checkpoint(head: Checkpoint, signers: Sequence[NoteSigner]) -> str:
    """Sign a head."""
    return sign_note(head.text, signers)


def open_checkpoint(note: str, verifiers: Sequence[NoteVerifier]) -> Checkpoint:
    """Verify a signed head.

    Raises:
        NoteError: malformed, or not signed by a key that is known.
    """
    return Checkpoint.parse(open_note(note, verifiers)[0])


def _decode(text: str, what: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError(f"the {what} is not base64") from None
    if base64.b64encode(data).decode() != text:
        raise NoteError(f"the {what} is not base64 in its one spelling")
    return data
