"""The second process on the same engine: an approved budget changes by people's word alone.

When all are done, the whole ledger is verified, and each closed case replayed (``conftest.py``).
"""

from decimal import Decimal

import pytest

from lender._service import Failure
from lender.model import LoanFile, Move, Moves
from lender.servicing import change_request, import_loan, request_reallocation
from placet.client import AuthorityError
from placet.model import ActAnswer, CheckpointView, Reason, Verdict
from tests.admitting import admit
from tests.workflows.desk import Desk

pytestmark = pytest.mark.asyncio(loop_scope="package")

APPROVAL = "reallocation-approval"
HEAD = "From item,To item,Amount,Reason\n"


def _move(loan: LoanFile, amount: str) -> Move:
    first, second = loan.schedule[0].item, loan.schedule[1].item
    return Move(from_item=first, to_item=second, amount=Decimal(amount), reason="the bids")


async def open_reallocation(desk: Desk, loan: LoanFile, amount: str, number: int = 1) -> str:
    """A case opened on the command line, with its document."""
    first, second = loan.schedule[0].item, loan.schedule[1].item
    file = desk.folder / f"{loan.loan_id}-{number}.csv"
    file.write_text(f"{HEAD}{first},{second},{amount},the slab costs more than the site\n")
    said = await desk.command(
        "dana",
        *("case", "open", "--process", "budget-reallocation", "--loan", loan.loan_id),
        *("--reallocation", str(number), "--moves", str(file), "--json"),
    )
    assert said.code == 0, said.err
    return str(ActAnswer.model_validate_json(said.out).case)


async def _approve(desk: Desk, checkpoint: CheckpointView, *names: str) -> None:
    proposal = checkpoint.evidence.proposal
    for name in names:
        await desk.people[name].decide(
            checkpoint,
            Verdict.APPROVE,
            amount=proposal.amount,
            exceptions=dict.fromkeys(proposal.exceptions, "looked at"),
        )


async def test_an_approved_reallocation_changes_the_budget_and_the_next_draw_knows_it(
    desk: Desk,
) -> None:
    """I5, I11: asking changes nothing; three people's word changes it once."""
    loan = desk.take_in_loan()
    first, second = loan.schedule[0].item, loan.schedule[1].item
    case = await open_reallocation(desk, loan, "250.00")
    checkpoint = await desk.asked(case, APPROVAL)
    assert checkpoint.evidence.proposal.findings == ()
    assert desk.books.loan(loan.loan_id) == loan
    with pytest.raises(AuthorityError, match="others approve first"):
        await _approve(desk, checkpoint, "sofia")
    await _approve(desk, checkpoint, "ines", "omar", "sofia")
    assert (await desk.ended(case)).result == "reallocated"
    after = desk.books.loan(loan.loan_id)
    assert after.version == loan.version + 1
    assert [each.approved_by for each in after.reallocations] == [case]
    moved = Decimal("250.00")
    assert after.approved_values == {
        **loan.approved_values,
        first: loan.approved_values[first] - moved,
        second: loan.approved_values[second] + moved,
    }
    types = [each["type"] for each in await desk.entries(case)]
    assert types.count("action.requested") == 1
    draw = await desk.open(after)
    asked = await desk.asked(draw)
    found = {each.check for each in asked.evidence.proposal.findings}
    assert "budget.reallocation" not in found
    await desk.decide("omar", asked, Verdict.REJECT)
    await desk.ended(draw)


async def test_returned_moves_are_changed_and_asked_for_anew(desk: Desk) -> None:
    """I5, I6: other moves are new evidence; who changed them approves nothing, once done is done."""
    loan = desk.take_in_loan()
    first, second = loan.schedule[0].item, loan.schedule[1].item
    case = await open_reallocation(desk, loan, "250.00")
    checkpoint = await desk.asked(case, APPROVAL)
    file = desk.folder / f"{loan.loan_id}-again.csv"
    file.write_text(f"{HEAD}{first},{second},175.50,as the second bid has it\n")
    resubmit = ("case", "resubmit", case, "--moves", str(file))
    early = await desk.command("dana", *resubmit)
    assert (early.code, "nothing was returned" in early.err) == (1, True)
    await _approve(desk, checkpoint, "ines")
    await desk.decide("omar", checkpoint, Verdict.RETURN)
    subject = f"loan/{loan.loan_id}/reallocation/1"
    same = f"{loan.version}.{Moves(moves=(_move(loan, '250.00'),)).digest}"
    with pytest.raises(AuthorityError, match="has version"):
        await desk.people["dana"].resubmit(case, subject, same)
    said = await desk.command("dana", *resubmit)
    assert said.code == 0, said.err
    again = await desk.asked(case, APPROVAL)
    assert (again.id, again.evidence.proposal.amount) != (checkpoint.id, Decimal("250.00"))
    assert again.evidence.proposal.amount == Decimal("175.50")
    assert (await desk.people["una"].checkpoint(checkpoint.id)).status == "resubmitted"
    await _approve(desk, again, "ines", "omar", "sofia")
    assert (await desk.ended(case)).result == "reallocated"
    after = desk.books.loan(loan.loan_id)
    assert loan.approved_values[first] - after.approved_values[first] == Decimal("175.50")
    late = await desk.command("dana", *resubmit)
    assert (late.code, "the case is closed" in late.err) == (1, True)
    with pytest.raises(Failure, match="was done"):
        change_request(desk.books.servicing, loan.loan_id, "1", Moves(moves=(_move(loan, "9.00"),)))


async def test_nobody_takes_two_parts_in_one_reallocation(desk: Desk) -> None:
    """I6: who attested or opened it does not approve it as well, whatever their roles."""
    loan = desk.take_in_loan()
    case = await open_reallocation(desk, loan, "10.00")
    checkpoint = await desk.asked(case, APPROVAL)
    amount = checkpoint.evidence.proposal.amount
    async with desk.enrolled("ivo", "inspector", "loan-officer", "senior-approver") as ivo:
        await ivo.decide(checkpoint, Verdict.APPROVE, amount=amount)
        with pytest.raises(AuthorityError, match="decided"):
            await ivo.decide(checkpoint, Verdict.APPROVE, amount=amount)
    with pytest.raises(AuthorityError):
        await _approve(desk, checkpoint, "dana")
    await desk.decide("omar", checkpoint, Verdict.REJECT)
    assert (await desk.ended(case)).result == "rejected"
    assert desk.books.loan(loan.loan_id) == loan


async def test_moves_that_do_not_fit_are_shown_and_never_done(desk: Desk) -> None:
    """I5: even with every finding accepted, nothing is moved."""
    loan = desk.take_in_loan()
    value = loan.schedule[0].scheduled_value
    case = await open_reallocation(desk, loan, f"{value + 1:.2f}")
    checkpoint = await desk.asked(case, APPROVAL)
    proposal = checkpoint.evidence.proposal
    assert {each.check for each in proposal.findings} >= {"moves.billed"}
    assert (proposal.amount, proposal.requested) == (Decimal("0.00"), value + 1)
    await _approve(desk, checkpoint, "ines", "omar", "sofia")
    assert (await desk.ended(case)).result == "nothing_to_apply"
    assert desk.books.loan(loan.loan_id) == loan


async def test_a_loan_that_changed_since_the_approval_goes_back_to_people(desk: Desk) -> None:
    """I5: what people approved rests on the loan as it was; nothing is moved on another."""
    admin = desk.people["ada"]
    loan = desk.take_in_loan()
    case = await open_reallocation(desk, loan, "10.00")
    checkpoint = await desk.asked(case, APPROVAL)
    await admin.act("agent.suspend", "agent:disbursement", Reason(reason="a look at its host"))
    await _approve(desk, checkpoint, "ines", "omar", "sofia")
    await desk.ended(case, "stopped")
    import_loan(desk.books.servicing, loan.model_copy(update={"owner": "Someone Else LLC"}))
    await admin.act("agent.resume", "agent:disbursement", Reason(reason="its host is clean"))
    await admit(admin, case, "its agent works again")
    again = await desk.asked(case, APPROVAL)
    assert again.id != checkpoint.id
    assert (await desk.people["una"].checkpoint(checkpoint.id)).status == "voided"
    await desk.decide("ines", again, Verdict.REJECT)
    assert (await desk.ended(case)).result == "rejected"
    assert desk.books.loan(loan.loan_id).reallocations == ()


async def test_a_request_that_is_none_opens_no_case(desk: Desk) -> None:
    """I12: said beforehand, with what is wrong; what people may have been shown stays."""
    loan = desk.take_in_loan()
    kept = Moves(moves=(_move(loan, "10.00"),))
    request_reallocation(desk.books.servicing, loan.loan_id, "7", kept)
    file = desk.folder / "asked.json"
    before = len(await desk.people["una"].cases())
    for number, loan_id, content, why in (
        ("1", loan.loan_id, "{}", "moves: Field required"),
        ("0", loan.loan_id, kept.model_dump_json(), "reallocation: "),
        ("1", "L-9", kept.model_dump_json(), "there is no such loan"),
        ("7", loan.loan_id, Moves(moves=(_move(loan, "11.00"),)).model_dump_json(), "other moves"),
    ):
        file.write_text(content)
        said = await desk.command(
            "dana",
            *("case", "open", "--process", "budget-reallocation", "--loan", loan_id),
            *("--reallocation", number, "--moves", str(file)),
        )
        assert (said.code, why in said.err) == (2, True), said
    assert len(await desk.people["una"].cases()) == before
    assert desk.books.loan(loan.loan_id) == loan
