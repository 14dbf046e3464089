"""What people do around a checkpoint, on real parts: each act signed, on the ledger, audited."""

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from placet.audit import verify
from placet.authority import Store
from placet.authority._store import OutboxRow
from placet.client import AuthorityError, OperatorClient
from placet.model import CheckpointView, KeyedValue, NotAgain, RowCut, Verdict, digest_json
from placet.tokens import SigningKey
from tests.audit.recording import changed_entry, find, names, put
from tests.harness import other_parcels, parcel_work
from tests.harness.logs import assert_holds, whole_log
from tests.harness.processes import matrix
from tests.harness.world import World
from tests.spine import both_databases

pytestmark = pytest.mark.asyncio(loop_scope="module")
SUBJECT = "depot/D1/parcel/4"
DEAR = "depot/D1/parcel/9"


@pytest.fixture(autouse=True)
def _dear(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parcel that needs a clerk and a chief."""
    monkeypatch.setitem(parcel_work.VALUES, DEAR, Decimal("500.00"))


async def _approve(w: World, who: str, shown: CheckpointView) -> str:
    answer = await w.people[who].decide(shown, Verdict.APPROVE, amount=shown.requirement.amount)
    return str(answer.outcome.status)


async def _holds(w: World) -> None:
    """The whole ledger is verified, with everything that its entries refer to; so is each bundle."""
    assert_holds(await whole_log(w.people["una"]))


@both_databases
async def test_a_lower_amount_is_new_evidence_and_is_what_is_paid(w: World) -> None:
    """I5, I6: the rows add up to the cent, what was approved before is void, and so it goes on."""
    cleo, hal = w.people["cleo"], w.people["hal"]
    async with w.workers():
        case = await w.open(DEAR)
        first = await cleo.checkpoint((await w.until_checkpoint(case)).id)
        assert await _approve(w, "cleo", first) == "open"
        for cents, why in (("499.00", "not"), ("500.00", "nothing would be left")):
            with pytest.raises(AuthorityError, match=why):
                await hal.act(
                    "checkpoint.adjust",
                    first.id,
                    {
                        "evidence_digest": first.evidence_digest,
                        "rows": [{"item": "4", "amount": cents, "reason": "broken"}],
                        "amount": "0.00",
                    },
                )
        cuts = [RowCut(item="4", amount=Decimal("420.01"), reason="it is broken")]
        await hal.lower(first, cuts)
        second = await w.until_checkpoint(case)
        shown = await hal.checkpoint(second.id)
        assert shown.requirement.amount == Decimal("79.99")
        assert shown.requirement.tier == Decimal("100.00")
        assert shown.changed is not None
        assert shown.changed.told == ("operator:cleo",)
        assert [each.after for each in shown.changed.amounts] == ["79.99"]
        assert "left_by_person" in {each.kind for each in shown.unusual}
        assert (await hal.checkpoint(first.id)).status == "voided"
        with pytest.raises(AuthorityError, match="the checkpoint has ended"):
            await _approve(w, "cid", first)
        assert await _approve(w, "hal", shown) == "approved"
        assert (await w.until_closed(case)).result == "dispatched"
    (voided,) = await w.entries("checkpoint.voided")
    assert voided["data"]["told"] == ["operator:cleo"]
    settled = [each["data"]["parts"] for each in await w.entries("grant.settled")]
    (sent,) = [part for parts in settled for part in parts if part["name"] == "dispatched"]
    assert (await hal.part(case, sent["digest"])).part.data["max_amount"] == "79.99"
    await _holds(w)


@both_databases
async def test_who_keys_a_value_never_approves_it(w: World) -> None:
    """I6: a clerk may key, and is then no clerk in that case; the checks run again on the value."""
    cleo = w.people["cleo"]
    async with w.workers():
        case = await w.open(SUBJECT)
        first = await w.until_checkpoint(case)
        value = KeyedValue(document="label.pdf", spot="page 1", field="weight", value="60.00")
        with pytest.raises(AuthorityError, match="needs the role"):
            await w.people["una"].key_in(first, [value])
        await cleo.key_in(first, [value])
        second = await w.until_checkpoint(case)
        shown = await cleo.checkpoint(second.id)
        assert shown.requirement.amount == Decimal("60.00")
        assert {(each.person, each.why.value) for each in shown.requirement.excluded} >= {
            ("operator:cleo", "keyed"),
            ("operator:pat", "opened"),
        }
        told = await cleo.prospect(second.id)
        assert (told.may_approve, told.reasons) == (False, ("segregation",))
        with pytest.raises(AuthorityError, match="keyed a value"):
            await _approve(w, "cleo", shown)
        assert await _approve(w, "cid", shown) == "approved"
        assert (await w.until_closed(case)).result == "dispatched"
    await _holds(w)


async def test_claims_comments_and_files_decide_nothing(w: World) -> None:
    """I6, I7: each is an act; the file is beside the ledger, its digest on it."""
    cleo, cid, una = (w.people[name] for name in ("cleo", "cid", "una"))
    async with w.workers():
        case = await w.open(SUBJECT)
        opened = await w.until_checkpoint(case)
        await cleo.claim(opened.id)
        with pytest.raises(AuthorityError, match="operator:cleo has claimed it"):
            await cid.claim(opened.id)
        with pytest.raises(AuthorityError, match="needs the role administrator"):
            await cid.unclaim(opened.id)
        with pytest.raises(AuthorityError, match="needs the role"):
            await una.claim(opened.id)
        await una.comment(opened.id, "who weighed this?")
        act = await cleo.attach(opened.id, "photo.png", b"\x89PNG", "image/png")
        shown = await una.checkpoint(opened.id)
        assert shown.claim is not None
        assert shown.claim.operator == "operator:cleo"
        (comment, file) = shown.remarks
        assert (comment.operator, comment.text) == ("operator:una", "who weighed this?")
        assert (file.name, file.size, file.text) == ("photo.png", 4, None)
        assert await una.attachment(shown, file.act) == b"\x89PNG"
        entry = (await w.entries("checkpoint.attached"))[0]
        assert entry["data"]["attachment_digest"] == file.digest
        assert act.entry > 0
        with pytest.raises(AuthorityError, match="not the file that was signed"):
            await _attach_other(cleo, opened.id)
        # Claimed by another, it may be decided all the same: a claim is a courtesy.
        assert await _approve(w, "cid", shown) == "approved"
        await w.until_closed(case)
        with pytest.raises(AuthorityError, match="approved, not open"):
            await una.comment(opened.id, "too late")
    await _holds(w)


async def _attach_other(client: OperatorClient, checkpoint: str) -> None:
    body = {
        "name": "a.txt",
        "media_type": "text/plain",
        "size": 3,
        "salt": "A" * 43,
        "digest": "sha-256:" + "A" * 43,
    }
    await client.act("checkpoint.attach", checkpoint, body, content="YWJj")


@both_databases
async def test_new_evidence_voids_what_was_approved_and_not_yet_acted_on(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I5: who had approved is told, and whoever decides now is shown what changed since."""
    record = "depot/D1/parcel/41"
    async with w.workers(workflows=(other_parcels.DoubtingCheck,)):
        case = await w.open(record)
        first = await w.until_checkpoint(case)
        monkeypatch.setitem(parcel_work.VALUES, record, Decimal("90.00"))
        assert await _approve(w, "cleo", first) == "approved"
        second = await w.until_checkpoint(case)
        shown = await w.people["cid"].checkpoint(second.id)
        assert shown.changed is not None
        assert (shown.changed.replaces, shown.changed.told) == (first.id, ("operator:cleo",))
        assert [(each.before, each.after) for each in shown.changed.amounts][0] == (
            "80.00",
            "90.00",
        )
        assert (await w.people["una"].checkpoint(first.id)).status == "voided"
        assert await _approve(w, "cid", shown) == "approved"
        assert (await w.until_closed(case)).result == "dispatched"
    (voided,) = await w.entries("checkpoint.voided")
    assert (voided["data"]["reasons"], voided["data"]["told"]) == (
        ["new_evidence"],
        ["operator:cleo"],
    )
    assert f"notice/checkpoint.voided/{first.id}" in await _notices(w)
    await _holds(w)


async def test_what_says_the_same_again_keeps_what_was_approved(w: World) -> None:
    """I5: a change without effect on what was asked asks nobody again."""
    async with w.workers(workflows=(other_parcels.DoubtingCheck,)):
        case = await w.open("depot/D1/parcel/42")
        first = await w.until_checkpoint(case)
        assert await _approve(w, "cleo", first) == "approved"
        assert (await w.until_closed(case)).result == "dispatched"
        assert [each.id for each in await w.people["una"].checkpoints(case=case)] == [first.id]
    assert await w.entries("checkpoint.voided") == []


async def _notices(w: World) -> list[str | None]:
    async with await Store.open(w.settings.database_url, origin=w.settings.origin) as store:
        rows = await store.read(lambda r: r.all(OutboxRow, OutboxRow.kind == "notice"))
    return [row.key for row in rows]


async def test_an_administrator_recalls_and_people_are_asked_anew(w: World) -> None:
    """I5, I6: what was approved is void; an administrator decides nothing by it."""
    async with w.workers():
        case = await w.open(DEAR)
        first = await w.until_checkpoint(case)
        await _approve(w, "cleo", first)
        with pytest.raises(AuthorityError, match="needs the role administrator"):
            await w.people["hal"].recall(first.id, "not mine")
        await w.admin.recall(first.id, "the wrong depot was asked")
        second = await w.until_checkpoint(case)
        assert second.id != first.id
        assert second.decisions == ()
        assert second.replaced_by is None
        assert (await w.admin.checkpoint(first.id)).replaced_by == second.id
        with pytest.raises(AuthorityError) as refused:
            await w.admin.decide(second, Verdict.APPROVE, amount=second.requirement.amount)
        assert "out_of_role" in refused.value.problem.reasons
    (voided,) = await w.entries("checkpoint.voided")
    assert (voided["data"]["reasons"], voided["data"]["told"]) == (["recalled"], ["operator:cleo"])
    await _holds(w)


@both_databases
async def test_who_stands_in_decides_in_their_own_name_and_for_both(w: World) -> None:
    """I6: a delegation gives no authority, holds in its time alone, and makes one word of two."""
    cleo, cid, hal = (w.people[name] for name in ("cleo", "cid", "hal"))
    now = datetime.now(UTC)
    with pytest.raises(AuthorityError, match="not the same authority"):
        await hal.hand_over("operator:cid", now, now + timedelta(days=1), "away")
    with pytest.raises(AuthorityError, match="nobody stands in for themselves"):
        await cleo.hand_over("operator:cleo", now, now + timedelta(days=1), "away")
    given = await cleo.hand_over("operator:cid", now, now + timedelta(days=1), "away")
    (delegation,) = await cid.delegations()
    async with w.workers():
        case = await w.open(DEAR)
        opened = await w.until_checkpoint(case)
        assert (await cid.prospect(opened.id)).stands_in_for == ("operator:cleo",)
        with pytest.raises(AuthorityError, match="has not handed over to you"):
            await hal.decide(
                opened,
                Verdict.APPROVE,
                amount=opened.requirement.amount,
                stands_in_for="operator:cleo",
            )
        await cid.decide(
            opened, Verdict.APPROVE, amount=opened.requirement.amount, stands_in_for="operator:cleo"
        )
        with pytest.raises(AuthorityError, match="someone who stands in for you has decided"):
            await _approve(w, "cleo", opened)
        proof = await cleo.proof(opened.id)
        filled = [(each.operator, each.stands_in_for) for each in proof.seats if each.operator]
        assert filled == [("operator:cid", "operator:cleo")]
        await cid.decide(opened, Verdict.WITHDRAW)
        assert delegation.act == (await w.entries("delegation.given"))[0]["data"]["act"]
        await cleo.end_delegation(delegation.act)
        with pytest.raises(AuthorityError, match="has not handed over to you"):
            await cid.decide(
                opened,
                Verdict.APPROVE,
                amount=opened.requirement.amount,
                stands_in_for="operator:cleo",
            )
        await _approve(w, "cleo", opened)
        assert await _approve(w, "hal", opened) == "approved"
        assert (await w.until_closed(case)).result == "dispatched"
    assert given.entry > 0
    await _holds(w)


async def test_many_are_decided_at_once_each_by_itself(w: World) -> None:
    """I6, I11: one refused decision takes no other with it; sent again, all are answered alike."""
    cleo = w.people["cleo"]
    async with w.workers():
        cases = [await w.open(f"depot/D1/parcel/{number}") for number in (21, 22, 23)]
        shown = [await cleo.checkpoint((await w.until_checkpoint(each)).id) for each in cases]
        other = shown[1].model_copy(
            update={"requirement_digest": shown[0].requirement_digest[:-1] + "A"}
        )
        with pytest.raises(Exception, match="digest"):
            await cleo.decide_many([shown[0], other], Verdict.APPROVE)
        await w.people["cid"].decide(shown[2], Verdict.APPROVE, amount=shown[2].requirement.amount)
        answers = (await cleo.decide_many(shown, Verdict.APPROVE)).answers
        assert [each.answer is not None for each in answers] == [True, True, False]
        assert answers[2].problem is not None
        assert "not_open" in answers[2].problem.reasons
        for case in cases:
            assert (await w.until_closed(case)).result == "dispatched"
    recorded = [each["data"] for each in await w.entries("decision.recorded")]
    assert all(each["seconds_open"] is not None for each in recorded[1:])
    await _holds(w)


@both_databases
async def test_two_people_and_two_devices_in_the_same_instant(w: World) -> None:
    """I6, I11: of one person's two words one counts; of two people's both, whatever the order."""
    async with w.workers():
        case = await w.open(DEAR)
        opened = await w.until_checkpoint(case)
        cleo, hal = w.people["cleo"], w.people["hal"]
        amount = opened.requirement.amount
        done = await asyncio.gather(
            cleo.decide(opened, Verdict.APPROVE, amount=amount),
            cleo.decide(opened, Verdict.APPROVE, amount=amount),
            hal.decide(opened, Verdict.APPROVE, amount=amount),
            return_exceptions=True,
        )
        refused = [each for each in done if isinstance(each, AuthorityError)]
        assert len(refused) == 1
        assert {"decided_already", "not_open"} & set(refused[0].problem.reasons)
        assert (await w.until_closed(case)).result == "dispatched"
    assert len(await w.entries("decision.recorded")) == 2
    await _holds(w)


async def test_a_stranger_can_not_tell_which_checkpoints_there_are(w: World) -> None:
    """I6: to whoever has no enrolled key, one that is there and one that is not look the same."""
    async with w.workers():
        opened = await w.until_checkpoint(await w.open(SUBJECT))
        nobody = f"ckpt-{'0' * 26}"
        said = []
        for name in ("operator:stranger", "operator:cleo"):
            async with OperatorClient(w.issuer, name, SigningKey.generate()) as stranger:
                jws = stranger.sign_decision(opened, Verdict.REJECT, reason_code="so")
                for target in (opened.id, nobody):
                    with pytest.raises(AuthorityError) as refused:
                        await stranger.send_decision(target, jws)
                    said.append((refused.value.status, str(refused.value)))
        assert len(set(said)) == 1
    assert await w.entries("decision.refused") == []


@both_databases
async def test_who_approved_the_case_before_does_not_approve_this_one(w: World) -> None:
    """I6: the matrix looks back; and a new matrix never changes a checkpoint that is open."""
    older = matrix()
    (release,) = (each for each in older.rules if each.checkpoint == "release")
    looks_back = release.model_copy(update={"not_again": NotAgain(cases=1, same=("depot",))})
    newer = older.model_copy(
        update={
            "version": older.version + 1,
            "rules": tuple(looks_back if each == release else each for each in older.rules),
        }
    )
    cleo = w.people["cleo"]
    async with w.workers():
        opened = await w.until_checkpoint(await w.open("depot/D7/parcel/1"))
        await w.admin.act("matrix.publish", newer.process, newer)
        again = await cleo.checkpoint(opened.id)
        assert again.requirement_digest == opened.requirement_digest
        assert await _approve(w, "cleo", again) == "approved"
        first = again.case
        await w.until_closed(first)
        second = await cleo.checkpoint(
            (await w.until_checkpoint(await w.open("depot/D7/parcel/2"))).id
        )
        assert ("operator:cleo", "approved_earlier", first) in {
            (each.person, each.why.value, each.of) for each in second.requirement.excluded
        }
        with pytest.raises(AuthorityError, match="approved the cases before it"):
            await _approve(w, "cleo", second)
        # Another depot's cases are none of this one's.
        other = await w.until_checkpoint(await w.open("depot/D8/parcel/2"))
        assert await _approve(w, "cleo", await cleo.checkpoint(other.id)) == "approved"
        assert await _approve(w, "cid", second) == "approved"
        for case in (second.case, other.case):
            await w.until_closed(case)
    await _holds(w)
    files = await whole_log(w.people["una"])
    asked = files.checkpoints[second.id].requirement
    forgotten = tuple(each for each in asked.excluded if each.person != "operator:cleo")
    made = asked.model_copy(update={"excluded": forgotten})
    view = files.checkpoints[second.id].model_copy(update={"requirement": made})
    at = find(files, "checkpoint.opened", checkpoint=second.id)
    forged = changed_entry(files, at, put(requirement_digest=digest_json(made)))
    forged = dataclasses.replace(forged, checkpoints={**files.checkpoints, second.id: view})
    assert ("requirement", f"entry {at}") in names(verify(forged))


async def test_whom_the_evidence_names_as_its_inspector_does_not_approve_it(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I6: as a document writes the name; the lists, the proof and the audit say so as well."""
    monkeypatch.setitem(parcel_work.INSPECTORS, SUBJECT, "Cleo Park, Bay Scales Inc.")
    cleo, cid = w.people["cleo"], w.people["cid"]
    async with w.workers():
        case = await w.open(SUBJECT)
        shown = await cid.checkpoint((await w.until_checkpoint(case)).id)
        mine = {who: (await w.people[who].overview()).mine.count for who in ("cleo", "cid")}
        assert mine == {"cleo": 0, "cid": 1}
        with pytest.raises(AuthorityError, match="someone who has not inspected") as refused:
            await _approve(w, "cleo", shown)
        assert "segregation" in refused.value.problem.reasons
        with pytest.raises(AuthorityError, match="had a hand"):
            await cleo.claim(shown.id)
        assert await _approve(w, "cid", shown) == "approved"
        await w.until_closed(case)
    (named,) = (await cid.proof(shown.id)).named
    assert (named.name, named.why) == ("Cleo Park, Bay Scales Inc.", "inspected")
    await _holds(w)
