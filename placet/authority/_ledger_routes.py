"""The routes of the ledger, and of what is kept beside it for auditors."""

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from placet.authority._errors import Invalid, Unavailable
from placet.authority._http import parse_whole, queries, whole_number
from placet.authority._services import Services
from placet.authority._tiles import serve_tile

MAX_NAMES = 30
"""Names in one question: an address has at most 2,048 characters."""


class LedgerRoutes:
    """One method a route: read, call, answer."""

    def __init__(self, services: Services) -> None:
        self._s = services

    async def head(self, _: Request) -> Response:
        """The newest signed head."""
        note = await self._s.core.store.latest_head()
        if note is None:
            raise Unavailable("no head is signed yet")
        return PlainTextResponse(note, headers={"Cache-Control": "no-cache"})

    async def handovers(self, _: Request) -> Response:
        """The heads by which each of the log's keys handed over to the next."""
        found = await self._s.ledger.handovers()
        return JSONResponse(found, headers={"Cache-Control": "no-cache"})

    async def tile(self, request: Request) -> Response:
        """A tile, or an entry bundle (C2SP tlog-tiles)."""
        return await serve_tile(self._s.core.store, request)

    async def heads(self, request: Request) -> Response:
        """A page of signed heads: all that were ever signed."""
        start = whole_number(request, "from", 0)
        return JSONResponse(await self._s.ledger.heads(start, whole_number(request, "limit", 256)))

    async def entries(self, request: Request) -> Response:
        """A page of entries: their canonical bytes as text."""
        after = whole_number(request, "from", 0)
        return JSONResponse(
            await self._s.ledger.entries(after, whole_number(request, "limit", 256))
        )

    async def entries_of_none(self, request: Request) -> Response:
        """A page of the entries of no case: who is who, and what was published."""
        start, limit = whole_number(request, "from", 0), whole_number(request, "limit", 256)
        return JSONResponse(await self._s.ledger.entries_of_none(start, limit))

    async def case_entries(self, request: Request) -> Response:
        """A page of one case's entries: what the ledger says of it."""
        await self._s.admit(request)
        start, limit = whole_number(request, "from", 0), whole_number(request, "limit", 256)
        case = request.path_params["case"]
        return JSONResponse(await self._s.ledger.entries_of(case, start, limit))

    async def inclusion(self, request: Request) -> Response:
        """An inclusion proof (RFC 9162 section 2.1.3)."""
        index = parse_whole(request.path_params["index"], "index")
        return JSONResponse(await self._s.ledger.inclusion(index, whole_number(request, "size", 0)))

    async def consistency(self, request: Request) -> Response:
        """A consistency proof (RFC 9162 section 2.1.4)."""
        first, second = whole_number(request, "from", 0), whole_number(request, "to", 0)
        return JSONResponse(await self._s.ledger.consistency(first, second))

    async def kept(self, request: Request) -> Response:
        """What is kept beside the ledger."""
        await self._s.admit(request)
        return JSONResponse(await self._s.views.kept(request.path_params["digest"]))

    async def contents(self, request: Request) -> Response:
        """What entries name, by up to 30 names at once: signed acts, what is kept, parts."""
        await self._s.admit(request)
        acts, kept, parts = (queries(request, name, 128) for name in ("act", "kept", "part"))
        if len(acts) + len(kept) + len(parts) > MAX_NAMES:
            raise Invalid("invalid_request", f"at most {MAX_NAMES} names are asked for at once")
        return JSONResponse(await self._s.views.contents(acts, kept, parts))

    async def published(self, request: Request) -> Response:
        """All published processes, matrices and policy sets, for auditors."""
        await self._s.admit(request)
        return JSONResponse(await self._s.ledger.published())
