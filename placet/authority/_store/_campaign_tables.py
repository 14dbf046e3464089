"""Tables of campaigns: which identities their owners look at again, and what they are told."""

from datetime import datetime

from sqlmodel import Field

from placet.authority._store._base import Row, number_field, time_field, time_or_none


class Campaign(Row, table=True):
    """A campaign, from its start to management's acknowledgement."""

    name: str = Field(primary_key=True)
    started_by: str
    started_at: datetime = time_field()
    entry: int = number_field()
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = time_or_none()


class CampaignItemRow(Row, table=True):
    """One identity of a campaign; ``done_json`` is what came of its review."""

    campaign: str = Field(primary_key=True)
    number: int = number_field(primary_key=True)
    identity: str = Field(index=True)
    owner: str | None = None
    risk: str
    case_id: str | None = None
    done_json: str | None = None


class ToldPart(Row, table=True):
    """What the authority told a case's step last to leave under a name, by its salted digest."""

    case_id: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    digest: str
