"""Token buckets: how often each of many may do something, with a burst; pure, but for its memory.

The memory is this process's own, and bounded: whoever was not heard of for longest is forgotten
first, which gives them a full bucket again.
"""

from collections import OrderedDict

MOST = 100_000
"""Buckets: about 20 MB."""

_LONGEST = 3600
"""Seconds that anybody is believed to mean by "later"."""


class Buckets:
    """One bucket for each key: it fills with ``rate`` a second, and holds ``burst``.

    A rate of 0 is none: nobody is ever told to wait.
    """

    def __init__(self, rate: float, burst: float, most: int = MOST) -> None:
        self._rate = rate
        self._burst = burst
        self._most = most
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def take(self, key: str, now: float, cost: float = 1) -> float:
        """Take from a bucket, which may go no lower than empty; the seconds that were lacking.

        Who has to wait has taken nothing.
        """
        if self._rate == 0:
            return 0
        level = self._level(key, now)
        lacking = 0.0 if level >= cost else (cost - level) / self._rate
        self._put(key, level if lacking else level - cost, now)
        return lacking

    def charge(self, key: str, now: float, cost: float) -> None:
        """Take what was done already; the bucket is empty at worst."""
        if self._rate:
            self._put(key, max(0.0, self._level(key, now) - cost), now)

    def lacks(self, key: str, now: float) -> float:
        """The seconds until a bucket holds one again; 0 if it does."""
        if self._rate == 0:
            return 0
        return max(0.0, 1 - self._level(key, now)) / self._rate

    def _level(self, key: str, now: float) -> float:
        level, since = self._held.get(key, (self._burst, now))
        return min(self._burst, level + max(0.0, now - since) * self._rate)

    def _put(self, key: str, level: float, now: float) -> None:
        self._held[key] = (level, now)
        self._held.move_to_end(key)
        if len(self._held) > self._most:
            self._held.popitem(last=False)


def seconds_to_wait(retry_after: str | None) -> int | None:
    """The seconds that a ``Retry-After`` names, at least one, an hour at most; none if it is none.

    A date, which it may name as well (RFC 9110 section 10.2.3), is not what we send.
    """
    told = retry_after or ""
    if not (told.isascii() and told.isdigit()):
        return None
    # Whatever answers in the authority's place may send more digits than a number has room for.
    return max(1, min(int(told[:100]), _LONGEST))
