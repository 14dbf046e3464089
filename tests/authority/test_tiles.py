"""The log over HTTP as C2SP tlog-tiles has it: what is served, to whom, for how long, and what not.

What a whole mirror makes of it is in tests/ledger.
"""

import base64
import gzip
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import delete, insert

from placet.authority._store import (
    LedgerEntry,
    Reader,
    Store,
    StoreDamaged,
    Tx,
    read_bundle,
    read_tile,
    table_of,
)
from placet.authority._store._nodes import keep_tile_tops
from placet.ledger import (
    Bundle,
    NoteVerifier,
    Tile,
    bundle_of,
    inclusion_path,
    leaf_hash,
    open_checkpoint,
    root_hash,
    tile_of,
    tile_subtrees,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from tests.ledger.served import ServedLog, served_log


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[ServedLog]:
    """A served log."""
    async with served_log(tmp_path) as made:
        yield made


async def _get(log: ServedLog, path: str, **headers: str) -> httpx.Response:
    return await log.http.get(f"{log.prefix}/{path}", headers=headers)


async def test_tiles_are_served_as_the_document_says(log: ServedLog) -> None:
    """I8: types, caching, encodings; and a partial tile stays when the log has outgrown it."""
    await log.grow_to(300)
    for path in ("tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/001.p/44"):
        answer = await _get(log, path)
        assert answer.status_code == 200, path
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    partial = await _get(log, "tile/0/000.p/7")
    assert partial.content == (await _get(log, "tile/0/000")).content[: 7 * 32]
    head = await _get(log, "checkpoint")
    assert head.headers["content-type"] == "text/plain; charset=utf-8"
    assert head.headers["cache-control"] == "no-cache"
    assert (await log.http.head(f"{log.prefix}/tile/0/000")).status_code == 200


_ENCODINGS = {
    "gzip": True,
    "br;q=1.0, GZIP;q=0.5, *;q=0": True,
    "identity": False,
    "gzip;q=0": False,
    "gzip; q=0.000": False,
    "xgzip": False,
}


async def test_bundles_are_compressed_for_whoever_takes_it(log: ServedLog) -> None:
    """C2SP tlog-tiles: bundles SHOULD be compressed at the HTTP layer."""
    await log.grow_to(6)
    url = f"{log.prefix}/tile/entries/000.p/6"
    for asked, gzipped in _ENCODINGS.items():
        async with log.http.stream("GET", url, headers={"Accept-Encoding": asked}) as answer:
            raw = b"".join([each async for each in answer.aiter_raw()])
        assert ("content-encoding" in answer.headers) == gzipped, asked
        assert answer.headers["vary"] == "Accept-Encoding"
        entries = Bundle(0, 6).decode(gzip.decompress(raw) if gzipped else raw)
        assert b"log.created" in entries[0]


_NOT_THERE = (
    "tile/0/000",  # not full yet
    "tile/0/000.p/41",
    "tile/0/001.p/1",
    "tile/1/000.p/1",
    "tile/entries/000",
    "tile/entries/000.p/41",
    "tile/63/000",
    "tile/0/x999/x999/x999/x999/x999/999",
    "tile/0/000.p/0",
    "tile/0/000.p/256",
    "tile/0/000.p/04",
    "tile/0/000.p/4/",
    "tile/0/000.p",
    "tile/00/000.p/4",
    "tile/-1/000.p/4",
    "tile/64/000.p/4",
    "tile/0/0.p/4",
    "tile/0/0000.p/4",
    "tile/0/x000/000.p/4",
    "tile/0/000/000.p/4",
    "tile/0/X000/000.p/4",
    "tile/0/%D9%A0%D9%A0%D9%A0.p/4",
    "tile/entries/000.p/4%0A",
    "tile/data/000.p/4",
    "tile/0/" + "x000/" * 500 + "000",
    "tile/",
)


async def test_what_is_not_there_is_not_found(log: ServedLog) -> None:
    """I12: neither what is to come nor another spelling; and nobody may cache the answer."""
    await log.grow_to(40)
    assert (await _get(log, "tile/0/000.p/40")).status_code == 200
    for path in _NOT_THERE:
        answer = await _get(log, path)
        assert answer.status_code == 404, path
        assert answer.headers["cache-control"] == "no-store", path
        assert answer.json()["error"] == "not_found", path


async def test_all_signed_heads_are_kept_and_served(log: ServedLog) -> None:
    """I8: each head that was ever signed, page by page; and proofs from one to the next hold."""
    for size in (10, 20, 300):
        await log.grow_to(size)
    api = log.prefix.removesuffix("/ledger") + "/v1/ledger"
    served = (await log.http.get(f"{api}/heads?from=0")).json()["heads"]
    heads = [open_checkpoint(each["note"], [NoteVerifier.from_vkey(log.vkey)]) for each in served]
    assert [each["size"] for each in served] == [each.size for each in heads]
    assert {10, 20, 300} <= {each.size for each in heads}
    assert len((await log.http.get(f"{api}/heads?from=11&limit=1")).json()["heads"]) == 1
    for old, new in zip(heads, heads[1:], strict=False):
        found = (await log.http.get(f"{api}/consistency?from={old.size}&to={new.size}")).json()
        proof = [base64.b64decode(each) for each in found["proof"]]
        verify_consistency(old.size, new.size, proof, old.root, new.root)
    for index in (0, 255, 256, 299):
        found = (await log.http.get(f"{api}/entries/{index}/proof?size=300")).json()
        proof = [base64.b64decode(each) for each in found["proof"]]
        (entry,) = (await log.http.get(f"{api}/entries?from={index}&limit=1")).json()["entries"]
        verify_inclusion(leaf_hash(entry.encode()), index, 300, proof, heads[-1].root)


async def test_tiles_and_bundles_come_from_both_databases(store: Store) -> None:
    """I8: the rows of either database give the same tiles."""

    def append(tx: Tx) -> None:
        for number in range(520):
            tx.append("case.opened", "operator:ana", {"number": number})

    await store.write(append)
    bundles = [
        (await store.read(lambda r, n=n: read_bundle(r, bundle_of(n, 520)))) for n in range(3)
    ]
    entries = [each for n in range(3) for each in bundle_of(n, 520).decode(bundles[n])]
    leaves = [hashlib.sha256(b"\0" + each).digest() for each in entries]
    for n in range(3):
        tile = tile_of(0, n, 520)
        assert await store.read(lambda r, t=tile: read_tile(r, t)) == tile.encode(
            leaves[n * 256 : n * 256 + 256]
        )
    tops = Tile(1, 0, 2)
    assert await store.read(lambda r: read_tile(r, tops)) == tops.encode(
        [root_hash(leaves[:256]), root_hash(leaves[256:512])]
    )
    assert (await store.head())[1] == root_hash(leaves)
    for beyond in (Tile(0, 2, 9), Tile(1, 0, 3), Tile(2, 0, 1)):
        with pytest.raises(StoreDamaged):
            await store.read(lambda r, t=beyond: read_tile(r, t))
    with pytest.raises(StoreDamaged):
        await store.read(lambda r: read_bundle(r, Bundle(2, 9)))


async def test_a_ledger_that_lost_an_entry_says_so(log: ServedLog) -> None:
    """I8, I12: whoever asks for what rests on it is told, in words; all else is served."""
    await log.grow_to(300)

    def lose(tx: Tx) -> None:
        tx.execute(delete(table_of(LedgerEntry)).where(table_of(LedgerEntry).c.index == 7))

    await log.store.write(lose)
    v1 = log.prefix.removesuffix("/ledger") + "/v1/ledger"
    for url in (
        f"{log.prefix}/tile/0/000",
        f"{log.prefix}/tile/entries/000",
        f"{v1}/consistency?from=9&to=300",
        f"{v1}/entries/8/proof?size=300",
    ):
        answer = await log.http.get(url)
        assert (answer.status_code, answer.json()["error"]) == (500, "server_error"), url
        assert answer.json()["error_description"].startswith("the ledger has lost entries"), url
    assert (await _get(log, "tile/0/001.p/44")).status_code == 200
    assert (await _get(log, "checkpoint")).status_code == 200


async def test_a_log_of_three_levels_of_tiles(tmp_path: Path) -> None:
    """I8: 66,000 entries: a full tile above the leaves, and one above that."""
    size = 66_000
    leaves = [hashlib.sha256(str(number).encode()).digest() for number in range(size)]

    def fill(tx: Tx) -> None:
        rows = [
            {"index": number, "content": b"{}", "leaf_hash": leaf, "type": "-", "time": tx.now}
            for number, leaf in enumerate(leaves)
        ]
        tx.execute(insert(table_of(LedgerEntry)), rows)
        keep_tile_tops(tx, 0, size)

    async with await Store.open(f"sqlite:///{tmp_path / 'large.db'}", origin="o") as store:
        await store.write(fill)

        def judge(reader: Reader) -> tuple[bytes, tuple[bytes, ...]]:
            subtrees = tile_subtrees(lambda tile: read_tile(reader, tile), size)
            return tree_root(subtrees, size), inclusion_path(subtrees, 65_535, size)

        root, path = await store.read(judge)
    assert root == root_hash(leaves)
    verify_inclusion(leaves[65_535], 65_535, size, path, root)
