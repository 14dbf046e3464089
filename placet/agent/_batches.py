"""What is asked at the same time, in one request.

The first item is sent at once; those that come while its request is under way share the next one.
A request that takes long holds the next one up for ``PATIENCE`` and no longer.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from placet.telemetry import here, together

Q = TypeVar("Q")
A = TypeVar("A")

PATIENCE = 0.1
"""Seconds after which the next request is sent beside one that is still under way: long enough to
let a busy authority answer, and short beside what a slow system of record takes."""


@dataclass(frozen=True)
class _Waiting(Generic[Q, A]):
    """An item on its way, its size, and who waits for its answer."""

    item: Q
    size: int
    future: "asyncio.Future[A]"
    place: Any
    """Where in a trace it was asked for."""


class Batches(Generic[Q, A]):
    """Sends items with ``send``, at most ``most`` and ``most_bytes`` of them at a time."""

    def __init__(
        self,
        send: Callable[[list[Q]], Awaitable[Sequence[A]]],
        most: int,
        most_bytes: int = 0,
        size: Callable[[Q], int] = lambda _: 0,
    ) -> None:
        self._send = send
        self._most, self._most_bytes, self._size = most, most_bytes, size
        self._queue: deque[_Waiting[Q, A]] = deque()
        self._requests: set[asyncio.Task[None]] = set()
        self._sending: asyncio.Task[None] | None = None

    async def put(self, item: Q) -> A:
        """Send an item and wait for its answer; what ``send`` raises comes out here."""
        future: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(item, self._size(item), future, here()))
        if self._sending is None or self._sending.done():
            # In a context of its own: it goes on when the step that was first has ended.
            self._sending = asyncio.create_task(self._work(), context=Context())
        return await future

    async def close(self) -> None:
        """Stop sending; nobody waits for it any more."""
        running = [*self._requests, *([self._sending] if self._sending else [])]
        for each in running:
            each.cancel()
        if running:
            await asyncio.wait(running)

    async def _work(self) -> None:
        while batch := self._next():
            request = asyncio.create_task(self._answer(batch))
            self._requests.add(request)
            request.add_done_callback(self._requests.discard)
            await asyncio.wait({request}, timeout=PATIENCE)

    def _next(self) -> list[_Waiting[Q, A]]:
        batch: list[_Waiting[Q, A]] = []
        size = 0
        while self._queue and len(batch) < self._most:
            if self._queue[0].future.done():  # its step has given up
                self._queue.popleft()
                continue
            size += self._queue[0].size
            if batch and size > self._most_bytes:
                break
            batch.append(self._queue.popleft())
        return batch

    async def _answer(self, batch: list[_Waiting[Q, A]]) -> None:
        try:
            with together("ask the authority", [each.place for each in batch]):
                answers = await self._send([each.item for each in batch])
            for each, answer in zip(batch, answers, strict=True):
                if not each.future.done():
                    each.future.set_result(answer)
        except Exception as error:  # noqa: BLE001 - handed to each waiting step, none is lost
            for each in batch:
                if not each.future.done():
                    each.future.set_exception(error)
