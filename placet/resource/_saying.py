"""What goes on for long is told once a minute, for each reason, until it is over."""

import asyncio

_SAY_AGAIN = 60.0
"""Seconds for which one and the same reason is not told again."""


class Reasons:
    """The reasons that were told of a job that is tried again and again."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}

    def is_new(self, reason: str) -> bool:
        """Whether this one is to be told now; then it counts as told."""
        now = asyncio.get_running_loop().time()
        self._told = {each: at for each, at in self._told.items() if now - at < _SAY_AGAIN}
        return self._told.setdefault(reason, now) == now

    def over(self) -> None:
        """It went well: whatever comes next is told."""
        self._told.clear()
