"""I8: the rows are the tree under the head, and heads are signed as it grows, for ever."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from placet.authority._store import (
    LedgerEntry,
    LedgerNode,
    SignedHead,
    Store,
    StoreDamaged,
    Tx,
    hash_reader,
)
from placet.ledger import (
    Checkpoint,
    LogError,
    NoteSigner,
    leaf_hash,
    open_checkpoint,
    sign_checkpoint,
    verify_log,
)
from tests.authority import ORIGIN

CASE = "case-" + "7" * 26
SIGNER = NoteSigner(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"7" * 32))


async def sign(size: int, root: bytes) -> str:
    return sign_checkpoint(Checkpoint(ORIGIN, size, root), [SIGNER])


def opened(note: str) -> Checkpoint:
    return open_checkpoint(note, [SIGNER.verifier])


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
    task = asyncio.create_task(store.sign_heads(sign, pause=0.01))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def head_of(store: Store, size: int) -> str:
    """The newest head, once it is of ``size``."""
    async with asyncio.timeout(60):
        while True:
            seen = store.number("head")
            note = await store.latest_head()
            if note is not None and opened(note).size == size:
                return note
            await store.changed("head", seen)


async def test_entry_is_found_by_its_case_and_record(store: Store) -> None:
    index = await store.write(
        lambda tx: tx.append("grant.issued", "agent:a", {"n": 1}, case=CASE, record="loan/L-1001")
    )
    found = await store.read(lambda reader: reader.all(LedgerEntry, LedgerEntry.case_id == CASE))
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
        with pytest.raises(StoreDamaged):
            await subtree(level, index)
    size, root = await store.head()
    assert (size, root) == (601, root_of(leaves))


async def test_heads_follow_growth_and_stay(store: Store) -> None:
    """I8: after each growth a head of just that tree is signed; all heads are of one log."""
    async with signing(store):
        for growth, total in ((3, 3), (2, 5), (40, 45)):
            await grow(store, growth)
            assert opened(await head_of(store, total)).root == (await store.head())[1]
    heads = await store.read(lambda reader: reader.all(SignedHead, order_by=["size"]))
    entries = await store.read(lambda reader: reader.all(LedgerEntry, order_by=["index"]))

    *kept, last = [opened(head.note) for head in heads]
    assert [head.size for head in kept] == [3, 5]
    verified = list(verify_log([entry.content for entry in entries], last, kept))
    assert [entry.data["number"] for _, entry in verified] == [*range(3), *range(2), *range(40)]


async def test_changed_entry_is_found_by_a_kept_head(store: Store) -> None:
    """I8: whoever changes the database can't get past one head that someone kept."""
    async with signing(store):
        await grow(store, 3)
        kept = opened(await head_of(store, 3))

    def forge(tx: Tx) -> None:
        entry = tx.get(LedgerEntry, 1)
        assert entry is not None
        forged = entry.content.replace(b'"number":1', b'"number":7')
        tx.change(LedgerEntry, 1, content=forged, leaf_hash=leaf_hash(forged))

    await store.write(forge)
    entries = await store.read(lambda reader: reader.all(LedgerEntry, order_by=["index"]))
    with pytest.raises(LogError, match="3 entries"):
        list(verify_log([entry.content for entry in entries], kept))


async def test_heads_follow_another_process(database_url: str) -> None:
    """I8: growth that another process made is signed too."""
    async with (
        await Store.open(database_url, origin=ORIGIN) as signer,
        await Store.open(database_url, origin=ORIGIN) as other,
        signing(signer),
    ):
        await grow(other, 4)
        note = await head_of(signer, 4)
        assert note.split("\n")[:2] == [ORIGIN, "4"]


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


async def test_a_head_that_comes_late_is_not_kept(store: Store) -> None:
    """I8: heads are kept in the order of their sizes: none is put before one that was served."""
    asked: list[int] = []

    async def slow(size: int, root: bytes) -> str:
        asked.append(size)
        if size == 1:  # meanwhile another process signs a larger one
            await grow(store, 1)
            note = await sign(2, (await store.head())[1])
            await store.write(lambda tx: tx.add(SignedHead(size=2, note=note, signed_at=tx.now)))
        return await sign(size, root)

    await grow(store, 1)
    await store._sign_head(slow)
    heads = await store.read(lambda reader: reader.all(SignedHead))
    assert (asked, [head.size for head in heads]) == ([1], [2])
