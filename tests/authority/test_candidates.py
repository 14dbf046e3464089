"""Whom a campaign should look at, on both databases: by risk, then by the day of the review."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from placet.authority._store import Registered, Tx
from placet.model import MOST_AT_ONCE, EnrolIdentity, Risk
from placet.tokens import SigningKey
from tests.authority.test_registry import NOW, OUTSIDE, SAID
from tests.harness import processes
from tests.harness.alone import Alone, alone

LOW = 21 * MOST_AT_ONCE


@pytest.fixture
async def authority(database_url: str) -> AsyncIterator[Alone]:
    """An authority alone, on each database."""
    async with alone(database_url) as made:
        yield made


def _fill(tx: Tx) -> None:
    """More that may do nothing, all due long ago, than one campaign takes."""
    for number in range(LOW):
        tx.add(
            Registered(
                identity=f"bot:{number:05}",
                kind="bot",
                owner="operator:ada",
                review_by=NOW - timedelta(days=50),
                first_seen=tx.now,
                registered_at=tx.now,
                registered_by="operator:ada",
            )
        )


async def test_the_highest_risk_comes_first_however_many_are_due_before(authority: Alone) -> None:
    """What nobody owns, and what people must approve, before what only is longer overdue."""
    late = {"review_by": NOW + timedelta(days=20)}
    async with authority.ada() as ada:
        for agent in ("carrier", "reader", "scale"):
            body = EnrolIdentity(jwk=SigningKey.generate().public.jwk(), owner="operator:ada")
            await ada.act("agent.enrol", f"agent:{agent}", body)
            if agent != "reader":
                said = SAID.model_copy(update=late)
                await ada.act("identity.register", f"agent:{agent}", said)
        await ada.act("process.publish", "parcel-check", processes.DEFINITION)
        unowned = OUTSIDE.model_copy(update={"owner": None, **late})
        await ada.act("identity.register", "api-key:nobodys", unowned)
        await authority.core_write(_fill)
        found = await ada.candidates(30)
        assert len(found) == MOST_AT_ONCE
        assert [(each.identity, each.risk) for each in found[:5]] == [
            ("agent:carrier", Risk.HIGH),
            ("api-key:nobodys", Risk.HIGH),
            ("agent:scale", Risk.MEDIUM),
            ("agent:reader", Risk.LOW),  # nobody has ever said when
            ("bot:00000", Risk.LOW),
        ]
        assert await ada.candidates(10) != found
