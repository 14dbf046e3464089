"""What a guarded step rests on: the approval, looked up and computed again by the authority (I5).

Nothing the workflow or the worker says goes in. The decisions are verified again as signatures,
the requirement is evaluated again, and the evidence must still be what was settled (I13).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from placet.authority._counted import asked_of, counted_decisions
from placet.authority._evidence import NoEvidence, gather, newest_parts, says_the_same
from placet.authority._facts import FetchedFacts
from placet.authority._identities import ACTIVE, word_standing
from placet.authority._outcomes import void
from placet.authority._store import (
    Case,
    Checkpoint,
    DecisionRow,
    Grant,
    IdentityKey,
    PartRow,
    Reader,
    Tx,
)
from placet.model import (
    AuthorityMatrix,
    CheckpointDefinition,
    CheckpointStatus,
    Evidence,
    Mode,
    ProcessDefinition,
    Proposal,
    Severity,
    Step,
    digest_json,
)
from placet.rules import (
    ApprovalFacts,
    AutomaticFacts,
    confirmed,
    outcome_status,
)
from placet.rules import approvals as approvals_of
from placet.tokens import PublicKey, TokenError, verify_decision

NOT_ACTIVE = "approver_not_active"


@dataclass(frozen=True)
class Lacking:
    """Why no approval stands behind a guarded step, and which checkpoints are void for it."""

    description: str
    reason: str = "no_approval"
    void: tuple[str, ...] = ()


@dataclass(frozen=True)
class Approval:
    """An approval as it stands now, and what it fixes."""

    checkpoint_id: str
    approvals: tuple[str, ...]
    evidence: Evidence
    evidence_digest: str
    facts: ApprovalFacts
    silenced: Lacking | None = None
    """In audit mode: that somebody whose word it rests on is not active now."""

    def fixed(self) -> Mapping[str, object]:
        """The members that a guarded grant carries (PROTOCOL.md)."""
        return {
            "max_amount": self.facts.amount,
            "payments_digest": self.evidence.proposal.payments_digest,
            "approvals": self.approvals or None,
            "evidence_digest": self.evidence_digest,
            "record_version": self.evidence.proposal.record_version,
        }


def automatic_facts(
    reader: Reader, definition: ProcessDefinition, case: str, made: PartRow
) -> AutomaticFacts | None:
    """What a second agent came to of the same record as a part, if the process has one try."""
    names = (name for s in definition.steps if s.confirms == made.name for name in s.produces)
    for again in (row for name in names for row in newest_parts(reader, case, name)):
        if again.record == made.record:
            return AutomaticFacts(
                made_by=made.agent,
                said=made.said,
                recomputed_by=again.agent,
                recomputed=again.said,
            )
    return None


def _made_alone(reader: Reader, definition: ProcessDefinition, case: str) -> str | None:
    """A part of the case that two agents have to come to, and have not."""
    for name in dict.fromkeys(step.confirms for step in definition.steps):
        for made in () if name is None else newest_parts(reader, case, name):
            if not confirmed(automatic_facts(reader, definition, case, made)):
                return name
    return None


def newest_checkpoint(reader: Reader, case: str, name: str) -> Checkpoint | None:
    """The newest checkpoint of a name in a case."""
    return reader.first(
        Checkpoint,
        Checkpoint.case_id == case,
        Checkpoint.name == name,
        order_by=[Checkpoint.entry.desc()],  # type: ignore[union-attr]  # a column on the class
    )


def unmet(
    reader: Reader,
    definition: ProcessDefinition,
    checkpoint: CheckpointDefinition,
    case: str,
    proposed_by: PartRow,
    proposal: Proposal,
) -> Lacking | None:
    """What a checkpoint lacks before it may be asked, or its approval count; ``None`` if nothing.

    What the process has a second agent make again, of the proposal or of what it rests on, both
    must say alike; and the checkpoints that come first must have approved this very proposal.
    """
    alone = _made_alone(reader, definition, case)
    if alone is not None:
        return Lacking(f"no second agent came to the same {alone}", f"alone:{alone}")
    found = {finding.check for finding in proposal.findings}
    for prior in checkpoint.after:
        if found.isdisjoint(prior.findings_of):
            continue
        row = newest_checkpoint(reader, case, prior.checkpoint)
        if row is None or row.status != CheckpointStatus.APPROVED:
            return Lacking(f"the {prior.checkpoint} checkpoint has not approved it first")
        shown = Evidence.model_validate_json(row.evidence_json).items[0].digest
        lead = reader.first(PartRow, PartRow.digest == shown)
        if lead is None or (lead.agent, lead.said) != (proposed_by.agent, proposed_by.said):
            return Lacking(f"the {prior.checkpoint} checkpoint approved another proposal")
    return None


def weigh(
    tx: Reader,
    definition: ProcessDefinition,
    case: Case,
    step: Step,
    matrix: AuthorityMatrix,
    fetched: FetchedFacts,
    audience: str,
) -> Approval | Lacking:
    """Weigh the approval that a guarded step needs.

    Everybody whose word it rests on must be active now, and the key they gave it with: who may
    decide nothing more pays nothing more. In audit mode, in which nothing is paid, that voids none,
    and is for whoever finds that policy would permit it all the same.
    """
    checkpoint = definition.checkpoint(step.approval or "")
    row = None if checkpoint is None else newest_checkpoint(tx, case.id, checkpoint.name)
    if checkpoint is None or row is None:
        return Lacking(f"the case has no {step.approval} checkpoint; people were not asked")
    if row.status != CheckpointStatus.APPROVED:
        return Lacking(f"the {step.approval} checkpoint is {row.status}, not approved")
    evidence = Evidence.model_validate_json(row.evidence_json)
    requirement = asked_of(row)
    decisions = counted_decisions(tx, row.id)
    counted = approvals_of(requirement, decisions)
    approvals = tuple(each.jti for each in counted)
    trouble = _signatures(tx, row, approvals, audience)
    if trouble is not None:
        return Lacking(trouble)
    silenced = _silenced(tx, checkpoint, row)
    if silenced is not None and matrix.mode is not Mode.AUDIT:
        return silenced
    amount = evidence.proposal.amount or Decimal("0.00")
    findings = evidence.proposal.findings
    automatic = not requirement.needs
    lead = tx.first(PartRow, PartRow.digest == evidence.items[0].digest)
    if lead is None:
        return Lacking("the part that people approved is gone")
    lacking = unmet(tx, definition, checkpoint, case.id, lead, evidence.proposal)
    if lacking is not None:
        return replace(lacking, void=(row.id,))
    confirmation = automatic_facts(tx, definition, case.id, lead)
    facts = ApprovalFacts(
        status=CheckpointStatus(row.status),
        needs_met=outcome_status(requirement, decisions) is CheckpointStatus.APPROVED,
        automatic=automatic,
        confirmed=confirmed(confirmation),
        people=len({each.operator for each in counted}),
        approved=amount,
        amount=amount,
        automatic_limit=matrix.automatic_limit,
        exceptions_open=len(evidence.proposal.exceptions) if automatic else 0,
        findings_above_info=sum(each.severity is not Severity.INFO for each in findings),
        evidence_settled=_still_settled(tx, definition, row, evidence),
        payments_fixed=evidence.proposal.payments_digest is not None,
        version_unchanged=_version_unchanged(evidence, step, fetched),
        emergency=requirement.emergency_until is not None,
    )
    return Approval(row.id, approvals, evidence, row.evidence_digest, facts, silenced)


def _signatures(
    reader: Reader, checkpoint: Checkpoint, approvals: tuple[str, ...], audience: str
) -> str | None:
    """Verify each approval's signature and evidence again, under the key that was enrolled."""
    for jti in approvals:
        row = reader.get(DecisionRow, jti)
        key = None if row is None else _signer(reader, row)
        if row is None or key is None:
            return "an approval's key is gone"
        try:
            claims = verify_decision(
                row.jws,
                key,
                operator=row.operator,
                audience=audience,
                now=row.decided_at,
                max_age=None,
            )
        except TokenError:
            return "an approval's signature does not hold"
        if (claims.sub, claims.evidence_digest, claims.requirement_digest) != (
            checkpoint.id,
            checkpoint.evidence_digest,
            checkpoint.requirement_digest,
        ):
            return "an approval is for another checkpoint, evidence or requirement"
    return None


def _silenced(reader: Reader, checkpoint: CheckpointDefinition, row: Checkpoint) -> Lacking | None:
    """Whether someone who approved, here or at a checkpoint that came first, is not active now."""
    said, void = "", []
    priors = [newest_checkpoint(reader, row.case_id, each.checkpoint) for each in checkpoint.after]
    for each in (row, *priors):
        silent = None if each is None else not_active(reader, each)
        if each is not None and silent is not None:
            said = silent
            void.append(each.id)
    if not void:
        return None
    return Lacking(said, NOT_ACTIVE, tuple(dict.fromkeys((row.id, *void))))


def not_active(reader: Reader, row: Checkpoint) -> str | None:
    """Who of those that approved a checkpoint is not active now, or their key, in words."""
    if row.status != CheckpointStatus.APPROVED:
        return None
    said = None
    for counted in approvals_of(asked_of(row), counted_decisions(reader, row.id)):
        decision = reader.get(DecisionRow, counted.jti)
        standing = word_standing(reader, counted.operator, "" if decision is None else decision.key)
        if standing != ACTIVE:
            said = f"{counted.operator}, who approved {row.name}, or their key is {standing}"
    return said


def _signer(reader: Reader, row: DecisionRow) -> PublicKey | None:
    key = reader.get(IdentityKey, row.key)
    if key is None or key.principal != row.operator:
        return None
    return PublicKey.from_jwk(json.loads(key.jwk_json))


def _still_settled(
    tx: Reader, definition: ProcessDefinition, row: Checkpoint, evidence: Evidence
) -> bool:
    """Whether gathering the evidence again gives what says the same, under the same digest."""
    checkpoint = definition.checkpoint(row.name)
    if checkpoint is None or digest_json(evidence) != row.evidence_digest:
        return False
    try:
        gathered = gather(tx, definition, checkpoint, row.case_id)
    except NoEvidence:
        return False
    return says_the_same(tx, gathered, evidence)


def _version_unchanged(evidence: Evidence, step: Step, fetched: FetchedFacts) -> bool:
    """Whether the first fact source of the step still has the version that was proposed on."""
    versions = dict(fetched.versions)
    expected = evidence.proposal.record_version
    return bool(step.facts) and expected is not None and versions.get(step.facts[0]) == expected


def void_approved(tx: Tx, case: Case, checkpoint: str, reasons: tuple[str, ...]) -> None:
    """Void an approval that no longer holds: what changed goes back to people."""
    row = tx.get(Checkpoint, checkpoint)
    if row is not None and row.status == CheckpointStatus.APPROVED:
        void(tx, case, row, *reasons)


def waits_to_be_used(reader: Reader, definition: ProcessDefinition, row: Checkpoint) -> bool:
    """Whether an approval guards a step that has had no grant since: what is done is done.

    One that other checkpoints rest on guards what they guard. One that guards nothing was acted on
    when the workflow went on.
    """
    names = {row.name} | {
        each.name
        for each in definition.checkpoints
        if any(prior.checkpoint == row.name for prior in each.after)
    }
    guarded = [each.activity_type for each in definition.steps if each.approval in names]
    since = row.resolved_at
    if row.status != CheckpointStatus.APPROVED or since is None or not guarded:
        return False
    return not any(
        reader.first(
            Grant,
            Grant.case_id == row.case_id,
            Grant.activity_type == each,
            Grant.issued_at >= since,
        )
        for each in guarded
    )
