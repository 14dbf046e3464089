"""The registry of identities, as the console asks for it: page by page, each failing one way."""

from collections.abc import Sequence
from dataclasses import dataclass

from placet.client import OperatorClient
from placet.model import (
    REVIEW_PROCESS,
    CampaignView,
    Candidate,
    IdentityReport,
    IdentityStanding,
    LeftBehind,
    RegisteredView,
    ReportLine,
    VendorView,
)
from tui.answers import ways_to_fail


@dataclass(frozen=True)
class Reported:
    """The first lines of every report; ``more`` are the reports that have further ones."""

    lines: tuple[ReportLine, ...]
    more: tuple[IdentityReport, ...]


PAGE = 200
"""How many the authority answers at a time."""


class Directory:
    """What can be asked about identities beside who is enrolled."""

    def __init__(self, client: OperatorClient) -> None:
        self._client = client

    async def page(self, kind: str | None, after: str = "") -> list[RegisteredView]:
        """The identities that come after one; fewer than a page: those were the last."""
        with ways_to_fail():
            return await self._client.registry_page(kind, after)

    async def one(self, identity: str) -> RegisteredView:
        """One of them, with what it may do and did."""
        with ways_to_fail():
            return await self._client.registered(identity)

    async def reports(self) -> Reported:
        """What is wrong with those that still work: all reports, a page of each."""
        found: list[ReportLine] = []
        more: list[IdentityReport] = []
        with ways_to_fail():
            for each in IdentityReport:
                page = await self._client.report_page(each)
                found += page
                if len(page) >= PAGE:
                    more.append(each)
        return Reported(tuple(found), tuple(more))

    async def standing(self, identity: str) -> IdentityStanding:
        """What holds one back, and its reviews."""
        with ways_to_fail():
            return await self._client.standing(identity)

    async def campaigns(self) -> list[CampaignView]:
        """The newest campaigns of reviews."""
        with ways_to_fail():
            return await self._client.campaigns()

    async def due(self, days: int) -> list[Candidate]:
        """Whom a campaign should look at."""
        with ways_to_fail():
            return await self._client.candidates(days)

    async def unheard(self, due: Sequence[Candidate]) -> dict[str, str]:
        """Owners of these who have no role in which they could answer, each in words."""
        from placet.cli import newest_matrix, unheard  # noqa: PLC0415 - it is rarely asked for

        with ways_to_fail():
            people = await self._client.identities("operator")
            matrix = await newest_matrix(self._client, REVIEW_PROCESS)
            roles = {str(each["principal"]): tuple(each["roles"]) for each in people}
            return unheard([each.owner for each in due], roles, matrix)

    async def begin(self, campaign: str, identities: Sequence[str]) -> CampaignView:
        """Start a campaign, and open the cases that it has not yet."""
        from placet.cli import begin_campaign  # noqa: PLC0415 - it is rarely asked for

        with ways_to_fail():
            return await begin_campaign(self._client, campaign, identities)

    async def left_behind(self, identity: str) -> LeftBehind:
        """What an identity would leave behind."""
        with ways_to_fail():
            return await self._client.left_behind(identity)

    async def vendor(self, vendor: str) -> VendorView:
        """What switching off a third party would stop now."""
        with ways_to_fail():
            return await self._client.vendor(vendor)
