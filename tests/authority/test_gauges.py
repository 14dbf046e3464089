"""What an authority tells whoever is woken by it: numbers that say what is wrong."""

import tempfile
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio

from placet.authority import SigningKeys, Store, create_log, load_signing_keys
from placet.authority._custody import InSigner
from placet.authority._health import health_of, refresh_metrics
from placet.authority._store import Case, LedgerEntry, SignedHead
from placet.telemetry import metrics
from placet.tokens import SigningKey
from tests.authority import ORIGIN
from tests.harness.crowd import NOON, Asked, number_id, put
from tests.harness.signers import RunningSigner
from tests.harness.world import PASSPHRASE

HOUR = timedelta(hours=1)


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A log's store, on which no authority works."""
    url = f"sqlite:///{tmp_path / 'authority.db'}"
    async with await Store.open(url, origin=ORIGIN, clock=lambda: NOON) as made:
        admin = SigningKey.generate().public
        await create_log(made, SigningKeys(PASSPHRASE), [("ada", admin)])
        yield made


async def _look(store: Store, now: datetime) -> None:
    await refresh_metrics(cast("Any", SimpleNamespace(store=store, clock=lambda: now)))


async def test_how_long_entries_wait_for_a_signed_head_is_told(store: Store) -> None:
    """I8: until one is signed, nobody outside can hold them against anything."""
    entries = await store.read(lambda reader: reader.all(LedgerEntry))
    await _look(store, NOON + HOUR)
    assert metrics.UNSIGNED._value.get() == HOUR.total_seconds()
    head = SignedHead(size=len(entries), note="signed", signed_at=NOON)
    await store.write(lambda tx: tx.add(head))
    await _look(store, NOON + 2 * HOUR)
    assert metrics.UNSIGNED._value.get() == 0


@pytest.mark.parametrize(
    ("more", "told"),
    [
        pytest.param({"closed_at": NOON - 2 * HOUR}, 1, id="closed-for-long"),
        pytest.param({"closed_at": NOON - HOUR / 2}, 0, id="closed-just-now"),
        pytest.param({"closed_at": NOON - 2 * HOUR, "archived_at": NOON}, 0, id="archived"),
        pytest.param({"closed_at": NOON - 2 * HOUR, "erased_at": NOON}, 0, id="erased"),
    ],
)
async def test_closed_cases_that_are_not_archived_are_counted(
    store: Store, more: dict[str, datetime], told: int
) -> None:
    """I9: before Temporal has forgotten their histories."""

    def close(tx: Any) -> None:
        put(tx, Asked(1))
        tx.change(Case, number_id("case", 1), status="closed", **more)

    await store.write(close)
    await _look(store, NOON)
    assert metrics.CASES.labels("unarchived")._value.get() == told


async def test_writes_that_wait_are_told_while_the_database_is_away() -> None:
    """That they wait is what there is to tell then."""

    async def away(*_: Any) -> None:
        raise ConnectionError

    waiting = SimpleNamespace(waiting=lambda: 7, read=away)
    with pytest.raises(ConnectionError):
        await _look(cast("Any", waiting), NOON)
    assert metrics.WRITES_WAITING._value.get() == 7


async def test_a_signer_that_is_away_is_told_and_people_go_on(store: Store) -> None:
    """No grant is issued meanwhile, and no head signed: but a store that keeps the keys needs none."""

    async def fine() -> None:
        return None

    def core(keys: SigningKeys) -> Any:
        temporal = SimpleNamespace(answers=fine)
        return SimpleNamespace(store=store, temporal=temporal, keys=keys, clock=store.clock)

    assert set(await health_of(core(SigningKeys(PASSPHRASE))).parts()) == {"store", "temporal"}
    with tempfile.TemporaryDirectory(prefix="placet-signer-") as folder:  # a socket's path is short
        signer = RunningSigner(Path(folder))
        await signer.start()
        keys = SigningKeys(PASSPHRASE, InSigner(signer.socket))
        url = f"sqlite:///{folder}/a.db"
        async with await Store.open(url, origin=ORIGIN, clock=lambda: NOON) as other:
            await create_log(other, keys, [("ada", SigningKey.generate().public)])
            await load_signing_keys(other, keys)
        health = health_of(core(keys))
        assert (await health.parts())["signer"]
        signer.kill()
        assert await health.parts() == {"store": True, "temporal": True, "signer": False}
        assert (await health.ready(cast("Any", None))).status_code == 200
