"""Waking those who follow the store's changes.

A follower remembers the number it saw, reads, and waits for a higher one: a change between the
two is never missed. A number may rise without a change: when another process has written, all do.

Commits of all processes are counted in the head's row. A look at that number finds those of others:
what is there beyond what was seen before and beyond the own ones, which are known by their numbers.
No order in which own commits are told and looks are taken loses one; an own commit that a look was
quicker to find wakes everybody, once and for nothing.
"""

import asyncio
from collections.abc import Iterable


class Topics:
    """Counters by topic, and those who wait for them. Touched by the event loop alone."""

    def __init__(self) -> None:
        self._looked = 0
        self._own: set[int] = set()
        self._everything = 0
        self._seen: dict[str, int] = {}
        self._waiting: dict[str, asyncio.Event] = {}

    def number(self, topic: str) -> int:
        """How often ``topic`` may have changed since the store was opened."""
        return self._everything + self._seen.get(topic, 0)

    def start(self, batch: int) -> None:
        """Begin at this commit: nobody has read anything yet."""
        self._looked = batch

    def hear_own(self, batch: int, topics: Iterable[str]) -> None:
        """Say that this process's commit of that number has changed ``topics``."""
        if batch > self._looked:
            self._own.add(batch)
        self._bump(topics)

    def hear(self, batch: int) -> None:
        """Say that this many commits are there; anything may have changed by those of others."""
        own = {each for each in self._own if each <= batch}
        by_others = batch - self._looked - len(own)
        self._looked = max(self._looked, batch)
        self._own -= own
        if by_others > 0:
            self._everything += 1
            self._bump(list(self._waiting))

    def _bump(self, topics: Iterable[str]) -> None:
        for topic in topics:
            self._seen[topic] = self._seen.get(topic, 0) + 1
            waiting = self._waiting.pop(topic, None)
            if waiting is not None:
                waiting.set()

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
