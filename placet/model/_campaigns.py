"""Campaigns: owners look at their identities again, and keep, narrow or end each."""

from collections import Counter
from enum import StrEnum

from pydantic import Field

from placet.model._ids import Action, CaseId, Name, Principal, RecordId
from placet.model._registry import Did, IdentityId, MayDo, Person
from placet.model._values import Model, UtcTime

REVIEW_PROCESS: Name = "identity-review"
"""The process of one identity's review."""

RECERTIFICATION: Name = "recertification"
"""The checkpoint at which its owner decides."""

NARROW = "narrow"
"""The reason of a rejection that narrows an identity to what it used; any other ends it."""

MOST_AT_ONCE = 300
"""Identities of one campaign: as many as an entry of the ledger can name."""


class Risk(StrEnum):
    """How much an identity could do. ``high``: what people must approve, or nobody owns it."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Reviewed(StrEnum):
    """What came of an identity's review. ``suspended``: nobody said anything in time."""

    KEPT = "kept"
    NARROWED = "narrowed"
    ENDED = "ended"
    SUSPENDED = "suspended"


class StartCampaign(Model):
    """Body of ``campaign.start``; the target is the campaign. In this order cases are opened."""

    identities: tuple[IdentityId, ...] = Field(min_length=1, max_length=MOST_AT_ONCE)


class AcknowledgeCampaign(Model):
    """Body of ``campaign.acknowledge``; the target is the campaign: what management has seen."""

    kept: int = Field(ge=0)
    narrowed: int = Field(ge=0)
    ended: int = Field(ge=0)
    suspended: int = Field(ge=0)


class Candidate(Model):
    """An identity that a campaign should look at, and why now."""

    identity: IdentityId
    owner: Person | None = None
    risk: Risk
    review_by: UtcTime | None = None


class CampaignItem(Model):
    """One identity of a campaign; ``case`` once its review has begun."""

    number: int
    subject: RecordId
    identity: IdentityId
    owner: Person | None = None
    risk: Risk
    case: CaseId | None = None
    outcome: Reviewed | None = None


class CampaignView(Model):
    """A campaign, and how far it is."""

    campaign: Name
    started_by: Principal
    started_at: UtcTime
    items: tuple[CampaignItem, ...]
    acknowledged_by: Principal | None = None
    acknowledged_at: UtcTime | None = None

    def counted(self) -> AcknowledgeCampaign:
        """What came of it so far, counted."""
        counts = Counter(each.outcome for each in self.items)
        return AcknowledgeCampaign(**{each.value: counts[each] for each in Reviewed})

    @property
    def left(self) -> int:
        """How many identities wait for their owners."""
        return sum(each.outcome is None for each in self.items)


class ReviewedIdentity(Model):
    """What an owner is shown of an identity: what it is, may do, did, and need not do."""

    campaign: Name
    identity: IdentityId
    owner: Person | None = None
    risk: Risk
    kind: str
    status: str
    purpose: str | None = None
    environment: Name | None = None
    vendor: Name | None = None
    review_by: UtcTime | None = None
    ends_at: UtcTime | None = None
    last_used: UtcTime | None = None
    lacks: tuple[str, ...] = ()
    may: tuple[MayDo, ...] = ()
    did: tuple[Did, ...] = ()
    unused: tuple[Action, ...] = ()


class CarriedOut(Model):
    """What followed from a review. ``actions``: all that a narrowed identity may still do."""

    identity: IdentityId
    outcome: Reviewed
    review_by: UtcTime | None = None
    actions: tuple[Action, ...] = ()
    revoked_grants: int = 0
