"""Waking those who follow the store's changes.

A follower remembers the number it saw, reads, and waits for a higher one: a change between the
two is never missed. A number may rise without a change: when another process has written, all do.
"""

import asyncio
from collections.abc import Iterable


class Topics:
    """Counters by topic, and those who wait for them. Touched by the event loop alone."""

    def __init__(self) -> None:
        self._everything = 0
        self._seen: dict[str, int] = {}
        self._waiting: dict[str, asyncio.Event] = {}

    def number(self, topic: str) -> int:
        """How often ``topic`` may have changed since the store was opened."""
        return self._everything + self._seen.get(topic, 0)

    def bump(self, topics: Iterable[str]) -> None:
        """Say that ``topics`` have changed."""
        for topic in topics:
            self._seen[topic] = self._seen.get(topic, 0) + 1
            waiting = self._waiting.pop(topic, None)
            if waiting is not None:
                waiting.set()

    def bump_all(self) -> None:
        """Say that anything may have changed."""
        self._everything += 1
        self.bump(list(self._waiting))

    async def changed(self, topic: str, seen: int, timeout: float) -> bool:
        """Wait until ``topic`` has a number above ``seen``; False after ``timeout`` seconds."""
        if self.number(topic) > seen:
            return True
        waiting = self._waiting.setdefault(topic, asyncio.Event())
        try:
            async with asyncio.timeout(timeout):
                await waiting.wait()
        except TimeoutError:
            return False
        return True
