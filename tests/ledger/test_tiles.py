"""Tiles give back the tree that they were cut from, for any size; and nothing else passes (I8)."""

import hashlib
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.ledger import (
    Bundle,
    LogError,
    ProofError,
    Tile,
    bundle_of,
    consistency_path,
    consistency_proof,
    inclusion_path,
    inclusion_proof,
    leaf_hash,
    node_hash,
    parse_tile_path,
    root_hash,
    tile_of,
    tile_subtrees,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from tests.ledger.mirror import coordinates, unpack

_LEAVES = [leaf_hash(str(number).encode()) for number in range(1200)]
_NEAR_256 = st.integers(1, len(_LEAVES)) | st.sampled_from([255, 256, 257, 511, 512, 513, 768])


def _cut(size: int) -> dict[Tile, bytes]:
    """Every tile of a tree, as its definition says: MTHs of aligned ranges."""
    tiles: dict[Tile, bytes] = {}
    level, row = 0, _LEAVES[:size]
    while row:
        for index in range(-(-len(row) // 256)):
            tile = tile_of(level, index, size)
            tiles[tile] = tile.encode(row[index * 256 : index * 256 + 256])
        full = range(len(row) // 256)
        row = [root_hash(row[index * 256 : index * 256 + 256]) for index in full]
        level += 1
    return tiles


@given(size=_NEAR_256, data=st.data())
def test_tiles_of_any_size_give_the_root_and_every_proof(size: int, data: st.DataObject) -> None:
    """I8: root, inclusion and consistency are those from the leaves themselves."""
    leaves = _LEAVES[:size]
    index, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    subtrees = tile_subtrees(_cut(size).__getitem__, size)
    root = tree_root(subtrees, size)
    assert root == root_hash(leaves)
    proof = inclusion_path(subtrees, index, size)
    assert proof == inclusion_proof(leaves, index)
    verify_inclusion(leaves[index], index, size, proof, root)
    consistency = consistency_path(subtrees, first, size)
    assert consistency == consistency_proof(leaves, first)
    verify_consistency(first, size, consistency, root_hash(leaves[:first]), root)


@given(size=st.integers(2, 600), data=st.data())
def test_one_changed_byte_of_a_tile_gives_no_proof_that_holds(
    size: int, data: st.DataObject
) -> None:
    """I8: whoever serves tiles can't serve others."""
    tiles = _cut(size)
    tile = data.draw(st.sampled_from(sorted(tiles, key=lambda each: each.path)))
    at = data.draw(st.integers(0, len(tiles[tile]) - 1))
    bent = bytearray(tiles[tile])
    bent[at] ^= data.draw(st.integers(1, 255))
    root = root_hash(_LEAVES[:size])
    subtrees = tile_subtrees({**tiles, tile: bytes(bent)}.__getitem__, size)
    changed = (tile.index * 256 + at // 32) << 8 * tile.level
    spoilt = False
    for index in {changed, min(changed + (1 << 8 * tile.level), size - 1)}:
        proof = inclusion_path(subtrees, index, size)
        leaf = subtrees(0, index)
        if (leaf, proof) != (_LEAVES[index], inclusion_proof(_LEAVES[:size], index)):
            spoilt = True
            with pytest.raises(ProofError):
                verify_inclusion(leaf, index, size, proof, root)
    assert spoilt or tree_root(subtrees, size) != root


@cache
def _same(level: int) -> bytes:
    """A complete subtree whose leaves are all the same: a tree of any size, at no cost."""
    return leaf_hash(b"") if level == 0 else node_hash(_same(level - 1), _same(level - 1))


@given(size=st.integers(1, 10**18 - 1), data=st.data())
def test_proofs_hold_in_trees_of_any_size(size: int, data: st.DataObject) -> None:
    """I8: as far as a head's size goes; and one changed byte anywhere fails."""
    index, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))

    def subtrees(level: int, _: int) -> bytes:
        return _same(level)

    root, old = tree_root(subtrees, size), tree_root(subtrees, first)
    proof = inclusion_path(subtrees, index, size)
    verify_inclusion(_same(0), index, size, proof, root)
    consistency = consistency_path(subtrees, first, size)
    verify_consistency(first, size, consistency, old, root)
    if proof:
        with pytest.raises(ProofError):
            verify_inclusion(_same(0), index, size, _changed(proof, data), root)
    if consistency:
        with pytest.raises(ProofError):
            verify_consistency(first, size, _changed(consistency, data), old, root)


def _changed(proof: tuple[bytes, ...], data: st.DataObject) -> list[bytes]:
    bent = bytearray(b"".join(proof))
    bent[data.draw(st.integers(0, len(bent) - 1))] ^= data.draw(st.integers(1, 255))
    return [bytes(bent[at : at + 32]) for at in range(0, len(bent), 32)]


def test_a_tree_of_70_000_has_the_tiles_of_the_documents_example() -> None:
    """C2SP tlog-tiles, "Partial Tiles"."""
    size = 70_000
    assert tile_of(0, 272, size) == Tile(0, 272)
    assert tile_of(0, 273, size) == Tile(0, 273, 112)
    assert tile_of(1, 0, size) == Tile(1, 0)
    assert tile_of(1, 1, size) == Tile(1, 1, 17)
    assert tile_of(2, 0, size) == Tile(2, 0, 1)
    assert tile_of(1, 0, 256) == Tile(1, 0, 1)
    for level, index in ((0, 274), (1, 2), (2, 1), (3, 0)):
        with pytest.raises(ValueError, match="wide"):
            tile_of(level, index, size)
    assert [Tile(0, 273, width).fits(size) for width in (112, 113)] == [True, False]
    assert [Bundle(273, width).fits(size) for width in (112, 113)] == [True, False]
    assert [Tile(2, 0, width).fits(size) for width in (1, 2)] == [True, False]


@given(st.integers(0, 63), st.integers(0, 10**18 - 1), st.integers(1, 256))
def test_a_path_has_one_spelling(level: int, index: int, width: int) -> None:
    """It is the documents', and is read as what it was made from."""
    tile, bundle = Tile(level, index, width), Bundle(index, width)
    assert tile.path == f"tile/{level}/{coordinates(index, width)}"
    assert bundle.path == f"tile/entries/{coordinates(index, width)}"
    assert (parse_tile_path(tile.path), parse_tile_path(bundle.path)) == (tile, bundle)


_NO_PATHS = (
    "",
    "tile/0",
    "tile/0/0",
    "tile/0/000/000",
    "tile/0/x000/000",
    "tile/0/x1/000",
    "tile/00/000",
    "tile/64/000",
    "tile/-1/000",
    "tile/0/000.p/0",
    "tile/0/000.p/256",
    "tile/0/000.p/01",
    "tile/0/000.p/1\n",
    "tile/0/\u0660\u0660\u0660",
    "tile/entries/../000",
    "/tile/0/000",
    "tile/0/" + "x001/" * 6 + "000",
)


@pytest.mark.parametrize("path", _NO_PATHS)
def test_any_other_spelling_is_refused(path: str) -> None:
    """I12: one place, one address."""
    with pytest.raises(ValueError, match="tile"):
        parse_tile_path(path)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=40))
def test_entries_survive_their_bundle(entries: list[bytes]) -> None:
    """As a stranger reads it, too."""
    bundle = bundle_of(0, len(entries))
    data = bundle.encode(entries)
    assert list(bundle.decode(data)) == entries == unpack(data)
    for bent in (data[:-1], data + b"\0\0", b"", b"\xff\xff" + data):
        with pytest.raises(LogError, match="tile/entries/000"):
            bundle.decode(bent)


def test_what_does_not_fit_is_not_made() -> None:
    """A tile or bundle that nobody could read is an error where it is made."""
    with pytest.raises(ValueError, match="2 entries"):
        Bundle(0, 2).encode([b""])
    with pytest.raises(ValueError, match="65,535"):
        Bundle(0, 1).encode([bytes(65_536)])
    assert len(Bundle(0, 1).encode([bytes(65_535)])) == 65_537
    for hashes in ([], [bytes(31)], [bytes(32)] * 2):
        with pytest.raises(ValueError, match="1 hashes"):
            Tile(0, 0, 1).encode(hashes)
    for length in (0, 31, 33, 64):
        with pytest.raises(LogError, match=r"tile/0/000\.p/1"):
            Tile(0, 0, 1).decode(bytes(length))
    for level, index, width in ((-1, 0, 1), (64, 0, 1), (0, -1, 1), (0, 10**18, 1), (0, 0, 257)):
        with pytest.raises(ValueError, match="tile"):
            Tile(level, index, width)


def test_each_tile_is_read_once() -> None:
    """A proof in a large tree takes a few tiles, not one request for each hash."""
    read: list[str] = []
    tiles = _cut(1200)

    def get(tile: Tile) -> bytes:
        read.append(tile.path)
        return tiles[tile]

    consistency_path(tile_subtrees(get, 1200), 300, 1200)
    assert len(read) == len(set(read)) <= 4
    assert hashlib.sha256(b"").digest() == tree_root(tile_subtrees(get, 0), 0)
