"""The signed definition of a budget reallocation: the only way an approved budget changes."""

from decimal import Decimal

from placet.model import (
    Beside,
    CaseResult,
    CheckpointDefinition,
    CheckpointEnd,
    CheckpointStatus,
    FactSource,
    FieldsSection,
    Presentation,
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

SUBJECT = "loan/{loan}/reallocation/{reallocation}"
APPROVAL = "reallocation-approval"


def _ended(
    name: str,
    status: CheckpointStatus,
    amount: Decimal | None = None,
    denied_for: str | None = None,
) -> CaseResult:
    """A result without a change, and how the checkpoint stands."""
    ends = (CheckpointEnd(checkpoint=APPROVAL, status=status, amount=amount),)
    return CaseResult(name=name, ends=ends, without=("reallocated",), denied_for=denied_for)


def _money(path: str, label: str) -> ShownColumn:
    return ShownColumn(path=path, label=label, kind=ValueKind.MONEY)


PRESENTATION = Presentation(
    subject="reallocation {reallocation} of {loan}",
    money="$",
    reasons=("findings", "not_needed", "wrong_rows", "amount", "other"),
    sections=(
        TableSection(
            title="Moves",
            part="moves",
            rows="moves",
            columns=(
                ShownColumn(path="from_item", label="From item"),
                ShownColumn(path="to_item", label="To item"),
                _money("amount", "Amount"),
                ShownColumn(path="reason", label="Reason"),
            ),
        ),
        TableSection(
            title="Rows before and after",
            part="reallocation_check",
            rows="rows",
            key="item",
            columns=(
                ShownColumn(path="item", label="Item"),
                ShownColumn(
                    path="description",
                    label="Description of work",
                    beside=Beside(part="loan", rows="schedule", key="item"),
                ),
                _money("before", "Value before"),
                _money("after", "Value after"),
                _money("billed", "Billed to date"),
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
            part="reallocation_check",
            rows="results",
            columns=(
                ShownColumn(path="check", label="Check"),
                ShownColumn(path="status", label="Ended"),
            ),
        ),
    ),
)

DEFINITION = ProcessDefinition(
    name="budget-reallocation",
    version=2,
    workflow_type="BudgetReallocation",
    subject=SUBJECT,
    relations=(
        Relation(name="reallocation", template=SUBJECT),
        Relation(name="loan", template="loan/{loan}"),
    ),
    facts=(FactSource(name="reallocation", system="loan-servicing", relation="reallocation"),),
    steps=(
        Step(
            activity_type="read_moves",
            agent="draw-analyst",
            action="reallocation:read",
            system="loan-servicing",
            relation="reallocation",
            produces=("moves",),
            facts=("reallocation",),
        ),
        Step(
            activity_type="read_moves_again",
            agent="draw-verifier",
            action="reallocation:read",
            system="loan-servicing",
            relation="reallocation",
            produces=("moves_again",),
            confirms="moves",
        ),
        *READING_LOAN,
        Step(
            activity_type="check_reallocation",
            agent="draw-analyst",
            action="reallocation:check",
            system="authority",
            relation="reallocation",
            inputs=("moves", "loan"),
            produces=("reallocation_check",),
        ),
        Step(
            activity_type="recompute_reallocation",
            agent="draw-verifier",
            action="reallocation:recompute",
            system="authority",
            relation="reallocation",
            inputs=("moves", "loan", "reallocation_check"),
            produces=("recomputed_check",),
            confirms="reallocation_check",
        ),
        Step(
            activity_type="reallocate",
            agent="disbursement",
            action="budget:reallocate",
            system="loan-servicing",
            relation="reallocation",
            inputs=("moves",),
            produces=("reallocated",),
            approval=APPROVAL,
            facts=("reallocation",),
        ),
        *orchestrating("reallocation", facts=("reallocation",)),
    ),
    checkpoints=(
        CheckpointDefinition(
            name=APPROVAL,
            title="Approval of a budget reallocation",
            evidence=("reallocation_check", "moves", "loan"),
            proposal="reallocation_check",
            deadline_seconds=14 * 86_400,
        ),
    ),
    presentation=PRESENTATION,
    results=(
        CaseResult(name="reallocated", part="reallocated"),
        # The moves don't fit the loan, or agents only flag: people approved, nothing was changed.
        _ended("nothing_to_apply", CheckpointStatus.APPROVED, Decimal("0.00")),
        _ended("flagged", CheckpointStatus.APPROVED, denied_for=AUDIT_MODE),
        _ended("rejected", CheckpointStatus.REJECTED),
        _ended("expired", CheckpointStatus.EXPIRED),
        CaseResult(name="too_many_rounds", without=("reallocated",)),
    ),
)
