"""The routes of the registry of identities, and of the models that are stopped."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from placet.authority._errors import NotFound
from placet.authority._http import answer, one_of, one_query, page, path_part
from placet.authority._models import is_stopped
from placet.authority._services import Services
from placet.authority._store import StoppedModel
from placet.model import IdentityId, IdentityKind, IdentityReport, Name, StoppedModels


class IdentityRoutes:
    """One method a route: read, call, answer."""

    def __init__(self, services: Services) -> None:
        self._s = services

    async def identities(self, request: Request) -> Response:
        """The identities of one kind."""
        await self._s.admit(request)
        found = await self._s.views.identities(request.path_params["kind"])
        return JSONResponse({"identities": found})

    async def registry(self, request: Request) -> Response:
        """A page of the registry of non-human identities."""
        await self._s.admit(request)
        kind = one_of(request, "kind", IdentityKind)
        after = one_query(request, "after", 160) or ""
        return page("identities", await self._s.registry.page(kind, after))

    async def registered(self, request: Request) -> Response:
        """One of them."""
        await self._s.admit(request)
        found = await self._s.registry.show(request.path_params["identity"])
        return answer(await self._s.usage.with_usage(found))

    async def identity_report(self, request: Request) -> Response:
        """A page of a report on identities that still work."""
        await self._s.admit(request)
        try:
            report = IdentityReport(request.path_params["report"])
        except ValueError:
            raise NotFound(f"the reports are {', '.join(IdentityReport)}") from None
        after = one_query(request, "after", 160) or ""
        return page("lines", await self._s.usage.report(report, after))

    async def left_behind(self, request: Request) -> Response:
        """What an identity leaves behind."""
        await self._s.admit(request)
        return answer(await self._s.leaving.left(path_part(request, "identity", IdentityId)))

    async def vendor(self, request: Request) -> Response:
        """What switching off a third party would stop now."""
        await self._s.admit(request)
        return answer(await self._s.leaving.vendor(path_part(request, "vendor", Name)))

    async def inventory(self, request: Request) -> Response:
        """A page of the identities that an inventory named."""
        await self._s.admit(request)
        after = one_query(request, "after", 160) or ""
        source = path_part(request, "source", Name)
        return JSONResponse({"names": await self._s.inventories.names(source, after)})

    async def stopped_models(self, request: Request) -> Response:
        """The models that are stopped."""
        await self._s.admit(request)
        rows = await self._s.core.store.read(lambda reader: reader.all(StoppedModel))
        return answer(
            StoppedModels(models=tuple(sorted(each.model for each in rows if is_stopped(each))))
        )
