"""I8: the rows are the tree under the head, and heads are signed as it grows, for ever."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from placet.authority._store import LedgerEntry, LedgerNode, SignedHead, Store, Tx, hash_reader
from tests.authority import ORIGIN


def root_of(leaves: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, word for word, over leaf hashes."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    both = b"\x01" + root_of(leaves[:split]) + root_of(leaves[split:])
    return hashlib.sha256(both).digest()


async def grow(store: Store, count: int) -> None:
    def append(tx: Tx) -> None:
        for number in range(count):
            tx.append("case.opened", "operator:ana", {"number": number})

    await store.write(append)


@asynccontextmanager
async def signing(store: Store) -> AsyncGenerator[None]:
    """The store signs heads while the block runs."""
    task = asyncio.create_task(
        store.sign_heads(lambda size, root: f"{size} {root.hex()}", pause=0.01)
    )
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def head_of(store: Store, size: int) -> str:
    """The newest head, once it is of ``size``."""
    async with asyncio.timeout(10):
        while True:
            seen = store.number("head")
            note = await store.latest_head()
            if note is not None and note.startswith(f"{size} "):
                return note
            await store.changed("head", seen)


async def test_entry_is_found_by_its_case_and_record(store: Store) -> None:
    index = await store.write(
        lambda tx: tx.append(
            "grant.issued", "agent:a", {"n": 1}, case="case-1", record="loan/L-1001"
        )
    )
    found = await store.read(
        lambda reader: reader.all(LedgerEntry, LedgerEntry.case_id == "case-1")
    )
    assert [(entry.index, entry.type, entry.record) for entry in found] == [
        (index, "grant.issued", "loan/L-1001")
    ]


async def test_subtrees_come_from_kept_tile_tops(store: Store) -> None:
    """I8: what proofs are made of is the tree of all leaves, whether kept or computed."""
    await grow(store, 100)
    await grow(store, 500)
    await grow(store, 1)

    leaves = await store.read(
        lambda reader: [e.leaf_hash for e in reader.all(LedgerEntry, order_by=["index"])]
    )
    kept = await store.read(lambda reader: reader.all(LedgerNode, order_by=["index"]))
    assert [(node.level, node.index) for node in kept] == [(8, 0), (8, 1)]

    async def subtree(level: int, index: int) -> bytes:
        return await store.read(lambda reader: hash_reader(reader)(level, index))

    for level, index in ((0, 600), (3, 7), (8, 1), (9, 0)):
        width = 1 << level
        assert await subtree(level, index) == root_of(leaves[index * width : (index + 1) * width])
    for level, index in ((0, 601), (8, 2), (9, 1)):
        with pytest.raises(LookupError):
            await subtree(level, index)
    size, root = await store.head()
    assert (size, root) == (601, root_of(leaves))


async def test_heads_follow_growth_and_stay(store: Store) -> None:
    """I8: after each growth a head of just that tree is signed; earlier heads stay."""
    async with signing(store):
        for total in (3, 5):
            await grow(store, total - (await store.head())[0])
            size, root = await store.head()
            assert size == total
            assert await head_of(store, size) == f"{size} {root.hex()}"
    heads = await store.read(lambda reader: reader.all(SignedHead, order_by=["size"]))
    assert [head.size for head in heads] == [3, 5]


async def test_heads_follow_another_process(database_url: str) -> None:
    """I8: growth that another process made is signed too."""
    async with (
        await Store.open(database_url, origin=ORIGIN) as signer,
        await Store.open(database_url, origin=ORIGIN) as other,
        signing(signer),
    ):
        await grow(other, 4)
        await head_of(signer, 4)


async def test_two_signers_keep_one_head(database_url: str) -> None:
    """I8: one head for each size, whoever signs it."""
    async with (
        await Store.open(database_url, origin=ORIGIN) as one,
        await Store.open(database_url, origin=ORIGIN) as two,
        signing(one),
        signing(two),
    ):
        await grow(one, 4)
        await grow(two, 4)
        note = await head_of(one, 8)
        assert note == await head_of(two, 8)


async def test_empty_ledger_has_no_head(store: Store) -> None:
    async with signing(store):
        await store.changed("head", 0, timeout=0.2)
    assert await store.latest_head() is None
