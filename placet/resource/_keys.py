"""The authority's published keys, kept for as long as it lets them be kept.

1. Keys are used for the ``max-age`` that came with them, and never for over five minutes: a key
   that was withdrawn is refused from then on.
2. A ``kid`` that is not among them makes us ask, since it may be new. We ask once at a time and at
   most once a second, whatever strangers send.
3. An answer without a usable key changes nothing: neither which keys are good, nor how long.
4. When no good keys can be had, nothing is accepted.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TypeVar

from placet.resource._authority import AuthorityAway, SystemLink
from placet.tokens import PublicKey, UnknownKey

_PAUSE = timedelta(seconds=1)
_T = TypeVar("_T")


class AuthorityKeys:
    """The keys of one authority."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._keys: Mapping[str, PublicKey] = {}
        self._from: datetime | None = None
        self._until: datetime | None = None
        self._asked_at: datetime | None = None
        self._trouble: str | None = None
        self._answers = 0
        self._asking = asyncio.Lock()

    async def judge(self, link: SystemLink, verify: Callable[[Mapping[str, PublicKey]], _T]) -> _T:
        """Verify something with the authority's keys, asking for them if need be.

        Raises:
            AuthorityAway: the keys can't be had, or not whether there is a new one.
            TokenError: what ``verify`` raises.
        """
        if not self._good():
            await self._ask(link)
        try:
            return verify(self._keys)
        except UnknownKey:
            await self._ask(link)
        return verify(self._keys)

    def _good(self) -> bool:
        if self._from is None or self._until is None:
            return False
        return self._from <= self._clock() < self._until  # not if the clock was set back

    async def _ask(self, link: SystemLink) -> None:
        """Ask, unless someone did within the pause; their answer is then ours, good or bad."""
        answers = self._answers
        async with self._asking:
            if self._answers == answers and not self._just_asked():
                await self._fetch(link)
        if self._trouble is not None:
            raise AuthorityAway(self._trouble)

    def _just_asked(self) -> bool:
        if self._asked_at is None:
            return False
        return timedelta(0) <= self._clock() - self._asked_at < _PAUSE

    async def _fetch(self, link: SystemLink) -> None:
        asked = self._asked_at = self._clock()
        self._trouble = "the authority was asked for its keys and has not answered"
        try:
            published = await link.keys()
        except AuthorityAway as error:
            self._trouble = str(error)
        else:
            self._trouble = None
            self._keys, self._from = published.keys, asked
            self._until = asked + published.max_age
        finally:
            self._answers += 1
