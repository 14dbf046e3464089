"""What is refused around a checkpoint: acts, standing in, emergencies and decisions."""

import base64
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from placet.authority._acts import _checkpoints
from placet.authority._errors import Unavailable
from placet.authority._store import Case, Checkpoint, Delegation, ReviewRow, Tx
from placet.model import (
    BreakGlass,
    EnrolIdentity,
    ForCheckpoint,
    Governance,
    Need,
    SignedDecisions,
    salted_digest,
)
from placet.tokens import SigningKey, numeric_date
from tests.authority.test_refused_keys import another_past
from tests.harness.acting import Acting, acting
from tests.harness.crowd import SALT, Asked, number_id, put
from tests.harness.processes import DEFINITION, matrix

pytestmark = pytest.mark.asyncio(loop_scope="module")
WHY = {"reason": "a test"}
OPEN, CUSTOMS, LATE, STOPPED, UNKNOWN, FREE, EMERGENCY, TAKEN, CLOSED = range(1, 10)
RULE = BreakGlass(needs=(Need(roles=("duty",), count=2),), seconds=60, reviewers=("auditor",))


def ckpt(number: int) -> str:
    """The id of one."""
    return number_id("ckpt", number)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Acting]:
    """An authority with a checkpoint in every standing."""
    async with acting(tmp_path_factory.mktemp("checkpoints")) as made:
        for name, role in (
            ("cleo", "clerk"),
            ("cid", "clerk"),
            ("dot", "duty"),
            ("una", "auditor"),
        ):
            await made.enrol(name, role)
        await made.enrol("paused", "clerk")
        await made.act("ada", "operator.suspend", "operator:paused", WHY)
        body = EnrolIdentity(jwk=SigningKey.generate().public.jwk(), owner="operator:ada")
        await made.act("ada", "agent.enrol", "agent:scale", body)
        await made.act("ada", "process.publish", DEFINITION.name, DEFINITION)
        await made.act("ada", "matrix.publish", DEFINITION.name, matrix())
        rules = Governance(version=1, break_glass=RULE)
        await made.act("ada", "governance.publish", "governance", rules)
        await made.write(lambda tx: _put_all(tx, made))
        await made.act("cleo", "checkpoint.claim", ckpt(TAKEN), {})
        await made.act("dot", "glass.break", ckpt(EMERGENCY), WHY)
        yield made


def _put_all(tx: Tx, at: Acting) -> None:
    standing: dict[int, dict[str, Any]] = {
        OPEN: {"count": 2},
        CUSTOMS: {"name": "customs"},
        LATE: {"due": timedelta(0)},
        STOPPED: {},
        UNKNOWN: {"name": "unknown"},
        FREE: {"amount": None},
        EMERGENCY: {},
        TAKEN: {},
        CLOSED: {"status": "approved"},
    }
    for number, more in standing.items():
        put(tx, Asked(number, process=DEFINITION.name, now=at.core.clock(), **more))
    tx.change(Case, number_id("case", STOPPED), status="stopped")
    day = timedelta(days=1)
    for name, ends, ended in (("over", tx.now, None), ("ended", tx.now + day, tx.now)):
        tx.add(
            Delegation(
                id=f"delegation-{name}",
                giver="operator:cleo",
                delegate="operator:cid",
                starts_at=tx.now - day,
                ends_at=ends,
                ended_at=ended,
                entry=1,
            )
        )
    tx.add(
        ReviewRow(
            id="review-closed",
            checkpoint_id=ckpt(CLOSED),
            case_id=number_id("case", CLOSED),
            opened_by="operator:dot",
            opened_at=tx.now,
            until=tx.now + day,
            ended_at=tx.now,
            status="closed",
        )
    )


def _away(at: Acting, days: float, starts: float = 0) -> dict[str, str]:
    begins = at.core.clock() + timedelta(days=starts)
    ends = begins + timedelta(days=days)
    return {"starts_at": begins.isoformat(), "ends_at": ends.isoformat(), **WHY}


_CUT = {"item": "4", "amount": "1.00", "reason": "broken"}
_VALUE = {"document": "label.pdf", "spot": "page 1", "field": "weight", "value": "60.00"}
_OTHER = "sha-256:" + "A" * 43
_NO_SUCH = (409, "there is no such checkpoint")
_PAST = (409, "the checkpoint's deadline is past")
_IS_STOPPED = (409, "the case is stopped, not open")
_REFUSED: dict[str, tuple[str, str, str, dict[str, Any], int, str]] = {
    "claims-what-they-claimed": (
        "cleo",
        "checkpoint.claim",
        ckpt(TAKEN),
        {},
        409,
        "you have claimed it already",
    ),
    "unclaims-what-nobody-claimed": (
        "cleo",
        "checkpoint.unclaim",
        ckpt(OPEN),
        {},
        409,
        "nobody has claimed it",
    ),
    "claims-nothing": ("cleo", "checkpoint.claim", ckpt(99), {}, *_NO_SUCH),
    "claims-too-late": ("cleo", "checkpoint.claim", ckpt(LATE), {}, *_PAST),
    "claims-in-a-stopped-case": ("cleo", "checkpoint.claim", ckpt(STOPPED), {}, *_IS_STOPPED),
    "claims-what-the-process-has-not": (
        "cleo",
        "checkpoint.claim",
        ckpt(UNKNOWN),
        {},
        409,
        "the process has no checkpoint unknown",
    ),
    "lowers-where-nobody-may": (
        "cleo",
        "checkpoint.adjust",
        ckpt(CUSTOMS),
        {"rows": [_CUT], "amount": "99.00"},
        409,
        "the process lets nobody lower the amount at customs",
    ),
    "lowers-no-amount": (
        "cleo",
        "checkpoint.adjust",
        ckpt(FREE),
        {"rows": [_CUT], "amount": "99.00"},
        409,
        "there is no amount that could be lowered",
    ),
    "lowers-a-row-twice": (
        "cleo",
        "checkpoint.adjust",
        ckpt(OPEN),
        {"rows": [_CUT, _CUT], "amount": "98.00"},
        400,
        "rows: a row stands twice",
    ),
    "lowers-on-other-evidence": (
        "cleo",
        "checkpoint.adjust",
        ckpt(OPEN),
        {"rows": [_CUT], "amount": "99.00", "evidence_digest": _OTHER},
        409,
        "the evidence is not what was signed; look at the checkpoint again",
    ),
    "keys-where-nobody-may": (
        "cleo",
        "checkpoint.key",
        ckpt(CUSTOMS),
        {"values": [_VALUE]},
        409,
        "the process lets nobody key values at customs",
    ),
    "keys-a-value-twice": (
        "cleo",
        "checkpoint.key",
        ckpt(OPEN),
        {"values": [_VALUE, {**_VALUE, "value": "61.00"}]},
        400,
        "values: a value is keyed twice",
    ),
    "keys-on-other-evidence": (
        "cleo",
        "checkpoint.key",
        ckpt(OPEN),
        {"values": [_VALUE], "evidence_digest": _OTHER},
        409,
        "the evidence is not what was signed; look at the checkpoint again",
    ),
    "breaks-no-glass": ("dot", "glass.break", ckpt(99), WHY, *_NO_SUCH),
    "breaks-it-after-the-end": (
        "dot",
        "glass.break",
        ckpt(CLOSED),
        WHY,
        409,
        "the checkpoint is not open",
    ),
    "breaks-it-too-late": (
        "dot",
        "glass.break",
        ckpt(LATE),
        WHY,
        409,
        "the checkpoint is not open",
    ),
    "breaks-it-in-a-stopped-case": ("dot", "glass.break", ckpt(STOPPED), WHY, *_IS_STOPPED),
    "reviews-nothing": (
        "una",
        "review.close",
        "review-unknown",
        {"justified": True, **WHY},
        409,
        "there is no such open review",
    ),
    "reviews-again": (
        "una",
        "review.close",
        "review-closed",
        {"justified": True, **WHY},
        409,
        "there is no such open review",
    ),
    **{
        f"ends-a-delegation-that-{name}": (
            "cleo",
            "delegation.end",
            f"delegation-{name}",
            {},
            409,
            "there is no such delegation that holds",
        )
        for name in ("never-was", "over", "ended")
    },
}


@pytest.mark.parametrize("name", _REFUSED)
async def test_it_is_refused_in_words_and_changes_nothing(at: Acting, name: str) -> None:
    """I5, I6: what people do at a checkpoint is on what they were shown, in time, where the process
    lets them."""
    by, act, target, body, status, said = _REFUSED[name]
    if act in {"checkpoint.adjust", "checkpoint.key"}:
        body = {"evidence_digest": (await _row(at, target)).evidence_digest, **body}
    await at.refuses_act(by, act, target, body, status, said)


async def _row(at: Acting, checkpoint: str) -> Checkpoint:
    found = await at.core.store.read(lambda reader: reader.get(Checkpoint, checkpoint))
    assert found is not None
    return found


async def test_nobody_stands_in_who_is_not_there_nor_for_themselves_nor_for_long(
    at: Acting,
) -> None:
    """I6: a delegation is to an active person, takes time, and not more than a year."""
    for delegate in ("operator:nobody", "agent:scale", "operator:paused"):
        said = f"there is no active operator {delegate}"
        await at.refuses_act("cleo", "delegation.give", delegate, _away(at, 1), 409, said)
    for who, days, starts, status, said, reasons in (
        ("cleo", 1.0, 0.0, 403, "nobody stands in for themselves", ("segregation",)),
        ("cid", 1.0, -1.0, 409, "it would have ended already", ()),
        ("cid", 366.1, 0.0, 409, "nobody is away for more than 366 days", ()),
    ):
        body = _away(at, days, starts)
        await at.refuses_act(
            "cleo", "delegation.give", f"operator:{who}", body, status, said, *reasons
        )


async def test_an_emergency_is_opened_once_and_only_where_the_lender_has_one(at: Acting) -> None:
    """I6: what is asked instead is not asked instead again, and nobody may without a rule."""
    reviews = await at.core.store.read(lambda r: r.all(ReviewRow, ReviewRow.status == "open"))
    (review,) = reviews
    said = "it is an emergency already"
    await at.refuses_act("dot", "glass.break", review.checkpoint_id, WHY, 409, said)
    await at.act("ada", "governance.publish", "governance", Governance(version=2))
    said = "the lender has no emergency path"
    await at.refuses_act("dot", "glass.break", ckpt(OPEN), WHY, 409, said)
    rules = Governance(version=3, break_glass=RULE)
    await at.act("ada", "governance.publish", "governance", rules)


async def test_a_file_is_the_one_that_was_signed_and_there_is_an_end_to_remarks(
    at: Acting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I12: its size is signed, too; whoever needs more remarks writes a document."""
    photo = b"\x89PNG"
    content = base64.b64encode(photo).decode()
    body = {"name": "photo.png", "media_type": "image/png", "salt": SALT}
    body["digest"] = salted_digest(SALT, photo)
    said = "content: it is not the file that was signed"
    act = ("cleo", "checkpoint.attach", ckpt(OPEN))
    await at.refuses_act(*act, {**body, "size": 5}, 400, said, content=content)
    monkeypatch.setattr(_checkpoints, "MAX_REMARKS", 2)
    await at.act(*act, {**body, "size": 4}, content)
    await at.act("cleo", "checkpoint.comment", ckpt(OPEN), {"text": "looked"})
    said = "the checkpoint has 2 comments and files, which is the most"
    text = {"text": "and again"}
    await at.refuses_act("cleo", "checkpoint.comment", ckpt(OPEN), text, 409, said)
    await at.refuses_act(*act, {**body, "size": 4}, 409, said, content=content)


# --- decisions -----------------------------------------------------------------------------------


async def test_an_id_is_one_decisions_and_none_is_taken_in_sight_of_another_past(
    at: Acting,
) -> None:
    """I8, I11: sent again it is answered the same, and nothing else counts under its id."""
    jti, where = secrets.token_urlsafe(18), ckpt(OPEN)
    first = await at.decision("cleo", ckpt(OPEN), jti=jti)
    answer = await at.decisions.decide(where, first)
    assert await at.decisions.decide(where, first) == answer
    other = await at.decision("cid", ckpt(OPEN), jti=jti)
    elsewhere = await at.decision("cid", ckpt(OPEN), ledger_head=another_past())
    for sent, reasons, said in (
        (other, ["I6", "jti_used"], "this jti was used for another decision"),
        (elsewhere, ["I8", "another_past"], "it was signed with another ledger in sight"),
    ):
        async with at.refuses(403, said, *reasons) as told:
            await at.decisions.decide(where, sent)
        ((type_, data),) = told
        assert (type_, data["reasons"]) == ("decision.refused", reasons)
    async with at.refuses(403, "this jti was used for another decision", "I6", "jti_used"):
        await at.decisions.decide(ckpt(TAKEN), first)
    old = numeric_date(at.core.clock() - timedelta(days=1))
    late = await at.decision("cleo", ckpt(OPEN), jti=jti, iat=old)
    async with at.refuses(403, "the decision's signature: ", "I6", "signature"):
        await at.decisions.decide(where, late)


async def test_a_stranger_hears_the_same_of_any_checkpoint(at: Acting) -> None:
    """I6: whoever has nobody's key does not learn which checkpoints there are."""
    forged = await at.decision("cleo", ckpt(OPEN))
    forged = forged[:-4] + ("AAAA" if not forged.endswith("AAAA") else "BBBB")
    async with at.refuses(401, "the decision's signature: ") as told:
        await at.decisions.decide(ckpt(99), forged)
    assert told == []


async def test_what_could_not_be_written_is_not_answered_as_refused(
    at: Acting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I4: of many decisions of which one meets a store that is away, the answer is to ask again."""

    async def away(_: str, __: str) -> None:
        raise Unavailable("the store is away")

    sent = ForCheckpoint(checkpoint=ckpt(TAKEN), decision=await at.decision("cid", ckpt(TAKEN)))
    monkeypatch.setattr(at.decisions, "decide", away)
    async with at.refuses(503, "the store is away"):
        await at.decisions.decide_many(SignedDecisions(decisions=(sent,)))
