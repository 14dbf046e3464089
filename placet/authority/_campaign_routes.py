"""The routes of campaigns and of the reviews in them."""

from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from placet.authority._campaigns import Campaigns
from placet.authority._errors import Invalid, NotFound
from placet.authority._http import answer, one_query
from placet.authority._list_routes import Parts, admit
from placet.model import Candidate, Model
from placet.tokens import GrantClaims, Proof


class CampaignParts(Parts, Protocol):
    """What of the authority's services these routes need."""

    @property
    def campaigns(self) -> Campaigns:
        """Campaigns."""
        ...


class Candidates(Model):
    """Whom a campaign should look at."""

    candidates: tuple[Candidate, ...]


class CampaignRoutes:
    """One method a route."""

    def __init__(self, parts: CampaignParts) -> None:
        self._s = parts

    async def candidates(self, request: Request) -> Response:
        """Whom a campaign should look at, by risk and date."""
        await admit(self._s.requests, self._s.views, request)
        asked = one_query(request, "days")
        days = "0" if asked is None else asked
        if not days.isdecimal() or len(days) > 4:
            raise Invalid("invalid_request", "days: must be a number of days")
        found = await self._s.campaigns.candidates(int(days))
        return answer(Candidates(candidates=tuple(found)))

    async def campaign(self, request: Request) -> Response:
        """One campaign."""
        await admit(self._s.requests, self._s.views, request)
        return answer(await self._s.campaigns.show(request.path_params["campaign"]))

    async def look(self, request: Request) -> Response:
        """What an owner is shown, under a grant for the authority."""
        return answer(await self._s.campaigns.look(*self._granted(request, "identity:look")))

    async def carry_out(self, request: Request) -> Response:
        """Carrying out what an owner said, under a grant for the authority."""
        granted = self._granted(request, "identity:carry-out")
        return answer(await self._s.campaigns.carry_out(*granted))

    def _granted(self, request: Request, needed: str) -> tuple[GrantClaims, Proof]:
        claims, proof = self._s.requests.grant(request)
        if claims.details.action != needed or request.path_params["case"] != claims.txn:
            raise NotFound("the grant is not for this")
        return claims, proof
