"""The routes of how identities stand, and of the campaigns that look at them again."""

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from placet.authority._errors import NotFound
from placet.authority._http import answer
from placet.authority._services import Services
from placet.model import IdentityId

_IDENTITY: TypeAdapter[str] = TypeAdapter(IdentityId)


class StandingRoutes:
    """One method a route."""

    def __init__(self, services: Services) -> None:
        self._s = services

    async def standing(self, request: Request) -> Response:
        """Why an identity is held back now, or would be, and who looks at it again."""
        await self._s.admit(request)
        try:
            identity = _IDENTITY.validate_python(request.path_params["identity"])
        except ValidationError:
            raise NotFound("the registry has no such identity") from None
        return answer(await self._s.standings.show(identity))

    async def campaigns(self, request: Request) -> Response:
        """The newest campaigns."""
        await self._s.admit(request)
        return answer(await self._s.standings.campaigns())
