"""How identities stand, for people who ask why: limits, what holds one back, its reviews."""

from collections.abc import Iterator

from placet.authority._approvals import newest_checkpoint
from placet.authority._campaigns import campaign_view
from placet.authority._core import Core
from placet.authority._errors import NotFound
from placet.authority._governance import governance
from placet.authority._store import Campaign, CampaignItemRow, LimitState, Reader, Registered
from placet.model import (
    RECERTIFICATION,
    CampaignPage,
    CarriedOut,
    HeldBack,
    IdentityRules,
    IdentityStanding,
    LimitInForce,
    Measure,
    Reviewed,
    ReviewOfIdentity,
)
from placet.rules import hours_of, limits_of

_CAMPAIGNS = 50  # the newest; older ones are asked for by name
_REVIEWS = 20


class Standings:
    """Reads for operators."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def show(self, identity: str) -> IdentityStanding:
        """How one stands.

        Raises:
            NotFound: the registry has no such identity.
        """

        def read(reader: Reader) -> IdentityStanding:
            row = reader.get(Registered, identity)
            if row is None:
                raise NotFound("the registry has no such identity")
            rules = governance(reader).identities
            return IdentityStanding(
                identity=identity,
                suspended_for=row.suspended_for,
                limits=tuple(_limits(rules, identity)) if identity.startswith("agent:") else (),
                held=tuple(_held(reader, identity)),
                reviews=tuple(_reviews(reader, identity)),
            )

        return await self._core.store.read(read)

    async def campaigns(self) -> CampaignPage:
        """The newest campaigns, and how far each is."""

        def read(reader: Reader) -> CampaignPage:
            rows = reader.all(Campaign, order_by=[_newest], limit=_CAMPAIGNS)
            found = (campaign_view(reader, row.name) for row in rows)
            return CampaignPage(campaigns=tuple(each for each in found if each is not None))

        return await self._core.store.read(read)


_newest = Campaign.entry.desc()  # type: ignore[attr-defined]  # a column on the class


def _limits(rules: IdentityRules, identity: str) -> Iterator[LimitInForce]:
    for each in limits_of(rules, identity, *Measure):
        yield LimitInForce(
            measure=each.measure,
            beyond=each.beyond,
            at_most=each.at_most,
            within_seconds=each.within_seconds,
        )
    for hours in hours_of(rules, identity):
        yield LimitInForce(measure=Measure.HOURS, beyond=hours.beyond, calendar=hours.calendar.name)


def _held(reader: Reader, identity: str) -> Iterator[HeldBack]:
    for row in reader.all(LimitState, LimitState.agent == identity):
        yield HeldBack(
            measure=Measure(row.measure),
            since=row.since,
            until=row.until,
            case=row.case_id or None,
        )


def _reviews(reader: Reader, identity: str) -> Iterator[ReviewOfIdentity]:
    rows = reader.all(CampaignItemRow, CampaignItemRow.identity == identity)
    begun = [(campaign, row) for row in rows if (campaign := reader.get(Campaign, row.campaign))]
    for campaign, row in sorted(begun, key=lambda each: -each[0].entry)[:_REVIEWS]:
        checkpoint = (
            newest_checkpoint(reader, row.case_id, RECERTIFICATION) if row.case_id else None
        )
        yield ReviewOfIdentity(
            campaign=row.campaign,
            started_at=campaign.started_at,
            subject=f"campaign/{row.campaign}/identity/{row.number}",
            case=row.case_id,
            checkpoint=None if checkpoint is None else checkpoint.id,
            outcome=_outcome(row),
        )


def _outcome(row: CampaignItemRow) -> Reviewed | None:
    if row.done_json is None:
        return None
    return CarriedOut.model_validate_json(row.done_json).outcome
