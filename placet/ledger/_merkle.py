"""The Merkle tree of RFC 6962 section 2.1 and RFC 9162 section 2.1: SHA-256, 0x00 leaf, 0x01 node.

Verification raises; nothing here returns a bare yes. Sizes are counts of leaves; hashes 32 bytes.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from placet.ledger._errors import ProofError

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()
"""The root of the tree without leaves (RFC 9162 section 2.1.1)."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node over its two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_hash(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes."""
    return Frontier.of(leaves).root()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The roots of a tree's full subtrees, largest first: all that appending needs.

    There is one for each bit that is set in ``size``.
    """

    size: int = 0
    roots: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.roots) != self.size.bit_count():
            raise ValueError(f"a tree of {self.size} leaves has {self.size.bit_count()} subtrees")
        if any(len(root) != HASH_BYTES for root in self.roots):
            raise ValueError("a hash has 32 bytes")

    @classmethod
    def of(cls, leaves: Sequence[bytes]) -> "Frontier":
        """The frontier of a tree over leaf hashes."""
        frontier = cls()
        for leaf in leaves:
            frontier = frontier.append(leaf)
        return frontier

    def append(self, leaf: bytes) -> "Frontier":
        """The frontier after one more leaf hash."""
        roots, size, carried = self.roots, self.size, leaf
        while size & 1:
            carried = node_hash(roots[-1], carried)
            roots, size = roots[:-1], size >> 1
        return Frontier(self.size + 1, (*roots, carried))

    def root(self) -> bytes:
        """The root of the whole tree."""
        if not self.roots:
            return EMPTY_ROOT
        root = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            root = node_hash(left, root)
        return root

    def encode(self) -> bytes:
        """The roots one after the other."""
        return b"".join(self.roots)

    @classmethod
    def decode(cls, data: bytes, size: int) -> "Frontier":
        """Read what :meth:`encode` wrote, for a tree of ``size`` leaves.

        Raises:
            ValueError: the bytes do not fit the size.
        """
        if len(data) % HASH_BYTES:
            raise ValueError("a frontier is made of whole hashes")
        roots = (data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES))
        return cls(size, tuple(roots))


Subtrees = Callable[[int, int], bytes]
"""Gives, for a level and an index, the hash of the complete subtree over ``2**level`` leaves, the
first of them ``index * 2**level``."""


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The audit path of a leaf (RFC 9162 section 2.1.3.1), from the leaf up, from leaf hashes.

    Raises:
        ValueError: the tree has no such leaf.
    """
    return inclusion_path(_subtrees_over(leaves), index, len(leaves))


def inclusion_path(subtrees: Subtrees, index: int, size: int) -> tuple[bytes, ...]:
    """The audit path of a leaf in the tree of ``size`` leaves, from hashes of subtrees.

    Raises:
        ValueError: the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"the tree of {size} leaves has no leaf {index}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range_root(subtrees, middle, end))
            end = middle
        else:
            path.append(_range_root(subtrees, start, middle))
            start = middle
    return tuple(reversed(path))


def consistency_proof(leaves: Sequence[bytes], first: int) -> tuple[bytes, ...]:
    """The proof that the tree of the first leaves is a prefix (RFC 9162 section 2.1.4.1).

    Raises:
        ValueError: ``first`` is not between 1 and the number of leaves.
    """
    return consistency_path(_subtrees_over(leaves), first, len(leaves))


def consistency_path(subtrees: Subtrees, first: int, second: int) -> tuple[bytes, ...]:
    """The proof that the tree of ``first`` leaves is a prefix of that of ``second``, from subtrees.

    Raises:
        ValueError: ``first`` is not between 1 and ``second``.
    """
    if not 0 < first <= second:
        raise ValueError(f"a prefix of {second} leaves has 1 to {second}, not {first}")
    path: list[bytes] = []
    start, end, whole = 0, second, True
    while first != end - start:
        middle = _split(end - start)
        if first <= middle:
            path.append(_range_root(subtrees, start + middle, end))
            end = start + middle
        else:
            path.append(_range_root(subtrees, start, start + middle))
            start, first, whole = start + middle, first - middle, False
    if not whole:
        path.append(_range_root(subtrees, start, end))
    return tuple(reversed(path))


def tree_root(subtrees: Subtrees, size: int) -> bytes:
    """The root of the tree of ``size`` leaves, from hashes of subtrees."""
    return _range_root(subtrees, 0, size)


def _range_root(subtrees: Subtrees, start: int, end: int) -> bytes:
    """The root over a range that begins where a subtree large enough for all of it begins."""
    roots: list[bytes] = []
    at = start
    while at < end:
        level = (end - at).bit_length() - 1
        roots.append(subtrees(level, at >> level))
        at += 1 << level
    return Frontier(end - start, tuple(roots)).root()


def _subtrees_over(leaves: Sequence[bytes]) -> Subtrees:
    return lambda level, index: root_hash(leaves[index << level : (index + 1) << level])


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Verify that a leaf hash stands at ``index`` in the tree (RFC 9162 section 2.1.3.2).

    Raises:
        ProofError: it does not follow from the proof.
    """
    if not 0 <= index < size:
        raise ProofError(f"a tree of {size} entries has no entry {index}")
    hashes = _hashes(proof)
    _hashes((leaf, root))
    node, last, found = index, size - 1, leaf
    while last > 0:
        if node & 1 or node == last:
            if node & 1:
                found = node_hash(_next(hashes), found)
            # Otherwise the last node has no sibling here and is carried up as it is.
        else:
            found = node_hash(found, _next(hashes))
        node, last = node >> 1, last >> 1
    _require_end(hashes)
    if found != root:
        raise ProofError(f"entry {index} is not in the tree of {size} entries with this root")


def verify_consistency(
    first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes
) -> None:
    """Verify that one tree is a prefix of another (RFC 9162 section 2.1.4.2).

    Raises:
        ProofError: it does not follow from the proof.
    """
    if not 0 <= first <= second:
        raise ProofError(f"a tree of {first} entries is no prefix of one of {second}")
    hashes = _hashes(proof)
    _hashes((first_root, second_root))
    if first in (0, second):
        _require_trivial(first, second, proof, first_root, second_root)
        return
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    seed = _next(hashes) if node else first_root
    old = new = seed
    while last > 0:
        if node & 1:
            sibling = _next(hashes)
            old, new = node_hash(sibling, old), node_hash(sibling, new)
        elif node < last:
            new = node_hash(new, _next(hashes))
        node, last = node >> 1, last >> 1
    _require_end(hashes)
    if old != first_root:
        raise ProofError(f"the root of {first} entries does not follow from the proof")
    if new != second_root:
        raise ProofError(f"the root of {second} entries does not follow from the proof")


def _require_trivial(
    first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes
) -> None:
    if proof:
        raise ProofError("no proof is needed here, and one was given")
    for size, root in ((first, first_root), (second, second_root)):
        if size == 0 and root != EMPTY_ROOT:
            raise ProofError("a tree of no entries has another root than the empty tree")
    if first == second and first_root != second_root:
        raise ProofError(f"two roots of a tree of {first} entries differ")


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << ((size - 1).bit_length() - 1)


def _hashes(proof: Sequence[bytes]) -> Iterator[bytes]:
    if any(len(each) != HASH_BYTES for each in proof):
        raise ProofError("a hash has not 32 bytes")
    return iter(proof)


def _next(hashes: Iterator[bytes]) -> bytes:
    found = next(hashes, None)
    if found is None:
        raise ProofError("the proof is too short")
    return found


def _require_end(hashes: Iterator[bytes]) -> None:
    if next(hashes, None) is not None:
        raise ProofError("the proof is too long")
