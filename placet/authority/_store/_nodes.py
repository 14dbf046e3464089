"""Hashes of complete subtrees, read from the database: what proofs and tiles are made of.

Leaf hashes stand beside the entries. Of the nodes above them, only those at the top of a tile
(levels 8, 16, 24, ...) are kept; each other one takes at most 255 hashes to compute.
"""

from collections.abc import Callable

from sqlalchemy import insert, select

from placet.authority._store._access import Reader, table_of
from placet.authority._store._errors import StoreDamaged
from placet.authority._store._ledger_tables import LedgerEntry, LedgerNode
from placet.ledger import TILE_HEIGHT, Bundle, Tile, node_hash

_ENTRY = table_of(LedgerEntry)
_NODE = table_of(LedgerNode)


def hash_reader(reader: Reader) -> Callable[[int, int], bytes]:
    """Return a function of (level, index) that gives a complete subtree's hash.

    The subtree has 2^level leaves, the first of them ``index * 2**level``. The function raises
    ``StoreDamaged`` if the ledger does not have all of them.
    """

    def subtree_hash(level: int, index: int) -> bytes:
        above = level % TILE_HEIGHT
        hashes = _row_of_hashes(reader, level - above, index << above, 1 << above)
        return _combine(hashes)

    return subtree_hash


def keep_tile_tops(reader: Reader, before: int, after: int) -> None:
    """Keep the tops of the tiles that were completed while the ledger grew to ``after`` entries."""
    level, width = 0, 1 << TILE_HEIGHT
    while before >> TILE_HEIGHT != after >> TILE_HEIGHT:
        before, after = before >> TILE_HEIGHT, after >> TILE_HEIGHT
        for index in range(before, after):
            top = _combine(_row_of_hashes(reader, level, index * width, width))
            new = {"level": level + TILE_HEIGHT, "index": index, "hash": top}
            reader.execute(insert(_NODE), new)
        level += TILE_HEIGHT


def read_tile(reader: Reader, tile: Tile) -> bytes:
    """A tile's bytes (C2SP tlog-tiles).

    Raises:
        StoreDamaged: the ledger has not all of its hashes.
    """
    first = tile.index << TILE_HEIGHT
    return tile.encode(_row_of_hashes(reader, tile.level * TILE_HEIGHT, first, tile.width))


def read_bundle(reader: Reader, bundle: Bundle) -> bytes:
    """An entry bundle's bytes (C2SP tlog-tiles).

    Raises:
        StoreDamaged: the ledger has not all of its entries.
    """
    first = bundle.index << TILE_HEIGHT
    within = (_ENTRY.c.index >= first) & (_ENTRY.c.index < first + bundle.width)
    statement = select(_ENTRY.c.content).where(within).order_by(_ENTRY.c.index)
    entries = [found[0] for found in reader.execute(statement)]
    if len(entries) != bundle.width:
        raise StoreDamaged(f"the ledger has not all entries of {bundle.path}")
    return bundle.encode(entries)


def _row_of_hashes(reader: Reader, level: int, first: int, count: int) -> list[bytes]:
    if level == 0:
        column, position = _ENTRY.c.leaf_hash, _ENTRY.c.index
        statement = select(column)
    else:
        column, position = _NODE.c.hash, _NODE.c.index
        statement = select(column).where(_NODE.c.level == level)
    within = statement.where(position >= first, position < first + count).order_by(position)
    hashes = [found[0] for found in reader.execute(within)]
    if len(hashes) != count:
        raise StoreDamaged(
            f"the ledger has no complete subtree with {count} hashes from {first} at level {level}"
        )
    return hashes


def _combine(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=True)
        hashes = [node_hash(left, right) for left, right in pairs]
    return hashes[0]
