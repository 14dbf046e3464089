"""Tiles and entry bundles: how a log is served as files (C2SP tlog-tiles).

A path has one spelling; any other is an error. A tile holds up to 256 consecutive hashes of one
level: level 0 has leaf hashes, each higher one the roots of full tiles below it. An entry bundle
holds up to 256 consecutive entries, each behind two bytes of length.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from placet.ledger._entries import MAX_ENTRY_BYTES
from placet.ledger._errors import LogError
from placet.ledger._merkle import HASH_BYTES, Subtrees, root_hash

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
_MAX_LEVEL = 63
_MAX_INDEX = 10**18  # beyond any count that fits in 64 bits, in whole groups of three digits
_PATH = re.compile(
    r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?"
)


@dataclass(frozen=True, slots=True)
class Tile:
    """The place of a tile: ``width`` hashes of a level, the first of them ``index * 256``."""

    level: int
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        if not 0 <= self.level <= _MAX_LEVEL:
            raise ValueError(f"a tile's level is 0 to {_MAX_LEVEL}, not {self.level}")
        _require_place(self.index, self.width)

    @property
    def path(self) -> str:
        """Where it is served, under the log's prefix."""
        return f"tile/{self.level}/{_spell(self.index, self.width)}"

    def fits(self, size: int) -> bool:
        """Whether a tree of ``size`` leaves has all its hashes."""
        return (self.index << TILE_HEIGHT) + self.width <= size >> (TILE_HEIGHT * self.level)

    def encode(self, hashes: Sequence[bytes]) -> bytes:
        """Its bytes: the hashes one after the other.

        Raises:
            ValueError: they are not ``width`` hashes.
        """
        if len(hashes) != self.width or any(len(each) != HASH_BYTES for each in hashes):
            raise ValueError(f"{self.path} has {self.width} hashes of {HASH_BYTES} bytes")
        return b"".join(hashes)

    def decode(self, data: bytes) -> tuple[bytes, ...]:
        """Read its hashes.

        Raises:
            LogError: the bytes are not those of such a tile.
        """
        if len(data) != self.width * HASH_BYTES:
            raise LogError(f"{self.path} has {len(data)} bytes, not {self.width * HASH_BYTES}")
        return tuple(data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES))


@dataclass(frozen=True, slots=True)
class Bundle:
    """The place of an entry bundle: ``width`` entries, the first of them ``index * 256``."""

    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        _require_place(self.index, self.width)

    @property
    def path(self) -> str:
        """Where it is served, under the log's prefix."""
        return f"tile/entries/{_spell(self.index, self.width)}"

    def fits(self, size: int) -> bool:
        """Whether a log of ``size`` entries has all of its."""
        return (self.index << TILE_HEIGHT) + self.width <= size

    def encode(self, entries: Sequence[bytes]) -> bytes:
        """Its bytes: each entry behind its length, two bytes, big-endian.

        Raises:
            ValueError: they are not ``width`` entries, or one is larger than 65,535 bytes.
        """
        if len(entries) != self.width or any(len(each) > MAX_ENTRY_BYTES for each in entries):
            raise ValueError(f"{self.path} has {self.width} entries of at most 65,535 bytes")
        return b"".join(len(each).to_bytes(2, "big") + each for each in entries)

    def decode(self, data: bytes) -> tuple[bytes, ...]:
        """Read its entries.

        Raises:
            LogError: the bytes are not those of such a bundle.
        """
        entries: list[bytes] = []
        at = 0
        while at < len(data) and len(entries) < self.width:
            start = at + 2
            at = start + int.from_bytes(data[at:start], "big")
            entries.append(data[start:at])
        if at != len(data) or len(entries) != self.width:
            raise LogError(f"{self.path} does not hold {self.width} whole entries, and no more")
        return tuple(entries)


def parse_tile_path(path: str) -> Tile | Bundle:
    """Read the path of a tile or an entry bundle, as it stands under the log's prefix.

    Raises:
        ValueError: it is none, or not in its one spelling.
    """
    found = _PATH.fullmatch(path)
    if found is None:
        raise ValueError("not the path of a tile")
    index = int(found[2].replace("x", "").replace("/", ""))
    width = TILE_WIDTH if found[3] is None else int(found[3])
    place = Bundle(index, width) if found[1] == "entries" else Tile(int(found[1]), index, width)
    if place.path != path:
        raise ValueError("not the one spelling of a tile's path")
    return place


def tile_of(level: int, index: int, size: int) -> Tile:
    """The tile at a place, as wide as a tree of ``size`` leaves has it there.

    Raises:
        ValueError: the tree has no such tile.
    """
    return Tile(level, index, _width(size >> (TILE_HEIGHT * level), index))


def bundle_of(index: int, size: int) -> Bundle:
    """The entry bundle at a place, as wide as a log of ``size`` entries has it there.

    Raises:
        ValueError: the log has no such bundle.
    """
    return Bundle(index, _width(size, index))


def tile_subtrees(read: Callable[[Tile], bytes], size: int) -> Subtrees:
    """Hashes of subtrees of a tree of ``size`` leaves, from its tiles; each is read once.

    What is read is not believed: a proof made from it holds against a signed head, or not. The
    function raises :class:`LogError` if a tile has another length than it must.
    """
    known: dict[Tile, tuple[bytes, ...]] = {}

    def subtree_hash(level: int, index: int) -> bytes:
        tile_level, above = divmod(level, TILE_HEIGHT)
        first = index << above
        tile = tile_of(tile_level, first >> TILE_HEIGHT, size)
        if tile not in known:
            known[tile] = tile.decode(read(tile))
        at = first % TILE_WIDTH
        return root_hash(known[tile][at : at + (1 << above)])

    return subtree_hash


def _require_place(index: int, width: int) -> None:
    if not 0 <= index < _MAX_INDEX:
        raise ValueError(f"a tile's index is a count, not {index}")
    if not 1 <= width <= TILE_WIDTH:
        raise ValueError(f"a tile is 1 to {TILE_WIDTH} wide, not {width}")


def _width(count: int, index: int) -> int:
    return min(TILE_WIDTH, count - (index << TILE_HEIGHT))


def _spell(index: int, width: int) -> str:
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    spelled = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return spelled if width == TILE_WIDTH else f"{spelled}.p/{width}"
