"""The routes of orders to owners' own tools."""

from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from placet.authority._errors import NotFound
from placet.authority._http import answer, read_model
from placet.authority._list_routes import Parts, admit
from placet.authority._orders import Orders
from placet.model import Goal, Model, Order, ToolProof
from placet.tokens import GrantClaims, Proof


class OrderParts(Parts, Protocol):
    """What of the authority's services these routes need."""

    @property
    def orders(self) -> Orders:
        """Orders."""
        ...


class OrdersOf(Model):
    """The orders about an identity."""

    orders: tuple[Order, ...]


class OrderRoutes:
    """One method a route."""

    def __init__(self, parts: OrderParts) -> None:
        self._s = parts

    async def of(self, request: Request) -> Response:
        """The orders about an identity, the newest first."""
        await admit(self._s.requests, self._s.views, request)
        found = await self._s.orders.of(request.path_params["identity"])
        return answer(OrdersOf(orders=tuple(found)))

    async def look(self, request: Request) -> Response:
        """What people are shown of an order, under a grant for the authority."""
        return answer(await self._s.orders.look(*self._granted(request, "identity:order")))

    async def begin(self, request: Request) -> Response:
        """Whether the tool may be called now, under a grant for the authority."""
        return answer(await self._s.orders.begin(*self._granted(request, *_CALLS)))

    async def prove(self, request: Request) -> Response:
        """What the tool proved, under a grant for the authority."""
        granted = self._granted(request, *_CALLS)
        return answer(await self._s.orders.prove(*granted, await read_model(request, ToolProof)))

    def _granted(self, request: Request, *needed: str) -> tuple[GrantClaims, Proof]:
        claims, proof = self._s.requests.grant(request)
        if claims.details.action not in needed or request.path_params["case"] != claims.txn:
            raise NotFound("the grant is not for this")
        return claims, proof


_CALLS = tuple(f"identity:{each}" for each in Goal)
