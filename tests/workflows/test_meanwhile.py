"""Two draws go on beside each other, and what the one was paid for is not paid to the other.

When all are done, the whole ledger is verified, and each closed case replayed (``conftest.py``).
"""

import asyncio

import pytest

import activities.draw._steps as draw_steps
from activities.draw import LoanRef
from lender.model import LoanFile
from lender.samples import plan_for, write_packet
from lender.servicing import import_loan
from placet.model import Verdict
from placet.process import StepRequest
from tests.admitting import admit
from tests.workflows.desk import Desk

pytestmark = pytest.mark.asyncio(loop_scope="package")


def _loan_of_one_supplier(desk: Desk) -> LoanFile:
    """A loan whose supplier delivers to others as well, with a packet that has their invoice."""
    loan = desk.take_in_loan()
    payees = tuple(
        each.model_copy(update={"name": "Shared Supplier"}) if each.role == "supplier" else each
        for each in loan.payees
    )
    import_loan(desk.books.servicing, loan.model_copy(update={"payees": payees}))
    loan = desk.books.loan(loan.loan_id)
    plan = plan_for(loan)
    for bill in plan.bills:
        bill.number = bill.number if bill.bill_of_sale else "INV-SHARED-1"
    desk.store(loan, write_packet(plan, desk.folder / f"{loan.loan_id}-shared"))
    return loan


async def test_an_invoice_that_another_draw_billed_meanwhile_comes_before_people(
    desk: Desk,
) -> None:
    """I11: both were analysed and approved before either was paid; the second is looked at anew."""
    loans = [_loan_of_one_supplier(desk) for _ in range(2)]
    cases = []
    for loan in loans:
        opened = await desk.people["dana"].open_case("loan-draw", f"loan/{loan.loan_id}/draw/1")
        assert opened.case is not None
        cases.append(opened.case)
    first, second = [await desk.asked(each) for each in cases]
    assert second.evidence.proposal.findings == ()
    await desk.decide("omar", first)
    assert (await desk.ended(cases[0])).result == "disbursed"
    await desk.decide("omar", second)
    view = await desk.ended(cases[1], "stopped")
    assert view.stopped_for == "disburse was denied: conflict"
    await admit(desk.people["ada"], cases[1], "another draw billed it")
    anew = await desk.asked(cases[1])
    assert [each.check for each in anew.evidence.proposal.findings] == ["invoice.duplicate"]
    await desk.decide("omar", anew, Verdict.REJECT)
    assert (await desk.ended(cases[1])).result == "rejected"
    assert desk.paid(loans[1]) == 0


async def test_what_is_noted_of_a_loan_between_two_readings_is_read_by_both(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I3, I11: a note leaves the loan's version as it is; no person need let the case go on."""
    loan = desk.take_in_loan()
    honest, taken = draw_steps._read_loan, list[str]()
    noted = asyncio.Event()

    async def read_loan(request: StepRequest, name: str) -> LoanRef:
        taken.append(name)
        if name == "loan_again":
            await noted.wait()
            return await honest(request, name)
        read = await honest(request, name)
        if not noted.is_set():
            said = await desk.command("dana", "loan", "note", loan.loan_id, "--deposits", "1.00")
            assert said.code == 0, said.err
            noted.set()
        return read

    monkeypatch.setattr(draw_steps, "_read_loan", read_loan)
    case = await desk.open(loan)
    await desk.decide("omar", await desk.asked(case), Verdict.REJECT)
    assert (await desk.ended(case)).result == "rejected"
    assert sorted(taken) == ["loan", "loan", "loan_again", "loan_again"]
