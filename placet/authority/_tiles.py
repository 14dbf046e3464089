"""Serving the log as files: tiles and entry bundles (C2SP tlog-tiles).

Only what stands under a signed head is served: it never changes, so caches may keep it for good.
"""

import gzip

from sqlmodel import col
from starlette.requests import Request
from starlette.responses import Response

from placet.authority._errors import NotFound
from placet.authority._store import Reader, SignedHead, Store, read_bundle, read_tile
from placet.ledger import Bundle, parse_tile_path

_FOR_GOOD = "public, max-age=31536000, immutable"  # RFC 8246; a year stands for ever
_BINARY = "application/octet-stream"


async def serve_tile(store: Store, request: Request) -> Response:
    """Answer with a tile or an entry bundle; bundles are compressed for whoever takes gzip.

    Raises:
        NotFound: the path is none, or no signed head has all of it (yet).
    """
    try:
        # Of the path itself: a route's parameter ends before a newline at the end.
        place = parse_tile_path(request.scope["path"].removeprefix("/ledger/"))
    except ValueError as error:
        raise NotFound(str(error)) from None
    gzipped = isinstance(place, Bundle) and _takes_gzip(request)

    def read(reader: Reader) -> bytes:
        head = reader.first(SignedHead, order_by=[col(SignedHead.size).desc()])
        if head is None or not place.fits(head.size):
            raise NotFound("the log has not so many entries under a signed head")
        if isinstance(place, Bundle):
            data = read_bundle(reader, place)
            return gzip.compress(data, mtime=0) if gzipped else data
        return read_tile(reader, place)

    headers = {"Cache-Control": _FOR_GOOD}
    if isinstance(place, Bundle):
        headers["Vary"] = "Accept-Encoding"
    if gzipped:
        headers["Content-Encoding"] = "gzip"
    return Response(await store.read(read), media_type=_BINARY, headers=headers)


def _takes_gzip(request: Request) -> bool:
    """Whether ``Accept-Encoding`` names gzip, not with a weight of 0 (RFC 9110 section 12.5.3)."""
    for each in ",".join(request.headers.getlist("Accept-Encoding")).lower().split(","):
        name, _, weight = each.partition(";")
        if name.strip() == "gzip":
            return not weight or weight.replace(" ", "").removeprefix("q=").strip("0.") != ""
    return False
