"""The routes of lists, counts and live change: read the query, call, answer."""

from typing import TypeVar

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from placet.authority._counts import overview
from placet.authority._errors import Invalid
from placet.authority._groups import list_groups
from placet.authority._http import answer, describe, one_query, parse_whole
from placet.authority._lists import list_cases, list_checkpoints
from placet.authority._services import Services
from placet.model import CaseQuery, CheckpointQuery, GroupQuery

QueryT = TypeVar("QueryT", CheckpointQuery, CaseQuery, GroupQuery)
_CURSOR = 300
_RECORD = 200
_OTHER_NAMES = {"for": "waits_for"}
"""What a query's parameter is called in the model, where it can't have the same name."""


class ListRoutes:
    """One method a route."""

    def __init__(self, services: Services) -> None:
        self._s = services

    async def checkpoints(self, request: Request) -> Response:
        """A page of checkpoints."""
        _, asker = await self._s.admit(request)
        query, after = _query(request, CheckpointQuery)
        now = self._s.core.clock()
        return answer(
            await self._s.core.store.read(
                lambda reader: list_checkpoints(reader, query, asker, after, now)
            )
        )

    async def groups(self, request: Request) -> Response:
        """A page of the groups that the checkpoints of a query fall into, each counted."""
        _, asker = await self._s.admit(request)
        query, after = _query(request, GroupQuery)
        now = self._s.core.clock()
        return answer(
            await self._s.core.store.read(
                lambda reader: list_groups(reader, query, asker, after, now)
            )
        )

    async def cases(self, request: Request) -> Response:
        """A page of cases."""
        await self._s.admit(request)
        query, after = _query(request, CaseQuery)
        return answer(
            await self._s.core.store.read(lambda reader: list_cases(reader, query, after))
        )

    async def overview(self, request: Request) -> Response:
        """The counts."""
        _, asker = await self._s.admit(request)
        now = self._s.core.clock()
        return answer(await self._s.core.store.read(lambda reader: overview(reader, asker, now)))

    async def events(self, request: Request) -> Response:
        """Live change, as server-sent events (WHATWG HTML, section 9.2)."""
        session, asker = await self._s.admit(request)
        self._s.events.require_room()
        return StreamingResponse(
            self._s.events.stream(session, asker, _last_event(request)),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )


def _query(request: Request, model: type[QueryT]) -> tuple[QueryT, str | None]:
    """A list's query and its cursor; a parameter that is not known is an error."""
    told: dict[str, str] = {}
    for name in request.query_params:
        value = one_query(request, name, {"after": _CURSOR, "record": _RECORD}.get(name, 100))
        if value is not None:
            told[_OTHER_NAMES.get(name, name)] = value
    after = told.pop("after", None)
    limit = told.get("limit", "1")
    if not (limit.isascii() and limit.isdecimal()):
        raise Invalid("invalid_request", "limit must be a whole number")
    try:
        return model.model_validate(told), after
    except ValidationError as error:
        raise Invalid("invalid_request", describe(error)) from None


def _last_event(request: Request) -> int | None:
    """Where to go on: the header that browsers send, or the parameter for the first connection."""
    found = request.headers.getlist("Last-Event-ID")
    value = one_query(request, "after") if not found else ",".join(found)
    if value is None:
        return None
    return parse_whole(value, "after, or Last-Event-ID,")
