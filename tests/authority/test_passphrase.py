"""The passphrase over the authority's keys is changed: the keys stay, and all are under the new one."""

import os
import signal
from pathlib import Path

import pytest
from sqlmodel import col

from placet.authority import (
    NoLog,
    SigningKeys,
    Store,
    WrongPassphrase,
    create_log,
    load_signing_keys,
    rotate_keys,
    rotate_passphrase,
    rotate_payload_keys,
)
from placet.authority import _rewrapping as rewrapping
from placet.authority._store import CaseKey, LedgerEntry, SigningKey, TenantKey, Tx
from placet.ledger import decode_entry
from placet.tokens import SigningKey as PrivateKey
from tests.authority import ORIGIN
from tests.authority.store.test_rows import case as a_case
from tests.cli.conftest import PROGRAM
from tests.harness.forked import begun

OLD, NEW, OTHER = "the old passphrase", "the new passphrase", "quite another one"
ADA = [("ada", PrivateKey.generate().public)]

Secrets = tuple[dict[str, str], dict[str, bytes]]


async def made(store: Store) -> SigningKeys:
    """A log with two keys for grants, one for heads and two for payloads, under the old one."""
    keys = SigningKeys(OLD)
    await create_log(store, keys, ADA)
    await rotate_keys(store, keys)
    await rotate_payload_keys(store, keys)
    return keys


async def test_a_process_that_has_not_heard_of_a_rotation_wraps_under_the_new_key(
    store: Store,
) -> None:
    """I4, I7: a key that is rotated away gets no case any more, and the ledger says what follows
    what, though two rotate at the same time."""
    first = await made(store)
    stale, too = await opened(store, OLD), await opened(store, OLD)
    await rotate_payload_keys(store, first)
    case = a_case(1)

    def opens(tx: Tx) -> None:
        tx.add(case)
        stale.payloads.make(tx, case.id)

    await store.write(opens)

    async def derived(keys: SigningKeys) -> bytes:
        return (await store.read(lambda r: keys.payloads.ring(r, case.id))).derive("any")

    assert await derived(first) == await derived(stale) == await derived(too)
    tenants = await store.read(lambda r: r.all(TenantKey, order_by=[col(TenantKey.created_at)]))
    (row,) = await store.read(lambda r: r.all(CaseKey))
    assert row.tenant_key == tenants[-1].id
    last = await opened(store, OLD)
    await rotate_payload_keys(store, first)
    await store.write(lambda tx: last.payloads.rotate(tx, "tenant-last"))
    entries = [each for each in await rotations(store) if each["purpose"] == "payloads"]
    assert [each["replaces"] for each in entries[1:]] == [each["key"] for each in entries[:-1]]


async def kept(store: Store) -> Secrets:
    """What the store keeps under the passphrase."""
    signing, tenant = await store.read(lambda r: (r.all(SigningKey), r.all(TenantKey)))
    return {row.kid: row.kept for row in signing}, {row.id: row.wrapped for row in tenant}


async def told(store: Store) -> list[dict[str, object]]:
    """What the ledger says of passphrases."""
    return [each for each in await rotations(store) if each["purpose"] == "passphrase"]


async def rotations(store: Store) -> list[dict[str, object]]:
    """What the ledger says of keys that were rotated."""
    rows = await store.read(
        lambda r: r.all(
            LedgerEntry, LedgerEntry.type == "key.rotated", order_by=[col(LedgerEntry.index)]
        )
    )
    return [dict(decode_entry(row.content).data) for row in rows]


async def opened(store: Store, passphrase: str, before: str | None = None) -> SigningKeys:
    """All keys, opened anew."""
    keys = SigningKeys(passphrase, before=before)
    await load_signing_keys(store, keys)
    return keys


def same(one: SigningKeys, other: SigningKeys) -> bool:
    """Whether they are the same keys, not only the same names."""
    return (
        one.head_key().sign(b"head") == other.head_key().sign(b"head")
        and one.payloads.derive("any") == other.payloads.derive("any")
        and one.payloads.tag("a", "b") == other.payloads.tag("a", "b")
    )


async def test_all_keys_are_under_the_new_passphrase(store: Store) -> None:
    """I4, I7, I11: the same keys, none under the old one, told once; run again, nothing is left."""
    before = await made(store)
    assert await rotate_passphrase(store, SigningKeys(NEW, before=OLD)) == 5
    assert same(before, await opened(store, NEW))
    with pytest.raises(WrongPassphrase):
        await opened(store, OLD)
    now = await kept(store)
    assert await rotate_passphrase(store, SigningKeys(NEW, before=OLD)) == 0
    assert await rotate_passphrase(store, SigningKeys(NEW)) == 0
    assert await kept(store) == now
    assert await told(store) == [{"purpose": "passphrase", "signing": 3, "tenant": 2}]


async def test_replicas_go_on_whichever_they_were_started_with(store: Store) -> None:
    """I7: with both, before, while and after; one that has the keys already goes on with the old."""
    await made(store)
    old, both = await opened(store, OLD), await opened(store, NEW, OLD)
    assert same(old, both)
    await rotate_keys(store, both)  # what one with both makes is under the new one
    await rotate_passphrase(store, SigningKeys(NEW, before=OLD))
    await load_signing_keys(store, both)
    assert same(both, await opened(store, NEW, OLD))
    assert same(both, await opened(store, NEW))
    assert old.head_key().sign(b"head") == both.head_key().sign(b"head")


@pytest.mark.parametrize("before", [None, OTHER, ""])
async def test_under_a_wrong_passphrase_nothing_changes(store: Store, before: str | None) -> None:
    """I7, I12: it is named by its setting, and no passphrase is in what is said."""
    await made(store)
    was = await kept(store)
    with pytest.raises(WrongPassphrase, match="PLACET_AUTHORITY_KEY_PASSPHRASE") as refused:
        await rotate_passphrase(store, SigningKeys(NEW, before=before or None))
    assert not [each for each in (OLD, NEW, OTHER) if each in str(refused.value)]
    assert await kept(store) == was
    assert await told(store) == []


async def test_one_key_under_another_passphrase_stops_all(store: Store) -> None:
    """I11: no half of them is under the new one."""
    await made(store)
    stray = SigningKeys(OTHER).make("grants").kept
    (row, *_) = await store.read(lambda r: r.all(SigningKey))
    await store.write(lambda tx: tx.change(SigningKey, row.kid, kept=stray))
    was = await kept(store)
    with pytest.raises(WrongPassphrase):
        await rotate_passphrase(store, SigningKeys(NEW, before=OLD))
    assert await kept(store) == was


async def test_a_key_that_comes_meanwhile_is_wrapped_too(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I11: another replica rotates between the look and the transaction; nothing is lost."""
    await made(store)
    late: list[str] = []
    wrap = rewrapping._wrap

    def slow(*args: object) -> object:
        if not late:
            made_late = SigningKeys(OLD)
            key = made_late.make("grants")
            late.append(key.signer.public.thumbprint)
            meanwhile.append(key)
        return wrap(*args)  # type: ignore[arg-type]  # it is handed on

    meanwhile: list[object] = []
    write = store.write

    async def first_the_other(run: object) -> object:
        for key in meanwhile:
            await write(lambda tx, key=key: SigningKeys(OLD).rotate(tx, key, at_once=False))
        meanwhile.clear()
        return await write(run)  # type: ignore[arg-type]  # it is handed on

    monkeypatch.setattr(rewrapping, "_wrap", slow)
    monkeypatch.setattr(store, "write", first_the_other)
    assert await rotate_passphrase(store, SigningKeys(NEW, before=OLD)) == 6
    assert late[0] in (await kept(store))[0]
    await opened(store, NEW)


async def test_there_must_be_a_log(store: Store) -> None:
    with pytest.raises(NoLog):
        await rotate_passphrase(store, SigningKeys(NEW, before=OLD))


@pytest.mark.parametrize("point", ["store.before-commit", "store.after-commit"])
async def test_killed_at_any_instant_it_is_run_again(
    database_url: str, tmp_path: Path, point: str
) -> None:
    """I11, I7: all keys are under one of the two, and the second run leaves all under the new."""
    async with await Store.open(database_url, origin=ORIGIN) as store:
        before = await made(store)
    own = {
        "PLACET_AUTHORITY_ISSUER": f"https://{ORIGIN.removesuffix('/ledger')}",
        "PLACET_AUTHORITY_DATABASE_URL": database_url,
        "PLACET_AUTHORITY_KEY_PASSPHRASE": NEW,
        "PLACET_AUTHORITY_KEY_PASSPHRASE_BEFORE": OLD,
    }

    def run(**more: str) -> tuple[int, str, str]:
        command = [*PROGRAM, "authority", "rotate-passphrase"]
        out, err = tmp_path / "out", tmp_path / "err"
        with out.open("ab") as stdout, err.open("ab") as stderr:
            environment = {**os.environ, **own, **more}
            process = begun(command, env=environment, stdout=stdout, stderr=stderr)
        return process.wait(60), out.read_text(), err.read_text()

    status, *_ = run(PLACET_KILL_AT=point)
    assert status == -signal.SIGKILL
    async with await Store.open(database_url, origin=ORIGIN) as store:
        assert same(before, await opened(store, OLD if point == "store.before-commit" else NEW))
    status, said, errors = run()
    assert (status, errors) == (0, "")
    assert NEW not in said
    assert OLD not in said
    async with await Store.open(database_url, origin=ORIGIN) as store:
        assert same(before, await opened(store, NEW))
        assert len(await told(store)) == 1
