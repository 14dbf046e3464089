"""Waiting and deciding while parts are killed and started again: who is away is asked again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from placet.client import AuthorityAway, AuthorityError, OperatorClient
from placet.model import CheckpointView, Verdict
from tests.harness.waiting import pauses

T = TypeVar("T")
_AWAY = frozenset({502, 503, 504})  # what the authority, or a balancer before it, says of others


async def until(look: Callable[[], Awaitable[T | None]], seconds: float = 180) -> T:
    """Wait for a stated condition; the authority, or what it asks, may be away meanwhile."""
    async with asyncio.timeout(seconds):
        waits = pauses()
        while True:
            found = None
            try:
                found = await look()
            except AuthorityAway:
                pass
            except AuthorityError as error:
                if error.status not in _AWAY:
                    raise
            if found is not None:
                return found
            await asyncio.sleep(next(waits))


async def approve(client: OperatorClient, checkpoint: CheckpointView) -> None:
    """Sign once, and send until it is answered: a lost answer is asked for again."""
    jws = client.sign_decision(
        checkpoint, Verdict.APPROVE, amount=checkpoint.evidence.proposal.amount
    )

    async def sent() -> bool:
        await client.send_decision(checkpoint.id, jws)
        return True

    await until(sent)
