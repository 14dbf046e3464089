"""The revocation feed: which grants have ended, and how old that knowledge is (I10).

1. What the feed says is believed as of the moment when it was asked, never of its arrival.
2. It is fresh only once an answer has said that nothing comes after it: a page of many is not.
3. A feed that goes backwards is another feed: it is read again from its start, and is not fresh
   until then. What has ended stays ended.
4. It is asked twice a second, so that what was revoked is refused within two questions. Nothing
   that an answer holds ends the asking.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from placet.model import GrantId, Name
from placet.resource._authority import AuthorityAway, SystemLink
from placet.resource._saying import Reasons

FEED_MAX_AGE = timedelta(seconds=2)
"""How old the feed may be; beyond it the authority itself is asked about each grant."""

GRANTS_KEPT = timedelta(minutes=2)
"""How long it is remembered that a grant ended: longer than any lives, skew included."""

Ended = Callable[[Sequence[GrantId]], Awaitable[None]]
"""Who is told of grants that ended, again if it raises."""

_PAUSE = 0.5
_log = logging.getLogger("placet.resource")


class RevocationFeed:
    """What one system knows of ended grants."""

    def __init__(self, system: Name, clock: Callable[[], datetime]) -> None:
        self._system = system
        self._clock = clock
        self._ended: dict[str, datetime] = {}
        self._cursor = 0
        self._complete_at: datetime | None = None
        self._waits = Reasons()

    def has_ended(self, grant: str) -> bool:
        """Whether the feed has said that the grant was revoked or settled."""
        return grant in self._ended

    def is_fresh(self) -> bool:
        """Whether a grant that the feed does not name may be taken as alive."""
        if self._complete_at is None:
            return False
        return timedelta(0) <= self._clock() - self._complete_at <= FEED_MAX_AGE

    def age(self) -> float:
        """How many seconds old it is; infinite before it was whole."""
        at = self._complete_at
        return math.inf if at is None else (self._clock() - at).total_seconds()

    async def follow(self, link: SystemLink, tell: Ended | None = None) -> None:
        """Follow the feed until cancelled."""
        while True:
            try:
                while await self._read_page(link, tell):
                    pass
                self._waits.over()
            except AuthorityAway as error:
                if self._waits.is_new(str(error)):
                    _log.warning("%s: the revocation feed waits: %s", self._system, error)
            except Exception:  # noqa: BLE001 - an end of this task would go unnoticed; it is logged
                _log.exception("%s: the revocation feed failed and is asked again", self._system)
            await asyncio.sleep(_PAUSE)

    async def _read_page(self, link: SystemLink, tell: Ended | None) -> bool:
        """Read what comes after the cursor; whether there is more to read at once."""
        asked = self._clock()
        found = await link.revocations(self._cursor)
        until = asked + GRANTS_KEPT
        self._ended = {grant: end for grant, end in self._ended.items() if end > asked}
        self._ended |= {each.grant: until for each in found.revocations}
        if tell is not None and found.revocations:
            await tell([each.grant for each in found.revocations])
        if found.cursor < self._cursor:
            _log.error(
                "%s: the revocation feed went back from %d to %d; it is read again from its start",
                self._system,
                self._cursor,
                found.cursor,
            )
            self._cursor, self._complete_at = 0, None
            return False
        moved = found.cursor > self._cursor
        self._cursor = found.cursor
        if found.complete:
            self._complete_at = asked
        return moved and not found.complete
