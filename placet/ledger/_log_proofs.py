"""One entry's proof as a file of its own: C2SP tlog-proof.

Whoever has the keys of the log and of its witnesses needs nothing else. ``extra`` carries the entry
itself, which its hash is made of: what is in it counts for nothing until the path leads from it to
the head's root.
"""

import base64
import re
from dataclasses import dataclass

from placet.ledger._errors import LedgerError, ProofError
from placet.ledger._merkle import HASH_BYTES, leaf_hash, verify_inclusion
from placet.ledger._note_keys import decode_base64
from placet.ledger._notes import MAX_NOTE_CHARS, Checkpoint, split_note

LOG_PROOF = "c2sp.org/tlog-proof@v1"
"""The first line of every such file."""

_INDEX = re.compile(r"index (0|[1-9][0-9]{0,17})\Z")
_EXTRA = "extra "
_LONGEST = 64
"""Hashes of a path: a log that has more would have more entries than a head can count."""
MAX_PROOF_CHARS = MAX_NOTE_CHARS + 131_072  # an entry has 65,535 bytes, a path 64 lines


@dataclass(frozen=True, slots=True)
class LogProof:
    """An entry, its index in the log, its audit path from the leaf up, and a signed head."""

    index: int
    path: tuple[bytes, ...]
    note: str
    extra: bytes | None = None

    @property
    def text(self) -> str:
        """The file's text."""
        lines = [LOG_PROOF]
        if self.extra is not None:
            lines.append(_EXTRA + _spell(self.extra))
        lines += [f"index {self.index}", *map(_spell, self.path)]
        return "\n".join(lines) + "\n\n" + self.note

    @classmethod
    def parse(cls, text: str) -> "LogProof":
        """Read such a file; the note in it is not looked at.

        Raises:
            ProofError: it is none, or not in its one spelling.
        """
        if len(text) > MAX_PROOF_CHARS:
            raise ProofError(f"a proof has at most {MAX_PROOF_CHARS} characters")
        first, gap, note = text.partition("\n\n")
        if not gap:
            raise ProofError("a proof has a blank line before the log's head")
        lines = first.split("\n")
        if lines.pop(0) != LOG_PROOF:
            raise ProofError(f"a proof's first line is {LOG_PROOF}")
        extra = None
        if lines and lines[0].startswith(_EXTRA):
            extra = _read(lines.pop(0).removeprefix(_EXTRA), "extra data")
        index = _INDEX.fullmatch(lines.pop(0)) if lines else None
        if index is None:
            raise ProofError("a proof says its entry's index, in decimal without leading zeros")
        path = tuple(_read(line, "hash") for line in lines)
        if len(path) > _LONGEST or any(len(each) != HASH_BYTES for each in path):
            raise ProofError(f"a proof has at most {_LONGEST} hashes of {HASH_BYTES} bytes")
        return cls(int(index[1]), path, note, extra)

    def head(self) -> Checkpoint:
        """The head that it leads to, believed by nobody yet.

        Raises:
            NoteError: it is none.
        """
        return Checkpoint.parse(split_note(self.note)[0])

    def require(self, entry: bytes) -> None:
        """Require that the path leads from this entry to the head's root.

        Raises:
            NoteError: the head is none.
            ProofError: it does not.
        """
        head = self.head()
        verify_inclusion(leaf_hash(entry), self.index, head.size, self.path, head.root)


def _spell(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _read(text: str, what: str) -> bytes:
    try:
        return decode_base64(text, what)
    except LedgerError as error:
        raise ProofError(str(error)) from None
