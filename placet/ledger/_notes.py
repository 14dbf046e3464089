"""Signed notes and heads: C2SP signed-note and tlog-checkpoint, with Ed25519.

A head is the note's text: origin, size in decimal, root in base64, and extension lines. A second
spelling of the same head is an error.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from placet.ledger._errors import NoteError
from placet.ledger._merkle import EMPTY_ROOT, HASH_BYTES
from placet.ledger._note_keys import (
    NoteKey,
    decode_base64,
    key_hash,
    public_bytes,
    read_vkey,
    require_key,
    require_signed,
    signature_line,
    spell_vkey,
)

_ED25519 = b"\x01"  # C2SP signed-note: the signature type of Ed25519
_SIGNATURE = re.compile(r"\u2014 (\S+) ([A-Za-z0-9+/]+=*)")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")  # any but the line feed
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SIZE = re.compile(r"0|[1-9][0-9]{0,17}\Z")
MAX_NOTE_CHARS = 131_072  # C2SP signed-note: 16 signatures, of up to 5 kB each, must be taken
MAX_SIGNATURES = 100


class Verifier(Protocol):
    """Whoever's signatures on notes are believed, of any of the signature types."""

    @property
    def name(self) -> str:
        """The key's name in a signature line."""
        ...

    @property
    def key_hash(self) -> bytes:
        """The four bytes that name the key in a signature line."""
        ...

    def verify(self, text: str, signature: bytes) -> None:
        """Verify a signature over a note's text, or raise :class:`NoteError`."""
        ...


@dataclass(frozen=True, slots=True)
class NoteVerifier:
    """A name and public key whose signatures on notes are believed."""

    name: str
    key: bytes

    def __post_init__(self) -> None:
        require_key(self.name, self.key)

    @classmethod
    def from_vkey(cls, text: str) -> "NoteVerifier":
        """Read a verifier key.

        Raises:
            NoteError: it is malformed, of another algorithm, or its hash does not fit.
        """
        return cls(*read_vkey(text, _ED25519, "an Ed25519 signature"))

    @property
    def key_hash(self) -> bytes:
        """The four bytes that name the key in a signature line."""
        return key_hash(self.name, _ED25519, self.key)

    @property
    def vkey(self) -> str:
        """The verifier key in text."""
        return spell_vkey(self.name, _ED25519, self.key)

    def verify(self, text: str, signature: bytes) -> None:
        """Verify a signature over a note's text.

        Raises:
            NoteError: it does not hold.
        """
        require_signed(self.name, self.key, signature, text.encode())


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """A name and private key that sign notes."""

    name: str
    key: NoteKey

    @property
    def verifier(self) -> NoteVerifier:
        """Whoever believes this signer."""
        return NoteVerifier(self.name, public_bytes(self.key))

    def line(self, text: str) -> str:
        """The signature line for a note's text."""
        return signature_line(self.name, self.verifier.key_hash + self.key.sign(text.encode()))


def sign_note(text: str, signers: Sequence[NoteSigner]) -> str:
    """Sign a note's text, which ends in a newline.

    Raises:
        NoteError: the text is empty, does not end in a newline, or has another control character.
    """
    if not text.endswith("\n") or _CONTROL.search(text):
        raise NoteError("a note's text ends in a newline and has no other control character")
    return text + "\n" + "".join(signer.line(text) for signer in signers)


def open_note(note: str, verifiers: Sequence[Verifier]) -> tuple[str, tuple[str, ...]]:
    """Verify a note: its text, and the names of those whose signatures held.

    Signatures of keys that are not known are passed over, as C2SP signed-note asks.

    Raises:
        NoteError: malformed, a known key's signature is wrong, or none is by a known key.
    """
    text, signatures = split_note(note)
    known = {(each.name, each.key_hash): each for each in verifiers}
    held: dict[str, None] = {}
    for name, data in signatures:
        verifier = known.get((name, data[:4]))
        if verifier is not None:
            verifier.verify(text, data[4:])
            held[name] = None
    if not held:
        raise NoteError("the note has no signature by a key that is known")
    return text, tuple(held)


def split_note(note: str) -> tuple[str, tuple[tuple[str, bytes], ...]]:
    """Take a note apart, believing nothing: its text, and each signature's name and bytes.

    Raises:
        NoteError: it is malformed.
    """
    if len(note) > MAX_NOTE_CHARS:
        raise NoteError(f"the note has more than {MAX_NOTE_CHARS} characters")
    text, gap, rest = note.rpartition("\n\n")
    if not gap or not text or not rest.endswith("\n"):
        raise NoteError("a note is text, a blank line, and signature lines")
    if _CONTROL.search(note):
        raise NoteError("a note has no control characters")
    if _SURROGATE.search(note):
        raise NoteError("a note is UTF-8, which has no surrogates")
    lines = rest[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise NoteError(f"the note has more than {MAX_SIGNATURES} signatures")
    return text + "\n", tuple(_read_signature(line) for line in lines)


def _read_signature(line: str) -> tuple[str, bytes]:
    found = _SIGNATURE.fullmatch(line)
    if found is None:
        raise NoteError("a signature line is malformed")
    data = decode_base64(found[2], "signature")
    if len(data) < 5:
        raise NoteError("a signature line is too short")
    return found[1], data


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
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise NoteError("a head of no entries has the root of the empty tree")

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
        head = cls(lines[0], int(lines[1]), decode_base64(lines[2], "root"), tuple(lines[3:-1]))
        if head.text != text:
            raise NoteError("the head is not in its one spelling")
        return head


def sign_checkpoint(head: Checkpoint, signers: Sequence[NoteSigner]) -> str:
    """Sign a head."""
    return sign_note(head.text, signers)


def open_checkpoint(note: str, verifiers: Sequence[Verifier]) -> Checkpoint:
    """Verify a signed head.

    Raises:
        NoteError: malformed, or not signed by a key that is known.
    """
    return Checkpoint.parse(open_note(note, verifiers)[0])
