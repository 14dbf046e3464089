"""A payment that came back is sent again: under a new id, after a call-back, once.

When all are done, the whole ledger is verified, and each closed case replayed (``conftest.py``).
"""

import json
from decimal import Decimal

import pytest

from lender import compliance
from lender.model import LoanFile, Payment
from lender.servicing import import_loan, payments_made, place_hold
from placet.client import AuthorityError
from placet.model import ActAnswer, CheckpointView, Mode, Reason, Verdict
from tests.admitting import admit
from tests.workflows.desk import Desk

pytestmark = pytest.mark.asyncio(loop_scope="package")

PROCESS = "payment-resend"
CALL_BACK, APPROVAL = "call-back", "resend-approval"
WHY = "R02 account closed"


async def drawn(desk: Desk) -> tuple[LoanFile, Payment]:
    """A loan whose first draw was paid, and the first of its payments."""
    case = await desk.open(loan := desk.take_in_loan())
    await desk.decide("omar", await desk.asked(case))
    assert (await desk.ended(case)).result == "disbursed"
    after = desk.books.loan(loan.loan_id)
    return after, after.prior_draws[0].payments[0]


async def note(desk: Desk, loan: LoanFile, payment: str) -> None:
    said = await desk.command(
        "dana", "loan", "note", loan.loan_id, "--came-back", f"{payment}={WHY}"
    )
    assert said.code == 0, said.err


async def open_resend(desk: Desk, loan: LoanFile, payment: str) -> str:
    said = await desk.command(
        "dana",
        *("case", "open", "--process", PROCESS, "--loan", loan.loan_id),
        *("--draw", "1", "--payment", payment, "--json"),
    )
    assert said.code == 0, said.err
    return str(ActAnswer.model_validate_json(said.out).case)


def move(desk: Desk, loan: LoanFile, payee: str, account: str) -> LoanFile:
    """The loan, with another account of one payee."""
    payees = tuple(
        each.model_copy(update={"account": account}) if each.id == payee else each
        for each in loan.payees
    )
    import_loan(desk.books.servicing, loan.model_copy(update={"payees": payees}))
    return desk.books.loan(loan.loan_id)


async def _approved(desk: Desk, case: str) -> CheckpointView:
    """Called back and approved; what was approved."""
    await desk.decide("cora", await desk.asked(case, CALL_BACK))
    checkpoint = await desk.asked(case, APPROVAL)
    await desk.decide("omar", checkpoint)
    return checkpoint


def _checks(checkpoint: CheckpointView) -> list[str]:
    return [each.check for each in checkpoint.evidence.proposal.findings]


async def _noticed(desk: Desk, person: str, checkpoint: CheckpointView) -> None:
    """A person approves that nothing is sent."""
    proposal = checkpoint.evidence.proposal
    assert proposal.amount == 0
    accepted = dict.fromkeys(proposal.exceptions, "so it is")
    await desk.people[person].decide(
        checkpoint, Verdict.APPROVE, amount=proposal.amount, exceptions=accepted
    )


async def test_what_came_back_is_sent_again_once_and_again_when_that_comes_back(
    desk: Desk,
) -> None:
    """I5, I11: to the account that people saw; what is disbursed stays, and each is on the ledger."""
    loan, payment = await drawn(desk)
    await note(desk, loan, payment.id)
    moved = move(desk, loan, payment.payee, "acct-moved")
    case = await open_resend(desk, loan, payment.id)
    shown = await desk.asked(case, CALL_BACK)
    assert _checks(shown) == ["payee.call_back"]
    assert shown.evidence.proposal.amount == payment.amount
    assert "has changed since" in shown.evidence.proposal.findings[0].message
    with pytest.raises(AuthorityError):
        await desk.decide("omar", shown)
    approved = await _approved(desk, case)
    assert (await desk.ended(case)).result == "resent"
    again = payment.model_copy(update={"id": f"{payment.id}-r2", "account": "acct-moved"})
    after = desk.books.loan(loan.loan_id)
    (noted,) = after.prior_draws[0].came_back
    assert (noted.payment, noted.reason) == (payment.id, WHY)
    assert noted.again is not None
    assert (noted.again.payment, noted.again.approved_by) == (again, case)
    assert noted.again.on_version == approved.evidence.proposal.record_version
    assert (after.disbursed, after.version) == (loan.disbursed, moved.version)
    entries = await desk.entries(case)
    requested = [each for each in entries if each["type"] == "action.requested"]
    issued = [
        e
        for e in entries
        if e["type"] == "grant.issued" and e["data"]["action"] == "payment:resend"
    ]
    assert (len(requested), len(issued)) == (1, 1)
    made = {each.id: each for each in payments_made(desk.books.servicing, loan.loan_id)}
    assert made[again.id].grant == issued[0]["data"]["grant"]
    assert (made[again.id].account, made[again.id].draw) == ("acct-moved", 1)

    await note(desk, loan, again.id)
    second = await open_resend(desk, loan, again.id)
    await _approved(desk, second)
    assert (await desk.ended(second)).result == "resent"
    total = desk.paid(loan) - 2 * payment.amount
    assert total == desk.books.loan(loan.loan_id).disbursed
    ids = {each.id for each in payments_made(desk.books.servicing, loan.loan_id)}
    assert ids >= {payment.id, f"{payment.id}-r2", f"{payment.id}-r3"}


async def test_nothing_is_sent_that_the_payee_did_not_confirm(desk: Desk) -> None:
    """I5: refused at the call-back, the case closes unpaid, and nobody is asked to approve."""
    loan, payment = await drawn(desk)
    await note(desk, loan, payment.id)
    case = await open_resend(desk, loan, payment.id)
    await desk.decide("cora", await desk.asked(case, CALL_BACK), Verdict.REJECT)
    assert (await desk.ended(case)).result == "rejected"
    asked = {each.name for each in await desk.people["una"].checkpoints(case=case)}
    assert asked == {CALL_BACK}
    assert desk.paid(loan) == loan.disbursed


async def test_what_was_not_noted_or_was_sent_again_is_not_sent(desk: Desk) -> None:
    """I5, I11: the case says so; even with the finding accepted, nothing is paid."""
    loan, payment = await drawn(desk)
    case = await open_resend(desk, loan, payment.id)
    shown = await desk.asked(case, CALL_BACK)
    assert "was not noted as come back" in shown.evidence.proposal.findings[0].message
    await _noticed(desk, "cora", shown)
    assert (await desk.ended(case)).result == "nothing_to_send"
    assert desk.paid(loan) == loan.disbursed

    await note(desk, loan, payment.id)
    case = await open_resend(desk, loan, payment.id)
    await _approved(desk, case)
    assert (await desk.ended(case)).result == "resent"
    paid = desk.paid(loan)
    again = await desk.command(
        "dana", "loan", "note", loan.loan_id, "--came-back", f"{payment.id}={WHY}"
    )
    assert (again.code, f"sent again as {payment.id}-r2" in again.err.replace("\n", " ")) == (
        1,
        True,
    )
    case = await open_resend(desk, loan, payment.id)
    shown = await desk.asked(case, CALL_BACK)
    assert f"sent again already, as {payment.id}-r2" in shown.evidence.proposal.findings[0].message
    await _noticed(desk, "cora", shown)
    assert (await desk.ended(case)).result == "nothing_to_send"
    assert desk.paid(loan) == paid


async def test_what_is_returned_is_looked_at_anew_on_the_loan_that_is_handed_in(desk: Desk) -> None:
    """I5, I6: another account is new evidence, and asks for another call-back."""
    loan, payment = await drawn(desk)
    await note(desk, loan, payment.id)
    case = await open_resend(desk, loan, payment.id)
    shown = await desk.asked(case, CALL_BACK)
    assert "is the one it came back from" in shown.evidence.proposal.findings[0].message
    await desk.decide("cora", shown, Verdict.RETURN)
    part = await desk.command("dana", "checkpoint", "part", shown.id, "loan")
    data = json.loads(part.out)[0]["part"]["data"]
    for each in data["payees"]:
        each["account"] = "acct-new" if each["id"] == payment.payee else each["account"]
    file = desk.folder / f"{loan.loan_id}-moved.json"
    file.write_text(json.dumps(data))
    said = await desk.command("dana", "case", "resubmit", case, "--loan-file", str(file))
    assert said.code == 0, said.err
    await _approved(desk, case)
    assert (await desk.ended(case)).result == "resent"
    (noted,) = desk.books.loan(loan.loan_id).prior_draws[0].came_back
    assert noted.again is not None
    assert noted.again.payment.account == "acct-new"


async def test_what_changed_since_the_approval_goes_back_to_people(desk: Desk) -> None:
    """I5: the account that was called back is the one that is paid, or none."""
    admin = desk.people["ada"]
    loan, payment = await drawn(desk)
    await note(desk, loan, payment.id)
    case = await open_resend(desk, loan, payment.id)
    await desk.decide("cora", await desk.asked(case, CALL_BACK))
    checkpoint = await desk.asked(case, APPROVAL)
    await admin.act("agent.suspend", "agent:disbursement", Reason(reason="a look at its host"))
    await desk.decide("omar", checkpoint)
    await desk.ended(case, "stopped")
    move(desk, loan, payment.payee, "acct-forged")
    await admin.act("agent.resume", "agent:disbursement", Reason(reason="its host is clean"))
    await admit(admin, case, "its agent works again")
    again = await desk.asked(case, CALL_BACK)
    assert (await desk.people["una"].checkpoint(checkpoint.id)).status == "voided"
    await desk.decide("cora", again, Verdict.REJECT)
    assert (await desk.ended(case)).result == "rejected"
    assert desk.paid(loan) == loan.disbursed


@pytest.mark.parametrize("trouble", ["on-hold", "not-clear"])
async def test_nothing_is_sent_while_the_loan_or_a_payee_stands_otherwise(
    desk: Desk, trouble: str
) -> None:
    """I5: looked at again just before it is sent; what stops it goes back to people."""
    loan, payment = await drawn(desk)
    await note(desk, loan, payment.id)
    case = await open_resend(desk, loan, payment.id)
    await desk.decide("cora", await desk.asked(case, CALL_BACK))
    checkpoint = await desk.asked(case, APPROVAL)
    if trouble == "on-hold":
        place_hold(desk.books.servicing, loan.loan_id, 1)
    else:
        compliance.set_standing(desk.books.compliance, payment.payee, "hit")
    await desk.decide("omar", checkpoint)
    again = await desk.asked(case, CALL_BACK)  # the loan's hold, and the standing, are shown to it
    denied = [each["data"] for each in await desk.entries(case) if each["type"] == "grant.denied"]
    law = {"on-hold": "policy:law.no-hold", "not-clear": "policy:law.payees-no-worse"}[trouble]
    assert [(each["action"], law in each["reasons"]) for each in denied] == [
        ("payment:resend", True)
    ]
    assert (await desk.people["una"].checkpoint(checkpoint.id)).status == "voided"
    assert desk.paid(loan) == loan.disbursed
    if trouble == "not-clear":
        assert _checks(again) == ["resend.screened", "payee.call_back"]
        compliance.set_standing(desk.books.compliance, payment.payee, "clear")
        await _noticed(desk, "cora", again)
        assert (await desk.ended(case)).result == "nothing_to_send"
        assert desk.paid(loan) == loan.disbursed
        return
    place_hold(desk.books.servicing, loan.loan_id, 0)
    await desk.decide("cora", again)
    await desk.decide("omar", await desk.asked(case, APPROVAL))
    assert (await desk.ended(case)).result == "resent"
    assert desk.paid(loan) == loan.disbursed + payment.amount


async def test_no_mode_sends_one_again_without_people(desk: Desk) -> None:
    """I3: in automatic mode, which pays this draw alone, the people are asked all the same."""
    loan, payment = await drawn(desk)
    await note(desk, loan, payment.id)
    async with desk.mode(Mode.AUTOMATIC, PROCESS):
        case = await open_resend(desk, loan, payment.id)
        shown = await desk.asked(case, CALL_BACK)
        assert [need.roles for need in shown.requirement.needs] == [("compliance-officer",)]
        await desk.decide("cora", shown)
        assert (await desk.asked(case, APPROVAL)).requirement.needs
    await desk.decide("omar", await desk.asked(case, APPROVAL), Verdict.REJECT)
    assert (await desk.ended(case)).result == "rejected"
    assert desk.paid(loan) == loan.disbursed


async def test_agents_that_only_flag_send_nothing(desk: Desk) -> None:
    """I3: in audit mode people approve, and nothing is sent."""
    loan, payment = await drawn(desk)
    await note(desk, loan, payment.id)
    async with desk.mode(Mode.AUDIT, PROCESS):
        case = await open_resend(desk, loan, payment.id)
        await _approved(desk, case)
        assert (await desk.ended(case)).result == "flagged"
    assert desk.paid(loan) == Decimal(loan.disbursed)


async def test_a_payment_that_there_is_not_opens_no_case(desk: Desk) -> None:
    """I12: said beforehand, by the system that would have it."""
    loan = desk.take_in_loan()
    before = len(await desk.people["una"].cases())
    said = await desk.command(
        "dana",
        *("case", "open", "--process", PROCESS, "--loan", loan.loan_id),
        *("--draw", "1", "--payment", "pay-nobody"),
    )
    assert (said.code, "loan-servicing has no loan/" in said.err) == (1, True), said
    assert len(await desk.people["una"].cases()) == before
