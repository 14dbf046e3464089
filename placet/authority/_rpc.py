"""Asking Temporal one thing, within a bounded time."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from google.protobuf.message import Message
from temporalio.service import RPCError, RPCStatusCode

_SECONDS = timedelta(seconds=5)
_A = TypeVar("_A")


async def ask(rpc: Callable[..., Awaitable[_A]], request: Message) -> _A:
    """Ask; a server that was never reached is as away as one that does not answer any more.

    Raises:
        RPCError: it refused, or is away.
    """
    try:
        async with asyncio.timeout(2 * _SECONDS.total_seconds()):
            return await rpc(request, timeout=_SECONDS)
    except (RuntimeError, TimeoutError) as error:
        # What a lazy client's first connection raises (SDK 1.35.0), if it ends at all.
        raise RPCError("it does not answer", RPCStatusCode.UNAVAILABLE, b"") from error
