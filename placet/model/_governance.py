"""The lender's rules about people: who vouches for whom, and how many sign what changes that.

They are published by the signed act ``governance.publish``, so that an auditor knows at each entry
which rules were in force. Until the first is published, the log's first entry says how many
administrators sign (:func:`first_governance`).
"""

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from placet.model._ids import CaseId, CheckpointId, Jti, Name, Principal
from placet.model._limits import DENIED_OFTEN, Limit, Measure, WorkingHours
from placet.model._matrix import Need
from placet.model._values import Model, Money, UtcTime, WebAddress

ADMINISTRATOR: Name = "administrator"
"""The role that enrols, publishes and suspends."""

AUTHORITY: Principal = "system:authority"
"""The actor of what the authority does by itself."""

NEEDS_TWO = frozenset(
    {
        "operator.enrol",
        "operator.invite",
        "operator.resume",
        "operator.roles",
        "agent.enrol",
        "agent.invite",
        "system.enrol",
        "governance.publish",
        "identity.register",
        "log.rekey",
        "matrix.publish",
        "policy.publish",
        "process.publish",
    }
)
"""The acts that change who may approve what, or what is believed without a person."""

ALWAYS_TWO = frozenset({"case.erase"})
"""The acts that need a second administrator whatever the rules say: nothing undoes them."""

_Word = Annotated[str, StringConstraints(pattern=r"^[!-~]+$", max_length=128)]


class GroupRoles(Model):
    """The roles that a group at the identity provider gives."""

    group: Annotated[str, StringConstraints(pattern=r"^[ -~]+$", max_length=200)]
    roles: tuple[Name, ...] = Field(min_length=1, max_length=20)


class IdentityProvider(Model):
    """The lender's OpenID provider, and what its groups mean here.

    ``name_claim`` names a person here (``operator:<its value>``), ``groups_claim`` lists their
    groups. ``recheck_seconds`` is how often the provider is asked whether that still holds, and
    ``decision_seconds`` how old its answer may be when someone decides, acts or reads; unanswered
    for ``trust_seconds``, a session stops counting.
    """

    issuer: WebAddress
    client_id: _Word
    scopes: tuple[_Word, ...] = ("openid", "profile", "groups", "offline_access")
    name_claim: _Word = "preferred_username"
    groups_claim: _Word = "groups"
    algorithms: tuple[Literal["RS256", "ES256", "Ed25519", "EdDSA"], ...] = Field(
        default=("RS256", "ES256"), min_length=1
    )
    roles: tuple[GroupRoles, ...] = Field(min_length=1, max_length=200)
    session_minutes: int = Field(default=480, ge=1, le=24 * 60)
    recheck_seconds: int = Field(default=60, ge=1, le=3600)
    trust_seconds: int = Field(default=300, ge=1, le=4 * 3600)
    decision_seconds: int = Field(default=5, ge=0, le=3600)

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if "openid" not in self.scopes:
            raise ValueError("scopes: an OpenID provider is asked for openid")
        if any(ADMINISTRATOR in each.roles for each in self.roles):
            raise ValueError("roles: no group makes an administrator; administrators enrol them")
        if self.trust_seconds < self.recheck_seconds:
            raise ValueError("trust_seconds: must be at least recheck_seconds")
        return self

    def roles_of(self, groups: tuple[str, ...]) -> tuple[Name, ...]:
        """The roles that these groups give, each once, sorted."""
        held = set(groups)
        return tuple(sorted({r for each in self.roles if each.group in held for r in each.roles}))


class StepUp(Model):
    """An approval above this amount needs a sign-in at most so many seconds ago."""

    above: Money
    within_seconds: int = Field(default=300, ge=30, le=3600)


class BreakGlass(Model):
    """The emergency path: who may open a checkpoint that way and approve it, for how long.

    ``reviewers`` close the review that follows; nobody does who had a hand in it.
    """

    needs: tuple[Need, ...] = Field(min_length=1)
    seconds: int = Field(default=3600, ge=1, le=24 * 3600)
    reviewers: tuple[Name, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _two_people(self) -> Self:
        if sum(each.count for each in self.needs) < 2:
            raise ValueError("needs: an emergency approval takes at least two people")
        return self

    @property
    def openers(self) -> tuple[Name, ...]:
        """The roles that may declare an emergency: those that may approve in one."""
        return tuple(dict.fromkeys(role for need in self.needs for role in need.roles))


class IdentityRules(Model):
    """The rules about non-human identities.

    An agent's key counts for ``key_days``, and its worker makes the next one after
    ``rotate_days``; the earlier one goes on for ``overlap_minutes``, so that no step is dropped.
    An identity that did nothing for ``stale_days`` is stale; what it may do and did not for
    ``unused_days`` is too much. Whose owner left without a deputy goes on for
    ``owner_grace_days``. An owner who keeps one looks at it again after ``review_days``, and
    someone in a role of ``managers`` acknowledges what came of a campaign. With
    ``confirm_rotation`` a person confirms the rotation of an identity that others own before its
    owner's tool is called, as each offboarding is. ``limits`` and ``hours`` bound what each does
    before it is slowed down, looked at by a person, or suspended.
    """

    key_days: int = Field(default=90, ge=1, le=3650)
    rotate_days: int = Field(default=60, ge=0, le=3650)
    overlap_minutes: int = Field(default=24 * 60, ge=1, le=7 * 24 * 60)
    stale_days: int = Field(default=90, ge=1, le=3650)
    unused_days: int = Field(default=90, ge=1, le=3650)
    owner_grace_days: int = Field(default=7, ge=0, le=365)
    review_days: int = Field(default=90, ge=1, le=3650)
    confirm_rotation: bool = False
    managers: tuple[Name, ...] = Field(default=("management",), min_length=1, max_length=20)
    limits: tuple[Limit, ...] = Field(default=(DENIED_OFTEN,), max_length=100)
    hours: tuple[WorkingHours, ...] = Field(default=(), max_length=20)

    @model_validator(mode="after")
    def _in_time(self) -> Self:
        if self.rotate_days >= self.key_days:
            raise ValueError("rotate_days: must be less than key_days")
        if any(each.measure is Measure.HOURS for each in self.limits):
            raise ValueError("limits: hours are no number; they stand in hours")
        return self


class Governance(Model):
    """The rules in force, by their version. Body of ``governance.publish``.

    ``signatures`` is how many administrators sign what is in :data:`NEEDS_TWO`; an act that waits
    for the second lapses after ``proposal_hours``.
    """

    version: int = Field(ge=0, le=2**31 - 1)
    signatures: int = Field(default=1, ge=1, le=2)
    proposal_hours: int = Field(default=72, ge=1, le=24 * 30)
    identity_provider: IdentityProvider | None = None
    step_up: StepUp | None = None
    break_glass: BreakGlass | None = None
    identities: IdentityRules = IdentityRules()

    def waits_for_second(self, act: str) -> bool:
        """Whether an act takes effect only when a second person has signed it."""
        return act in ALWAYS_TWO or (self.signatures > 1 and act in NEEDS_TWO)


def first_governance(signatures: int) -> Governance:
    """What is in force before any is published."""
    return Governance(version=0, signatures=signatures)


class Countersign(Model):
    """Body of ``act.countersign``; the target is the ``jti`` of the act that waits.

    ``body_digest`` is the one that its proposer signed: the second person signs the same body.
    """

    act: Annotated[str, StringConstraints(max_length=64)]
    target: Annotated[str, StringConstraints(max_length=200)]
    body_digest: Annotated[str, StringConstraints(max_length=64)]


MAX_OVERLAP_HOURS = 90 * 24
"""How long two keys of heads may sign together: witnesses look more often than that."""

_VerifierKey = Annotated[
    str, StringConstraints(pattern=r"^[^\s+]{1,255}\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}$")
]


class RekeyLog(Model):
    """Body of ``log.rekey``; the target is ``log``: another key of heads, as C2SP spells them.

    Both sign for ``overlap_hours``, so that whoever follows the log meets a head under each.
    """

    key: _VerifierKey
    replaces: _VerifierKey
    overlap_hours: int = Field(default=7 * 24, ge=0, le=MAX_OVERLAP_HOURS)


class CloseReview(Model):
    """Body of ``review.close``; the target is the review: what came of looking at an emergency."""

    justified: bool
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]


class ReviewView(Model):
    """The review of an emergency, which opens with it; ``reason`` is empty once it was erased."""

    id: str
    case: CaseId
    checkpoint: CheckpointId
    opened_by: Principal
    opened_at: UtcTime
    until: UtcTime
    status: str
    closed_by: Principal | None = None
    reason: str = ""


class DeliveryStatus(StrEnum):
    """Where a notice stands at one channel. ``dead``: it is not tried again by itself."""

    WAITING = "waiting"
    SENDING = "sending"
    DONE = "done"
    DEAD = "dead"


class DeliveryView(Model):
    """One notice for one channel."""

    id: int
    notice: str
    kind: str
    channel: str
    status: DeliveryStatus
    attempts: int
    trouble: str | None = None
    told_at: UtcTime


class ProposalStatus(StrEnum):
    """Where an act stands that needs a second signature."""

    PROPOSED = "proposed"
    EFFECTIVE = "effective"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"


class ProposalView(Model):
    """An act that waits, or waited, for a second signature. ``lapses_at`` ends the waiting."""

    jti: Jti
    act: str
    target: str
    proposed_by: str
    proposed_at: UtcTime
    lapses_at: UtcTime
    status: ProposalStatus
    body_digest: str
    body: dict[str, Any]
    ended_by: str | None = None
    ended_at: UtcTime | None = None
    jws: str
