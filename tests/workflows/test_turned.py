"""One agent was turned: what it alone has read brings nothing before people, and pays nothing (I3).

Everything else is honest. When all are done, the whole ledger is verified (``conftest.py``).
"""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from pydantic import BaseModel
from temporalio import activity
from temporalio.exceptions import ApplicationError

import activities.draw._analysing as analysing
import activities.draw._steps as draw_steps
import activities.reallocation._steps as reallocation_steps
import activities.resend._steps as resend_steps
from activities.clock import today
from activities.draw import AnalysisRef
from lender import storage
from lender.model import Analysis, LoanFile, Moves, Packet, Payments, SentPayment
from lender.samples import LOAN_DEFECTS, PERIOD_ENDS, plan_draw, write_packet
from lender.servicing import import_loan
from placet.agent import Answer, CurrentGrant, current_grant, require_ok
from placet.audit import LogFiles
from placet.audit._report import Collector
from placet.audit._scene import Scene
from placet.audit._verify import Walk
from placet.cli import fetch_log
from placet.ledger import Entry
from placet.model import Mode, Reason, Verdict
from placet.process import StepRequest
from tests.admitting import admit
from tests.workflows import test_reallocations as reallocations
from tests.workflows import test_resends as resends
from tests.workflows.desk import Desk
from workflows.steps import AUDIT_MODE

pytestmark = pytest.mark.asyncio(loop_scope="package")

PAYING = {"draw:disburse", "payment:resend", "budget:reallocate"}
_M = TypeVar("_M", bound=BaseModel)


def turn(
    monkeypatch: pytest.MonkeyPatch, steps: Any, step: str, model: type[_M], lie: Callable[[_M], _M]
) -> None:
    """In one step, its agent leaves something else than it was told."""
    honest = steps.read_answer

    def read_answer(answer: Any, asked: type[BaseModel]) -> BaseModel:
        found: BaseModel = honest(answer, asked)
        turned = isinstance(found, model) and activity.info().activity_type == step
        return lie(found) if turned and isinstance(found, model) else found

    monkeypatch.setattr(steps, "read_answer", read_answer)


def pay_by(monkeypatch: pytest.MonkeyPatch, answer: Callable[[Payments], Answer]) -> None:
    """The paying agent makes up what came of its request, and asks its system for nothing."""
    honest = CurrentGrant.request

    async def request(
        self: CurrentGrant, method: str, path: str, *, json: BaseModel | None = None
    ) -> Answer:
        if isinstance(json, Payments):
            return answer(json)
        return await honest(self, method, path, json=json)

    monkeypatch.setattr(CurrentGrant, "request", request)


async def stopped(desk: Desk, case: str, part: str) -> None:
    """The case stands, nobody was asked, and a person reads why."""
    view = await desk.ended(case, "stopped")
    assert view.stopped_for == f"open_checkpoint was denied: I5, unmet, alone:{part}"
    types = [each["type"] for each in await desk.entries(case)]
    assert "checkpoint.opened" not in types
    assert not any(each["data"].get("action") in PAYING for each in await desk.entries(case))


def _as_if_never_changed(loan: LoanFile) -> LoanFile:
    payees = tuple(each.model_copy(update={"account_changed_on": None}) for each in loan.payees)
    return loan.model_copy(update={"payees": payees})


@pytest.mark.parametrize(
    ("step", "mode"), [("read_loan", Mode.ASSIST), ("read_loan_again", Mode.AUTOMATIC)]
)
async def test_a_changed_account_that_one_agent_leaves_out_is_not_paid_without_a_call_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, step: str, mode: Mode
) -> None:
    """I3, I5: neither of the two readers spares itself the call-back, in no mode."""
    loan = LOAN_DEFECTS["payee.bank_changed"](desk.take_in_loan())
    import_loan(desk.books.servicing, loan)
    turn(monkeypatch, draw_steps, step, LoanFile, _as_if_never_changed)
    async with desk.mode(mode):
        case = await desk.open(loan)
        await stopped(desk, case, "loan")
    monkeypatch.undo()
    await admit(desk.people["ada"], case, "the agent is itself again")
    call_back = await desk.asked(case, "compliance")
    assert [each.check for each in call_back.evidence.proposal.findings] == ["payee.bank_changed"]
    await desk.decide("cora", call_back, Verdict.REJECT)
    assert (await desk.ended(case)).result == "rejected"
    assert desk.paid(loan) == 0


@pytest.mark.parametrize("step", ["read_packet", "read_packet_again"])
async def test_a_packet_that_one_agent_reads_otherwise_is_not_paid_in_automatic_mode(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """I3: what the documents ask for is paid, once two have read them alike."""
    loan = desk.take_in_loan()
    plan = plan_draw(loan, PERIOD_ENDS[0], Decimal("0.18"), Decimal("1500.00"))
    more = storage.read_packet_folder(write_packet(plan, desk.folder / f"{loan.loan_id}-more"))
    honest = draw_steps.read_files

    def read_files(files: Any, keyed: Any = ()) -> Packet:
        found = honest(files, keyed)
        if activity.info().activity_type != step:
            return found
        return honest(more, keyed).model_copy(update={"files": found.files})

    monkeypatch.setattr(draw_steps, "read_files", read_files)
    async with desk.mode(Mode.AUTOMATIC):
        case = await desk.open(loan)
        await stopped(desk, case, "packet")
        assert desk.paid(loan) == 0
        monkeypatch.undo()
        await admit(desk.people["ada"], case, "the agent is itself again")
        assert (await desk.ended(case)).result == "disbursed"
    asked = honest(storage.read_packet_folder(desk.folder / f"{loan.loan_id}-first")).request
    assert asked is not None
    assert desk.paid(loan) == sum(each.amount.value for each in asked.payees)


@pytest.mark.parametrize("step", ["read_loan", "read_payment_again"])
async def test_whom_to_call_before_a_payment_is_sent_again_no_agent_makes_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """I3, I5: not the payee's name, and not that the account is the one from before."""
    loan, payment = await resends.drawn(desk)
    await resends.note(desk, loan, payment.id)
    resends.move(desk, loan, payment.payee, "acct-forged")

    def other_name(told: LoanFile) -> LoanFile:
        payees = tuple(each.model_copy(update={"name": "A Friend LLC"}) for each in told.payees)
        return told.model_copy(update={"payees": payees})

    def same_account(told: SentPayment) -> SentPayment:
        sent = told.payment.model_copy(update={"account": "acct-forged"})
        return told.model_copy(update={"payment": sent})

    if step == "read_loan":
        turn(monkeypatch, draw_steps, step, LoanFile, other_name)
    else:
        turn(monkeypatch, resend_steps, step, SentPayment, same_account)
    case = await resends.open_resend(desk, loan, payment.id)
    await stopped(desk, case, "loan" if step == "read_loan" else "payment")
    monkeypatch.undo()
    await admit(desk.people["ada"], case, "the agent is itself again")
    call_back = await desk.asked(case, resends.CALL_BACK)
    (finding,) = call_back.evidence.proposal.findings
    payee = loan.payee(payment.payee)
    assert payee is not None and payee.name in finding.message
    assert "has changed since" in finding.message
    await desk.decide("cora", call_back, Verdict.REJECT)
    assert (await desk.ended(case)).result == "rejected"


async def test_moves_that_one_agent_reads_otherwise_come_before_nobody(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I3: people are shown the moves that somebody asked for."""
    loan = desk.take_in_loan()

    def other_reason(told: Moves) -> Moves:
        moves = tuple(each.model_copy(update={"reason": "all agreed"}) for each in told.moves)
        return told.model_copy(update={"moves": moves})

    turn(monkeypatch, reallocation_steps, "read_moves", Moves, other_reason)
    case = await reallocations.open_reallocation(desk, loan, "250.00")
    await stopped(desk, case, "moves")
    monkeypatch.undo()
    await admit(desk.people["ada"], case, "the agent is itself again")
    asked = await desk.asked(case, reallocations.APPROVAL)
    await desk.decide("omar", asked, Verdict.REJECT)
    assert (await desk.ended(case)).result == "rejected"


async def test_people_are_shown_what_the_proposal_could_be_made_from(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I5, I13: an agent that reads nothing under the grant of its proposal hides nothing by it."""
    loan = desk.take_in_loan()
    known: dict[str, Analysis] = {}

    async def write_analysis(request: StepRequest) -> AnalysisRef:
        if request.case not in known:
            known[request.case] = await analysing._analyse(request, today(), None)
            raise RuntimeError("a second attempt has another grant")
        grant, analysis = current_grant(), known[request.case]
        path = f"/loans/{loan.loan_id}/draws/{loan.next_draw}/analysis"
        require_ok(await grant.request("PUT", path, json=analysis))
        part = grant.keep("analysis", analysis, analysing._proposal(analysis))
        return AnalysisRef(part=part, compliance=False)

    monkeypatch.setattr(draw_steps, "write_analysis", write_analysis)
    case = await desk.open(loan)
    view = await desk.ended(case, "stopped")
    assert view.stopped_for == "open_checkpoint was denied: I13, unmet"
    monkeypatch.undo()
    await admit(desk.people["ada"], case, "the agent is itself again")
    checkpoint = await desk.asked(case)
    assert {"packet", "loan", "screening"} < {each.name for each in checkpoint.evidence.items}
    await desk.decide("omar", checkpoint)
    assert (await desk.ended(case)).result == "disbursed"


async def test_a_draw_that_one_agent_alone_calls_paid_does_not_close_as_disbursed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I9, I13: loan servicing was asked for nothing, so the case stands for a person to look at."""
    loan = desk.take_in_loan()

    def paid(payments: Payments) -> Answer:
        told = draw_steps.Disbursed(
            loan=loan.loan_id,
            draw=1,
            payments=tuple(each.id for each in payments.payments),
            amount=f"{sum(each.amount for each in payments.payments):.2f}",
            version=loan.version + 1,
        )
        return Answer(200, told.model_dump_json().encode(), {})

    pay_by(monkeypatch, paid)
    case = await desk.open(loan)
    await desk.decide("omar", await desk.asked(case))
    view = await desk.ended(case, "stopped")
    assert view.stopped_for == "close_case was denied: I13, undone:loan-servicing"
    assert desk.paid(loan) == 0
    settled = [e["data"] for e in await desk.entries(case) if e["type"] == "grant.settled"]
    assert "disbursement" in {part["name"] for each in settled for part in each["parts"]}
    await desk.people["ada"].act("case.end", case, Reason(reason="nothing was paid"))
    assert (await desk.ended(case)).result == "ended"


async def test_a_draw_that_one_agent_alone_calls_forbidden_does_not_close_as_flagged(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I9, I13: policy denies on the ledger alone: what people approved stands for a person's look."""
    loan = desk.take_in_loan()

    def forbidden(_: Payments) -> Answer:
        reasons = ("I3", "forbidden", AUDIT_MODE)
        raise ApplicationError("denied", *reasons, type="GrantDenied", non_retryable=True)

    pay_by(monkeypatch, forbidden)
    case = await desk.open(loan)
    await desk.decide("omar", await desk.asked(case))
    view = await desk.ended(case, "stopped")
    assert view.stopped_for == "close_case was denied: I9, unsupported:flagged"
    desk.audited.add(case)  # its replay would name the false denial
    await desk.people["ada"].act("case.end", case, Reason(reason="nothing was paid"))
    assert (await desk.ended(case)).result == "ended"


async def told_of(desk: Desk, case: str) -> tuple[LogFiles, list[dict[str, Any]]]:
    """The log, and what it tells of a case and of no case: the desk's others are many."""
    files = await fetch_log(desk.people["una"])
    entries = [json.loads(each) for each in files.entries]
    return files, [each for each in entries if each.get("case") in {None, case}]


async def test_an_audit_finds_what_one_agent_alone_had_read_or_made(desk: Desk) -> None:
    """I3, I5: of an honest log, less what the second agent left: at the checkpoint and the payment."""
    loan = desk.take_in_loan()
    case = await desk.open(loan)
    await desk.decide("omar", await desk.asked(case))
    assert (await desk.ended(case)).result == "disbursed"
    files, entries = await told_of(desk, case)
    again = {"packet": "packet_again", "loan": "loan_again", "analysis": "recomputed"}
    for part, second in again.items():
        collector = Collector()
        walk = Walk(Scene(files, collector))
        for index, each in enumerate(entries):
            less = dict(each)
            if each.get("case") == case and each["type"] == "grant.settled":
                parts = [part for part in each["data"]["parts"] if part["name"] != second]
                less["data"] = {**each["data"], "parts": parts}
            walk.entry(index, Entry.model_validate_json(json.dumps(less)))
        found = [t.found for t in collector.report().troubles if t.name == "checkpoint-before"]
        assert [each.endswith(f"came to the same {part}") for each in found] == [True, True]


async def test_an_audit_finds_what_a_case_closed_with_and_no_system_did(desk: Desk) -> None:
    """I4, I13: of an honest log, were it told otherwise by loan servicing, if only after the close.

    What it tells of an intent that was lost says nothing of this one.
    """
    loan = desk.take_in_loan()
    case = await desk.open(loan)
    await desk.decide("omar", await desk.asked(case))
    assert (await desk.ended(case)).result == "disbursed"
    files, entries = await told_of(desk, case)
    of_case = [each for each in entries if each.get("case") == case]
    (intent,) = (each for each in of_case if each["type"] == "action.requested")
    own = intent["data"]["use"].replace("intent-", "result-", 1)
    done, refused, lost = (
        {**intent, "type": "action.performed", "data": {**intent["data"], **said}}
        for said in (
            {"use": own, "status": 200},
            {"use": own, "status": 409},
            {"use": "result-of-an-intent-that-never-came", "status": 503},
        )
    )
    # Its word may come at any time: here, at the end.
    before = [e for e in entries if e not in of_case or e["type"] != "action.performed"]
    undone = ["closed with a disbursement, and no system has done it"]
    for log, found in (
        ([*before, refused], undone),
        ([each for each in before if each != intent], undone),
        (before, []),
        ([*before, refused, done], []),
        ([*before, lost], []),
        ([*before, lost, refused], undone),
    ):
        collector = Collector()
        walk = Walk(Scene(files, collector))
        for index, each in enumerate(log):
            walk.entry(index, Entry.model_validate_json(json.dumps(each)))
        walk.end()
        assert [t.found for t in collector.report().troubles if t.name == "result-undone"] == found
