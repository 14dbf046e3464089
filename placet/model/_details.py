"""What a grant is for: one action on one record, in one step of one case (RFC 9396).

An asker sends :class:`RequestedDetails`; the authority answers with :class:`GrantedDetails`, to
which it adds what people fixed. The two are different types, so that nothing an asker says can
pass for something that people approved (invariant I5).
"""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from placet.model._digest import Digest
from placet.model._ids import SYSTEM_URN, Action, CaseId, Identifier, Jti, RecordId
from placet.model._reasoning import ModelName
from placet.model._values import Model, Money

SystemUrn = Annotated[
    str,
    StringConstraints(pattern=r"^urn:placet:system:[a-z][a-z0-9]*(?:-[a-z0-9]+)*$", max_length=100),
]
"""The audience of a system's grants: ``urn:placet:system:<name>``."""

# Temporal lets an operator choose up to 1000 characters; Placet's own ids take 36.
_TemporalId = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$")]


class ActivityRef(Model):
    """One attempt of one activity of one workflow run, as Temporal names them."""

    workflow_id: _TemporalId
    run_id: _TemporalId
    activity_id: _TemporalId
    activity_type: Identifier
    attempt: int = Field(strict=True, ge=1, le=2**31 - 1)


class _RecordDetails(Model):
    type: Literal["placet_record"] = "placet_record"
    locations: tuple[SystemUrn]
    actions: tuple[Action]
    identifier: RecordId
    case: CaseId
    activity: ActivityRef
    model: ModelName | None = None
    """The language model that the step will ask, as its worker says: it may stop the step, never
    permit it."""

    @property
    def audience(self) -> str:
        """The one system it is for, as an audience."""
        return self.locations[0]

    @property
    def system(self) -> str:
        """The one system it is for, by name."""
        return self.locations[0].removeprefix(SYSTEM_URN)

    @property
    def action(self) -> str:
        """The one action."""
        return self.actions[0]


class RequestedDetails(_RecordDetails):
    """What an asker may send: one system, one action, one record, one attempt of one activity.

    ``amount`` is what a model asked for, where its tool has one: the agent's claim, which policy
    may refuse, and above which nothing is granted.
    """

    amount: Money | None = None


class GrantedDetails(_RecordDetails):
    """What was granted; for a guarded action also what people fixed, set by the authority alone.

    ``max_amount`` is what people fixed, or what the step asked for. ``approvals``
    are the ids of the decisions that count, bound to the evidence of ``evidence_digest``;
    ``record_version`` is the state of the record that they rest on.
    """

    max_amount: Money | None = None
    payments_digest: Digest | None = None
    approvals: Annotated[tuple[Jti, ...], Field(min_length=1, max_length=50)] | None = None
    evidence_digest: Digest | None = None
    record_version: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None

    @model_validator(mode="after")
    def _approvals_name_their_evidence(self) -> Self:
        if self.approvals is not None and self.evidence_digest is None:
            raise ValueError("approvals count only for the evidence that people saw: name it")
        return self
