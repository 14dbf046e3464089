"""What ends soon is told while there is time: by a report, a number and a notice (invariant I10)."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest

from placet.agent import AgentConfig
from placet.agent._rotation import Rotation
from placet.authority import Store
from placet.authority._ending_soon import tell_endings
from placet.authority._store import Delegation, OutboxRow, Tx
from placet.client import OperatorClient
from placet.model import EnrolIdentity, Governance, IdentityReport, IdentityRules
from placet.telemetry import metrics
from placet.tokens import SigningKey, read_key_file, write_key_file
from tests.authority.test_registry import OUTSIDE, SAID
from tests.harness.alone import Alone, alone

DAY = timedelta(days=1)
MOMENT = timedelta(minutes=5)
"""More than a test takes."""


@pytest.fixture
async def authority(database_url: str) -> AsyncIterator[Alone]:
    """An authority, on each database."""
    async with alone(database_url) as made:
        yield made


async def _looked(authority: Alone) -> tuple[float, list[dict[str, Any]]]:
    """How many end, and what people were told of by now."""
    settings = authority.settings
    store = await Store.open(settings.database_url, origin=settings.origin, clock=authority.now)
    async with store:
        for _ in range(2):  # again is once
            await tell_endings(cast("Any", SimpleNamespace(store=store, clock=authority.now)))
        rows = await store.read(lambda reader: reader.all(OutboxRow, order_by=[OutboxRow.id]))
    told = [json.loads(each.payload_json) for each in rows]
    return metrics.ENDING._value.get(), [each for each in told if ".ending" in each["kind"]]


async def _reported(client: OperatorClient) -> dict[str, tuple[str, str]]:
    lines = await client.identity_report(IdentityReport.ENDING)
    return {each.identity: (each.why, each.mend) for each in lines}


async def _enrol(ada: OperatorClient, folder: Path, name: str = "scale") -> AgentConfig:
    key = SigningKey.generate()
    body = EnrolIdentity(jwk=key.public.jwk(), owner="operator:ada")
    await ada.act("agent.enrol", f"agent:{name}", body)
    file = folder / f"{key.thumbprint}.key"
    write_key_file(file, key)
    return AgentConfig(name, key, ada.issuer, {}, file)


async def test_a_key_that_no_worker_replaces_is_told_a_week_before_its_end(
    authority: Alone, tmp_path: Path
) -> None:
    """I10: to its owner and administrators, once; who has another key goes on with that one."""
    async with authority.ada() as ada:
        config = await _enrol(ada, tmp_path)
        end = authority.now() + 90 * DAY
        authority.ahead = 83 * DAY - MOMENT
        assert await _reported(ada) == {}
        assert await _looked(authority) == (0, [])
        authority.ahead = 83 * DAY
        key = config.key.thumbprint
        why = f"its key {key} ends on {end.date()}, and no worker has replaced it"
        mend = "placet agent invite scale --environment … --queue …"
        assert await _reported(ada) == {"agent:scale": (why, mend)}
        count, (told,) = await _looked(authority)
        assert (count, told["kind"]) == (1, "identity.ending")
        assert told["to"] == ["role:administrator", "operator:ada"]
        ids = ["agent:scale"]
        assert told["data"] == {"identities": ids, "all": 1, "on": str(end.date())}
        await _enrol(ada, tmp_path)
        assert await _reported(ada) == {"agent:scale": (why, mend)}
        assert await _looked(authority) == (0, [told])
        authority.ahead = 90 * DAY + MOMENT
        assert await _reported(ada) == {}


async def test_a_key_that_was_replaced_ends_unsaid(authority: Alone, tmp_path: Path) -> None:
    """I10: its overlap is to end."""
    async with authority.ada() as ada, aiohttp.ClientSession() as http:
        config = await _enrol(ada, tmp_path)
        authority.ahead = 60 * DAY
        await Rotation(config, http, authority.now, lambda _: None).look()
        assert read_key_file(config.key_file or tmp_path).thumbprint != config.key.thumbprint
        assert await _reported(ada) == {}
        assert await _looked(authority) == (0, [])


async def test_a_key_that_lives_for_days_is_told_when_its_worker_is_late(
    authority: Alone, tmp_path: Path
) -> None:
    """I10: a week would be its whole life."""
    rules = IdentityRules(key_days=6, rotate_days=4)
    async with authority.ada() as ada:
        await ada.act("governance.publish", "governance", Governance(version=1, identities=rules))
        await _enrol(ada, tmp_path)
        authority.ahead = 5 * DAY - MOMENT
        assert await _reported(ada) == {}
        authority.ahead = 5 * DAY
        assert await _reported(ada) != {}


async def test_what_an_administrator_lets_end_is_told_a_week_before(authority: Alone) -> None:
    """I10: a system's, too, and what others own; each owner hears of a day once."""
    async with authority.ada() as ada:
        ends = authority.now() + 30 * DAY
        body = EnrolIdentity(
            jwk=SigningKey.generate().public.jwk(), url="http://depot.test", owner="operator:ada"
        )
        await ada.act("system.enrol", "system:depot", body)
        for each, said in (("system:depot", SAID), ("api-key:old", OUTSIDE), ("bot:b", OUTSIDE)):
            until = {"ends_at": ends, "review_by": ends}
            await ada.act("identity.register", each, said.model_copy(update=until))
        authority.ahead = 23 * DAY - MOMENT
        assert await _reported(ada) == {}
        authority.ahead = 23 * DAY + MOMENT
        found = await _reported(ada)
        assert found["system:depot"] == (
            f"it ends on {ends.date()}",
            "placet identity register system:depot --ends …",
        )
        assert set(found) == {"system:depot", "api-key:old", "bot:b"}
        count, (told,) = await _looked(authority)
        assert (count, told["data"]["identities"]) == (3, sorted(found))


async def test_whoever_stands_in_is_told_a_week_before_it_ends(authority: Alone) -> None:
    """Not where it was given for days, and not when it was taken back."""
    now = authority.now()

    def give(tx: Tx) -> None:
        for name, days, ended in (("long", 20, None), ("short", 6, None), ("back", 20, now)):
            row = Delegation(
                id=name,
                giver="operator:cleo",
                delegate="operator:cid",
                starts_at=now,
                ends_at=now + days * DAY,
                ended_at=ended,
                entry=0,
            )
            tx.add(row)

    await authority.core_write(give)
    authority.ahead = 13 * DAY - MOMENT
    assert await _looked(authority) == (0, [])
    authority.ahead = 13 * DAY + MOMENT
    _, (told,) = await _looked(authority)
    assert told["kind"] == "delegation.ending"
    assert told["to"] == ["operator:cleo", "operator:cid"]


async def test_a_worker_tells_for_how_long_its_key_should_have_been_replaced(
    authority: Alone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I10: its next one can't be kept, until it has it."""
    async with authority.ada() as ada, aiohttp.ClientSession() as http:
        rotation = Rotation(await _enrol(ada, tmp_path), http, authority.now, lambda _: None)
        overdue = metrics.KEY_OVERDUE._value
        authority.ahead = 59 * DAY
        await rotation.look()
        assert overdue.get() == 0
        authority.ahead = 62 * DAY
        with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
            patch.setattr("placet.agent._rotation.write_key_file", _full)
            await rotation.look()
        assert overdue.get() == pytest.approx(2 * 86400, abs=300)
        await rotation.look()
        assert overdue.get() == 0


def _full(*_: object) -> None:
    raise OSError("No space left on device")
