"""The signed definition of the loan draw review: who may do what, on which record, after whom."""

from decimal import Decimal

from placet.model import (
    CaseResult,
    CheckpointDefinition,
    CheckpointEnd,
    CheckpointStatus,
    ExclusionReason,
    FactSource,
    NamedIn,
    PriorCheckpoint,
    ProcessDefinition,
    Relation,
    Step,
)
from placet.process import orchestrating
from workflows.presentation import PRESENTATION
from workflows.steps import AUDIT_MODE, READING_LOAN

_ANALYSIS_INPUTS = (
    "packet",
    "loan",
    "earlier_draw",
    "invoice_matches",
    "screening",
    "adjustments",
    "keyed",
)

_INSPECTOR = NamedIn(part="analysis", path="inspected_by", hand=ExclusionReason.INSPECTED)
"""Whoever inspected the draw does not approve it."""

_APPROVED = CheckpointEnd(checkpoint="draw-approval", status=CheckpointStatus.APPROVED)
_OF_NOTHING = CheckpointEnd(
    checkpoint="draw-approval", status=CheckpointStatus.APPROVED, amount=Decimal("0.00")
)


def _either(status: CheckpointStatus) -> tuple[CheckpointEnd, ...]:
    """Either checkpoint ended so."""
    return tuple(
        CheckpointEnd(checkpoint=name, status=status) for name in ("compliance", "draw-approval")
    )


DEFINITION = ProcessDefinition(
    name="loan-draw",
    version=2,
    workflow_type="LoanDrawReview",
    subject="loan/{loan}/draw/{draw}",
    relations=(
        Relation(name="draw", template="loan/{loan}/draw/{draw}"),
        Relation(name="packet", template="loan/{loan}/draw/{draw}/packet"),
        Relation(name="loan", template="loan/{loan}"),
        Relation(name="earlier-draw", template="loan/{loan}/draw/{earlier}", earlier_than="draw"),
        Relation(name="payee", template="payee/{payee}", member_of="payees"),
    ),
    facts=(
        FactSource(name="draw", system="loan-servicing", relation="draw"),
        FactSource(name="packet", system="document-storage", relation="packet"),
        FactSource(name="standing", system="compliance", relation="draw"),
    ),
    steps=(
        Step(
            activity_type="read_packet",
            agent="draw-intake",
            action="packet:read",
            system="document-storage",
            relation="packet",
            inputs=("keyed",),
            produces=("packet",),
            facts=("packet",),
        ),
        Step(
            activity_type="read_packet_again",
            agent="draw-verifier",
            action="packet:read",
            system="document-storage",
            relation="packet",
            inputs=("keyed",),
            produces=("packet_again",),
            confirms="packet",
        ),
        *READING_LOAN,
        Step(
            activity_type="read_earlier_draw",
            agent="draw-analyst",
            action="draw:read",
            system="loan-servicing",
            relation="earlier-draw",
            produces=("earlier_draw",),
        ),
        Step(
            activity_type="match_invoices",
            agent="draw-analyst",
            action="invoices:match",
            system="loan-servicing",
            relation="draw",
            inputs=("packet", "keyed"),
            produces=("invoice_matches",),
        ),
        Step(
            activity_type="screen_payee",
            agent="compliance-checker",
            action="payee:screen",
            system="compliance",
            relation="payee",
            produces=("screening",),
            facts=("draw",),
        ),
        Step(
            activity_type="analyse_draw",
            agent="draw-analyst",
            action="analysis:write",
            system="loan-servicing",
            relation="draw",
            inputs=_ANALYSIS_INPUTS,
            produces=("analysis",),
        ),
        Step(
            activity_type="recompute_analysis",
            agent="draw-verifier",
            action="analysis:recompute",
            system="authority",
            relation="draw",
            inputs=(*_ANALYSIS_INPUTS, "analysis"),
            produces=("recomputed",),
            confirms="analysis",
        ),
        Step(
            activity_type="look_again",
            agent="draw-analyst",
            action="loan:read",
            system="loan-servicing",
            relation="loan",
            inputs=("analysis",),
            produces=("second_look",),
        ),
        Step(
            activity_type="disburse",
            agent="disbursement",
            action="draw:disburse",
            system="loan-servicing",
            relation="draw",
            inputs=("analysis",),
            produces=("disbursement",),
            approval="draw-approval",
            facts=("draw", "standing"),
        ),
        *orchestrating("draw", facts=("draw",)),
    ),
    checkpoints=(
        CheckpointDefinition(
            name="compliance",
            title="Call-back or screening hit",
            evidence=("analysis", "screening", "keyed"),
            proposal="analysis",
            keyed="keyed",
            named=(_INSPECTOR,),
        ),
        CheckpointDefinition(
            name="draw-approval",
            title="Approval of a draw",
            evidence=("analysis", *_ANALYSIS_INPUTS),
            proposal="analysis",
            after=(
                PriorCheckpoint(
                    checkpoint="compliance", findings_of=("payee.screened", "payee.bank_changed")
                ),
            ),
            deadline_seconds=14 * 86_400,
            adjustments="adjustments",
            keyed="keyed",
            named=(_INSPECTOR,),
        ),
    ),
    presentation=PRESENTATION,
    results=(
        CaseResult(name="disbursed", part="disbursement"),
        # Nothing could be recommended, or agents only flag: people approved, and nothing was paid.
        CaseResult(name="nothing_to_pay", ends=(_OF_NOTHING,), without=("disbursement",)),
        CaseResult(
            name="flagged",
            ends=(_APPROVED,),
            without=("disbursement",),
            denied_for=AUDIT_MODE,
        ),
        CaseResult(
            name="rejected",
            ends=_either(CheckpointStatus.REJECTED),
            without=("disbursement",),
        ),
        CaseResult(
            name="expired", ends=_either(CheckpointStatus.EXPIRED), without=("disbursement",)
        ),
        CaseResult(name="too_many_rounds", without=("disbursement",)),
    ),
)
