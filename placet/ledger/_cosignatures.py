"""Witnesses: signatures that say when a head was seen, and that it extends all before it.

C2SP tlog-cosignature, of the Ed25519 kind: what is signed is ``cosignature/v1``, the time, and the
head's whole text, and the key's type byte (0x04) keeps it apart from a log's own signature.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from placet.ledger._errors import ForkError, NoteError, ProofError
from placet.ledger._merkle import (
    Subtrees,
    consistency_path,
    tree_root,
    verify_consistency,
)
from placet.ledger._note_keys import (
    key_hash,
    public_bytes,
    read_vkey,
    require_key,
    require_signed,
    signature_line,
    spell_vkey,
)
from placet.ledger._notes import (
    Checkpoint,
    Verifier,
    open_checkpoint,
    split_note,
)
from placet.model import quantity

_COSIGNATURE = b"\x04"  # C2SP signed-note: timestamped Ed25519 cosignatures of heads
_SIGNATURE_BYTES = 8 + 64
_MAX_TIME = 253_402_300_799  # the last second of the year 9999: a time that can be written


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A witness's word: at this time, this head was the largest it had seen of the log."""

    name: str
    time: datetime


@dataclass(frozen=True, slots=True)
class WitnessVerifier:
    """A witness's name and public key."""

    name: str
    key: bytes

    def __post_init__(self) -> None:
        require_key(self.name, self.key)

    @classmethod
    def from_vkey(cls, text: str) -> "WitnessVerifier":
        """Read a verifier key.

        Raises:
            NoteError: it is malformed, of another type, or its hash does not fit.
        """
        return cls(*read_vkey(text, _COSIGNATURE, "an Ed25519 cosignature"))

    @property
    def key_hash(self) -> bytes:
        """The four bytes that name the key in a signature line."""
        return key_hash(self.name, _COSIGNATURE, self.key)

    @property
    def vkey(self) -> str:
        """The verifier key in text."""
        return spell_vkey(self.name, _COSIGNATURE, self.key)

    def verify(self, text: str, signature: bytes) -> None:
        """Verify a cosignature of a head.

        Raises:
            NoteError: it does not hold.
        """
        seconds = _seconds(signature)
        require_signed(self.name, self.key, signature[8:], _message(text, seconds))


@dataclass(frozen=True, slots=True)
class WitnessSigner:
    """A witness's name and private key."""

    name: str
    key: Ed25519PrivateKey

    def __post_init__(self) -> None:
        require_key(self.name, public_bytes(self.key))

    @property
    def verifier(self) -> WitnessVerifier:
        """Whoever believes this witness."""
        return WitnessVerifier(self.name, public_bytes(self.key))

    def line(self, text: str, time: datetime) -> str:
        """The signature line for a head's text, seen at ``time``."""
        seconds = int(time.timestamp())
        signature = seconds.to_bytes(8, "big") + self.key.sign(_message(text, seconds))
        return signature_line(self.name, self.verifier.key_hash + signature)


def cosign(note: str, log: Verifier, signer: WitnessSigner, time: datetime) -> str:
    """Add a witness's cosignature to a head; one of its own from before makes way.

    What others signed stays as it is, unread.

    Raises:
        NoteError: the head is malformed, the log's signature does not hold, or there is no room
            for another.
    """
    text = open_checkpoint(note, [log]).text
    own = (signer.name, signer.verifier.key_hash)
    others = [
        signature_line(name, data) for name, data in split_note(note)[1] if (name, data[:4]) != own
    ]
    cosigned = "\n".join((text, "".join([*others, signer.line(text, time)])))
    open_cosigned(cosigned, log, [signer.verifier])
    return cosigned


def open_cosigned(
    note: str, log: Verifier, witnesses: Sequence[WitnessVerifier]
) -> tuple[Checkpoint, tuple[Cosignature, ...]]:
    """Verify a head: the log's signature, and which of these witnesses cosigned it, and when.

    Raises:
        NoteError: malformed, not signed by the log, or a known witness's cosignature is wrong.
    """
    return open_checkpoint(note, [log]), cosignatures(note, witnesses)


def cosignatures(note: str, witnesses: Sequence[WitnessVerifier]) -> tuple[Cosignature, ...]:
    """Which of these witnesses cosigned a head, and when; whose log it is, is not looked at.

    Lines under other keys are passed over, as C2SP signed-note asks.

    Raises:
        NoteError: malformed, or a known witness's cosignature is wrong.
    """
    text, signatures = split_note(note)
    known = {(each.name, each.key_hash): each for each in witnesses}
    held: dict[str, Cosignature] = {}
    for name, data in signatures:
        witness = known.get((name, data[:4]))
        if witness is not None:
            witness.verify(text, data[4:])
            seen = datetime.fromtimestamp(_seconds(data[4:]), UTC)
            held.setdefault(name, Cosignature(name, seen))
    return tuple(held.values())


def require_extension(kept: Checkpoint, head: Checkpoint, subtrees: Callable[[], Subtrees]) -> None:
    """Require that a head's log is the kept head's log, grown or the same.

    ``subtrees`` gives the hashes of the head's tree, wherever they come from: they are not
    believed, but must prove it. It is called only if a proof is needed.

    Raises:
        ForkError: it does not extend it; the message names both heads.
    """
    both = f"kept: {_spell(kept)}; found: {_spell(head)}"
    if head.origin != kept.origin:
        raise ForkError(f"the head is another log's ({both})")
    if head.size < kept.size:
        raise ForkError(f"the log has shrunk ({both})")
    if head.size == kept.size and head.root != kept.root:
        raise ForkError(f"two trees of one size differ ({both})")
    if kept.size in {0, head.size}:
        return
    found = subtrees()
    try:
        proof = consistency_path(found, kept.size, head.size)
        verify_consistency(kept.size, head.size, proof, kept.root, head.root)
    except ProofError as error:
        place = "the tiles are not those of the head" if _differs(found, head) else str(error)
        raise ForkError(f"the log's past was changed: {place} ({both})") from None


def _differs(subtrees: Subtrees, head: Checkpoint) -> bool:
    return tree_root(subtrees, head.size) != head.root


def _spell(head: Checkpoint) -> str:
    size, root = quantity(head.size, "entry", "entries"), head.text.splitlines()[2]
    return f"{head.origin}, {size}, root {root}"


def _seconds(signature: bytes) -> int:
    seconds = int.from_bytes(signature[:8], "big")
    if len(signature) != _SIGNATURE_BYTES or seconds > _MAX_TIME:
        raise NoteError("a cosignature is a time of eight bytes and 64 bytes of signature")
    return seconds


def _message(text: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()
