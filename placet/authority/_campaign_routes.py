"""The routes of campaigns and of the reviews in them."""

from starlette.requests import Request
from starlette.responses import Response

from placet.authority._errors import Invalid
from placet.authority._http import answer, one_query
from placet.authority._services import Services
from placet.model import Candidate, Model


class Candidates(Model):
    """Whom a campaign should look at."""

    candidates: tuple[Candidate, ...]


class CampaignRoutes:
    """One method a route."""

    def __init__(self, services: Services) -> None:
        self._s = services

    async def candidates(self, request: Request) -> Response:
        """Whom a campaign should look at, by risk and date."""
        await self._s.admit(request)
        asked = one_query(request, "days")
        days = "0" if asked is None else asked
        if not days.isdecimal() or len(days) > 4:
            raise Invalid("invalid_request", "days: must be a number of days")
        found = await self._s.campaigns.candidates(int(days))
        return answer(Candidates(candidates=tuple(found)))

    async def campaign(self, request: Request) -> Response:
        """One campaign."""
        await self._s.admit(request)
        return answer(await self._s.campaigns.show(request.path_params["campaign"]))

    async def look(self, request: Request) -> Response:
        """What an owner is shown, under a grant for the authority."""
        return answer(await self._s.campaigns.look(*self._s.granted(request, "identity:look")))

    async def carry_out(self, request: Request) -> Response:
        """Carrying out what an owner said, under a grant for the authority."""
        granted = self._s.granted(request, "identity:carry-out")
        return answer(await self._s.campaigns.carry_out(*granted))
