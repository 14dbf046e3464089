"""The newest part of the ledger, held and added to: what has come since is all that is asked."""

from collections.abc import Sequence
from datetime import datetime

from tui.answers import Listed
from tui.gateway import Gateway

_PAGE = 1024


async def since(
    gateway: Gateway, held: Sequence[Listed], start: datetime, most: int
) -> list[Listed]:
    """The entries from a time on, the newest ``most`` at most.

    The first time they are read from the end, until one is older.
    """
    found = list(held)
    if held:
        while page := await gateway.ledger.entries(found[-1].index + 1, _PAGE):
            found += page
    else:
        head = await gateway.ledger.head()
        first = head.size if head else 0
        while first and len(found) < most and not (found and _older(found[0], start)):
            last, first = first, max(0, first - _PAGE)
            found = await gateway.ledger.entries(first, last - first) + found
    return [each for each in found[-most:] if not _older(each, start)]


def _older(listed: Listed, start: datetime) -> bool:
    return listed.entry is not None and listed.entry.time < start
