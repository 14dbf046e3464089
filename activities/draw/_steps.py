"""The governed steps of a draw review: thin shells over the readers, the checks and HTTP."""

import asyncio
from urllib.parse import quote

from pydantic import Field
from temporalio import activity

from activities.clock import today
from activities.draw._analysing import (
    InvoiceAnswer,
    draw_of,
    keep_recomputed,
    the_packet,
    write_analysis,
)
from activities.draw._requests import (
    AnalysisRef,
    DisbursementRef,
    LoanRef,
    LookRef,
    PacketRef,
)
from activities.packet import read_files
from lender.model import (
    Analysis,
    BilledInvoice,
    KeyedValues,
    LoanFile,
    Payments,
    PriorDraw,
    Screening,
    payments_digest,
    worsened,
)
from placet.agent import current_grant, governed, read_answer, require_ok
from placet.model import Digest, Model, PartRef, digest_json, quantity
from placet.process import StepRequest


class StoredFile(Model):
    """A file of the packet's manifest."""

    name: str
    size: int
    digest: Digest


class Manifest(Model):
    """What document storage has for a draw."""

    version: int
    files: tuple[StoredFile, ...]


class InvoiceQuestion(Model):
    """Which invoices to compare."""

    invoices: tuple[BilledInvoice, ...]


class SecondLook(Model):
    """The loan as it stands just before paying, and what is worse than it was analysed."""

    version: int
    status: str
    worse: tuple[str, ...] = ()


class Disbursed(Model):
    """What the loan servicing system paid."""

    loan: str
    draw: int
    payments: tuple[str, ...] = Field(min_length=1)
    amount: str
    version: int


@activity.defn
@governed(action="packet:read", system="document-storage")
async def read_packet(request: StepRequest) -> PacketRef:
    """Read the newest packet of the draw, file by file."""
    return await _read_packet(request, "packet")


@activity.defn
@governed(action="packet:read", system="document-storage")
async def read_packet_again(request: StepRequest) -> PacketRef:
    """Read it as another identity: what one alone has read brings nothing before people (I3)."""
    return await _read_packet(request, "packet_again")


async def _read_packet(request: StepRequest, name: str) -> PacketRef:
    grant = current_grant()
    loan, draw = draw_of(request.record)
    base = f"/loans/{loan}/draws/{draw}/packet"
    manifest = read_answer(await grant.request("GET", base), Manifest)
    files: dict[str, bytes] = {}
    for file in manifest.files:
        path = f"{base}/{manifest.version}/{quote(file.name, safe='')}"
        answer = await grant.request("GET", path)
        require_ok(answer)
        files[file.name] = answer.body
    keyed = [
        value
        for each in await grant.inputs("keyed")
        for value in KeyedValues.model_validate(each.part.data).values
    ]
    packet = await asyncio.to_thread(read_files, files, keyed)
    grant.reason(
        f"read {quantity(len(packet.files), 'file')} of packet version {manifest.version}; "
        f"{quantity(len(packet.unreadable), 'thing')} could not be read"
    )
    return PacketRef(part=grant.keep(name, packet), version=manifest.version)


@activity.defn
@governed(action="loan:read", system="loan-servicing")
async def read_loan(request: StepRequest) -> LoanRef:
    """Read the loan, its budget and its draw history."""
    return await _read_loan(request, "loan")


@activity.defn
@governed(action="loan:read", system="loan-servicing")
async def read_loan_again(request: StepRequest) -> LoanRef:
    """Read it as another identity: what one alone has read brings nothing before people (I3)."""
    return await _read_loan(request, "loan_again")


async def _read_loan(request: StepRequest, name: str) -> LoanRef:
    grant = current_grant()
    loan_id = request.record.split("/")[1]
    loan = read_answer(await grant.request("GET", f"/loans/{loan_id}"), LoanFile)
    grant.reason(f"read loan {loan_id}, version {loan.version}")
    return LoanRef(
        part=grant.keep(name, loan),
        digest=digest_json(loan),
        payees=tuple(f"payee/{payee.id}" for payee in loan.payees),
        last_draw=len(loan.prior_draws),
    )


@activity.defn
@governed(action="draw:read", system="loan-servicing")
async def read_earlier_draw(request: StepRequest) -> PartRef:
    """Read the draw before this one."""
    grant = current_grant()
    loan, draw = draw_of(request.record)
    found = read_answer(await grant.request("GET", f"/loans/{loan}/draws/{draw}"), PriorDraw)
    return grant.keep("earlier_draw", found)


@activity.defn
@governed(action="invoices:match", system="loan-servicing")
async def match_invoices(request: StepRequest) -> PartRef:
    """Ask whether the packet's invoices were billed before, in any loan."""
    grant = current_grant()
    loan, draw = draw_of(request.record)
    packet = await the_packet()
    invoices = tuple(
        BilledInvoice(vendor=each.vendor.value, number=each.number.value, amount=each.amount.value)
        for each in packet.invoices
        if not each.bill_of_sale
    )
    answer = await grant.request(
        "POST",
        f"/loans/{loan}/draws/{draw}/invoices/match",
        json=InvoiceQuestion(invoices=invoices),
    )
    matches = read_answer(answer, InvoiceAnswer)
    grant.reason(f"compared {quantity(len(invoices), 'invoice')} with all earlier draws")
    return grant.keep("invoice_matches", matches)


@activity.defn
@governed(action="payee:screen", system="compliance")
async def screen_payee(request: StepRequest) -> PartRef:
    """Screen one payee."""
    grant = current_grant()
    payee = request.record.split("/")[1]
    answer = read_answer(await grant.request("POST", f"/payees/{payee}/screening"), Screening)
    grant.reason(f"{payee} is {answer.status} in list {answer.list_version}")
    return grant.keep("screening", answer)


@activity.defn
@governed(action="analysis:write", system="loan-servicing")
async def analyse_draw(request: StepRequest) -> AnalysisRef:
    """Run every check and write the analysis to the draw."""
    return await write_analysis(request)


@activity.defn
@governed(action="analysis:recompute", system="authority")
async def recompute_analysis(request: StepRequest) -> PartRef:
    """Make the analysis again from the same inputs, under another identity (I3)."""
    return await keep_recomputed(request)


@activity.defn
@governed(action="loan:read", system="loan-servicing")
async def look_again(request: StepRequest) -> LookRef:
    """Look at the loan once more before paying."""
    grant = current_grant()
    loan_id = request.record.split("/")[1]
    (settled,) = await grant.inputs("analysis")
    analysis = Analysis.model_validate(settled.part.data)
    loan = read_answer(await grant.request("GET", f"/loans/{loan_id}"), LoanFile)
    unchanged = loan.version == analysis.loan_version
    worse = worsened(loan, analysis, today())
    said = "the loan is as it was analysed" if unchanged else "the loan has changed"
    grant.reason("; ".join((said, *(f"{each.value}: {why}" for each, why in worse.items()))))
    look = SecondLook(
        version=loan.version,
        status=loan.status.value,
        worse=tuple(each.value for each in worse),
    )
    return LookRef(part=grant.keep("second_look", look), unchanged=unchanged)


@activity.defn
@governed(action="draw:disburse", system="loan-servicing")
async def disburse(request: StepRequest) -> DisbursementRef:
    """Pay the approved payments, once."""
    grant = current_grant()
    loan, draw = draw_of(request.record)
    (settled,) = await grant.inputs("analysis")
    payments = Analysis.model_validate(settled.part.data).payments
    answer = await grant.request(
        "POST", f"/loans/{loan}/draws/{draw}/disbursement", json=Payments(payments=payments)
    )
    paid = read_answer(answer, Disbursed)
    grant.reason(f"paid {paid.amount} in {quantity(len(paid.payments), 'payment')}")
    return DisbursementRef(
        part=grant.keep("disbursement", paid), payments_digest=payments_digest(payments)
    )
