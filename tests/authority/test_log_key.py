"""The key of the ledger's heads is changed while the authority runs; who trusts the old one follows."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from placet.audit import LogFiles, Report, population, verify
from placet.authority import SigningKeys, Store, create_log, make_log_key
from placet.authority._log_keys import retire_log_key
from placet.authority._signing import read_head_keys
from placet.authority._store import LogKeyRow, SigningKey
from placet.cli._fetch import fetch_ledger, fetch_log
from placet.client import AuthorityError, OperatorClient
from placet.ledger import Checkpoint, NoteError, NoteVerifier, open_checkpoint, split_note
from placet.model import EnrolIdentity, RekeyLog
from placet.tokens import SigningKey as PrivateKey
from tests.authority import ORIGIN
from tests.harness.alone import Alone, alone
from tests.harness.world import PASSPHRASE, until

WEEK = timedelta(days=7)


@pytest.fixture
async def running(database_url: str) -> AsyncIterator[Alone]:
    """An authority alone."""
    async with alone(database_url) as made:
        yield made


async def made_key(running: Alone, passphrase: str = PASSPHRASE) -> RekeyLog:
    """What the command gives, beside the authority that runs."""
    settings = running.settings
    async with await Store.open(settings.database_url, origin=settings.origin) as store:
        return await make_log_key(store, SigningKeys(passphrase))


async def head_of_all(client: OperatorClient) -> str:
    """The newest head, once it covers every entry."""

    async def covering() -> str | None:
        head, page = await client.head(), await client.get("/v1/ledger/entries?limit=1024")
        return head if head and size_of(head) == len(page["entries"]) else None

    return await until(covering)


def size_of(note: str) -> int:
    return Checkpoint.parse(split_note(note)[0]).size


def signs(vkey: str, note: str) -> bool:
    """Whether a head is signed by a key."""
    try:
        open_checkpoint(note, [NoteVerifier.from_vkey(vkey)])
    except NoteError:
        return False
    return True


async def fetched(client: OperatorClient, key: str, **trust: Any) -> LogFiles:
    await head_of_all(client)
    return await fetch_log(client, trust={"log_key": key, **trust})


def found(report: Report) -> list[tuple[str, str]]:
    return [(each.name, each.found) for each in report.troubles]


async def rekeyed(running: Alone, ada: OperatorClient, hours: int = 168) -> RekeyLog:
    """Another key, made, signed, and signing."""
    body = (await made_key(running)).model_copy(update={"overlap_hours": hours})
    await ada.act("log.rekey", "log", body)

    async def by_the_new_one() -> bool:
        return signs(body.key, await head_of_all(ada))

    await until(by_the_new_one)
    return body


async def retired(ada: OperatorClient, key: str) -> None:
    async def by_the_new_one_alone() -> bool:
        return not signs(key, await head_of_all(ada))

    await until(by_the_new_one_alone)


async def test_who_trusts_the_old_key_is_led_to_the_new_one(running: Alone) -> None:
    """I8: both sign for a while, then the new one alone; every head ever signed stays good."""
    async with running.ada() as ada:
        first = await head_of_all(ada)
        body = await rekeyed(running, ada)
        assert signs(body.replaces, first)
        assert not signs(body.key, first), "no head before the entry is under the new key"
        both = await head_of_all(ada)
        assert signs(body.replaces, both), "whoever knows the old key alone goes on for a while"
        running.ahead = WEEK - timedelta(hours=1)
        await ada.act("governance.publish", "governance", {"version": 1})
        assert signs(body.replaces, await head_of_all(ada))
        running.ahead = WEEK + timedelta(minutes=1)
        await retired(ada, body.replaces)
        second = await rekeyed(running, ada, hours=0)
        assert second.replaces == body.key
        await retired(ada, body.key)
        for trusted in (body.replaces, body.key, second.key):
            files = await fetched(ada, trusted, heads=[first, both])
            report = verify(files)
            assert found(report) == []
            assert report.trusted
            assert population(files).complete
        listed = await fetch_ledger(ada, {"log_key": body.replaces})
        assert population(listed).complete
        stranger = NoteVerifier(running.settings.origin, bytes(32)).vkey
        assert [each.name for each in verify(await fetched(ada, stranger)).troubles] == ["head"]


async def test_the_old_private_key_is_gone(running: Alone) -> None:
    """I7, I8: once it is retired nobody signs with it; the ledger names both."""
    async with running.ada() as ada:
        body = await rekeyed(running, ada, hours=0)
        await retired(ada, body.replaces)
        settings = running.settings
        async with await Store.open(settings.database_url, origin=settings.origin) as store:
            keys = SigningKeys(PASSPHRASE)
            rows, (log_key,) = await store.read(read_head_keys)
        assert [row.kid for row in rows] == [log_key.kid]
        assert keys.head_keys(log_key.named, rows, [log_key]) == (), (
            "a key signs no head without its entry"
        )
        assert len(keys.head_keys(log_key.named + 1, rows, [log_key])) == 1
        page = await ada.get("/v1/ledger/entries?limit=1024")
        assert body.key in str(page)
        assert body.replaces in str(page)


async def test_a_key_is_named_by_an_administrator_and_made_by_the_authority(
    running: Alone,
) -> None:
    """I6, I12: nobody else names one, none that is not there, none in another's place."""
    key = PrivateKey.generate()
    async with running.ada() as ada:
        enrolment = EnrolIdentity(jwk=dict(key.public.jwk()), roles=("clerk",))
        await ada.act("operator.enrol", "operator:cleo", enrolment)
        body = await made_key(running)
        issuer = running.settings.issuer
        async with OperatorClient(issuer, "operator:cleo", key, clock=running.now) as cleo:
            with pytest.raises(AuthorityError, match="administrator"):
                await cleo.act("log.rekey", "log", body)
        other = NoteVerifier(running.settings.origin, bytes(32)).vkey
        for wrong, said in (
            ({"key": other}, "has made no such key"),
            ({"replaces": other}, "another"),
            ({"replaces": body.key, "key": body.replaces}, "another"),
            ({"key": "no key"}, "key"),
            ({"overlap_hours": -1}, "overlap_hours"),
        ):
            with pytest.raises(AuthorityError, match=said):
                await ada.act("log.rekey", "log", {**body.model_dump(), **wrong})
        with pytest.raises(AuthorityError, match="target"):
            await ada.act("log.rekey", "ledger", body)
        later = await made_key(running)
        await ada.act("log.rekey", "log", body)
        with pytest.raises(AuthorityError, match="still signs"):
            await ada.act("log.rekey", "log", {**later.model_dump(), "replaces": body.key})
        assert found(verify(await fetched(ada, body.replaces))) == []


async def test_two_sign_it_where_two_sign_such_things(database_url: str) -> None:
    """I6: it says what is believed without a person."""
    async with alone(database_url, signatures=2) as two, two.ada() as ada, two.bea() as bea:
        body = await made_key(two)
        assert (await ada.act("log.rekey", "log", body)).status == "proposed"
        assert not signs(body.key, await head_of_all(ada))
        (waiting,) = await bea.proposals()
        await bea.countersign(waiting)

        async def by_the_new_one() -> bool:
            return signs(body.key, await head_of_all(ada))

        await until(by_the_new_one)
        assert found(verify(await fetched(ada, body.replaces))) == []


async def test_the_old_key_signs_until_the_new_one_can_be_reached(store: Store) -> None:
    """I8, I11: an authority that was away all the time retires no key before the handover."""
    keys = SigningKeys(PASSPHRASE)
    await create_log(store, keys, [("ada", PrivateKey.generate().public)])
    body = await make_log_key(store, keys)
    (before,) = await store.read(lambda r: r.all(SigningKey, SigningKey.purpose == "heads"))

    def name(tx: Any) -> None:
        (made,) = tx.all(SigningKey, SigningKey.purpose == "next heads")
        named = tx.append("log.rekeyed", "operator:ada", body.model_dump())
        row = {"named": named, "kid": made.kid, "before": before.kid, "overlaps_until": tx.now}
        tx.add(LogKeyRow(key=body.key, replaces=body.replaces, **row))
        tx.change(SigningKey, made.kid, purpose="heads")

    await store.write(name)
    await retire_log_key(store)
    rows, (row,) = await store.read(read_head_keys)
    assert row.retired is None
    assert len(keys.head_keys(row.named + 1, rows, [row])) == 2
    assert len(keys.head_keys(row.named, rows, [row])) == 1
    assert ORIGIN in body.key
