"""The routes of orders to owners' own tools."""

from starlette.requests import Request
from starlette.responses import Response

from placet.authority._http import answer, read_model
from placet.authority._services import Services
from placet.model import Goal, Model, Order, ToolProof


class OrdersOf(Model):
    """The orders about an identity."""

    orders: tuple[Order, ...]


class OrderRoutes:
    """One method a route."""

    def __init__(self, services: Services) -> None:
        self._s = services

    async def of(self, request: Request) -> Response:
        """The orders about an identity, the newest first."""
        await self._s.admit(request)
        found = await self._s.orders.of(request.path_params["identity"])
        return answer(OrdersOf(orders=tuple(found)))

    async def look(self, request: Request) -> Response:
        """What people are shown of an order, under a grant for the authority."""
        return answer(await self._s.orders.look(*self._s.granted(request, "identity:order")))

    async def begin(self, request: Request) -> Response:
        """Whether the tool may be called now, under a grant for the authority."""
        return answer(await self._s.orders.begin(*self._s.granted(request, *_CALLS)))

    async def prove(self, request: Request) -> Response:
        """What the tool proved, under a grant for the authority."""
        granted = self._s.granted(request, *_CALLS)
        return answer(await self._s.orders.prove(*granted, await read_model(request, ToolProof)))


_CALLS = tuple(f"identity:{each}" for each in Goal)
