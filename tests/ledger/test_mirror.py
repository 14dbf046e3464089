"""A stranger's mirror follows the served log over HTTP, and finds what is not as it was (I8)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature

from placet.authority._store import LedgerEntry, Tx
from placet.ledger import leaf_hash
from tests.ledger.mirror import Distrust, Get, Mirror, coordinates
from tests.ledger.served import ServedLog, served_log


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[ServedLog]:
    """A served log."""
    async with served_log(tmp_path) as made:
        yield made


async def test_a_mirror_written_from_the_documents_follows_the_log(log: ServedLog) -> None:
    """I8: through growths that leave tiles partial, just full, and of two levels."""
    mirror = Mirror(log.vkey, log.origin)
    for size in (30, 255, 256, 257, 700):
        await log.grow_to(size)
        assert await mirror.follow(log.get) == size
    assert [b'"number":699' in each for each in mirror.entries].index(True) == 699


def _bent(get: Get, path: str, old: bytes = b"", new: bytes = b"") -> Get:
    async def fetch(asked: str) -> bytes:
        data = await get(asked)
        if asked != path:
            return data
        if not old:
            return data[:-1] + bytes([data[-1] ^ 1])
        assert old in data
        return data.replace(old, new, 1)

    return fetch


async def test_a_mirror_finds_each_single_change_on_the_way(log: ServedLog) -> None:
    """I8: whoever stands between the log and its reader can change no byte that matters."""
    await log.grow_to(300)
    mirror = Mirror(log.vkey, log.origin)
    places = ("tile/entries/000", "tile/entries/001.p/44", "tile/0/000", "tile/0/001.p/44")
    for path in (*places, "tile/1/000.p/1"):
        with pytest.raises(Distrust):
            await mirror.follow(_bent(log.get, path))
    with pytest.raises(InvalidSignature):
        await mirror.follow(_bent(log.get, "checkpoint", b"\n300\n", b"\n299\n"))
    assert await mirror.follow(log.get) == 300


async def test_a_mirror_finds_a_past_that_the_database_s_owner_made_anew(log: ServedLog) -> None:
    """I8: entry, leaf hash and all; the next head does not fit what the mirror has."""
    await log.grow_to(40)
    mirror = Mirror(log.vkey, log.origin)
    await mirror.follow(log.get)

    def forge(tx: Tx) -> None:
        entry = tx.get(LedgerEntry, 20)
        assert entry is not None
        forged = entry.content.replace(b'"number":20', b'"number":21')
        assert forged != entry.content
        tx.change(LedgerEntry, 20, content=forged, leaf_hash=leaf_hash(forged))

    await log.store.write(forge)
    await log.grow_to(50)
    with pytest.raises(Distrust, match="an entry has changed"):
        await mirror.follow(log.get)
    with pytest.raises(Distrust, match="checkpoint's root"):
        await Mirror(log.vkey, log.origin).follow(log.get)


async def test_another_log_is_not_taken_for_this_one(log: ServedLog) -> None:
    """I8: the origin is part of what is signed."""
    await log.grow_to(10)
    with pytest.raises(Distrust, match="another log's"):
        await Mirror(log.vkey, "elsewhere.example/ledger").follow(log.get)


@pytest.mark.parametrize(
    ("number", "width", "path"),
    [
        (0, 256, "000"),
        (1234067, 256, "x001/x234/067"),
        (999, 7, "999.p/7"),
        (1000, 256, "x001/000"),
    ],
)
def test_the_mirror_spells_paths_as_the_document_does(number: int, width: int, path: str) -> None:
    assert coordinates(number, width) == path
