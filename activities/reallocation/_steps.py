"""The governed steps of a reallocation: thin shells over the check and HTTP."""

from datetime import date
from decimal import Decimal

from pydantic import ValidationError
from temporalio import activity

from activities.checks import day_to_confirm
from activities.clock import today
from lender.model import LoanFile, Moves, Reallocated, ReallocationCheck, check_moves
from placet.agent import current_grant, governed, read_answer
from placet.model import PartRef, Proposal, quantity
from placet.process import StepRequest


def _path(record: str) -> str:
    _, loan, _, number = record.split("/")
    return f"/loans/{loan}/reallocations/{number}"


@activity.defn
@governed(action="reallocation:read", system="loan-servicing")
async def read_moves(request: StepRequest) -> PartRef:
    """Read which moves are asked for."""
    return await _read_moves(request, "moves")


@activity.defn
@governed(action="reallocation:read", system="loan-servicing")
async def read_moves_again(request: StepRequest) -> PartRef:
    """Read them as another identity: what one alone has read brings nothing before people (I3)."""
    return await _read_moves(request, "moves_again")


async def _read_moves(request: StepRequest, name: str) -> PartRef:
    grant = current_grant()
    moves = read_answer(await grant.request("GET", _path(request.record)), Moves)
    grant.reason(f"read {quantity(len(moves.moves), 'move')} of {moves.amount} in all")
    return grant.keep(name, moves)


@activity.defn
@governed(action="reallocation:check", system="authority")
async def check_reallocation(request: StepRequest) -> PartRef:
    """Check the moves against the loan: what counts is what was settled (I13)."""
    grant = current_grant()
    check = await _check(request, today())
    grant.reason(
        f"{quantity(len(check.results), 'check')}, {quantity(len(check.findings), 'finding')}"
    )
    return grant.keep("reallocation_check", check, _proposal(check))


@activity.defn
@governed(action="reallocation:recompute", system="authority")
async def recompute_reallocation(request: StepRequest) -> PartRef:
    """Check them again from the same inputs, under another identity: one alone asks nobody."""
    grant = current_grant()
    (made,) = await grant.inputs("reallocation_check")
    try:
        said = ReallocationCheck.model_validate(made.part.data).as_of
    except ValidationError:
        said = today()
    check = await _check(request, day_to_confirm(said, today()))
    return grant.keep("recomputed_check", check, _proposal(check))


async def _check(request: StepRequest, day: date) -> ReallocationCheck:
    grant = current_grant()
    (asked,) = await grant.inputs("moves")
    (read,) = await grant.inputs("loan")
    moves, loan = Moves.model_validate(asked.part.data), LoanFile.model_validate(read.part.data)
    return check_moves(loan, int(request.record.rpartition("/")[2]), moves, day)


def _proposal(check: ReallocationCheck) -> Proposal:
    return Proposal(
        amount=Decimal("0.00") if check.findings else check.amount,
        requested=check.amount,
        findings=check.findings,
        payments_digest=check.moves,
        record_version=check.version,
    )


@activity.defn
@governed(action="budget:reallocate", system="loan-servicing")
async def reallocate(request: StepRequest) -> PartRef:
    """Have the approved moves done, once."""
    grant = current_grant()
    (asked,) = await grant.inputs("moves")
    moves = Moves.model_validate(asked.part.data)
    answer = await grant.request("POST", f"{_path(request.record)}/application", json=moves)
    done = read_answer(answer, Reallocated)
    grant.reason(f"moved {done.amount} in {quantity(len(moves.moves), 'move')}")
    return grant.keep("reallocated", done)
