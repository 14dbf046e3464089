"""One case's proof is made of the tiles that it needs, however long the log is."""

import json

import pytest

from placet.audit import LogFiles
from placet.cli._fetch import _prove
from placet.ledger import (
    Checkpoint,
    Tile,
    leaf_hash,
    node_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

SIZE = 70_000
"""Entries of a log with three levels of tiles, the last of each partial."""
OURS = (0, 1, 255, 256, 65_535, 65_536, SIZE - 1)
BEFORE = 65_537
"""Where a key handed over to the next."""


def entry(index: int) -> bytes:
    return json.dumps({"data": {}, "number": index}).encode()


class Tiles:
    """An authority that has a log's hashes."""

    def __init__(self) -> None:
        self._levels = [[leaf_hash(entry(index)) for index in range(SIZE)]]
        while len(below := self._levels[-1]) > 1:
            pairs = zip(below[::2], below[1::2], strict=False)
            self._levels.append([node_hash(left, right) for left, right in pairs])
        self.asked: list[Tile] = []

    def subtree(self, level: int, index: int) -> bytes:
        return self._levels[level][index]

    def root(self, size: int) -> bytes:
        return tree_root(self.subtree, size)

    async def tile(self, place: Tile) -> bytes:
        self.asked.append(place)
        first = place.index * 256
        return place.encode(self._levels[8 * place.level][first : first + place.width])


@pytest.fixture(scope="module")
def log() -> Tiles:
    return Tiles()


async def test_a_few_tiles_prove_a_cases_entries_in_a_long_log(log: Tiles) -> None:
    """I8: inclusion and handovers, under the head's root; each tile is asked for once."""
    heads = {
        size: Checkpoint("authority.test/ledger", size, log.root(size)) for size in (BEFORE, SIZE)
    }
    files = LogFiles(
        origin="authority.test/ledger",
        issuer="https://authority.test",
        entries=tuple(entry(index) for index in OURS),
        head=heads[SIZE].text + "\n",
        indices=OURS,
        handovers=(heads[BEFORE].text + "\n",),
    )
    proven = await _prove(log, files)  # type: ignore[arg-type]  # it is asked for tiles alone
    assert proven.indices == OURS
    for index, proof in zip(OURS, proven.proofs, strict=True):
        verify_inclusion(leaf_hash(entry(index)), index, SIZE, proof, log.root(SIZE))
    (handover,) = proven.handover_proofs
    verify_consistency(BEFORE, SIZE, handover, log.root(BEFORE), log.root(SIZE))
    assert len(log.asked) == len(set(log.asked)) < 20
