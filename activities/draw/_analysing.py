"""The analysis of a draw as steps make it, from settled parts alone (I13)."""

import asyncio
from datetime import date

from pydantic import ValidationError

from activities.checks import analyse, day_to_confirm
from activities.clock import today
from activities.draw._requests import AnalysisRef
from activities.packet import apply_keyed
from lender.model import (
    Analysis,
    Cut,
    Cuts,
    InvoiceMatch,
    KeyedValues,
    LoanFile,
    Packet,
    Reading,
    Screening,
    payments_digest,
)
from placet.agent import current_grant, require_ok
from placet.model import Model, PartRef, Proposal, digest_json, quantity
from placet.process import StepRequest

_COMPLIANCE_CHECKS = {"payee.screened", "payee.bank_changed"}


class InvoiceAnswer(Model):
    """Which of them were billed before."""

    matches: tuple[InvoiceMatch, ...]


def draw_of(record: str) -> tuple[str, int]:
    """Loan and draw of ``loan/<loan>/draw/<n>[/packet]``."""
    segments = record.split("/")
    return segments[1], int(segments[3])


async def write_analysis(request: StepRequest, reading: Reading | None = None) -> AnalysisRef:
    """Run every check, write the analysis to the draw, and leave it."""
    grant = current_grant()
    loan, draw = draw_of(request.record)
    analysis = await _analyse(request, today(), reading)
    answer = await grant.request("PUT", f"/loans/{loan}/draws/{draw}/analysis", json=analysis)
    require_ok(answer)
    worst = [finding.check for finding in analysis.findings]
    grant.reason(_in_words(analysis))
    part = grant.keep("analysis", analysis, _proposal(analysis))
    return AnalysisRef(part=part, compliance=bool(_COMPLIANCE_CHECKS & set(worst)))


async def keep_recomputed(request: StepRequest, reading: Reading | None = None) -> PartRef:
    """Make the analysis again from the same inputs, and leave it (I3)."""
    grant = current_grant()
    analysis = await _analyse(request, await confirmed_day(), reading)
    grant.reason(f"made again: {_in_words(analysis)}")
    return grant.keep("recomputed", analysis, _proposal(analysis))


def _in_words(analysis: Analysis) -> str:
    return (
        f"{quantity(len(analysis.results), 'check')}, "
        f"{quantity(len(analysis.findings), 'finding')}; "
        f"recommended {analysis.recommended} of {analysis.requested}"
    )


async def the_packet() -> Packet:
    """The packet as it was read, with what people keyed since."""
    grant = current_grant()
    (settled,) = await grant.inputs("packet")
    packet = Packet.model_validate(settled.part.data)
    for keyed in await grant.inputs("keyed"):
        packet = apply_keyed(packet, KeyedValues.model_validate(keyed.part.data).values)
    return packet


async def _cuts() -> tuple[Cut, ...]:
    """What people took off rows since."""
    left = await current_grant().inputs("adjustments")
    return tuple(cut for each in left for cut in Cuts.model_validate(each.part.data).rows)


async def _analyse(request: StepRequest, day: date, reading: Reading | None) -> Analysis:
    """The analysis of the settled inputs: what counts is what was settled (I13)."""
    grant = current_grant()
    _, draw = draw_of(request.record)
    packet = await the_packet()
    (loan_part,) = await grant.inputs("loan")
    loan = LoanFile.model_validate(loan_part.part.data)
    screenings = tuple(
        Screening.model_validate(each.part.data) for each in await grant.inputs("screening")
    )
    matches = tuple(
        match
        for each in await grant.inputs("invoice_matches")
        for match in InvoiceAnswer.model_validate(each.part.data).matches
    )
    # Read, so that people are shown it beside the analysis; the loan carries the same rows.
    await grant.inputs("earlier_draw")
    return await asyncio.to_thread(
        analyse, packet, loan, draw, screenings, matches, day, await _cuts(), reading
    )


async def confirmed_day() -> date:
    """The day of the analysis that is made again, if that may be true."""
    (settled,) = await current_grant().inputs("analysis")
    try:
        said = Analysis.model_validate(settled.part.data).as_of
    except ValidationError:
        return today()
    return day_to_confirm(said, today())


def _proposal(analysis: Analysis) -> Proposal:
    return Proposal(
        amount=analysis.recommended,
        requested=analysis.requested,
        findings=analysis.findings,
        payments_digest=payments_digest(analysis.payments),
        adjustments_digest=digest_json(
            [each.model_dump(mode="json") for each in analysis.adjustments]
        )
        if analysis.adjustments
        else None,
        record_version=analysis.version,
    )
