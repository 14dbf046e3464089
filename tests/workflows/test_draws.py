"""How a draw's case goes on when something comes between: on all parts, each a process of its own.

When all are done, the whole ledger is verified, and each closed case replayed (``conftest.py``).
"""

import json
import signal
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lender.compliance import set_standing
from lender.model import CoverNotice, InsuranceKind, Lien
from lender.servicing import note
from placet.client import AuthorityError
from placet.model import Hold, Mode, Reason, Verdict
from tests.admitting import admit
from tests.workflows.desk import Desk, until

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_people_are_shown_what_they_sign(desk: Desk) -> None:
    """I6: each payment, and every part of the evidence, can be read before deciding."""
    checkpoint = await desk.asked(await desk.open(desk.take_in_loan()))
    shown = await desk.command("omar", "checkpoint", "show", checkpoint.id)
    part = await desk.command("omar", "checkpoint", "part", checkpoint.id, "analysis")
    (analysis,) = json.loads(part.out)
    payments = analysis["part"]["data"]["payments"]
    assert payments
    for payment in payments:
        assert f"payee {payment['payee']}" in shown.out
        assert f"amount {payment['amount']}" in shown.out
        assert f"account {payment['account']}" in shown.out
    for item in checkpoint.evidence.items:
        assert f"{item.name} of {item.record}, by {item.agent}" in shown.out
    assert f"{checkpoint.evidence_digest}, {checkpoint.name} of {checkpoint.subject}," in shown.out
    gossip = await desk.command("omar", "checkpoint", "part", checkpoint.id, "gossip")
    assert "the checkpoint has no part 'gossip'; it has analysis" in gossip.err


async def test_the_next_person_reads_why_a_finding_was_accepted(desk: Desk) -> None:
    """I6: whose exception it is, and the reason that they signed; in the proof as well."""
    loan = desk.take_in_loan()
    note(desk.books.servicing, loan.loan_id, **_LEARNT["title"][0])
    case = await desk.open(loan)
    checkpoint = await desk.asked(case)
    await desk.decide("omar", checkpoint, why="its [release] was asked for")
    shown = await desk.command("sofia", "checkpoint", "show", checkpoint.id)
    proof = await desk.command("sofia", "checkpoint", "proof", checkpoint.id)
    for finding in checkpoint.requirement.exceptions:
        assert f"  accepts {finding}: its [release] was asked for\n" in shown.out
        by = "operator:omar: its [release] was asked for"
        assert f"exception {finding}: accepted by {by}\n" in proof.out
    await desk.decide("sofia", checkpoint)
    assert (await desk.ended(case)).result == "disbursed"


async def test_a_packet_may_be_returned_and_come_back_twice(desk: Desk) -> None:
    """I5, I6: each time the checks run again; who handed it in again does not approve it.

    The second time it is the very same packet: that is an answer too, and people look again.
    """
    loan = desk.take_in_loan()
    case = await desk.open(loan)
    await desk.decide("omar", await desk.asked(case), Verdict.RETURN)
    again = str(desk.packet(loan, "second"))
    said = await desk.command("dana", "case", "resubmit", case, "--packet", again)
    assert said.code == 0, said.err
    await desk.decide("omar", await desk.asked(case), Verdict.RETURN)
    async with desk.enrolled("dora", "draw-administrator", "loan-officer") as dora:
        version = desk.store(loan, Path(again))
        await dora.resubmit(case, f"loan/{loan.loan_id}/draw/{loan.next_draw}/packet", version)
        checkpoint = await desk.asked(case)
        with pytest.raises(AuthorityError, match="had a hand"):
            await dora.decide(
                checkpoint, Verdict.APPROVE, amount=checkpoint.evidence.proposal.amount
            )
    await desk.decide("omar", checkpoint)
    assert (await desk.ended(case)).result == "disbursed"
    assert desk.paid(loan) > 0
    entries = await desk.entries(case)
    came = [each["data"] for each in entries if each["type"] == "case.resubmitted"]
    assert [(each["replaces"], each["version"]) for each in came] == [("1", "2"), ("2", "3")]
    statuses = [each.status.value for each in await desk.people["una"].checkpoints(case=case)]
    assert sorted(statuses) == ["approved", "resubmitted", "resubmitted"]


async def test_whose_approval_stands_does_not_hand_the_packet_in_again(desk: Desk) -> None:
    """I6: or one person would have prepared what they approved; anybody else may."""
    loan = desk.take_in_loan()
    set_standing(desk.books.compliance, loan.payees[0].id, "hit")
    case = await desk.open(loan)
    packet = f"loan/{loan.loan_id}/draw/{loan.next_draw}/packet"
    async with desk.enrolled("pia", "compliance-officer", "draw-administrator") as pia:
        for returned in (True, False):
            asked = await desk.asked(case, "compliance")
            proposal = asked.evidence.proposal
            known = dict.fromkeys(proposal.exceptions, "known")
            await pia.decide(asked, Verdict.APPROVE, amount=proposal.amount, exceptions=known)
            approval = await desk.asked(case)
            if returned:
                await desk.decide("omar", approval, Verdict.RETURN)
                version = desk.store(loan, desk.packet(loan, "first"))
                with pytest.raises(AuthorityError, match="the compliance .* somebody else"):
                    await pia.resubmit(case, packet, version)
                await desk.people["dana"].resubmit(case, packet, version)
        for who in ("omar", "sofia"):
            await desk.decide(who, approval)
    assert (await desk.ended(case)).result == "disbursed"


async def test_what_does_not_come_back_properly_is_refused(desk: Desk) -> None:
    """I3, I6: who, when and what: a case that waits, its own record, a version that is new."""
    loan = desk.take_in_loan()
    case = await desk.open(loan)
    record = f"loan/{loan.loan_id}/draw/{loan.next_draw}/packet"
    dana, omar = desk.people["dana"], desk.people["omar"]
    checkpoint = await desk.asked(case)
    with pytest.raises(AuthorityError, match="nothing was returned: the draw-approval .* is open"):
        await dana.resubmit(case, record, "1")
    await desk.decide("omar", checkpoint, Verdict.RETURN)
    for who, what, version, why in (
        (omar, record, "1", "needs the role draw-administrator"),
        (dana, record, "1", "no new version of .*: the case has read version 1"),
        (dana, record, "2", "has version 1 of it, not 2"),
        (dana, "loan/L-1/draw/1/packet", "1", "the process knows no version of"),
    ):
        with pytest.raises(AuthorityError, match=why):
            await who.resubmit(case, what, version)
    with pytest.raises(AuthorityError, match="there is no such case"):
        await dana.resubmit(f"case-{'0' * 26}", record, "2")
    entries = await desk.entries(case)
    assert "case.resubmitted" not in {each["type"] for each in entries}
    assert (await desk.people["una"].checkpoint(checkpoint.id)).status == "returned"


async def test_a_suspended_agent_stops_the_case_and_a_person_lets_it_go_on(desk: Desk) -> None:
    """I10: the approval stands meanwhile, nobody is asked twice, and it is paid once."""
    admin = desk.people["ada"]
    loan = desk.take_in_loan()
    case = await desk.open(loan)
    checkpoint = await desk.asked(case)
    await admin.act("agent.suspend", "agent:disbursement", Reason(reason="a look at its host"))
    await desk.decide("omar", checkpoint)
    stopped = await desk.ended(case, "stopped")
    assert stopped.stopped_for == "disburse was denied: I10, suspended"
    assert desk.paid(loan) == 0
    await admin.act("agent.resume", "agent:disbursement", Reason(reason="its host is clean"))
    await admit(admin, case, "its agent works again")
    assert (await desk.ended(case)).result == "disbursed"
    assert desk.paid(loan) == checkpoint.evidence.proposal.amount
    assert len(await desk.people["una"].checkpoints(case=case)) == 1


@pytest.mark.parametrize("how", ["operator.suspend", "key.revoke"])
async def test_an_approver_who_is_let_go_before_the_payment_pays_nothing(
    desk: Desk, how: str
) -> None:
    """I5, I10: the word of who may decide nothing more is void, and others are asked."""
    admin = desk.people["ada"]
    loan = desk.take_in_loan()
    case = await desk.open(loan)
    checkpoint = await desk.asked(case)
    await admin.act("agent.suspend", "agent:disbursement", Reason(reason="a look at its host"))
    name = f"olga-{how.replace('.', '-')}"
    async with desk.enrolled(name, "loan-officer") as olga:
        amount = checkpoint.evidence.proposal.amount
        await olga.decide(checkpoint, Verdict.APPROVE, amount=amount)
        await desk.ended(case, "stopped")
        entries = await desk.entries(case)
        (key,) = [e["data"]["key"] for e in entries if e["type"] == "decision.recorded"]
        target = f"operator:{name}" if how == "operator.suspend" else key
        await admin.act(how, target, Reason(reason="her laptop was stolen"))
    await admin.act("agent.resume", "agent:disbursement", Reason(reason="its host is clean"))
    await admit(admin, case, "its agent works again")
    second = await desk.asked(case)
    assert second.id != checkpoint.id
    assert desk.paid(loan) == 0
    voided = [e["data"] for e in await desk.entries(case) if e["type"] == "checkpoint.voided"]
    assert [each["reasons"] for each in voided] == [["I5", "approver_not_active"]]
    await desk.decide("omar", second)
    assert (await desk.ended(case)).result == "disbursed"
    assert desk.paid(loan) == amount


async def test_a_returned_draw_whose_borrower_never_answers_is_ended_and_begun_anew(
    desk: Desk,
) -> None:
    """I11: an administrator frees the draw on the command line; nothing was paid twice or lost."""
    loan = desk.take_in_loan()
    case = await desk.open(loan)
    await desk.decide("omar", await desk.asked(case), Verdict.RETURN)
    why = ("--reason", "the borrower sold the project", "--json")
    said = await desk.command("dana", "case", "end", case, *why)
    assert (said.code, "needs the role administrator" in said.err) == (1, True), said
    said = await desk.command("ada", "case", "end", case, *why)
    assert said.code == 0, said.err
    assert (await desk.ended(case)).result == "ended"
    said = await desk.command("ada", "case", "end", case, *why)
    assert (said.code, "closed already, with the result ended" in said.err) == (1, True), said
    anew = await desk.open(loan)
    await desk.decide("omar", await desk.asked(anew))
    assert (await desk.ended(anew)).result == "disbursed"


async def test_a_check_that_is_denied_is_made_once_a_person_has_looked(desk: Desk) -> None:
    """I10: payees are screened side by side; the case stops once, and none is left out after."""
    admin = desk.people["ada"]
    loan = desk.take_in_loan()
    await admin.act("agent.suspend", "agent:compliance-checker", Reason(reason="a new host"))
    case = await desk.open(loan)
    stopped = await desk.ended(case, "stopped")
    assert stopped.stopped_for == "screen_payee was denied: I10, suspended"
    await admin.act("agent.resume", "agent:compliance-checker", Reason(reason="it is up"))
    await admit(admin, case, "its agent works again")
    checkpoint = await desk.asked(case)
    screened = {each.record for each in checkpoint.evidence.items if each.name == "screening"}
    assert screened == {f"payee/{payee.id}" for payee in loan.payees}
    await desk.decide("omar", checkpoint, Verdict.REJECT)
    await desk.ended(case)
    types = [each["type"] for each in await desk.entries(case)]
    assert types.count("case.stopped") == 1


async def test_a_hold_voids_the_approval_and_people_are_asked_again(desk: Desk) -> None:
    """I5: what changed goes back to people; a rejection then ends the case, unpaid."""
    loan = desk.take_in_loan()
    case = await desk.open(loan)
    checkpoint = await desk.asked(case)
    record = f"loan/{loan.loan_id}"
    await desk.people["sofia"].act("hold.place", record, Hold(reason="a call from the borrower"))
    await desk.decide("omar", checkpoint)
    second = await desk.asked(case)
    assert second.id != checkpoint.id
    assert (await desk.people["una"].checkpoint(checkpoint.id)).status == "voided"
    await desk.decide("omar", second, Verdict.REJECT)
    assert (await desk.ended(case)).result == "rejected"
    assert desk.paid(loan) == 0
    stored, _, cases = await desk.state()
    again = str(desk.packet(loan, "too-late"))
    said = await desk.command("dana", "case", "resubmit", case, "--packet", again)
    assert (said.code, said.err) == (1, "placet: the case is closed, not open\n")
    after = await desk.state()
    assert (after[0], after[2]) == (stored, cases)


_YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
_LEARNT: dict[str, tuple[dict[str, Any], str]] = {
    "title": (
        {"recorded": (Lien(reference="2026-0815", recorded=_YESTERDAY),)},
        "title.date_down#lien-2026-0815",
    ),
    "insurance": (
        {"ends": (CoverNotice(kind=InsuranceKind.BUILDERS_RISK, ends=_YESTERDAY),)},
        "insurance.current#builders_risk",
    ),
    "balance": ({"equity_in": Decimal("0.00")}, "balance.in_balance#sources"),
}


async def test_what_is_worse_on_the_day_of_payment_goes_back_to_people(desk: Desk) -> None:
    """I5: the approval is voided by name, and people decide on the analysis that shows why.

    All three are learnt at once; each is found, and each law denies by itself and is named.
    """
    findings = {finding for _, finding in _LEARNT.values()}
    loan = desk.take_in_loan()
    case = await desk.open(loan)
    checkpoint = await desk.asked(case)
    assert not findings & {each.id for each in checkpoint.evidence.proposal.findings}
    learnt = {key: value for each, _ in _LEARNT.values() for key, value in each.items()}
    note(desk.books.servicing, loan.loan_id, **learnt)
    await desk.decide("omar", checkpoint)
    second = await desk.asked(case)
    assert findings <= {each.id for each in second.evidence.proposal.findings}
    assert (await desk.people["una"].checkpoint(checkpoint.id)).status == "voided"
    voided = [e["data"] for e in await desk.entries(case) if e["type"] == "checkpoint.voided"]
    laws = [f"policy:law.{aspect}-no-worse" for aspect in sorted(_LEARNT)]
    assert [each["reasons"] for each in voided] == [["I3", "forbidden", *laws]]
    await desk.decide("omar", second, Verdict.REJECT)
    assert (await desk.ended(case)).result == "rejected"
    assert desk.paid(loan) == 0


async def test_good_news_before_the_payment_asks_nobody_again(desk: Desk) -> None:
    """I5: more money in, and a lien that is released before anyone was asked to pay."""
    loan = desk.take_in_loan()
    note(desk.books.servicing, loan.loan_id, **_LEARNT["title"][0])
    case = await desk.open(loan)
    checkpoint = await desk.asked(case)
    better = Decimal("5000.00")
    note(desk.books.servicing, loan.loan_id, released=("2026-0815",), deposits=better)
    proposal = checkpoint.evidence.proposal
    accepted = dict.fromkeys(proposal.exceptions, "the borrower has asked for its release")
    for person in ("omar", "sofia"):
        await desk.people[person].decide(
            checkpoint, Verdict.APPROVE, amount=proposal.amount, exceptions=accepted
        )
    assert (await desk.ended(case)).result == "disbursed"
    assert len(await desk.people["una"].checkpoints(case=case)) == 1


async def test_in_audit_mode_nothing_is_paid_and_the_approval_stands(desk: Desk) -> None:
    """I3: agents only flag; that says nothing against what people approved."""
    async with desk.mode(Mode.AUDIT):
        loan = desk.take_in_loan()
        case = await desk.open(loan)
        checkpoint = await desk.asked(case)
        await desk.decide("omar", checkpoint)
        assert (await desk.ended(case)).result == "flagged"
    assert desk.paid(loan) == 0
    assert (await desk.people["una"].checkpoint(checkpoint.id)).status == "approved"
    types = [each["type"] for each in await desk.entries(case)]
    assert "checkpoint.voided" not in types
    assert "grant.denied" in types


async def test_in_automatic_mode_a_clean_small_draw_is_paid_without_a_person(desk: Desk) -> None:
    """I3: two agents came to the same result; nobody had to decide."""
    async with desk.mode(Mode.AUTOMATIC):
        loan = desk.take_in_loan()
        case = await desk.open(loan)
        assert (await desk.ended(case)).result == "disbursed"
    assert Decimal(0) < desk.paid(loan) <= Decimal("25000.00")
    (checkpoint,) = await desk.people["una"].checkpoints(case=case)
    assert checkpoint.requirement.needs == ()
    assert checkpoint.decisions == ()


async def test_a_hit_of_a_payee_whom_the_draw_does_not_pay_stops_nothing(desk: Desk) -> None:
    """I3: it stopped every payment on what nobody was shown."""
    loan = desk.take_in_loan()
    checkpoint = await desk.asked(case := await desk.open(loan))
    other = next(each for each in loan.payees if each.role == "subcontractor")
    set_standing(desk.books.compliance, other.id, "hit")
    await desk.decide("omar", checkpoint)
    assert (await desk.ended(case)).result == "disbursed"


async def test_a_finding_of_compliance_that_people_accepted_is_paid_unless_it_gets_worse(
    desk: Desk,
) -> None:
    """I5: who has no licence stays as accepted; a hit on a sanctions list goes back to people."""
    loan = desk.take_in_loan()
    set_standing(desk.books.compliance, loan.contractor, "clear", licensed=False)
    case = await desk.open(loan)
    rounds = []
    for standing in ("hit", "clear"):
        for name, who in (("compliance", ("cora",)), ("draw-approval", ("omar", "sofia"))):
            checkpoint = await desk.asked(case, name)
            rounds.append(checkpoint.evidence.proposal.findings)
            for person in who:
                await desk.decide(person, checkpoint, why="its licence was renewed")
                if person == "omar":
                    set_standing(desk.books.compliance, loan.contractor, standing, licensed=False)
    assert (await desk.ended(case)).result == "disbursed"
    voided = [each for each in await desk.entries(case) if each["type"] == "checkpoint.voided"]
    reasons = [each["data"]["reasons"][-1] for each in voided]
    assert reasons == ["policy:law.payees-no-worse", "new_evidence"]  # asked once more, on a hit
    assert [each.severity for each in rounds[0] if each.check == "payee.screened"] == ["blocking"]


async def test_in_automatic_mode_people_decide_once_an_approval_was_voided(desk: Desk) -> None:
    """I5: a hold is seen at the payment alone; the second round asks people, not the agents."""
    async with desk.mode(Mode.AUTOMATIC):
        loan = desk.take_in_loan()
        record = f"loan/{loan.loan_id}"
        await desk.people["sofia"].act("hold.place", record, Hold(reason="a call from a payee"))
        case = await desk.open(loan)
        checkpoint = await desk.asked(case)
        assert checkpoint.requirement.needs != ()
        shown = await desk.command("omar", "checkpoint", "show", checkpoint.id)
        assert f"on hold: {record}; nothing guarded happens" in shown.out
        await desk.people["sofia"].act("hold.lift", record, Reason(reason="a mistake"))
        await desk.decide("omar", checkpoint)
        assert (await desk.ended(case)).result == "disbursed"


async def test_a_case_is_closed_once_though_the_answer_was_lost(desk: Desk, tmp_path: Path) -> None:
    """I11: the second try to close finds it closed, and the workflow ends as it should."""
    loan = desk.take_in_loan()
    case = await desk.open(loan)
    checkpoint = await desk.asked(case)
    desk.made.stop("authority", signal.SIGKILL)
    killed = {"PLACET_KILL_AT": "close.before-answer", "PLACET_KILL_ONCE": str(tmp_path)}
    desk.made.start("authority", killed)
    await desk.made.ready("authority")
    await desk.decide("omar", checkpoint, Verdict.REJECT)

    async def died() -> int | None:
        return desk.made.parts["authority"].poll()

    await until(died)
    assert (tmp_path / "close.before-answer").exists()
    desk.made.start("authority")
    await desk.made.ready("authority")
    events = await desk.history(case)
    assert (await desk.people["una"].case(case)).result == "rejected"
    assert events[-1]["eventType"] == "EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED"
    assert [each["type"] for each in await desk.entries(case)].count("case.closed") == 1
