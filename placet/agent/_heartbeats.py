"""Heartbeats of a governed step: its own, looked at, and the worker's between them."""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityOutboundInterceptor

from placet.agent._grant import current_grant
from placet.agent._leaving import as_bytes, as_values, encode

_PAUSE = timedelta(seconds=2.5)


class Heartbeats(ActivityOutboundInterceptor):
    """Every way by which a step's heartbeats leave."""

    def __init__(self, following: ActivityOutboundInterceptor) -> None:
        super().__init__(following)
        # A beat before the step's first heartbeat must not wipe what the last attempt left.
        self._last = as_values(encode(activity.info().heartbeat_details))

    def heartbeat(self, *details: Any) -> None:
        """Send a step's own heartbeat.

        Raises:
            ApplicationError: the step's token is in it; nothing is sent (terminal).
        """
        payloads = encode(details)
        if payloads:
            current_grant().guard(as_bytes(payloads))
        self._last = as_values(payloads)
        super().heartbeat(*self._last)

    async def beat(self) -> None:
        """Say that the worker lives, with the step's last details, until the step is cancelled.

        A step that was told to end and does not is kept alive by its own heartbeats alone.
        """
        timeout = activity.info().heartbeat_timeout
        pause = _PAUSE if timeout is None else min(_PAUSE, timeout / 3)
        while True:
            try:
                await asyncio.wait_for(activity.wait_for_cancelled(), pause.total_seconds())
            except TimeoutError:
                super().heartbeat(*self._last)
            else:
                return
