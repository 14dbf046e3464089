"""Telling the authority of uses that need not be durable before the answer: from an outbox."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from placet.model import GrantUse
from placet.resource._authority import AuthorityAway
from placet.resource._guard import Guard
from placet.resource._saying import Reasons

_AT_ONCE = 256
"""Uses that the authority takes in one request."""

_log = logging.getLogger("placet.resource")


class UseOutbox(Protocol):
    """The system's own table of uses that the authority has not heard of yet."""

    async def pending(self) -> Sequence[GrantUse]:
        """The oldest uses that were not told; the first 256 of them are."""
        ...

    async def told(self, ids: Sequence[str]) -> None:
        """These were told."""
        ...


async def tell_uses(guard: Guard, outbox: UseOutbox, pause: float = 0.5) -> None:
    """Tell the authority of what stands in the outbox, until cancelled; each counts once.

    Neither an authority that is away nor a database that is busy ends the telling.
    """
    waits = Reasons()
    while True:
        try:
            more = await _tell(guard, outbox)
            waits.over()
            if more:
                continue
        except AuthorityAway as error:
            if waits.is_new(str(error)):
                _log.warning("%s: uses wait: %s", guard.system, error)
        except Exception as error:  # noqa: BLE001 - an end of this task would go unnoticed; it is logged
            if waits.is_new(repr(error)):
                _log.exception("%s: telling uses failed and is tried again", guard.system)
        await asyncio.sleep(pause)


async def _tell(guard: Guard, outbox: UseOutbox) -> bool:
    """Tell of what stands there now; whether there was anything."""
    uses = tuple(await outbox.pending())[:_AT_ONCE]
    if not uses:
        return False
    answer = await guard.link.tell(uses)
    for use, reason in answer.refused.items():
        _log.error("%s: the authority refused use %s: %s", guard.system, use, reason)
    await outbox.told([use.id for use in uses])
    return True
