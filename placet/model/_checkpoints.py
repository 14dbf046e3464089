"""Checkpoints: what is asked of whom, and what the decisions add up to."""

from enum import StrEnum

from pydantic import Field, model_validator

from placet.model._digest import Digest
from placet.model._findings import FindingId
from placet.model._ids import CaseId, CheckpointId, Jti, Name, Principal
from placet.model._values import Model, Money


class Mode(StrEnum):
    """How far agents go alone in a process. Only people change it."""

    AUDIT = "audit"
    ASSIST = "assist"
    AUTOMATIC = "automatic"


class Need(Model):
    """So many people, each in one of these roles. One person fills one place of one need."""

    roles: tuple[Name, ...] = Field(min_length=1)
    count: int = Field(ge=1, le=20)


class Tier(Model):
    """The needs for proposals up to an amount, inclusive; ``None`` is above every limit."""

    up_to: Money | None = None
    needs: tuple[Need, ...] = Field(min_length=1)


class CheckpointRule(Model):
    """The lender's rule for one checkpoint: tiers by amount, and what an exception adds.

    ``independent_of`` names a list fact of people (who granted the loan): at least one approver
    must not be among them.
    """

    checkpoint: Name
    tiers: tuple[Tier, ...] = Field(min_length=1)
    exception_adds: tuple[Need, ...] = ()
    independent_of: str | None = None

    @model_validator(mode="after")
    def _rises(self) -> "CheckpointRule":
        limits = [tier.up_to for tier in self.tiers]
        bounded = [limit for limit in limits if limit is not None]
        if limits[-1] is not None or limits[:-1] != bounded or bounded != sorted(set(bounded)):
            raise ValueError(
                f"{self.checkpoint}: tiers must rise, and only the last has no upper limit"
            )
        return self


class AuthorityMatrix(Model):
    """The lender's delegation of authority for one process, published by a signed act.

    ``automatic_limit`` is the most that automatic mode pays without a person; ``openers`` are
    the roles that may open a case (none: nobody may).
    """

    process: Name
    version: int = Field(ge=1, le=2**31 - 1)
    mode: Mode
    automatic_limit: Money
    rules: tuple[CheckpointRule, ...] = Field(min_length=1)
    openers: tuple[Name, ...] = ()

    def rule(self, checkpoint: str) -> CheckpointRule | None:
        """The rule of a checkpoint, or ``None``: then nobody can approve it."""
        return next((rule for rule in self.rules if rule.checkpoint == checkpoint), None)


class Requirement(Model):
    """What one checkpoint asks of whom; fixed when it opens, named by its digest in decisions.

    No ``needs`` means that no person has to decide (automatic mode). ``excluded`` may not decide
    at all; at least one approver must be outside ``not_all_of``.
    """

    checkpoint: Name
    matrix_digest: Digest
    needs: tuple[Need, ...]
    excluded: tuple[Principal, ...] = ()
    not_all_of: tuple[Principal, ...] = ()
    exceptions: tuple[FindingId, ...] = ()
    amount: Money | None = None


class CheckpointStatus(StrEnum):
    """Where a checkpoint stands. ``resubmitted``: what it returned has come back."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    RETURNED = "returned"
    EXPIRED = "expired"
    VOIDED = "voided"
    RESUBMITTED = "resubmitted"


class Outcome(Model):
    """What the decisions add up to, or that they do not yet (``open``)."""

    checkpoint_id: CheckpointId
    checkpoint: Name
    case: CaseId
    status: CheckpointStatus
    evidence_digest: Digest
    requirement_digest: Digest
    amount: Money | None = None
    decisions: tuple[Jti, ...] = ()
    reason_code: str | None = None
