"""The signed definition of sending a payment again that came back: never without a call-back."""

from decimal import Decimal

from lender.model import CALL_BACK as CALL_BACK_CHECK
from placet.model import (
    CaseResult,
    CheckpointDefinition,
    CheckpointEnd,
    CheckpointStatus,
    FactSource,
    FieldsSection,
    Presentation,
    PriorCheckpoint,
    ProcessDefinition,
    Relation,
    ShownColumn,
    ShownValue,
    Step,
    TableSection,
    ValueKind,
)
from placet.process import orchestrating
from workflows.steps import AUDIT_MODE, READING_LOAN

SUBJECT = "loan/{loan}/draw/{draw}/payment/{payment}"
CALL_BACK = "call-back"
APPROVAL = "resend-approval"

_EVIDENCE = ("resend", "payment", "loan", "screening")
_INPUTS = ("payment", "loan", "screening")


def _ended(name: str, status: CheckpointStatus, *checkpoints: str) -> CaseResult:
    """A result without a payment, and how one of the checkpoints stands."""
    ends = tuple(CheckpointEnd(checkpoint=each, status=status) for each in checkpoints)
    return CaseResult(name=name, ends=ends, without=("resent",))


PRESENTATION = Presentation(
    subject="payment {payment} of draw {draw} of {loan}",
    money="$",
    reasons=("not_reached", "account_not_confirmed", "findings", "not_needed", "other"),
    sections=(
        FieldsSection(
            title="Payment that came back",
            part="resend",
            fields=(
                ShownValue(path="payment", label="Payment"),
                ShownValue(path="reason", label="Came back because"),
                ShownValue(path="payee", label="Payee"),
                ShownValue(path="payee_name", label="Name"),
                ShownValue(path="amount", label="Amount", kind=ValueKind.MONEY),
                ShownValue(path="account_before", label="Account it was sent to"),
                ShownValue(path="account", label="Account on file now"),
                ShownValue(path="account_changed", label="Account changed"),
                ShownValue(path="account_changed_on", label="Changed on file", kind=ValueKind.DATE),
            ),
        ),
        TableSection(
            title="To be sent",
            part="resend",
            rows="payments",
            columns=(
                ShownColumn(path="payee", label="Payee"),
                ShownColumn(path="account", label="Account"),
                ShownColumn(path="amount", label="Amount", kind=ValueKind.MONEY),
                ShownColumn(path="id", label="Payment"),
            ),
        ),
        TableSection(
            title="Payee screened",
            part="screening",
            columns=(
                ShownColumn(path="payee", label="Payee"),
                ShownColumn(path="status", label="Screening"),
                ShownColumn(path="licensed", label="Licensed"),
                ShownColumn(path="list_version", label="List"),
            ),
        ),
        FieldsSection(
            title="Loan",
            part="loan",
            fields=(
                ShownValue(path="borrower", label="Borrower"),
                ShownValue(path="project", label="Project"),
                ShownValue(path="status", label="Status"),
                ShownValue(path="maturity", label="Maturity", kind=ValueKind.DATE),
            ),
        ),
        TableSection(
            title="Checks",
            part="resend",
            rows="results",
            columns=(
                ShownColumn(path="check", label="Check"),
                ShownColumn(path="status", label="Ended"),
            ),
        ),
    ),
)

DEFINITION = ProcessDefinition(
    name="payment-resend",
    version=2,
    workflow_type="PaymentResend",
    subject=SUBJECT,
    relations=(
        Relation(name="payment", template=SUBJECT),
        Relation(name="loan", template="loan/{loan}"),
        Relation(name="payee", template="payee/{payee}", member_of="payees"),
    ),
    facts=(
        FactSource(name="payment", system="loan-servicing", relation="payment"),
        FactSource(name="standing", system="compliance", relation="loan"),
    ),
    steps=(
        Step(
            activity_type="read_payment",
            agent="draw-analyst",
            action="payment:read",
            system="loan-servicing",
            relation="payment",
            produces=("payment",),
            facts=("payment",),
        ),
        Step(
            activity_type="read_payment_again",
            agent="draw-verifier",
            action="payment:read",
            system="loan-servicing",
            relation="payment",
            produces=("payment_again",),
            confirms="payment",
        ),
        *READING_LOAN,
        Step(
            activity_type="screen_payee",
            agent="compliance-checker",
            action="payee:screen",
            system="compliance",
            relation="payee",
            produces=("screening",),
            facts=("payment",),
        ),
        Step(
            activity_type="propose_resend",
            agent="draw-analyst",
            action="resend:propose",
            system="authority",
            relation="payment",
            inputs=_INPUTS,
            produces=("resend",),
        ),
        Step(
            activity_type="recompute_resend",
            agent="draw-verifier",
            action="resend:recompute",
            system="authority",
            relation="payment",
            inputs=(*_INPUTS, "resend"),
            produces=("recomputed_resend",),
            confirms="resend",
        ),
        Step(
            activity_type="resend_payment",
            agent="disbursement",
            action="payment:resend",
            system="loan-servicing",
            relation="payment",
            inputs=("resend",),
            produces=("resent",),
            approval=APPROVAL,
            facts=("payment", "standing"),
        ),
        *orchestrating("payment", facts=("payment",)),
    ),
    checkpoints=(
        CheckpointDefinition(
            name=CALL_BACK,
            title="Call-back before a payment is sent again",
            evidence=_EVIDENCE,
            proposal="resend",
        ),
        CheckpointDefinition(
            name=APPROVAL,
            title="Approval of a payment that is sent again",
            evidence=_EVIDENCE,
            proposal="resend",
            # Found of every payment that came back: the approval always rests on a call-back.
            after=(PriorCheckpoint(checkpoint=CALL_BACK, findings_of=(CALL_BACK_CHECK,)),),
            deadline_seconds=14 * 86_400,
        ),
    ),
    presentation=PRESENTATION,
    results=(
        CaseResult(name="resent", part="resent"),
        # It did not come back, was sent again before, or something else speaks against it.
        CaseResult(
            name="nothing_to_send",
            ends=(
                CheckpointEnd(
                    checkpoint=CALL_BACK,
                    status=CheckpointStatus.APPROVED,
                    amount=Decimal("0.00"),
                ),
            ),
            without=("resent",),
        ),
        # Agents only flag: people approved, and nothing was sent.
        CaseResult(
            name="flagged",
            ends=(CheckpointEnd(checkpoint=APPROVAL, status=CheckpointStatus.APPROVED),),
            without=("resent",),
            denied_for=AUDIT_MODE,
        ),
        _ended("rejected", CheckpointStatus.REJECTED, CALL_BACK, APPROVAL),
        _ended("expired", CheckpointStatus.EXPIRED, CALL_BACK, APPROVAL),
        CaseResult(name="too_many_rounds", without=("resent",)),
    ),
)
