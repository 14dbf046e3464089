"""What the guard relies on in the real authority's feed: where it ends, and that it went back."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from placet.authority import Store
from placet.authority import _uses as source
from placet.authority._store import GrantRevocation
from placet.model import Revocations, spell_id

NOW = datetime(2026, 11, 24, 10, 0, 0, tzinfo=UTC)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store with five revocations, the first two of grants that have expired since."""
    opened = await Store.open(f"sqlite:///{tmp_path}/authority.db", origin="authority.example")
    async with opened:
        for seconds in (-2, -1, 1, 2, 3):
            row = GrantRevocation(
                grant_id=spell_id("grant", secrets.token_bytes(16)),
                expires_at=NOW + timedelta(seconds=seconds),
                at=NOW,
            )
            await opened.write(lambda tx, row=row: tx.add(row))
        yield opened


async def ask(store: Store, cursor: int) -> Revocations:
    return await store.read(lambda reader: source._after(reader, cursor, NOW))


@pytest.mark.parametrize("page", range(1, 8))
async def test_pages_end_with_one_that_says_so(
    store: Store, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    """I10: whatever the page's size, following reads everything that lives, once."""
    monkeypatch.setattr(source, "FEED_PAGE", page)
    read: list[int] = []
    cursor, asked = 0, 0
    while True:
        found = await ask(store, cursor)
        asked += 1
        read += [each.cursor for each in found.revocations]
        assert found.complete == (found.cursor == 5 and asked == 5 // page + 1)
        cursor = found.cursor
        if found.complete:
            break
    assert read == [3, 4, 5]


async def test_a_cursor_that_was_never_reached_is_answered_with_the_last_one(
    store: Store,
) -> None:
    """I10: a store that was put back shows it, so that its followers read again."""
    assert (await ask(store, 5)).cursor == 5
    assert (await ask(store, 999)).cursor == 5


async def test_an_empty_feed_starts_at_nothing(tmp_path: Path) -> None:
    opened = await Store.open(f"sqlite:///{tmp_path}/empty.db", origin="authority.example")
    async with opened:
        assert await ask(opened, 7) == Revocations(revocations=(), cursor=0, complete=True)
