"""The authority's keys change while it runs: what was signed stays good until it ends."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from placet.authority import SigningKeys, Store, load_signing_keys, rotate_keys
from placet.client import AuthorityError, OperatorClient
from placet.tokens._encoding import decode_base64url
from placet.tokens._jws import parse_jws
from tests.authority.test_two_administrators import holds
from tests.harness.alone import Alone, alone
from tests.harness.world import PASSPHRASE, until


def kid_of(client: OperatorClient) -> str:
    """The id of the key that signed the client's session."""
    assert client._session is not None
    return parse_jws(client._session[0]).kid or ""


def algorithm_of(client: OperatorClient) -> str:
    """What the client's session is signed with."""
    assert client._session is not None
    return parse_jws(client._session[0]).algorithm


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


async def test_a_rotation_changes_over_to_rs256_and_back(running: Alone) -> None:
    """For systems of record that know nothing else: the JWKS tells both while both hold."""
    settings = running.settings

    async def change_to(algorithm: str) -> str:
        keys = SigningKeys.of(settings.model_copy(update={"grant_algorithm": algorithm}))
        async with await Store.open(settings.database_url, origin=settings.origin) as store:
            return (await rotate_keys(store, keys))[0]

    async def told(*algorithms: str) -> None:
        async def both() -> bool:
            return sorted(each["alg"] for each in await running.jwks()) == sorted(algorithms)

        await until(both)

    async with running.ada() as first, running.ada() as second, running.ada() as third:
        await first.cases()
        rs256 = await change_to("RS256")
        await told("ES256", "RS256")
        (key,) = [each for each in await running.jwks() if each["kid"] == rs256]
        assert len(decode_base64url(key["n"], "modulus")) * 8 >= 3072
        running.ahead = timedelta(minutes=11)
        await second.cases()
        assert (kid_of(second), algorithm_of(second)) == (rs256, "RS256")
        await first.cases()
        assert algorithm_of(first) == "ES256", "its own session is good until it ends"
        es256 = await change_to("ES256")
        await told("ES256", "ES256", "RS256")
        await third.cases()
        assert (kid_of(third), algorithm_of(third)) == (es256, "ES256")
        assert await holds(third) == [], "the heads are signed as before"


async def test_a_stolen_key_ends_at_once_with_all_that_it_signed(running: Alone) -> None:
    """I10: who has it could sign grants and sessions, and questions to systems, for half an hour."""
    (stolen,) = await running.published()
    async with running.ada() as before, running.ada() as again, running.ada() as listening:
        for each in (before, again, listening):
            await each.cases()
        async with await Store.open(
            running.settings.database_url, origin=running.settings.origin
        ) as store:
            keys = SigningKeys(PASSPHRASE)
            pending, _ = await rotate_keys(store, keys)  # as one does that does not know the other
            key, signs_from = await rotate_keys(store, keys, at_once=True)
            assert signs_from <= running.now()

            async def alone() -> bool:
                return await running.published() == {key}

            await until(alone)
            assert keys.signer(running.now()).public.thumbprint == stolen, "it was not read anew"
            await load_signing_keys(store, keys)
            assert keys.signer(running.now()).public.thumbprint == key
        url = f"{running.settings.issuer}/v1/cases"
        async with httpx.AsyncClient() as http:
            refused = await http.get(url, headers=await before._headers(url))
        assert refused.status_code == 401
        assert kid_of(again) == stolen
        await again.cases()
        assert kid_of(again) == key, "people's tools sign in again by themselves"
        assert [each async for each in listening.listen()] == []
        stream = listening.listen()
        await anext(stream)
        await stream.aclose()
        assert kid_of(listening) == key
        retired = [each["data"]["kid"] for each in await again.entries("key.retired")]
        assert retired == [stolen, stolen, pending]
        running.ahead = timedelta(minutes=16)
        assert await running.published() == {key}
        await again.cases()
        assert kid_of(again) == key, "what was published before it signs nothing either"
        assert await holds(again) == []


async def test_an_authority_whose_clock_is_before_its_keys_says_so(running: Alone) -> None:
    """I12: a machine that came up without its time is told from a fault of ours."""
    running.ahead = timedelta(days=-365)
    async with running.ada() as ada:
        with pytest.raises(AuthorityError, match="clock is behind: none of its keys signs yet"):
            await ada.cases()
