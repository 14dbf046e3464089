"""The authority's keys change while it runs: what was signed stays good until it ends."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from placet.authority import SigningKeys, Store, rotate_keys
from placet.client import AuthorityError, OperatorClient
from placet.tokens._jws import parse_jws
from tests.harness.alone import Alone, alone
from tests.harness.world import PASSPHRASE, until


def kid_of(client: OperatorClient) -> str:
    """The id of the key that signed the client's session."""
    assert client._session is not None
    return parse_jws(client._session[0]).kid or ""


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Alone]:
    """An authority alone."""
    async with alone(f"sqlite:///{tmp_path / 'authority.db'}") as made:
        yield made


async def test_old_tokens_verify_until_they_end(running: Alone) -> None:
    """RFC 7517 rotation with overlap: published first, signing later, gone when nothing needs it."""
    (old,) = await running.published()
    async with running.ada() as first, running.ada() as late, running.ada() as new:
        await first.cases()
        assert kid_of(first) == old
        async with await Store.open(
            running.settings.database_url, origin=running.settings.origin
        ) as store:
            key, signs_from = await rotate_keys(store, SigningKeys(PASSPHRASE))
        assert timedelta(minutes=9) < signs_from - running.now() <= timedelta(minutes=10)

        async def both() -> bool:
            return await running.published() == {old, key}

        await until(both)  # the running authority looks every few seconds
        running.ahead = timedelta(minutes=9)
        await late.cases()
        assert kid_of(late) == old, "signed before everyone can have seen the new key"
        running.ahead = timedelta(minutes=11)
        await new.cases()
        assert kid_of(new) == key
        await first.cases()
        running.ahead = timedelta(minutes=16)
        await late.cases()
        assert kid_of(late) == old, "it asked for another session though its own was good"
        await first.cases()
        assert kid_of(first) == key, "its session has ended"
        running.ahead = timedelta(minutes=26)
        assert await running.published() == {key}
        await late.cases()
        assert kid_of(late) == key


async def test_an_authority_whose_clock_is_before_its_keys_says_so(running: Alone) -> None:
    """I12: a machine that came up without its time is told from a fault of ours."""
    running.ahead = timedelta(days=-365)
    async with running.ada() as ada:
        with pytest.raises(AuthorityError, match="clock is behind: none of its keys signs yet"):
            await ada.cases()
