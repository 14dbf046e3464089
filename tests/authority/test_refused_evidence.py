"""Evidence that is not put together, and approvals that do not stand behind a guarded step."""

import itertools
import secrets
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import update

from placet.authority._approvals import Approval, Lacking, weigh
from placet.authority._evidence import Gathered, NoEvidence, gather, keep_part, says_the_same
from placet.authority._facts import FetchedFacts
from placet.authority._store import (
    Case,
    Checkpoint,
    DecisionRow,
    GrantInput,
    PartRow,
    Tx,
    table_of,
)
from placet.model import (
    CheckpointDefinition,
    Evidence,
    Finding,
    Part,
    Proposal,
    canonical_json,
    digest_json,
)
from tests.harness.acting import Acting, acting
from tests.harness.crowd import SALT, Asked, number_id, parcel_case, put
from tests.harness.processes import DEFINITION, matrix

pytestmark = pytest.mark.asyncio(loop_scope="module")
SCALE, SECOND, CARRIER = "agent:scale", "agent:second-scale", "agent:carrier"
RELEASE = next(each for each in DEFINITION.checkpoints if each.name == "release")
PHOTOS = CheckpointDefinition(
    name="photos", title="Photos", evidence=("weight", "photo"), proposal="weight"
)
PROPOSAL = Proposal(amount=Decimal("80.00"), requested=Decimal("80.00"))
ACT = "an-act-of-a-person"
_NUMBERS = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Acting]:
    """An authority with the parcel process, and people who release."""
    async with acting(tmp_path_factory.mktemp("evidence")) as made:
        await made.act("ada", "process.publish", DEFINITION.name, DEFINITION)
        await made.act("ada", "matrix.publish", DEFINITION.name, matrix())
        for name in ("cleo", "cid"):
            await made.enrol(name, "clerk")
        yield made


class Told:
    """A case, and the parts that were left in it."""

    def __init__(self, tx: Tx) -> None:
        self.tx, self.number = tx, next(_NUMBERS)
        self.case = parcel_case(self.number)
        if tx.get(Case, self.case.id) is None:
            tx.add(self.case)
        self.grant = number_id("grant", self.number)

    def leave(
        self,
        name: str = "weight",
        agent: str = SCALE,
        proposal: Proposal | None = PROPOSAL,
        record: str | None = None,
        act: str | None = None,
        **data: Any,
    ) -> str:
        """Leave a part, as whoever may; its digest."""
        part = Part(
            name=name,
            record=record or self.case.subject,
            salt=secrets.token_urlsafe(32),
            data=data,
            proposal=proposal,
        )
        grant = None if act else self.grant
        return keep_part(self.tx, part, case=self.case.id, author=agent, grant=grant, act=act)

    def read(self, digest: str) -> None:
        """Let the step that proposes have read a part."""
        self.tx.add(GrantInput(grant_id=self.grant, part_digest=digest, at=self.tx.now))

    def gathered(self, checkpoint: CheckpointDefinition = RELEASE) -> Gathered:
        """What people would be shown."""
        return gather(self.tx, DEFINITION, checkpoint, self.case.id)


def _nothing(told: Told) -> None:
    """No step has left anything."""


def _two(told: Told) -> None:
    told.leave()
    told.leave(record="depot/D2/parcel/1")


def _proposes_nothing(told: Told) -> None:
    told.leave(proposal=None)


def _by_another(told: Told) -> None:
    told.leave(agent=CARRIER)


def _by_a_person(told: Told) -> None:
    told.leave(agent="operator:cleo", act=ACT)


def _left_since(told: Told) -> None:
    told.leave()
    told.leave("cuts", "operator:cleo", None, act=ACT)


_NOT_GATHERED = {
    "nothing": (_nothing, "0 parts named weight were settled, not 1"),
    "two": (_two, "2 parts named weight were settled, not 1"),
    "proposes-nothing": (_proposes_nothing, "the part weight proposes nothing"),
    "by-another-agent": (_by_another, "weight was settled by an agent that does not produce it"),
    "by-a-person": (_by_a_person, "weight was settled by an agent that does not produce it"),
    "without-what-people-left": (_left_since, "the weight was made without what people left"),
}


@pytest.mark.parametrize("name", _NOT_GATHERED)
async def test_people_are_shown_one_proposal_of_its_own_agent_made_of_all(
    at: Acting, name: str
) -> None:
    """I13: else nobody is asked; the message says which part it is."""
    leave, said = _NOT_GATHERED[name]

    def look(tx: Tx) -> None:
        told = Told(tx)
        leave(told)
        with pytest.raises(NoEvidence, match=said):
            told.gathered()

    await at.write(look)


async def test_a_part_that_is_newer_than_what_was_made_of_it_is_waited_for(at: Acting) -> None:
    """I13: one that was never read is no evidence of it; what people left stands where it may."""

    def look(tx: Tx) -> None:
        told = Told(tx)
        cuts = told.leave("cuts", "operator:cleo", None, act=ACT)
        told.read(cuts)
        weight = told.leave()
        told.leave("photo", proposal=None)
        assert [each.name for each in told.gathered().items] == ["weight", "cuts"]
        assert [each.digest for each in told.gathered(PHOTOS).items] == [weight]
        newer = Told(tx)
        newer.read(newer.leave("photo", proposal=None))
        newer.leave()
        newer.leave("photo", proposal=None, taken="later")
        with pytest.raises(NoEvidence, match="photo is newer than the weight made from it"):
            newer.gathered(PHOTOS)

    await at.write(look)


async def test_evidence_made_again_says_the_same_or_is_asked_about_anew(at: Acting) -> None:
    """I13: as many parts, of the same names and authors, to the letter; salts may differ."""

    def look(tx: Tx) -> None:
        told = Told(tx)
        told.leave(grams=1)
        before = told.gathered()
        shown = Evidence(
            case=told.case.id,
            checkpoint="release",
            subject=told.case.subject,
            salt=SALT,
            items=before.items,
            proposal=before.proposal,
        )
        told.leave(grams=1)
        again = told.gathered()
        assert again.items[0].digest != before.items[0].digest
        assert says_the_same(tx, again, shown)
        (item,) = shown.items
        others = (
            (item, item),
            (item.model_copy(update={"agent": SECOND}),),
            (item.model_copy(update={"digest": "sha-256:" + "A" * 43}),),
        )
        for items in others:
            assert not says_the_same(tx, again, shown.model_copy(update={"items": items}))
        told.leave(grams=2)
        assert not says_the_same(tx, told.gathered(), shown)

    await at.write(look)


# --- what a guarded step rests on ----------------------------------------------------------------


async def approved(at: Acting, findings: tuple[Finding, ...] = ()) -> tuple[Case, str]:
    """A case whose release cleo has approved, as two agents came to it; and her decision."""
    proposal = PROPOSAL.model_copy(update={"findings": findings})

    def ask(tx: Tx) -> tuple[Case, Checkpoint]:
        told = Told(tx)
        told.leave(proposal=proposal)
        told.leave("second_weight", SECOND, proposal)
        asked = Asked(5000 + told.number, process=DEFINITION.name, amount="80.00", now=tx.now)
        put(tx, asked)
        gathered = told.gathered()
        evidence = Evidence(
            case=told.case.id,
            checkpoint="release",
            subject=told.case.subject,
            salt=SALT,
            items=gathered.items,
            proposal=gathered.proposal,
        )
        tx.change(
            Checkpoint,
            asked.id,
            case_id=told.case.id,
            evidence_json=canonical_json(evidence).decode(),
            evidence_digest=digest_json(evidence),
            entry=told.number,
        )
        row = tx.get(Checkpoint, asked.id)
        assert row is not None
        return told.case, row

    case, row = await at.write(ask)
    jti = secrets.token_urlsafe(18)
    sent = await at.decision("cleo", row.id, jti=jti, amount=Decimal("80.00"))
    await at.decisions.decide(row.id, sent)
    return case, jti


async def weighed(at: Acting, case: Case) -> Approval | Lacking:
    step = DEFINITION.step("dispatch")
    assert step is not None
    return await at.core.store.read(
        lambda reader: weigh(
            reader, DEFINITION, case, step, matrix(), FetchedFacts(), at.core.issuer
        )
    )


async def test_an_approval_is_verified_again_when_it_is_used(at: Acting) -> None:
    """I5, I13: by its signature, its key and what it was for, whatever the database says now."""
    good, jti = await approved(at)
    other, others = await approved(at)
    found = await weighed(at, good)
    assert isinstance(found, Approval)
    assert found.approvals == (jti,)
    assert found.facts.evidence_settled
    elsewhere = await at.core.store.read(lambda reader: reader.get(DecisionRow, others))
    assert elsewhere is not None
    key = at.keys["cid"].thumbprint
    for changed, said in (
        ({"key": "A" * 43}, "an approval's key is gone"),
        ({"key": key}, "an approval's key is gone"),
        ({"jws": elsewhere.jws}, "an approval is for another checkpoint, evidence or requirement"),
    ):
        before = await at.core.store.read(lambda reader: reader.get(DecisionRow, jti))
        assert before is not None
        await at.write(lambda tx, changed=changed: _forge(tx, jti, changed))
        assert await weighed(at, good) == Lacking(said)
        undo = {name: getattr(before, name) for name in changed}
        await at.write(lambda tx, undo=undo: _forge(tx, jti, undo))
    assert isinstance(await weighed(at, good), Approval)
    salted = await _row(at, other)
    forged = salted.evidence_json.replace(SALT, "B" * 42 + "A")
    await at.write(lambda tx: tx.change(Checkpoint, salted.id, evidence_json=forged))
    found = await weighed(at, other)
    assert isinstance(found, Approval)
    assert not found.facts.evidence_settled


def _forge(tx: Tx, decision: str, changed: dict[str, str]) -> None:
    """What the database's owner could write."""
    table = table_of(DecisionRow)
    tx.execute(update(table).where(table.c.jti == decision).values(changed))


async def test_without_people_or_what_they_approved_nothing_is_done(at: Acting) -> None:
    """I5: not unasked, not while they are asked, not once the part is gone or out of date."""
    unasked = await at.write(lambda tx: Told(tx).case)
    said = "the case has no release checkpoint; people were not asked"
    assert await weighed(at, unasked) == Lacking(said)
    case, _ = await approved(at)
    row = await _row(at, case)
    await at.write(lambda tx: tx.change(Checkpoint, row.id, status="open"))
    said = "the release checkpoint is open, not approved"
    assert await weighed(at, case) == Lacking(said)
    await at.write(lambda tx: tx.change(Checkpoint, row.id, status="approved"))

    def forget(tx: Tx, name: str) -> None:
        for part in tx.all(PartRow, PartRow.case_id == case.id, PartRow.name == name):
            tx.remove(PartRow, part.seq)

    await at.write(lambda tx: forget(tx, "second_weight"))
    said = "no second agent came to the same weight"
    assert await weighed(at, case) == Lacking(said, "alone:weight", (row.id,))
    await at.write(lambda tx: forget(tx, "weight"))
    assert await weighed(at, case) == Lacking("the part that people approved is gone")


async def test_an_earlier_checkpoint_approved_this_very_proposal(at: Acting) -> None:
    """I5: customs let another weight pass, or one that is gone, and this one not."""
    dutiable = Finding.model_validate(
        {
            "id": "parcel.dutiable#1",
            "check": "parcel.dutiable",
            "severity": "info",
            "message": "dutiable",
        }
    )
    case, _ = await approved(at, (dutiable,))
    release = await _row(at, case)
    said = "the customs checkpoint has not approved it first"
    assert await weighed(at, case) == Lacking(said, void=(release.id,))

    def customs(tx: Tx, digest: str) -> None:
        checkpoint = number_id("ckpt", 9000)
        if tx.get(Checkpoint, checkpoint) is None:
            put(tx, Asked(9000, name="customs", process=DEFINITION.name, now=tx.now))
        shown = Evidence.model_validate_json(release.evidence_json)
        item = shown.items[0].model_copy(update={"digest": digest})
        evidence = shown.model_copy(update={"items": (item,)})
        tx.change(
            Checkpoint,
            checkpoint,
            case_id=case.id,
            status="approved",
            entry=9000,
            evidence_json=canonical_json(evidence).decode(),
        )

    mine = Evidence.model_validate_json(release.evidence_json).items[0].digest
    other = await at.write(lambda tx: Told(tx).leave(grams=9))
    said = "the customs checkpoint approved another proposal"
    for digest in ("sha-256:" + "A" * 43, other):
        await at.write(lambda tx, digest=digest: customs(tx, digest))
        assert await weighed(at, case) == Lacking(said, void=(release.id,))
    await at.write(lambda tx: customs(tx, mine))
    assert isinstance(await weighed(at, case), Approval)


async def _row(at: Acting, case: Case) -> Checkpoint:
    found = await at.core.store.read(
        lambda reader: reader.first(
            Checkpoint, Checkpoint.case_id == case.id, Checkpoint.name == "release"
        )
    )
    assert found is not None
    return found
