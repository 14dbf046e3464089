"""What a checkpoint shows, and what its approval says later, held against the log (I5, I13)."""

from decimal import Decimal

from placet.audit._gathering import NotToBeAsked, gathered
from placet.audit._requirements import Requirements
from placet.audit._scene import Scene
from placet.audit._standing import Standing
from placet.ledger import Entry
from placet.model import (
    AuthorityMatrix,
    CheckpointDefinition,
    CheckpointStatus,
    CheckpointView,
    Evidence,
    EvidenceItem,
    Severity,
    Step,
)
from placet.rules import ApprovalFacts, confirmed, outcome_status, said_digest

_ASKED_ANEW = {CheckpointStatus.VOIDED, CheckpointStatus.RESUBMITTED}
"""People are asked the very same anew: what they said counts no more, or a person answered them."""


class Showing:
    """Checkpoints by their evidence."""

    def __init__(self, scene: Scene, requirements: Requirements) -> None:
        self._scene = scene
        self._requirements = requirements

    def shows(self, view: CheckpointView, before: Standing | None) -> None:
        """Two agents came to what it rests on; and people had not answered it before."""
        if self._scene.case in self._scene.erased:
            return
        alone = self._requirements.made_alone(view)
        if alone is not None:
            said = f"{view.id}: no second agent came to the same {alone}"
            self._scene.trouble("checkpoint-before", said)
        if before is not None and before.status not in _ASKED_ANEW:
            self._again(view, before)

    def _again(self, view: CheckpointView, before: Standing) -> None:
        """The one before has ended, and asked something else."""
        shown = self._scene.files.checkpoints.get(before.id)
        if before.status is CheckpointStatus.OPEN:
            self._scene.trouble("checkpoint-again", f"{before.id} was open still")
        elif (
            shown is not None
            and shown.evidence.proposal == view.evidence.proposal
            and self._say_the_same(view.evidence.items, shown.evidence.items)
        ):
            said = f"people had been asked the very same at {before.id}, which was {before.status}"
            self._scene.trouble("checkpoint-again", said)

    def approval(
        self,
        entry: Entry,
        step: Step,
        matrix: AuthorityMatrix,
        standing: Standing,
        view: CheckpointView,
    ) -> ApprovalFacts | None:
        """What policy must have been told of an approval when a guarded step asked."""
        defined, versions = self._requirements.defined(view), entry.data.get("versions")
        if defined is None or standing.opened.case in self._scene.erased:
            return None
        asked, proposal = standing.asked(view), view.evidence.proposal
        amount, automatic = proposal.amount or Decimal("0.00"), not asked.needs
        seen = versions.get(step.facts[0]) if isinstance(versions, dict) and step.facts else None
        return ApprovalFacts(
            status=standing.status,
            needs_met=outcome_status(asked, standing.decisions) is CheckpointStatus.APPROVED,
            automatic=automatic,
            confirmed=confirmed(self._requirements.recomputed(view)),
            people=len({each.operator for each in standing.approvals(view)}),
            approved=amount,
            amount=amount,
            automatic_limit=matrix.automatic_limit,
            exceptions_open=len(proposal.exceptions) if automatic else 0,
            findings_above_info=sum(
                each.severity is not Severity.INFO for each in proposal.findings
            ),
            evidence_settled=self._still_settled(defined, view.evidence),
            payments_fixed=proposal.payments_digest is not None,
            version_unchanged=seen is not None and seen == proposal.record_version,
            emergency=asked.emergency_until is not None,
        )

    def _still_settled(self, checkpoint: CheckpointDefinition, evidence: Evidence) -> bool:
        """Whether what people were shown is what they would be shown now."""
        case = self._scene.cases.get(evidence.case)
        try:
            items = () if case is None else gathered(self._scene, case, checkpoint)
        except NotToBeAsked:
            return False
        lead = self._scene.part(items[0].digest) if items else None
        proposed = lead is not None and lead.proposal == evidence.proposal
        return proposed and self._say_the_same(items, evidence.items)

    def _say_the_same(
        self, items: tuple[EvidenceItem, ...], shown: tuple[EvidenceItem, ...]
    ) -> bool:
        """Whether parts say what others say, each of the same name, record and author."""
        return len(items) == len(shown) and all(
            (one.name, one.record, one.agent) == (other.name, other.record, other.agent)
            and (one.digest == other.digest or self._said(one) == self._said(other))
            for one, other in zip(items, shown, strict=True)
        )

    def _said(self, item: EvidenceItem) -> str:
        part = self._scene.part(item.digest)
        return item.digest if part is None else said_digest(part)
