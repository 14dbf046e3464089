"""The payload keys of the cases that a worker works on, as the authority hands them out.

1. Asked for when a payload of a case is first met, while its step or workflow task is running;
   the authority looks whether it is (``docs/threat-model.md``).
2. Kept in memory alone, for ``KEPT_SECONDS`` at most, and of no more than ``MAX_CASES`` cases.
3. A payload under a key that the worker does not have yet (a rotation) makes it ask again.
"""

import asyncio
from collections.abc import Awaitable, Callable

from placet.payloads import Keyring

KEPT_SECONDS = 3600.0
MAX_CASES = 4096
_ASK_AGAIN = 1.0
"""Seconds before a key that the authority did not have is asked for again."""


class Rings:
    """Rings by case; the newest used last."""

    def __init__(self, fetch: Callable[[str], Awaitable[Keyring]]) -> None:
        self._fetch = fetch
        self._held: dict[str, tuple[Keyring, float]] = {}
        self._asking: dict[str, asyncio.Task[Keyring]] = {}

    async def ring(self, case: str, key: str | None = None) -> Keyring:
        """The keys of a case.

        Raises:
            ApplicationError: the authority is away or refuses (see its own words).
        """
        held = self._held.get(case)
        if held is not None:
            ring, since = held
            age = asyncio.get_running_loop().time() - since
            known = key is None or ring.has(key) or age < _ASK_AGAIN
            if known and age < KEPT_SECONDS:
                return ring
        return await self._ask(case)

    async def _ask(self, case: str) -> Keyring:
        asking = self._asking.get(case)
        if asking is None:
            asking = self._asking[case] = asyncio.create_task(self._take(case))
            asking.add_done_callback(lambda _: self._asking.pop(case, None))
        return await asyncio.shield(asking)

    async def _take(self, case: str) -> Keyring:
        ring = await self._fetch(case)
        self._held.pop(case, None)
        while len(self._held) >= MAX_CASES:
            del self._held[next(iter(self._held))]
        self._held[case] = (ring, asyncio.get_running_loop().time())
        return ring
