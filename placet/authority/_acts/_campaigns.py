"""Acts on campaigns: an administrator starts one, and management acknowledges what came of it."""

from collections.abc import Mapping

from placet.authority._acts._act import (
    Act,
    Handler,
    No,
    body_of,
    fits,
    require_role,
    write_entry,
)
from placet.authority._campaigns import Campaigns, campaign_view
from placet.authority._errors import Conflict, Invalid
from placet.authority._governance import governance
from placet.authority._store import Campaign, CampaignItemRow, Registered, Tx
from placet.model import (
    ADMINISTRATOR,
    AcknowledgeCampaign,
    ActAnswer,
    Name,
    StartCampaign,
    quantity,
)


class CampaignActs:
    """Starts campaigns, and ends them."""

    def __init__(self, campaigns: Campaigns) -> None:
        self._campaigns = campaigns

    def handlers(self) -> Mapping[str, Handler]:
        """Which act is whose."""
        return {"campaign.start": self._start, "campaign.acknowledge": self._acknowledge}

    def _start(self, tx: Tx, act: Act) -> ActAnswer:
        """Name the identities that their owners look at; cases on them are opened one by one."""
        require_role(act, ADMINISTRATOR)
        body, campaign = body_of(act, StartCampaign), act.claims.target
        if not fits(Name, campaign):
            raise Invalid("invalid_request", "target: must be a campaign's name")
        if tx.get(Campaign, campaign) is not None:
            raise Conflict(f"the campaign {campaign} was started before")
        if len(set(body.identities)) != len(body.identities):
            raise Invalid("invalid_request", "identities: one is named twice")
        rows = [tx.get(Registered, each) for each in body.identities]
        for identity, row in zip(body.identities, rows, strict=True):
            if row is None:
                raise Conflict(f"the registry has no {identity}")
            if row.owner == act.actor:
                raise Conflict(
                    f"{identity} is yours, and who opens a case decides nothing in it: another "
                    "administrator must start its review",
                    ("segregation",),
                )
        entry = write_entry(tx, "campaign.started", act, {"identities": list(body.identities)})
        tx.add(Campaign(name=campaign, started_by=act.actor, started_at=tx.now, entry=entry))
        for number, row in enumerate(rows, start=1):
            assert row is not None
            tx.add(
                CampaignItemRow(
                    campaign=campaign,
                    number=number,
                    identity=row.identity,
                    owner=row.owner,
                    risk=self._campaigns.risk_of(tx, row).value,
                )
            )
        return ActAnswer(act=act.claims.act, target=campaign, entry=entry)

    def _acknowledge(self, tx: Tx, act: Act) -> ActAnswer:
        """Management has seen what came of a campaign (PCI DSS 7.2.5.1): when nothing is left."""
        require_role(act, *governance(tx).identities.managers)
        body, campaign = body_of(act, AcknowledgeCampaign), act.claims.target
        found = campaign_view(tx, campaign)
        if found is None:
            raise Conflict("there is no such campaign")
        if found.started_by == act.actor:
            raise No("nobody acknowledges a campaign that they started", "segregation")
        if found.acknowledged_by is not None:
            raise Conflict(f"it was acknowledged by {found.acknowledged_by}")
        if found.left:
            raise Conflict(
                f"owners have not decided yet on {quantity(found.left, 'identity', 'identities')}",
                ("unfinished",),
            )
        if body != found.counted():
            raise Conflict("it came out otherwise; look again", ("counts",))
        entry = write_entry(tx, "campaign.acknowledged", act, body.model_dump(mode="json"))
        tx.change(Campaign, campaign, acknowledged_by=act.actor, acknowledged_at=tx.now)
        return ActAnswer(act=act.claims.act, target=campaign, entry=entry)
