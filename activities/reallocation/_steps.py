"""The governed steps of a reallocation: thin shells over the check and HTTP."""

from datetime import UTC, datetime
from decimal import Decimal

from temporalio import activity

from activities.reallocation._requests import CheckRef
from lender.model import LoanFile, Moves, Reallocated, check_moves
from placet.agent import current_grant, governed, read_answer
from placet.model import PartRef, Proposal
from placet.process import StepRequest


def _path(record: str) -> str:
    _, loan, _, number = record.split("/")
    return f"/loans/{loan}/reallocations/{number}"


@activity.defn
@governed(action="reallocation:read", system="loan-servicing")
async def read_moves(request: StepRequest) -> PartRef:
    """Read which moves are asked for."""
    grant = current_grant()
    moves = read_answer(await grant.request("GET", _path(request.record)), Moves)
    grant.reason(f"read {len(moves.moves)} moves of {moves.amount} in all")
    return grant.keep("moves", moves)


@activity.defn
@governed(action="reallocation:check", system="authority")
async def check_reallocation(request: StepRequest) -> CheckRef:
    """Check the moves against the loan: what counts is what was settled (I13)."""
    grant = current_grant()
    (asked,) = await grant.inputs("moves")
    (read,) = await grant.inputs("loan")
    moves, loan = Moves.model_validate(asked.part.data), LoanFile.model_validate(read.part.data)
    number = int(request.record.rpartition("/")[2])
    check = check_moves(loan, number, moves, datetime.now(UTC).date())
    fits = not check.findings
    grant.reason(f"{len(check.results)} checks, {len(check.findings)} findings")
    proposal = Proposal(
        amount=check.amount if fits else Decimal("0.00"),
        requested=check.amount,
        findings=check.findings,
        payments_digest=check.moves,
        record_version=check.version,
    )
    return CheckRef(part=grant.keep("reallocation_check", check, proposal), fits=fits)


@activity.defn
@governed(action="budget:reallocate", system="loan-servicing")
async def reallocate(request: StepRequest) -> PartRef:
    """Have the approved moves done, once."""
    grant = current_grant()
    (asked,) = await grant.inputs("moves")
    moves = Moves.model_validate(asked.part.data)
    answer = await grant.request("POST", f"{_path(request.record)}/application", json=moves)
    done = read_answer(answer, Reallocated)
    grant.reason(f"moved {done.amount} in {len(moves.moves)} moves")
    return grant.keep("reallocated", done)
