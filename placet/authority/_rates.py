"""How often each may ask: an identity by itself, and an address for those whom nobody knows.

1. Who proved who they are is counted under that name, and under no address: however an agent
   floods, an operator beside it is let in.
2. Who did not is counted under their address, a request that was refused five times. An address
   that has used up its share is refused before anything is looked at, unless somebody was known
   from there lately: then it is judged first, and who is known is never refused for the others.
3. Each process counts by itself: the limits are those of one, and a balancer's come before them.
   What matters beyond one process (grants, records and denials of an agent) is limited by the
   published rules, from the store (:mod:`placet.authority._limits`).
"""

import ipaddress
import math
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from placet.authority._errors import TooMuch, Unavailable
from placet.authority._settings import AuthoritySettings
from placet.transport import Buckets

_BURST_SECONDS = 10
"""A bucket holds what it is filled with in this time."""

_REFUSED_COSTS = 5
_FAMILIAR_SECONDS = 15 * 60.0  # as long as a session
_MOST_FAMILIAR = 10_000
_UNCOUNTED = frozenset({"/livez", "/readyz"})

_known: ContextVar[str | None] = ContextVar("known", default=None)


class Rates:
    """What one process remembers of who asked how often."""

    def __init__(
        self, settings: AuthoritySettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._named = {
            kind: Buckets(rate, rate * _BURST_SECONDS)
            for kind, rate in (
                ("agent", settings.rate_agents),
                ("system", settings.rate_systems),
                ("operator", settings.rate_operators),
            )
        }
        rate = settings.rate_strangers
        self._strangers = Buckets(rate, rate * _BURST_SECONDS)
        self._familiar: dict[str, float] = {}

    def begin(self, request: Request) -> None:
        """A request comes in.

        Raises:
            TooMuch: its address has used up its share, and nobody was known from there.
        """
        _known.set(None)
        if request.url.path in _UNCOUNTED:
            return
        address, now = address_of(request), self._clock()
        lacking = self._strangers.lacks(address, now)
        if lacking and self._familiar.get(address, -math.inf) < now:
            raise _too_much(lacking, "address")

    def known(self, principal: str) -> None:
        """The sender of the request that is under way has proven who they are.

        Raises:
            TooMuch: they ask too often.
        """
        _known.set(principal)
        lacking = self._named[principal.partition(":")[0]].take(principal, self._clock())
        if lacking:
            raise _too_much(lacking, "identity")

    def end(self, request: Request, response: Response) -> None:
        """A request was answered."""
        if request.url.path in _UNCOUNTED:
            return
        address, now = address_of(request), self._clock()
        if _known.get() is None:
            refused = response.status_code in {400, 401}
            self._strangers.charge(address, now, _REFUSED_COSTS if refused else 1)
            return
        self._familiar.pop(address, None)
        self._familiar[address] = now + _FAMILIAR_SECONDS
        if len(self._familiar) > _MOST_FAMILIAR:
            del self._familiar[next(iter(self._familiar))]


class SignInStarts:
    """Sign-ins that one process begins at the lender's provider in a minute: anyone may ask.

    No address gets more than a third of them, so that one alone keeps nobody from signing in.
    """

    in_all = 60
    of_one_address = 20

    def __init__(self) -> None:
        self._begun: list[tuple[datetime, str]] = []

    def take(self, address: str, now: datetime) -> None:
        """Begin one.

        Raises:
            TooMuch: this address has begun too many.
            Unavailable: all together have.
        """
        self._begun = [each for each in self._begun if now - each[0] < timedelta(minutes=1)]
        if sum(1 for _, begun_by in self._begun if begun_by == address) >= self.of_one_address:
            raise _too_much(60, "address")
        if len(self._begun) >= self.in_all:
            raise Unavailable("too many sign-ins begin at once; try again in a minute")
        self._begun.append((now, address))


def _too_much(lacking: float, whose: str) -> TooMuch:
    said = f"this {whose} asks too often; ask again later"
    return TooMuch(said, f"{whose}-rate", max(1, math.ceil(lacking)))


def address_of(request: Request) -> str:
    """Who is counted together: an IPv4 address, or the 64 bits that one IPv6 host chooses from."""
    host = "" if request.client is None else request.client.host
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    return str(ipaddress.ip_network((address, 64), strict=False))
