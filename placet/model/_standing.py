"""How an identity stands: the limits that it is held to, what holds it back, and its reviews."""

from placet.model._campaigns import CampaignView, Reviewed
from placet.model._ids import CaseId, CheckpointId, Name, RecordId
from placet.model._limits import Beyond, Measure
from placet.model._registry import IdentityId
from placet.model._values import Model, UtcTime


class LimitInForce(Model):
    """A limit that holds for an identity, or hours, which ``calendar`` names."""

    measure: Measure
    beyond: Beyond
    at_most: int | None = None
    within_seconds: int | None = None
    calendar: Name | None = None


class HeldBack(Model):
    """That an identity went beyond a limit.

    ``until`` it is slowed down; ``since`` a person was to look at it, and it is counted anew.
    """

    measure: Measure
    since: UtcTime | None = None
    until: UtcTime | None = None
    case: CaseId | None = None


class ReviewOfIdentity(Model):
    """One identity's place in a campaign, the newest first. ``case`` once it has begun."""

    campaign: Name
    started_at: UtcTime
    subject: RecordId
    case: CaseId | None = None
    checkpoint: CheckpointId | None = None
    outcome: Reviewed | None = None


class IdentityStanding(Model):
    """Why an identity is held back now, or would be, and who looks at it again."""

    identity: IdentityId
    suspended_for: str | None = None
    limits: tuple[LimitInForce, ...] = ()
    held: tuple[HeldBack, ...] = ()
    reviews: tuple[ReviewOfIdentity, ...] = ()


class CampaignPage(Model):
    """The newest campaigns."""

    campaigns: tuple[CampaignView, ...]
