"""Whoever takes the workflow's tasks can't leave out those who must be asked."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker

from lender.samples import LOAN_DEFECTS, make_loan
from placet.audit import workflow_runner
from placet.model import ActAnswer, Verdict
from tests.harness.reading import reading
from tests.workflows.bypasses import (
    AsksNobody,
    CallsNobodyBack,
    IgnoresCompliance,
    PaysNothing,
    ReadsNothingAnew,
    SkipsCompliance,
)
from tests.workflows.desk import Desk, open_desk

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path_factory.mktemp("desk")) as opened:
        yield opened


@contextlib.asynccontextmanager
async def orchestrated_by(
    desk: Desk, code: type
) -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    """Such code takes the first task for sure: what is given waits for that in an opened case.

    After it, our own orchestrator takes steps beside. They hold the case's keys as well.
    """
    desk.made.stop("worker-orchestrator")
    client = reading(await Client.connect(desk.made.temporal), desk.made.authority)

    async def begun(case: str) -> None:
        await _first_task_taken(client, case)
        desk.made.start("worker-orchestrator")

    async with Worker(
        client, task_queue="orchestrator", workflows=[code], workflow_runner=workflow_runner()
    ):
        yield begun


@pytest.mark.parametrize("code", [SkipsCompliance, IgnoresCompliance])
async def test_the_call_back_can_not_be_left_out(desk: Desk, code: type) -> None:
    """I5: the checkpoint that comes first is the signed definition's, not the workflow's."""
    desk.loans += 1
    loan = LOAN_DEFECTS["payee.bank_changed"](
        make_loan(
            f"L-{3000 + desk.loans}",
            "Bypass Row",
            f"Bypass {desk.loans} LLC",
            "1 Bypass Road, Oakland CA",
            Decimal("120000.00"),
            30,
        )
    )
    desk.books.take_in(loan)
    async with orchestrated_by(desk, code) as begun:
        said = await desk.command(
            *("dana", "case", "open", "--process", "loan-draw", "--json"),
            *("--loan", loan.loan_id, "--draw", "1"),
            *("--packet", str(desk.packet(loan, "a"))),
        )
        case = str(ActAnswer.model_validate_json(said.out).case)
        await begun(case)
        if code is IgnoresCompliance:
            await desk.decide("cora", await desk.asked(case, "compliance"), Verdict.REJECT)
        async with asyncio.timeout(90):
            while (await desk.people["una"].case(case)).status != "stopped":
                await asyncio.sleep(0.05)
    asked = {each.name for each in await desk.people["una"].checkpoints(case=case)}
    assert "draw-approval" not in asked
    assert desk.paid(loan) == 0


async def test_what_was_handed_in_again_is_read_before_people_are_asked(desk: Desk) -> None:
    """I13: nobody approves the packet that they returned for the one that came back."""
    loan = desk.take_in_loan()
    packet = desk.packet(loan, "first")
    async with orchestrated_by(desk, ReadsNothingAnew) as begun:
        case = await desk.open(loan)
        await begun(case)
        await desk.decide("omar", await desk.asked(case), Verdict.RETURN)
        said = await desk.command("dana", "case", "resubmit", case, "--packet", str(packet))
        assert said.code == 0, said.err
        view = await desk.ended(case, "stopped")
    assert view.stopped_for == "open_checkpoint was denied: I13, unmet, unread"
    assert [each.status for each in await desk.people["una"].checkpoints(case=case)] == [
        "resubmitted"
    ]
    assert desk.paid(loan) == 0


async def test_what_people_approved_is_not_closed_as_nothing(desk: Desk) -> None:
    """I9, I13: the result is held against the amount that they approved."""
    loan = desk.take_in_loan()
    async with orchestrated_by(desk, PaysNothing) as begun:
        case = await desk.open(loan)
        await begun(case)
        await desk.decide("omar", await desk.asked(case))
        view = await desk.ended(case, "stopped")
    assert view.stopped_for == "close_case was denied: I9, unsupported:nothing_to_pay"


async def test_no_budget_changes_without_an_approval(desk: Desk) -> None:
    """I5: the step that would is refused, and the case stops for a person to look at."""
    loan = desk.take_in_loan()
    moves = desk.folder / "moves.csv"
    first, second = (each.item for each in loan.schedule[:2])
    moves.write_text(f"From item,To item,Amount,Reason\n{first},{second},10.00,the bids\n")
    async with orchestrated_by(desk, AsksNobody) as begun:
        said = await desk.command(
            *("dana", "case", "open", "--json", "--process", "budget-reallocation"),
            *("--loan", loan.loan_id, "--reallocation", "1", "--moves", str(moves)),
        )
        case = str(ActAnswer.model_validate_json(said.out).case)
        await begun(case)
        await desk.ended(case, "stopped")
    denied = [each["data"] for each in await desk.entries(case) if each["type"] == "grant.denied"]
    assert [each["action"] for each in denied] == ["budget:reallocate"]
    assert "I5" in denied[0]["reasons"]
    assert desk.books.loan(loan.loan_id) == loan


async def test_no_payment_is_sent_again_without_a_call_back(desk: Desk) -> None:
    """I5: whatever the account, the checkpoint that comes first is the signed definition's."""
    loan = desk.take_in_loan()
    draw = await desk.open(loan)
    await desk.decide("omar", await desk.asked(draw))
    await desk.ended(draw)
    paid = desk.books.loan(loan.loan_id)
    payment = paid.prior_draws[0].payments[0].id
    noted = await desk.command(
        "dana", "loan", "note", loan.loan_id, "--came-back", f"{payment}=R02"
    )
    assert noted.code == 0, noted.err
    async with orchestrated_by(desk, CallsNobodyBack) as begun:
        said = await desk.command(
            *("dana", "case", "open", "--json", "--process", "payment-resend"),
            *("--loan", loan.loan_id, "--draw", "1", "--payment", payment),
        )
        case = str(ActAnswer.model_validate_json(said.out).case)
        await begun(case)
        await desk.ended(case, "stopped")
    assert await desk.people["una"].checkpoints(case=case) == []
    assert desk.paid(loan) == paid.disbursed


async def _first_task_taken(client: Client, case: str) -> None:
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(RPCError):
                if len((await client.get_workflow_handle(case).fetch_history()).events) > 4:
                    return
            await asyncio.sleep(0.05)
