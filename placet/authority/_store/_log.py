"""The ledger's tree as the writer carries it: its size and the roots of its full subtrees."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from pydantic import JsonValue

from placet.model import canonical_json, format_time

MAX_ENTRY_BYTES = 65_535  # C2SP tlog-tiles: entry bundles give a length in two bytes


def make_entry(
    time: datetime,
    type: str,
    actor: str,
    data: Mapping[str, JsonValue],
    *,
    case: str | None,
    record: str | None,
) -> bytes:
    """The canonical bytes of one entry.

    Raises:
        ValueError: it is not well-formed or too large.
    """
    members: dict[str, JsonValue] = {
        "v": 1,
        "time": format_time(time),
        "type": type,
        "actor": actor,
        "data": dict(data),
    }
    if case is not None:
        members["case"] = case
    if record is not None:
        members["record"] = record
    encoded = canonical_json(members)
    if len(encoded) > MAX_ENTRY_BYTES:
        raise ValueError(f"a ledger entry of {len(encoded)} bytes: at most {MAX_ENTRY_BYTES}")
    return encoded


def hash_children(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node (RFC 9162 section 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True)
class Tree:
    """A tree by its frontier: the roots of its full subtrees, largest first (RFC 9162 2.1)."""

    size: int
    peaks: tuple[bytes, ...]

    @classmethod
    def empty(cls) -> Self:
        """The tree without entries."""
        return cls(0, ())

    @classmethod
    def load(cls, size: int, frontier: bytes) -> Self:
        """The tree that :meth:`dump` spelled."""
        return cls(size, tuple(frontier[at : at + 32] for at in range(0, len(frontier), 32)))

    def dump(self) -> bytes:
        """The frontier's hashes, one after the other."""
        return b"".join(self.peaks)

    def append(self, entry: bytes) -> tuple["Tree", bytes]:
        """The tree with one more entry, and that entry's leaf hash."""
        leaf = hashlib.sha256(b"\x00" + entry).digest()
        peaks, node, size = list(self.peaks), leaf, self.size
        while size & 1:
            node = hash_children(peaks.pop(), node)
            size >>= 1
        return Tree(self.size + 1, (*peaks, node)), leaf

    def root(self) -> bytes:
        """The root hash."""
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = hash_children(peak, root)
        return root
