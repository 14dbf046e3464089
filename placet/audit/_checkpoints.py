"""Checkpoints: the evidence was settled, the decisions count, the outcome follows from them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from placet.audit._people import People
from placet.audit._scene import Scene
from placet.ledger import Entry, EntryType
from placet.model import (
    CheckpointStatus,
    CheckpointView,
    DecisionClaims,
    digest_bytes,
    digest_json,
)
from placet.rules import (
    CheckpointStanding,
    CountedDecision,
    DecisionRefused,
    OperatorFacts,
    approvals,
    check_decision,
    outcome_status,
)
from placet.tokens import TokenError, verify_decision

ENDS = {
    EntryType.CHECKPOINT_RESOLVED,
    EntryType.CHECKPOINT_EXPIRED,
    EntryType.CHECKPOINT_VOIDED,
}
_ENDED = {
    EntryType.CHECKPOINT_EXPIRED: CheckpointStatus.EXPIRED,
    EntryType.CHECKPOINT_VOIDED: CheckpointStatus.VOIDED,
}


@dataclass
class _Open:
    """A checkpoint as the log tells it so far."""

    opened: Entry
    status: CheckpointStatus = CheckpointStatus.OPEN
    decisions: list[CountedDecision] = field(default_factory=list)


class Checkpoints:
    """Checkpoints as the log opens, decides and ends them."""

    def __init__(self, scene: Scene, people: People) -> None:
        self._scene = scene
        self._people = people
        self._open: dict[str, _Open] = {}

    def opened(self, entry: Entry) -> None:
        """A checkpoint with its evidence and what it asks."""
        self._scene.collector.count("checkpoints")
        checkpoint = str(entry.data.get("checkpoint"))
        if checkpoint in self._open:
            self._scene.trouble("checkpoint-twice", f"{checkpoint} was opened before")
        self._open[checkpoint] = _Open(entry)
        view = self._view(checkpoint)
        if view is None:
            return
        if digest_json(view.evidence) != entry.data.get("evidence_digest"):
            self._scene.trouble("evidence-digest", f"{checkpoint}: the evidence is another")
        if digest_json(view.requirement) != entry.data.get("requirement_digest"):
            self._scene.trouble("requirement-digest", f"{checkpoint}: the requirement is another")
        if (view.evidence.case, view.evidence.checkpoint, view.evidence.subject) != (
            entry.case,
            entry.data.get("name"),
            entry.record,
        ):
            self._scene.trouble("evidence-digest", f"{checkpoint}: the evidence is of another")
        self._scene.known("matrix", self._scene.matrices, view.requirement.matrix_digest)
        for item in view.evidence.items:
            if self._scene.parts.get(item.digest) != item:
                self._scene.trouble(
                    "evidence-unsettled", f"{checkpoint}: {item.name} was not settled as it says"
                )

    def _view(self, checkpoint: str) -> CheckpointView | None:
        view = self._scene.files.checkpoints.get(checkpoint)
        if view is None:
            self._scene.trouble("checkpoint-missing", f"{checkpoint} is not there")
        return view

    # --- decisions ----------------------------------------------------------------------------

    def decided(self, entry: Entry) -> None:
        """A decision: signed, by someone who could, in time, on what the checkpoint shows."""
        self._scene.collector.count("decisions")
        jti, checkpoint = str(entry.data.get("decision")), str(entry.data.get("checkpoint"))
        view, standing = self._scene.files.checkpoints.get(checkpoint), self._open.get(checkpoint)
        found = next((each for each in view.decisions if each.jti == jti), None) if view else None
        if view is None or found is None or standing is None:
            self._scene.trouble("decision-missing", f"the signed decision {jti} is not there")
            return
        if digest_bytes(found.jws.encode()) != entry.data.get("decision_digest"):
            self._scene.trouble("decision-digest", f"the decision {jti} is another")
        claims = self._verified(entry, found.jws)
        if claims is not None:
            self._counts(entry, view, standing, claims)

    def _verified(self, entry: Entry, jws: str) -> DecisionClaims | None:
        key = self._people.key(entry.actor, str(entry.data.get("key")))
        if key is None:
            self._scene.trouble("decision-key", f"{entry.actor} signed with no enrolled key")
            return None
        try:
            return verify_decision(
                jws,
                key,
                operator=entry.actor,
                audience=self._scene.files.issuer,
                now=entry.time,
                max_age=None,
            )
        except TokenError as error:
            self._scene.trouble("decision-signature", str(error))
            return None

    def _counts(
        self, entry: Entry, view: CheckpointView, standing: _Open, claims: DecisionClaims
    ) -> None:
        told = (entry.data.get("decision"), entry.data.get("verdict"), entry.case)
        if (claims.jti, claims.verdict, claims.txn) != told:
            self._scene.trouble("decision-claims", "the decision says other than the ledger")
        roles = self._people.roles(entry.actor)
        if list(roles) != entry.data.get("roles"):
            self._scene.trouble("decision-roles", f"{entry.actor} had other roles")
        opened = standing.opened.data
        try:
            check_decision(
                view.requirement,
                str(opened.get("evidence_digest")),
                str(opened.get("requirement_digest")),
                claims,
                OperatorFacts(
                    principal=entry.actor, active=self._people.active(entry.actor), roles=roles
                ),
                CheckpointStanding(
                    id=view.id,
                    case=standing.opened.case or "",
                    status=standing.status,
                    deadline=view.deadline,
                    adjustments_digest=view.evidence.proposal.adjustments_digest,
                    decisions=tuple(standing.decisions),
                ),
                entry.time,
            )
        except DecisionRefused as error:
            self._scene.trouble("decision-refusable", str(error))
        except ValidationError as error:
            self._scene.trouble("decision-refusable", f"not a checkpoint: {error.error_count()}")
        standing.decisions.append(
            CountedDecision(
                jti=claims.jti, operator=claims.iss, roles=roles, verdict=claims.verdict
            )
        )

    # --- outcomes -----------------------------------------------------------------------------

    def ended(self, entry: Entry) -> None:
        """A checkpoint's end: what the decisions add up to, computed again."""
        checkpoint = str(entry.data.get("checkpoint"))
        standing, view = self._open.get(checkpoint), self._scene.files.checkpoints.get(checkpoint)
        if standing is None or view is None:
            self._scene.trouble("checkpoint-missing", f"{checkpoint} is not there")
            return
        if entry.type in _ENDED:
            standing.status = _ENDED[entry.type]
            return
        if standing.status is not CheckpointStatus.OPEN:
            self._scene.trouble("outcome", f"{checkpoint} was {standing.status} before")
        computed = outcome_status(view.requirement, standing.decisions)
        if computed is CheckpointStatus.OPEN or computed.value != entry.data.get("status"):
            self._scene.trouble(
                "outcome",
                f"{checkpoint}: the decisions add up to {computed}, "
                f"the ledger says {entry.data.get('status')}",
            )
        # Whether it follows or not: what the ledger has ended takes no more decisions.
        standing.status = CheckpointStatus.VOIDED if computed is CheckpointStatus.OPEN else computed

    def approved(self, entry: Entry, name: str) -> bool:
        """Whether a grant's approval is that of its case's approved checkpoint of this name."""
        checkpoint = str(entry.data.get("checkpoint"))
        standing, view = self._open.get(checkpoint), self._scene.files.checkpoints.get(checkpoint)
        if standing is None or view is None:
            return False
        opened = standing.opened
        return (
            standing.status is CheckpointStatus.APPROVED
            and (opened.case, opened.data.get("name")) == (entry.case, name)
            and opened.data.get("evidence_digest") == entry.data.get("evidence_digest")
            and _ids(approvals(view.requirement, standing.decisions)) == entry.data.get("approvals")
        )


def _ids(decisions: Sequence[CountedDecision]) -> list[str]:
    return [each.jti for each in decisions]
