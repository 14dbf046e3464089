"""Orders: an identity that others own is rotated or offboarded by its owner's own tool.

A person orders it, the case calls the tool, and what the tool answers is the proof.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from placet.model._ids import CaseId, Identifier, Name, Principal, RecordId
from placet.model._registry import CredentialKind, IdentityId, Person
from placet.model._secrets import looks_secret
from placet.model._values import Model, UtcTime

ROTATION_PROCESS: Name = "identity-rotation"
OFFBOARDING_PROCESS: Name = "identity-offboarding"

CONFIRMATION: Name = "confirmation"
"""The checkpoint at which a person confirms an order before the tool is called."""

ANOTHER_TRY: Name = "another-try"
"""The checkpoint at which a person says whether the tool is called again, after it failed."""

ORDER_ENDED_BEFORE: Identifier = "ended_before"
"""What a case closes with whose identity has ended in another way: no tool is called."""

NO_PROOF = "no_proof"
"""The reason for which the authority does not take a tool's answer."""

SKEW = timedelta(minutes=5)
"""How far the clock of an owner's tool may be from ours."""

OrderId = Annotated[str, StringConstraints(pattern=r"^order-[0-9a-z]{26}$")]
"""An order; its owner's tool gets it as the key by which it does the same thing once."""


class Goal(StrEnum):
    """What is ordered."""

    ROTATE = "rotate"
    OFFBOARD = "offboard"

    @property
    def process(self) -> Name:
        """The process of its cases."""
        return ROTATION_PROCESS if self is Goal.ROTATE else OFFBOARDING_PROCESS

    @property
    def done(self) -> Identifier:
        """What its cases close with once it is proven."""
        return "rotated" if self is Goal.ROTATE else "offboarded"


class Standing(StrEnum):
    """What has become of a credential at its owner."""

    ACTIVE = "active"
    DISABLED = "disabled"
    DELETED = "deleted"


class OrderIdentity(Model):
    """Body of ``identity.order``; the target is the identity."""

    goal: Goal
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]


class ToolProof(Model):
    """What an owner's tool answers, and nothing else: ids, a time, a standing; no secret.

    ``credential`` is the id of the credential that it made, or of the one that it ended; ``at`` is
    when, and ``earlier`` what has become of the one that was there before.
    """

    credential: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")]
    at: UtcTime
    earlier: Standing


class Order(Model):
    """An order, and what came of it: ``proof`` once its owner's tool has done it.

    ``confirm``: a person confirms it before the tool is called.
    """

    order: OrderId
    subject: RecordId
    identity: IdentityId
    goal: Goal
    source: Name
    ordered_by: Principal
    ordered_at: UtcTime
    confirm: bool
    case: CaseId | None = None
    tries: int = 0
    proof: ToolProof | None = None


class ShownOrder(Model):
    """What people are shown of an order, told by the authority.

    ``confirmer`` is the one who confirms it: the identity's owner, unless they ordered it.
    """

    order: OrderId
    identity: IdentityId
    goal: Goal
    source: Name
    ordered_by: Principal
    ordered_at: UtcTime
    confirm: bool
    confirmer: Person | None = None
    owner: Person | None = None
    purpose: str | None = None
    environment: Name | None = None
    credential: CredentialKind | None = None
    credential_since: UtcTime | None = None
    last_used: UtcTime | None = None


class ToolTask(Model):
    """What the agent that calls the tool is told: what to do, or why it must not call it now.

    ``unsure``: an earlier call was begun, and nobody has yet said that it may be called again;
    ``proof``: it is done already.
    """

    order: OrderId
    identity: IdentityId
    goal: Goal
    source: Name
    ordered_at: UtcTime
    tries: int
    credential: CredentialKind | None = None
    credential_since: UtcTime | None = None
    unsure: bool = False
    proof: ToolProof | None = None


class ToolFailure(Model):
    """Why an owner's tool did not do it, as people are shown: in our words, none of the tool's."""

    order: OrderId
    identity: IdentityId
    goal: Goal
    tries: int
    why: Annotated[str, StringConstraints(max_length=300)]


class Proven(Model):
    """What an order has come to: the tool's proof, and how old the credential is from now on."""

    order: OrderId
    identity: IdentityId
    goal: Goal
    tries: int = Field(ge=1)
    proof: ToolProof


def proof_trouble(goal: Goal, proof: ToolProof, ordered_at: datetime, now: datetime) -> str | None:
    """Why a tool's answer proves nothing; ``None``: it does."""
    if looks_secret(proof.credential, is_id=True):
        return "credential: it looks like a secret, and was thrown away"
    if proof.at < ordered_at - SKEW:
        return "at: before it was ordered, so nothing was done"
    if proof.at > now + SKEW:
        return "at: in the future; the tool's clock is wrong by more than five minutes"
    if goal is Goal.OFFBOARD and proof.earlier is Standing.ACTIVE:
        return "earlier: the credential is active still"
    return None
