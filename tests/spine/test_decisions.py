"""I6: a decision is a person's; every other is refused, recorded, and changes nothing."""

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from placet.client import AuthorityError, OperatorClient
from placet.model import CheckpointView, EnrolIdentity, Verdict
from placet.tokens import SigningKey
from tests.harness import parcel_work
from tests.harness.processes import DEFINITION
from tests.harness.world import World
from tests.spine import both_databases

pytestmark = pytest.mark.asyncio(loop_scope="module")
DEAR = "depot/D1/parcel/9"
AMOUNT = Decimal("500.00")


@pytest.fixture(autouse=True)
def _dear(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parcel that needs a clerk and a chief."""
    monkeypatch.setitem(parcel_work.VALUES, DEAR, AMOUNT)


def _sign(by: OperatorClient, shown: CheckpointView, **changed: Any) -> str:
    given = {"amount": AMOUNT, **changed}
    return by.sign_decision(shown, given.pop("verdict", Verdict.APPROVE), **given)


def _at(w: World, name: str, moved: timedelta) -> OperatorClient:
    return OperatorClient(
        w.issuer, f"operator:{name}", w.keys[name], clock=lambda: datetime.now(UTC) + moved
    )


def _changed(jws: str, part: int) -> str:
    parts = jws.split(".")
    middle = len(parts[part]) // 2
    other = "B" if parts[part][middle] == "A" else "A"
    parts[part] = parts[part][:middle] + other + parts[part][middle + 1 :]
    return ".".join(parts)


Make = Callable[[World, CheckpointView], str]
NOBODY = "ckpt-" + "0" * 26
_WRONG: dict[str, tuple[Make, str]] = {
    "the-opener-in-a-role-that-decides": (lambda w, c: _sign(w.people["olga"], c), "segregation"),
    "out-of-role": (lambda w, c: _sign(w.people["una"], c), "out_of_role"),
    "suspended": (lambda w, c: _sign(w.people["hal"], c), "operator_not_active"),
    "another-checkpoint": (
        lambda w, c: _sign(w.people["cleo"], c.model_copy(update={"id": NOBODY})),
        "wrong_checkpoint",
    ),
    "another-case": (
        lambda w, c: _sign(w.people["cleo"], c.model_copy(update={"case": "case-" + "0" * 26})),
        "wrong_case",
    ),
    "another-evidence": (
        lambda w, c: _sign(
            w.people["cleo"], c.model_copy(update={"evidence_digest": "sha-256:" + "A" * 43})
        ),
        "wrong_evidence",
    ),
    "no-amount": (lambda w, c: _sign(w.people["cleo"], c, amount=None), "amount_differs"),
    "a-lower-amount": (
        lambda w, c: _sign(w.people["cleo"], c, amount=Decimal("499.99")),
        "amount_differs",
    ),
    "nothing-to-withdraw": (
        lambda w, c: _sign(w.people["cleo"], c, verdict=Verdict.WITHDRAW, amount=None),
        "nothing_to_withdraw",
    ),
    "tampered-signature": (lambda w, c: _changed(_sign(w.people["cleo"], c), 2), "signature"),
    "for-another-authority": (
        lambda w, c: _sign(
            OperatorClient("http://elsewhere.example", "operator:cleo", w.keys["cleo"]), c
        ),
        "signature",
    ),
    "signed-an-hour-ago": (lambda w, c: _sign(_at(w, "cleo", -timedelta(hours=1)), c), "signature"),
    "signed-in-an-hour": (lambda w, c: _sign(_at(w, "cleo", timedelta(hours=1)), c), "signature"),
}


@both_databases
async def test_no_decision_that_breaks_a_rule_counts(w: World) -> None:
    """I6, I4: each is refused for its reason, is on the ledger, and leaves the checkpoint open."""
    async with _enrolled(w, "olga", ("porter", "clerk")), w.workers():
        case = await w.open(DEAR, by="olga")
        checkpoint = await w.until_checkpoint(case)
        await w.admin.act("operator.suspend", "operator:hal", {"reason": "a test"})
        for make, _ in _WRONG.values():
            with pytest.raises(AuthorityError) as refused:
                await w.people["cleo"].send_decision(checkpoint.id, make(w, checkpoint))
            assert refused.value.status == 403
        entries = await w.entries("decision.refused")
        shown = await w.people["una"].checkpoint(checkpoint.id)
    assert len(entries) == len(_WRONG)
    for (name, (_, reason)), entry in zip(_WRONG.items(), entries, strict=True):
        assert entry["data"]["reasons"][0] == "I6", name
        assert reason in entry["data"]["reasons"], name
        assert entry["data"]["checkpoint"] == checkpoint.id
        assert entry["case"] == case
    assert (shown.status, shown.decisions) == ("open", ())
    assert await w.entries("decision.recorded") == []


@contextlib.asynccontextmanager
async def _enrolled(w: World, name: str, roles: tuple[str, ...]) -> AsyncIterator[None]:
    key = w.keys[name] = SigningKey.generate()
    body = EnrolIdentity(jwk=key.public.jwk(), roles=roles)
    await w.admin.act("operator.enrol", f"operator:{name}", body)
    async with OperatorClient(w.issuer, f"operator:{name}", key) as w.people[name]:
        yield


@both_databases
async def test_a_word_taken_back_does_not_count_and_does_not_come_back(w: World) -> None:
    """I6, I11: the approval that was withdrawn is answered as before, and still counts for nothing."""
    async with w.workers():
        case = await w.open(DEAR)
        checkpoint = await w.until_checkpoint(case)
        cleo, cid, hal = (w.people[name] for name in ("cleo", "cid", "hal"))
        approval = _sign(cleo, checkpoint)
        first = await cleo.send_decision(checkpoint.id, approval)
        await cleo.decide(checkpoint, Verdict.WITHDRAW)
        assert await cleo.send_decision(checkpoint.id, approval) == first
        answer = await hal.send_decision(checkpoint.id, _sign(hal, checkpoint))
        assert answer.outcome.status == "open"
        answer = await cid.send_decision(checkpoint.id, _sign(cid, checkpoint))
        assert answer.outcome.status == "approved"
        with pytest.raises(AuthorityError) as late:
            await hal.decide(checkpoint, Verdict.WITHDRAW)
        assert "not_open" in late.value.problem.reasons
        assert (await w.until_closed(case)).result == "dispatched"
    issued = [each["data"] for each in await w.entries("grant.issued")]
    (guarded,) = [each for each in issued if each["action"] == "parcel:dispatch"]
    assert len(guarded["approvals"]) == 2
    assert first.jti not in guarded["approvals"]
    assert len(await w.entries("decision.withdrawn")) == 1
    assert len(await w.entries("decision.recorded")) == 3
    assert len(await w.entries("decision.refused")) == 1


async def test_one_decision_counts_at_one_checkpoint(w: World) -> None:
    """I6, I11: a decision that was recorded is none anywhere else; that is on the ledger too."""
    async with w.workers():
        first = await w.until_checkpoint(await w.open(DEAR))
        second = await w.until_checkpoint(await w.open("depot/D1/parcel/7"))
        jws = _sign(w.people["cleo"], first)
        await w.people["cleo"].send_decision(first.id, jws)
        with pytest.raises(AuthorityError) as refused:
            await w.people["cleo"].send_decision(second.id, jws)
        assert refused.value.problem.reasons == ("I6", "jti_used")
    (entry,) = await w.entries("decision.refused")
    assert entry["data"]["checkpoint"] == second.id


async def test_a_decision_after_the_deadline_is_refused(w: World) -> None:
    """I6: expiry is never approval, and nobody is let in afterwards."""
    hasty = DEFINITION.model_copy(
        update={
            "version": 2,
            "checkpoints": tuple(
                each.model_copy(update={"deadline_seconds": 6}) if each.name == "release" else each
                for each in DEFINITION.checkpoints
            ),
        }
    )
    await w.admin.act("process.publish", hasty.name, hasty)
    async with w.workers():
        case = await w.open(DEAR)
        checkpoint = await w.until_checkpoint(case)
        early = _sign(w.people["cleo"], checkpoint)
        await w.people["hal"].send_decision(checkpoint.id, _sign(w.people["hal"], checkpoint))
        assert (await w.until_closed(case)).result == "expired"
        with pytest.raises(AuthorityError) as late:
            await w.people["cleo"].send_decision(checkpoint.id, early)
    assert {"I6", "not_open", "past_deadline"} <= set(late.value.problem.reasons)
    assert [each["case"] for each in await w.entries("decision.refused")] == [case]
    assert len(await w.entries("checkpoint.expired")) == 1
    assert "parcel:dispatch" not in {
        each["data"]["action"] for each in await w.entries("grant.issued")
    }
