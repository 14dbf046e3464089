"""At an open checkpoint, an authority lets happen what it must not, or says what nobody did.

Each goes on from a log of the real parts, up to a checkpoint at which one clerk is asked.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from placet.model import (
    Adjust,
    CheckpointView,
    Delegate,
    Finding,
    KeyedValue,
    KeyIn,
    Need,
    PlannedEscalation,
    Proposal,
    RegisterIdentity,
    Resubmit,
    RowCut,
    Schedule,
    canonical_json,
    digest_json,
)
from placet.rules import excluded
from tests.audit.asked import Asked, last
from tests.audit.pen import Found
from tests.audit.recording import Recorded, find

NOWHERE = "ckpt-" + "0" * 26
CUT = {"item": "1", "amount": "20.00", "reason": "broken"}
KEYED = {"document": "label.pdf", "spot": "page 1", "field": "weight", "value": "60.00"}


@pytest.fixture
def asked(recorded: Recorded) -> Asked:
    return Asked(recorded)


Forge = Callable[[Asked], Found]


# --- amounts lowered and values keyed -------------------------------------------------------


def lower(
    asked: Asked,
    by: str = "cleo",
    rows: list[dict[str, Any]] | None = None,
    left: str = "60.00",
    parts: Callable[[list[dict[str, Any]]], list[dict[str, str]]] | None = None,
    **data: Any,
) -> None:
    """Somebody lowers the amount; ``parts`` are what it leaves, of the rows in their name."""
    digest = asked.view(asked.checkpoint).evidence_digest
    cuts = tuple(RowCut.model_validate(each) for each in rows or [CUT])
    body = Adjust.model_validate({"evidence_digest": digest, "rows": cuts, "amount": left})
    signed = asked.sign(by, "checkpoint.adjust", asked.checkpoint, body)
    own = {"by": f"operator:{by}", "act": signed["act"]}
    told = [{**each.model_dump(mode="json"), **own} for each in cuts]
    made = parts(told) if parts else [asked.keep("cuts", {"rows": told})]
    said = {"checkpoint": asked.checkpoint, "evidence_digest": digest, "parts": made, **data}
    where = {"case": asked.case, "record": asked.subject, "actor": f"operator:{by}"}
    asked.write("checkpoint.adjusted", **where, **signed, **said)


def key(
    asked: Asked,
    by: str = "cid",
    value: dict[str, Any] | None = None,
    before: list[dict[str, Any]] | None = None,
    name: str = "keyed",
    **part: Any,
) -> list[dict[str, Any]]:
    """Somebody keys a value; what is listed of it, after what was ``before``."""
    digest = asked.view(asked.checkpoint).evidence_digest
    keyed = KeyedValue.model_validate(value or KEYED)
    body = KeyIn(evidence_digest=digest, values=(keyed,))
    signed = asked.sign(by, "checkpoint.key", asked.checkpoint, body)
    own = {"by": f"operator:{by}", "act": signed["act"]}
    told = [*(before or []), {**keyed.model_dump(mode="json"), **own}]
    made = [asked.keep(name, {"values": told}, **part)]
    said = {"checkpoint": asked.checkpoint, "evidence_digest": digest, "parts": made}
    where = {"case": asked.case, "record": asked.subject, "actor": f"operator:{by}"}
    asked.write("checkpoint.keyed", **where, **signed, **said)
    return told


def lowered_by_an_auditor(asked: Asked) -> Found:
    lower(asked, "una")
    return last(asked, "act-refusable")


def lowered_by_other_rows(asked: Asked) -> Found:
    lower(asked, left="50.00")
    return last(asked, "adjustment")


def lowered_to_nothing(asked: Asked) -> Found:
    lower(asked, rows=[{**CUT, "amount": "80.00"}], left="0.00")
    return last(asked, "adjustment")


def lowered_on_other_evidence(asked: Asked) -> Found:
    lower(asked, evidence_digest="sha-256:" + "A" * 43)
    return last(asked, "evidence-digest", "act-says-other")


def lowered_and_more_listed(asked: Asked) -> Found:
    """As if another clerk had taken something off before."""
    other = {**CUT, "by": "operator:cid", "act": "x" * 24}
    lower(asked, parts=lambda rows: [asked.keep("cuts", {"rows": [other, *rows]})])
    return last(asked, "part-says-other")


def lowered_and_other_rows_listed(asked: Asked) -> Found:
    lower(
        asked,
        parts=lambda rows: [asked.keep("cuts", {"rows": [{**rows[0], "amount": "70.00"}]})],
    )
    return last(asked, "part-says-other")


def lowered_and_something_else_said(asked: Asked) -> Found:
    lower(asked, parts=lambda rows: [asked.keep("cuts", {"rows": rows, "approved": True})])
    return last(asked, "part-says-other")


def lowered_and_nothing_listed(asked: Asked) -> Found:
    lower(asked, parts=lambda rows: [asked.keep("cuts", {"rows": None})])
    return last(asked, "part-says-other")


def lowered_and_nothing_left(asked: Asked) -> Found:
    lower(asked, parts=lambda rows: [])
    return last(asked, "part-says-other")


def lowered_and_two_left(asked: Asked) -> Found:
    lower(
        asked,
        parts=lambda rows: [
            asked.keep("cuts", {"rows": rows}),
            asked.keep("keyed", {"values": [{**KEYED, "by": "operator:cleo", "act": "x"}]}),
        ],
    )
    return last(asked, "part-says-other")


def lowered_and_another_part_left(asked: Asked) -> Found:
    """A clerk's word becomes the scale's, with a proposal."""
    proposal = Proposal(amount="20.00")
    lower(asked, parts=lambda rows: [asked.keep("weight", {"rows": rows}, proposal=proposal)])
    return last(asked, "part-says-other")


def lowered_and_a_part_proposes(asked: Asked) -> Found:
    proposal = Proposal(amount="20.00")
    lower(asked, parts=lambda rows: [asked.keep("cuts", {"rows": rows}, proposal=proposal)])
    return last(asked, "part-says-other")


def lowered_and_the_part_renamed(asked: Asked) -> Found:
    """The entry calls it otherwise than it does itself."""
    lower(asked, parts=lambda rows: [{**asked.keep("other", {"rows": rows}), "name": "cuts"}])
    return last(asked, "part-says-other")


def lowered_on_anothers_record(asked: Asked) -> Found:
    lower(
        asked,
        parts=lambda rows: [asked.keep("cuts", {"rows": rows}, record="depot/D1/parcel/1")],
    )
    return last(asked, "part-says-other")


def lowered_and_lost(asked: Asked) -> Found:
    lower(asked)
    digest = json.loads(asked.entries[-1])["data"]["parts"][0]["digest"]
    del asked.parts[digest]
    return last(asked, "part-says-other", "part-missing")


def keyed_by_an_auditor(asked: Asked) -> Found:
    key(asked, "una")
    return last(asked, "act-refusable")


def keyed_and_one_of_before_left_out(asked: Asked) -> Found:
    key(asked)
    key(asked, "cleo", value={**KEYED, "field": "length"})
    return last(asked, "part-says-other")


def keyed_and_one_of_before_changed(asked: Asked) -> Found:
    before = key(asked)
    changed = [{**before[0], "value": "6000.00"}]
    key(asked, "cleo", value={**KEYED, "field": "length"}, before=changed)
    return last(asked, "part-says-other")


def keyed_and_one_added(asked: Asked) -> Found:
    """A value that nobody has keyed, in the name of someone who might have."""
    key(asked, before=[{**KEYED, "field": "height", "by": "operator:cleo", "act": "x" * 24}])
    return last(asked, "part-says-other")


# --- other acts at it -----------------------------------------------------------------------


def claimed_by_an_auditor(asked: Asked) -> Found:
    asked.here("una", "claim", "claimed")
    return last(asked, "act-refusable")


def claimed_without_a_checkpoint(asked: Asked) -> Found:
    asked.here("cleo", "claim", "claimed", checkpoint=NOWHERE)
    return last(asked, "checkpoint-missing")


def claimed_in_another_case(asked: Asked) -> Found:
    record = json.loads(asked.entries[find(asked.made(), "case.opened", asked.other)])["record"]
    asked.here("cleo", "claim", "claimed", case=asked.other, record=record)
    return last(asked, "checkpoint-missing")


def claimed_after_it_ended(asked: Asked) -> Found:
    asked.void()
    asked.here("cleo", "claim", "claimed")
    return last(asked, "checkpoint-ended")


def claimed_after_its_deadline(asked: Asked) -> Found:
    asked.now = datetime.fromtimestamp(asked.opened["data"]["deadline"], asked.now.tzinfo)
    asked.here("cleo", "claim", "claimed")
    return last(asked, "checkpoint-ended")


def claimed_in_a_stopped_case(asked: Asked) -> Found:
    asked.of_case("case.stopped", reason="a reset")
    asked.here("cleo", "claim", "claimed")
    return last(asked, "case-not-open")


# --- returns --------------------------------------------------------------------------------


def send_back(asked: Asked) -> None:
    asked.resolve(asked.checkpoint, "returned", asked.decided("cleo", "return"))


def hand_in(asked: Asked, by: str = "pat", *parts: dict[str, str]) -> None:
    body = Resubmit(record="depot/D1/parcel/9", version="2")
    signed = asked.sign(by, "case.resubmit", asked.case, body)
    said = {"checkpoint": asked.checkpoint, "version": "2", "replaces": "1", "parts": list(parts)}
    where = {"case": asked.case, "record": body.record, "actor": f"operator:{by}"}
    asked.write("case.resubmitted", **where, **signed, **said)


def handed_in_by_a_clerk(asked: Asked) -> Found:
    send_back(asked)
    hand_in(asked, "cid")
    return last(asked, "act-refusable")


def handed_in_unasked(asked: Asked) -> Found:
    hand_in(asked)
    return last(asked, "act-refusable")


def handed_in_twice(asked: Asked) -> Found:
    send_back(asked)
    hand_in(asked)
    hand_in(asked)
    return last(asked, "act-refusable")


def handed_in_with_a_value(asked: Asked) -> Found:
    """What nobody has keyed, in the name of who handed in a record."""
    send_back(asked)
    listed = [{**KEYED, "value": "6000.00", "by": "operator:cleo", "act": "x" * 24}]
    hand_in(asked, "pat", asked.keep("keyed", {"values": listed}))
    return last(asked, "part-says-other")


def handed_in_and_a_value_kept(asked: Asked) -> Found:
    """It was read from the record that is there no more."""
    key(asked)
    send_back(asked)
    hand_in(asked)
    return last(asked, "part-says-other")


# --- time and ends --------------------------------------------------------------------------


def timed(asked: Asked, type_: str, **data: Any) -> None:
    said = {"checkpoint": asked.checkpoint, "grant": asked.opened["data"]["grant"], **data}
    where = {"case": asked.case, "record": asked.subject}
    asked.write(type_, **where, **said)


def reminded_of_nothing(asked: Asked) -> Found:
    timed(asked, "checkpoint.reminded", reminder=1)
    return last(asked, "reminder")


def escalated_by_nothing(asked: Asked) -> Found:
    timed(asked, "checkpoint.escalated", level=1, roles=["porter"])
    return last(asked, "escalation")


def reminded_after_it_ended(asked: Asked) -> Found:
    asked.void()
    timed(asked, "checkpoint.reminded", reminder=1)
    return last(asked, "checkpoint-ended", "reminder")


def reminded_of_none(asked: Asked) -> Found:
    timed(asked, "checkpoint.reminded", reminder=1, checkpoint=NOWHERE)
    return last(asked, "checkpoint-missing")


def expired_before_its_deadline(asked: Asked) -> Found:
    asked.of_case("checkpoint.expired", checkpoint=asked.checkpoint, status="expired", decisions=[])
    return last(asked, "expiry")


def expired_as_something_else(asked: Asked) -> Found:
    asked.now = datetime.fromtimestamp(asked.opened["data"]["deadline"], asked.now.tzinfo)
    asked.of_case(
        "checkpoint.expired", checkpoint=asked.checkpoint, status="returned", decisions=[]
    )
    return last(asked, "expiry")


def ended_in_another_case(asked: Asked) -> Found:
    record = json.loads(asked.entries[find(asked.made(), "case.opened", asked.other)])["record"]
    said = {"checkpoint": asked.checkpoint, "reasons": [], "told": []}
    asked.write("checkpoint.voided", case=asked.other, record=record, **said)
    return last(asked, "checkpoint-missing")


def approved_by_nobody(asked: Asked) -> Found:
    asked.resolve(asked.checkpoint, "approved")
    return last(asked, "outcome")


def voided_without_a_word_to_who_approved(asked: Asked) -> Found:
    asked.resolve(asked.checkpoint, "approved", asked.decided("cleo", "approve"))
    asked.void()
    return last(asked, "outcome")


def voided_after_they_said_no(asked: Asked) -> Found:
    """Then they could be asked the very same again, until they agree."""
    asked.resolve(asked.checkpoint, "rejected", asked.decided("cleo", "reject"))
    asked.void()
    return last(asked, "outcome")


def voided_twice(asked: Asked) -> Found:
    asked.void()
    asked.void()
    return last(asked, "outcome")


# --- standing in ----------------------------------------------------------------------------


def hand_over(asked: Asked, delegate: str = "cid", hours: int = 8, **said: Any) -> None:
    start = asked.now.replace(microsecond=0)
    body = Delegate(starts_at=start, ends_at=start + timedelta(hours=hours), reason="away", **said)
    told = {
        "process": body.process,
        "starts_at": int(body.starts_at.timestamp()),
        "ends_at": int(body.ends_at.timestamp()),
    }
    principal = f"operator:{delegate}"
    asked.act("cleo", "delegation.give", "delegation.given", principal, body, **told)


def stand_in(asked: Asked) -> Found:
    asked.decided("cid", "approve", stands_in_for="operator:cleo")
    return last(asked, "decision-refusable")


def stood_in_for_nobody(asked: Asked) -> Found:
    return stand_in(asked)


def stood_in_instead_of_another(asked: Asked) -> Found:
    asked.enrol("cyd", "clerk")
    hand_over(asked, "cyd")
    return stand_in(asked)


def stood_in_for_another_process(asked: Asked) -> Found:
    hand_over(asked, process="loan-draw")
    return stand_in(asked)


def stood_in_for_too_long(asked: Asked) -> Found:
    hand_over(asked, hours=1)
    asked.after(hours=1)
    return stand_in(asked)


def stood_in_for_who_has_left(asked: Asked) -> Found:
    hand_over(asked)
    asked.act("ada", "operator.suspend", "operator.suspended", "operator:cleo")
    return stand_in(asked)


# --- as it was planned ----------------------------------------------------------------------


def planned(asked: Asked) -> None:
    """A clerk is asked, and after two hours a porter as well; that it is planned so is told."""
    view, begun = asked.view(asked.checkpoint), asked.now.replace(microsecond=0)
    schedule = Schedule(
        due_at=begun + timedelta(hours=2),
        expires_at=begun + timedelta(hours=8),
        reminders=(begun + timedelta(hours=1),),
        escalations=(PlannedEscalation(at=begun + timedelta(hours=2), roles=("auditor",)),),
    )
    need = Need(roles=("clerk",), count=1)
    requirement = view.requirement.model_copy(update={"schedule": schedule, "needs": (need,)})
    asked.checkpoints[asked.checkpoint] = view.model_copy(update={"requirement": requirement})


def reminded_too_early(asked: Asked) -> Found:
    timed(asked, "checkpoint.reminded", reminder=1)
    return last(asked, "reminder")


def reminded_of_what_is_not_planned(asked: Asked) -> Found:
    asked.after(hours=1)
    timed(asked, "checkpoint.reminded", reminder=2)
    return last(asked, "reminder")


def escalated_too_early(asked: Asked) -> Found:
    asked.after(hours=1)
    timed(asked, "checkpoint.escalated", level=1, roles=["auditor"])
    return last(asked, "escalation")


def escalated_to_others(asked: Asked) -> Found:
    asked.after(hours=2)
    timed(asked, "checkpoint.escalated", level=1, roles=["porter"])
    return last(asked, "escalation")


def escalated_twice(asked: Asked) -> Found:
    asked.after(hours=2)
    for level in (1, 2):
        timed(asked, "checkpoint.escalated", level=level, roles=["auditor"])
    return last(asked, "escalation")


def claimed_before_it_was_escalated(asked: Asked) -> Found:
    asked.after(hours=2)
    asked.here("una", "claim", "claimed")
    return last(asked, "act-refusable")


PLANNED: tuple[Forge, ...] = (
    reminded_too_early,
    reminded_of_what_is_not_planned,
    escalated_too_early,
    escalated_to_others,
    escalated_twice,
    claimed_before_it_was_escalated,
)


def since_it_was_planned(asked: Asked) -> Found:
    """What is found after the checkpoint, of which the matrix asks nothing of the kind."""
    opened = find(asked.made(), "checkpoint.opened", asked.case)
    return {each for each in asked.troubles() if each[1] != opened}


def test_what_was_planned_holds_and_who_is_asked_then_may_claim_it(asked: Asked) -> None:
    """I6: reminded and escalated in time; an auditor may lower the amount from then on."""
    planned(asked)
    asked.after(hours=1)
    timed(asked, "checkpoint.reminded", reminder=1)
    asked.after(hours=1)
    timed(asked, "checkpoint.escalated", level=1, roles=["auditor"])
    asked.here("una", "claim", "claimed")
    lower(asked, "una")
    assert since_it_was_planned(asked) == set()


@pytest.mark.parametrize("forge", PLANNED, ids=lambda each: each.__name__)
def test_what_was_not_planned_is_found(asked: Asked, forge: Forge) -> None:
    """I6: too early, for others, once too often."""
    planned(asked)
    expected = forge(asked)
    assert since_it_was_planned(asked) == expected


# --- another checkpoint first ---------------------------------------------------------------


def customs(asked: Asked, status: str, like: CheckpointView | None = None) -> None:
    """Customs were asked first: about this one, or ``like`` another; and what came of it."""
    view = asked.view(asked.checkpoint)
    checkpoint = asked.shown(like or view, asked.case, "customs", needs=())
    if status == "approved":
        asked.resolve(checkpoint, status)


@pytest.mark.parametrize(
    ("status", "of_another", "is_found"),
    [("approved", False, False), ("open", False, True), ("approved", True, True)],
)
def test_who_comes_first_must_have_approved_the_very_same(
    recorded: Recorded, asked: Asked, status: str, of_another: bool, is_found: bool
) -> None:
    """I5: a finding of theirs, and they were asked; still open, or about another proposal."""
    opened = asked.entries.pop()
    dutiable = Finding(
        id="parcel.dutiable#value", check="parcel.dutiable", severity="info", message="a duty"
    )
    view = asked.view(asked.checkpoint)
    proposal = view.evidence.proposal.model_copy(update={"findings": (dutiable,)})
    evidence = view.evidence.model_copy(update={"proposal": proposal})
    asked.checkpoints[asked.checkpoint] = view.model_copy(update={"evidence": evidence})
    another = json.loads(
        asked.files.entries[find(asked.files, "checkpoint.opened", recorded.large)]
    )
    like = asked.view(another["data"]["checkpoint"]) if of_another else None
    customs(asked, status, like)
    asked.entries.append(opened)
    assert (("checkpoint-before", len(asked.entries) - 1) in asked.troubles()) is is_found


# --- owners ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("barred", "is_found"), [("both", False), ("ada", True), ("cleo", True)])
def test_who_owned_an_agent_while_it_worked_decides_nothing(
    asked: Asked, barred: str, is_found: bool
) -> None:
    """I6: nor does who owns it since; who is asked is held against both."""
    opened = json.loads(asked.entries.pop())
    plain = {"owner": "operator:cleo", "purpose": "a test", "environment": "test"}
    later = asked.now + timedelta(days=9)
    said = RegisterIdentity(**plain, review_by=later, ends_at=later)
    told = said.on_the_ledger()
    for agent in ("agent:scale", "agent:second-scale"):
        asked.act("ada", "identity.register", "identity.registered", agent, said, **told)
    view = asked.view(asked.checkpoint)
    people = {"both": ("operator:ada", "operator:cleo")}.get(barred, (f"operator:{barred}",))
    made = excluded(
        "operator:pat",
        (),
        resubmitters=(),
        keyers=(),
        owners={"agent:scale": people, "agent:second-scale": people},
        approved_earlier={},
    )
    requirement = view.requirement.model_copy(update={"excluded": made})
    asked.checkpoints[asked.checkpoint] = view.model_copy(update={"requirement": requirement})
    opened["data"]["requirement_digest"] = digest_json(requirement)
    asked.entries.append(canonical_json(opened))
    assert (("requirement", len(asked.entries) - 1) in asked.troubles()) is is_found


# --- all of them ----------------------------------------------------------------------------

AT_IT: tuple[Forge, ...] = (
    lowered_by_an_auditor,
    lowered_by_other_rows,
    lowered_to_nothing,
    lowered_on_other_evidence,
    lowered_and_more_listed,
    lowered_and_other_rows_listed,
    lowered_and_something_else_said,
    lowered_and_nothing_listed,
    lowered_and_nothing_left,
    lowered_and_two_left,
    lowered_and_another_part_left,
    lowered_and_a_part_proposes,
    lowered_and_the_part_renamed,
    lowered_on_anothers_record,
    lowered_and_lost,
    keyed_by_an_auditor,
    keyed_and_one_of_before_left_out,
    keyed_and_one_of_before_changed,
    keyed_and_one_added,
    claimed_by_an_auditor,
    claimed_without_a_checkpoint,
    claimed_in_another_case,
    claimed_after_it_ended,
    claimed_after_its_deadline,
    claimed_in_a_stopped_case,
    handed_in_by_a_clerk,
    handed_in_unasked,
    handed_in_twice,
    handed_in_with_a_value,
    handed_in_and_a_value_kept,
    reminded_of_nothing,
    escalated_by_nothing,
    reminded_after_it_ended,
    reminded_of_none,
    expired_before_its_deadline,
    expired_as_something_else,
    ended_in_another_case,
    approved_by_nobody,
    voided_without_a_word_to_who_approved,
    voided_after_they_said_no,
    voided_twice,
    stood_in_for_nobody,
    stood_in_instead_of_another,
    stood_in_for_another_process,
    stood_in_for_too_long,
    stood_in_for_who_has_left,
)


def test_what_people_may_do_at_a_checkpoint_holds(asked: Asked) -> None:
    """I5, I6: claimed, keyed twice, one value anew, lowered, and sent back; then all is dropped."""
    asked.here("cleo", "claim", "claimed")
    before = key(asked)
    before = key(asked, "cleo", value={**KEYED, "field": "length"}, before=before)
    key(asked, value={**KEYED, "value": "61.00"}, before=before[1:])
    lower(asked)
    send_back(asked)
    dropped = [asked.keep("cuts", {"rows": []}), asked.keep("keyed", {"values": []})]
    hand_in(asked, "pat", *dropped)
    assert asked.troubles() == set()


def test_what_was_erased_is_not_missed(asked: Asked) -> None:
    """I6, I8: what people had lowered and handed in is gone with its case, and the ledger holds."""
    lower(asked)
    send_back(asked)
    hand_in(asked, "pat", asked.keep("cuts", {"rows": []}))
    at = asked.of_case("case.erased", target=asked.case)  # that nobody signed this is told
    for entry in map(json.loads, asked.entries[:at]):
        if entry.get("case") == asked.case:
            asked.acts.pop(str(entry["data"].get("act")), None)
            for part in entry["data"].get("parts", ()):
                del asked.parts[part["digest"]]
    assert {place for _, place in asked.troubles()} == {at}


@pytest.mark.parametrize("told", [{"starts_at": "now"}, {"ends_at": None}])
def test_who_stands_in_at_no_time_stands_in_for_nobody(asked: Asked, told: dict[str, Any]) -> None:
    """I6, I12: a time that is none is told, and lets nobody decide."""
    hand_over(asked)
    entry = json.loads(asked.entries.pop())
    entry["data"] |= told
    asked.write("delegation.given", actor="operator:cleo", **entry["data"])
    expected = last(asked, "act-says-other") | stand_in(asked)
    assert asked.troubles() == expected


def test_who_stands_in_holds(asked: Asked) -> None:
    """I6: for a process of theirs, in its time; and what was approved may be voided, once."""
    hand_over(asked, process="parcel-check")
    decision = asked.decided("cid", "approve", stands_in_for="operator:cleo")
    asked.resolve(asked.checkpoint, "approved", decision)
    asked.void(("operator:cid",))
    assert asked.troubles() == set()


@pytest.mark.parametrize("forge", AT_IT, ids=lambda each: each.__name__)
def test_what_nobody_may_do_at_a_checkpoint_is_found(asked: Asked, forge: Forge) -> None:
    """I5, I6, I13: at the entry that says it, and nowhere else."""
    expected = forge(asked)
    assert asked.troubles() == expected
