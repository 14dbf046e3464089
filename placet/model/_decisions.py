"""Checkpoints as people see them, the decisions that they send, and the answers."""

import base64
import json
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError

from placet.model._attending import ClaimView, EvidenceDiff, RemarkView, Unusual
from placet.model._checkpoints import CheckpointStatus, Outcome, Requirement
from placet.model._digest import Digest
from placet.model._evidence import Evidence
from placet.model._ids import (
    CaseId,
    CheckpointId,
    Jti,
    Name,
    Principal,
    RecordId,
)
from placet.model._problem import Problem
from placet.model._signed import AcceptedException, CompactJws
from placet.model._values import Model, UtcTime

_ACCEPTED = TypeAdapter(tuple[AcceptedException, ...])


class DecisionView(Model):
    """One decision that was counted at a checkpoint."""

    jti: Jti
    operator: Principal
    verdict: str
    decided_at: UtcTime
    jws: CompactJws
    stands_in_for: Principal | None = None
    evidence_opened_at: UtcTime | None = None

    @property
    def said(self) -> str:
        """The reason code and comment of what was signed, to be read: nobody verified it here."""
        claims = self._claims()
        told = [claims.get("reason_code"), claims.get("comment")]
        return ": ".join(each for each in told if isinstance(each, str))

    @property
    def accepted(self) -> tuple[AcceptedException, ...]:
        """The findings that it accepts as exceptions, and why; to be read, as ``said``."""
        try:
            return _ACCEPTED.validate_python(self._claims().get("exceptions", ()))
        except ValidationError:
            return ()

    def _claims(self) -> dict[str, Any]:
        payload = self.jws.split(".")[1]
        try:
            claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        except (ValueError, RecursionError):
            return {}
        return claims if isinstance(claims, dict) else {}


class CheckpointView(Model):
    """One checkpoint with what it asks and what was decided.

    ``unusual`` is what to read first; ``changed`` what is different from the checkpoint that this
    one replaces, whose approvals are void; ``replaced_by`` the one at which people are asked anew.
    """

    id: CheckpointId
    case: CaseId
    name: Name
    title: str
    subject: RecordId
    status: CheckpointStatus
    opened_at: UtcTime
    deadline: UtcTime
    evidence_digest: Digest
    requirement_digest: Digest
    evidence: Evidence
    requirement: Requirement
    decisions: tuple[DecisionView, ...] = ()
    missing: tuple[str, ...] = ()
    unusual: tuple[Unusual, ...] = ()
    changed: EvidenceDiff | None = None
    claim: ClaimView | None = None
    remarks: tuple[RemarkView, ...] = ()
    escalated: int = 0
    erased: bool = False
    replaced_by: CheckpointId | None = None


class OpenCheckpoint(Model):
    """Body of ``POST /v1/cases/{case}/checkpoints`` (the orchestrator, under a grant)."""

    checkpoint: Name


class SignedDecision(Model):
    """Body of ``POST /v1/checkpoints/{id}/decisions``."""

    decision: CompactJws


class ForCheckpoint(Model):
    """One of many signed decisions, and the checkpoint it is sent to."""

    checkpoint: CheckpointId
    decision: CompactJws


class SignedDecisions(Model):
    """Body of ``POST /v1/decisions``: each is signed on its own evidence, answered by itself."""

    decisions: tuple[ForCheckpoint, ...] = Field(min_length=1, max_length=100)


class DecisionAnswer(Model):
    """A decision that was recorded, and where the checkpoint stands after it."""

    jti: Jti
    entry: int
    outcome: Outcome


class OneAnswer(Model):
    """What became of one of many decisions: it was recorded, or why not."""

    checkpoint: CheckpointId
    answer: DecisionAnswer | None = None
    problem: Problem | None = None


class DecisionAnswers(Model):
    """Answers, in the order of the request."""

    answers: tuple[OneAnswer, ...]
