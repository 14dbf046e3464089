"""The signed definition of an identity's review: its owner keeps, narrows or ends it."""

from placet.model import (
    NARROW,
    RECERTIFICATION,
    REVIEW_PROCESS,
    CaseResult,
    CheckpointDefinition,
    CheckpointEnd,
    CheckpointStatus,
    Effect,
    FieldsSection,
    Presentation,
    ProcessDefinition,
    Relation,
    Reviewed,
    ShownColumn,
    ShownValue,
    Step,
    TableSection,
    ValueKind,
    Verdict,
)
from placet.process import orchestrating

SUBJECT = "campaign/{campaign}/identity/{number}"
REVIEWER = "identity-reviewer"
"""The agent whose steps these are. Whoever owns it prepares every review, and decides on none."""


def _ended(name: str, status: CheckpointStatus, part: str | None = "carried_out") -> CaseResult:
    ends = (CheckpointEnd(checkpoint=RECERTIFICATION, status=status),)
    return CaseResult(name=name, part=part, ends=ends, without=() if part else ("carried_out",))


def _shown(path: str, label: str, kind: ValueKind = ValueKind.TEXT) -> ShownValue:
    return ShownValue(path=path, label=label, kind=kind)


PRESENTATION = Presentation(
    subject="no. {number} of {campaign}",
    reasons=(NARROW, "end"),
    sections=(
        FieldsSection(
            title="Identity",
            part="identity",
            fields=(
                _shown("identity", "Identity"),
                _shown("owner", "Owner"),
                _shown("risk", "Risk"),
                _shown("purpose", "Purpose"),
                _shown("environment", "Environment"),
                _shown("status", "Status"),
                _shown("last_used", "Last used", ValueKind.DATE),
                _shown("review_by", "Review by", ValueKind.DATE),
                _shown("ends_at", "Ends", ValueKind.DATE),
            ),
        ),
        TableSection(
            title="May do",
            part="identity",
            rows="may",
            nothing="It may do nothing that is governed here.",
            columns=(
                ShownColumn(path="process", label="Process"),
                ShownColumn(path="action", label="Action"),
                ShownColumn(path="system", label="System"),
            ),
        ),
        TableSection(
            title="Did",
            part="identity",
            rows="did",
            nothing="Nothing that it did is on the ledger.",
            columns=(
                ShownColumn(path="action", label="Action"),
                ShownColumn(path="times", label="Times", kind=ValueKind.COUNT),
                ShownColumn(path="last", label="Last", kind=ValueKind.DATE),
            ),
        ),
    ),
)

DEFINITION = ProcessDefinition(
    name=REVIEW_PROCESS,
    version=1,
    workflow_type="IdentityReview",
    subject=SUBJECT,
    relations=(Relation(name="review", template=SUBJECT),),
    steps=(
        Step(
            activity_type="look_at_identity",
            agent=REVIEWER,
            action="identity:look",
            system="authority",
            relation="review",
            produces=("identity",),
            told=("identity",),
        ),
        Step(
            activity_type="carry_out_review",
            agent=REVIEWER,
            action="identity:carry-out",
            system="authority",
            relation="review",
            inputs=("identity",),
            produces=("carried_out",),
        ),
        *orchestrating("review"),
    ),
    checkpoints=(
        CheckpointDefinition(
            name=RECERTIFICATION,
            title="Recertification of an identity",
            evidence=("identity",),
            proposal="identity",
            deadline_seconds=14 * 86_400,
            decided_by="owner",
            about="identity",
            effects=(
                Effect(verdict=Verdict.APPROVE, says="It stays as it is until its next review."),
                Effect(
                    verdict=Verdict.REJECT,
                    says="By the reason: narrow leaves it the actions that it used, end ends it"
                    " for good.",
                ),
                Effect(
                    verdict=Verdict.RETURN,
                    says="This case closes undecided; you are asked anew in another.",
                ),
            ),
        ),
    ),
    presentation=PRESENTATION,
    results=(
        _ended(Reviewed.KEPT.value, CheckpointStatus.APPROVED),
        _ended(Reviewed.NARROWED.value, CheckpointStatus.REJECTED),
        _ended(Reviewed.ENDED.value, CheckpointStatus.REJECTED),
        _ended(Reviewed.SUSPENDED.value, CheckpointStatus.EXPIRED),
        _ended("returned", CheckpointStatus.RETURNED, part=None),
        CaseResult(name="too_many_rounds", without=("carried_out",)),
    ),
)
