"""What time does to an open checkpoint, by the authority's clock, whoever wakes or does not."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from placet.authority._store import Case, Checkpoint, OutboxRow, Store, Tx
from placet.authority._timing import advance
from placet.client import AuthorityError, OperatorClient
from placet.model import EnrolIdentity, PlannedEscalation, Schedule, Verdict
from placet.tokens import SigningKey
from tests.harness.alone import Alone, alone
from tests.harness.crowd import Asked, put

PEOPLE = {"cleo": "clerk", "hal": "chief", "dee": "director"}


@dataclass
class Floor:
    """An authority with one checkpoint: a clerk's; a chief's too after an hour; gone after ten."""

    authority: Alone
    store: Store
    people: dict[str, OperatorClient]
    asked: Asked

    async def decide(self, name: str) -> Any:
        client = self.people[name]
        view = await client.checkpoint(self.asked.id)
        amount = view.evidence.proposal.amount
        return await client.decide(view, Verdict.APPROVE, amount=amount)

    async def entries(self) -> list[dict[str, Any]]:
        """The entries of the checkpoint's case, in order."""
        client = self.people["cleo"]
        found = (await client.get("/v1/ledger/entries?from=0&limit=1024"))["entries"]
        parsed = [json.loads(each) for each in found]
        return [each for each in parsed if each.get("case") == self.asked.case]

    async def look(self) -> None:
        """What a workflow's timer does: someone asks."""

        def ask(tx: Tx) -> None:
            row, case = tx.get(Checkpoint, self.asked.id), tx.get(Case, self.asked.case)
            assert row is not None
            assert case is not None
            advance(tx, case, row, "grant")

        await self.store.write(ask)


@pytest.fixture
async def floor(tmp_path: Path) -> AsyncIterator[Floor]:
    """A floor whose clock a test sets forward."""
    url = f"sqlite:///{tmp_path / 'authority.db'}"
    async with contextlib.AsyncExitStack() as stack:
        authority = await stack.enter_async_context(alone(url))
        ada = await stack.enter_async_context(authority.ada())
        people: dict[str, OperatorClient] = {}
        for name, role in PEOPLE.items():
            key = SigningKey.generate()
            body = EnrolIdentity(jwk=key.public.jwk(), roles=(role,))
            await ada.act("operator.enrol", f"operator:{name}", body)
            client = OperatorClient(
                authority.settings.issuer, f"operator:{name}", key, clock=authority.now
            )
            people[name] = await stack.enter_async_context(client)
        store = await Store.open(url, origin=authority.settings.origin, clock=authority.now)
        await stack.enter_async_context(store)
        now = authority.now()
        asked = Asked(7, due=timedelta(hours=10), now=now, schedule=_schedule(now))
        await store.write(lambda tx: put(tx, asked))
        yield Floor(authority, store, people, asked)


def _schedule(now: datetime) -> Schedule:
    return Schedule(
        due_at=now + timedelta(hours=2),
        expires_at=now + timedelta(hours=10),
        reminders=(now + timedelta(minutes=30),),
        escalations=(
            PlannedEscalation(at=now + timedelta(hours=1), roles=("chief",)),
            PlannedEscalation(at=now + timedelta(hours=3), roles=("director",)),
        ),
    )


async def test_an_escalation_widens_who_may_decide_from_its_time_on(floor: Floor) -> None:
    """I6: recorded first, as the matrix planned it; not a second before."""
    with pytest.raises(AuthorityError) as early:
        await floor.decide("hal")
    assert "out_of_role" in early.value.problem.reasons
    floor.authority.ahead = timedelta(hours=1, seconds=1)
    with pytest.raises(AuthorityError) as still:
        await floor.decide("dee")
    assert "out_of_role" in still.value.problem.reasons
    answer = await floor.decide("hal")
    assert answer.outcome.status == "approved"
    kinds = [each["type"] for each in await floor.entries()]
    assert kinds == [
        "decision.refused",
        "checkpoint.reminded",
        "checkpoint.escalated",
        "decision.refused",
        "decision.recorded",
        "checkpoint.resolved",
    ]


async def test_who_is_late_is_judged_by_the_clock_and_not_by_a_timer(floor: Floor) -> None:
    """I6: no timer has fired and no job has run: at the deadline it is expired, and no approval."""
    floor.authority.ahead = timedelta(hours=10)
    view = await floor.people["cleo"].checkpoint(floor.asked.id)
    with pytest.raises(AuthorityError) as late:
        await floor.people["cleo"].decide(
            view, Verdict.APPROVE, amount=view.evidence.proposal.amount
        )
    assert {"not_open", "past_deadline"} <= set(late.value.problem.reasons)
    kinds = [each["type"] for each in await floor.entries()]
    assert kinds.count("checkpoint.expired") == 1
    assert "decision.recorded" not in kinds
    assert (await floor.people["cleo"].checkpoint(floor.asked.id)).status == "expired"


async def test_what_is_due_happens_once_however_often_one_looks(floor: Floor) -> None:
    """I11: timers that are late, early or doubled change nothing."""
    await floor.look()
    floor.authority.ahead = timedelta(minutes=31)
    for _ in range(3):
        await floor.look()
    floor.authority.ahead = timedelta(hours=4)
    for _ in range(3):
        await floor.look()
    kinds = [(each["type"], each["data"].get("level")) for each in await floor.entries()]
    assert kinds == [
        ("checkpoint.reminded", None),
        ("checkpoint.escalated", 1),
        ("checkpoint.escalated", 2),
    ]
    notices = await floor.store.read(
        lambda reader: [
            json.loads(each.payload_json)
            for each in reader.all(OutboxRow, OutboxRow.kind == "notice", order_by=[OutboxRow.id])
        ]
    )
    told = [(each["kind"], each["to"]) for each in notices if each["checkpoint"] == floor.asked.id]
    assert told == [
        ("checkpoint.reminder", ["role:clerk"]),
        ("checkpoint.escalated", ["role:chief", "role:clerk"]),
        ("checkpoint.escalated", ["role:chief", "role:clerk", "role:director"]),
    ]


async def test_lists_show_for_whom_it_waits_now(floor: Floor) -> None:
    hal = floor.people["hal"]
    assert (await hal.overview()).mine.count == 0
    floor.authority.ahead = timedelta(hours=1, seconds=1)
    await floor.look()
    seen = await hal.overview()
    assert (seen.mine.count, seen.overdue.count) == (1, 0)
    floor.authority.ahead = timedelta(hours=2, seconds=1)
    assert (await hal.overview()).overdue.count == 1
