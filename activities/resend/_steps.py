"""The governed steps of sending a payment again: thin shells over the checks and HTTP."""

from datetime import date
from decimal import Decimal

from pydantic import ValidationError
from temporalio import activity

from activities.checks import day_to_confirm
from activities.clock import today
from activities.resend._requests import SentRef
from lender.model import (
    LoanFile,
    Payments,
    Resend,
    Resent,
    Screening,
    SentPayment,
    payments_digest,
    resend,
)
from placet.agent import current_grant, governed, read_answer
from placet.model import PartRef, Proposal, digest_json, quantity
from placet.process import StepRequest


def _path(record: str) -> str:
    _, loan, _, draw, _, payment = record.split("/")
    return f"/loans/{loan}/draws/{draw}/payments/{payment}"


@activity.defn
@governed(action="payment:read", system="loan-servicing")
async def read_payment(request: StepRequest) -> SentRef:
    """Read the payment as it was sent, and whether it came back."""
    return await _read_payment(request, "payment")


@activity.defn
@governed(action="payment:read", system="loan-servicing")
async def read_payment_again(request: StepRequest) -> SentRef:
    """Read it as another identity: what one alone has read brings nothing before people (I3)."""
    return await _read_payment(request, "payment_again")


async def _read_payment(request: StepRequest, name: str) -> SentRef:
    grant = current_grant()
    sent = read_answer(await grant.request("GET", _path(request.record)), SentPayment)
    came = "came back" if sent.came_back is not None else "is not known to have come back"
    grant.reason(f"read payment {sent.payment.id} of {sent.payment.amount}, which {came}")
    return SentRef(
        part=grant.keep(name, sent),
        digest=digest_json(sent),
        payee=f"payee/{sent.payment.payee}",
    )


@activity.defn
@governed(action="resend:propose", system="authority")
async def propose_resend(request: StepRequest) -> PartRef:
    """Say what would be sent in its place: what counts is what was settled (I13)."""
    grant = current_grant()
    proposed = await _propose(request, today())
    grant.reason(
        f"{quantity(len(proposed.results), 'check')}, {quantity(len(proposed.findings), 'finding')}"
        f"; {quantity(len(proposed.payments), 'payment')} to send"
    )
    return grant.keep("resend", proposed, _proposal(proposed))


@activity.defn
@governed(action="resend:recompute", system="authority")
async def recompute_resend(request: StepRequest) -> PartRef:
    """Say it again from the same inputs, under another identity: one alone asks nobody."""
    grant = current_grant()
    (made,) = await grant.inputs("resend")
    try:
        said = Resend.model_validate(made.part.data).as_of
    except ValidationError:
        said = today()
    proposed = await _propose(request, day_to_confirm(said, today()))
    return grant.keep("recomputed_resend", proposed, _proposal(proposed))


async def _propose(request: StepRequest, day: date) -> Resend:
    grant = current_grant()
    (sent,) = await grant.inputs("payment")
    (loan,) = await grant.inputs("loan")
    screenings = tuple(
        Screening.model_validate(each.part.data) for each in await grant.inputs("screening")
    )
    return resend(
        LoanFile.model_validate(loan.part.data),
        int(request.record.split("/")[3]),
        SentPayment.model_validate(sent.part.data),
        screenings,
        day,
    )


def _proposal(proposed: Resend) -> Proposal:
    return Proposal(
        amount=proposed.amount if proposed.payments else Decimal("0.00"),
        requested=proposed.amount,
        findings=proposed.findings,
        payments_digest=payments_digest(proposed.payments),
        record_version=proposed.version,
    )


@activity.defn
@governed(action="payment:resend", system="loan-servicing")
async def resend_payment(request: StepRequest) -> PartRef:
    """Have the approved payment sent, once."""
    grant = current_grant()
    (approved,) = await grant.inputs("resend")
    payments = Resend.model_validate(approved.part.data).payments
    path = f"{_path(request.record)}/resending"
    sent = read_answer(await grant.request("POST", path, json=Payments(payments=payments)), Resent)
    grant.reason(f"sent {sent.payment.amount} again, as {sent.payment.id}")
    return grant.keep("resent", sent)
