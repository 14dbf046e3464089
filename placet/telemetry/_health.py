"""Whether a process lives, and whether it can do its work now."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Check = Callable[[], Awaitable[Any]]
"""Asks one thing that the work needs; it raises if that does not answer."""

PATIENCE = 3.0
"""Seconds for which what a check asks may take to answer."""


class Health:
    """What a process needs, and whether it is about to stop.

    ``/livez`` answers as long as the process runs. ``/readyz`` answers 200 while every check passes
    and it is not stopping, else 503, and names what is away. ``optional`` parts are told as well,
    and the process is ready without them: some of its work goes on.
    """

    def __init__(
        self, checks: Mapping[str, Check], optional: Mapping[str, Check] | None = None
    ) -> None:
        self._needed = dict(checks)
        self._optional = dict(optional or {})
        self._asking: dict[str, asyncio.Task[bool]] = {}
        self._stopping = False

    @classmethod
    def of_all(cls, parts: Mapping[str, "Health"]) -> "Health":
        """Several servers' in one process: ready when all are."""

        def named(kind: Callable[[Health], Mapping[str, Check]]) -> dict[str, Check]:
            return {
                f"{name} {what}": check
                for name, each in parts.items()
                for what, check in kind(each).items()
            }

        return cls(named(lambda each: each._needed), named(lambda each: each._optional))

    def stop(self) -> None:
        """It is about to stop: not ready any more."""
        self._stopping = True

    async def live(self, _: Request) -> Response:
        """The process runs."""
        return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})

    async def parts(self) -> dict[str, bool]:
        """Whether each part answers now."""
        checks = {**self._needed, **self._optional}
        for name, check in checks.items():
            if name not in self._asking or self._asking[name].done():
                self._asking[name] = asyncio.create_task(_passes(check))
        # One that hangs is not cancelled, which it may wait with, and not asked beside itself: each
        # would take a thread.
        asked = {name: self._asking[name] for name in checks}
        if asked:
            await asyncio.wait(asked.values(), timeout=PATIENCE)
        return {
            name: each.done() and not each.cancelled() and each.result()
            for name, each in asked.items()
        }

    async def ready(self, _: Request) -> Response:
        """The process can do its work now."""
        told = await self.parts()
        good = all(told[each] for each in self._needed) and not self._stopping
        status = "stopping" if self._stopping else "ok" if good else "away"
        return JSONResponse(
            {
                "status": status,
                "parts": {name: "ok" if each else "away" for name, each in told.items()},
            },
            status_code=200 if good else 503,
            headers={"Cache-Control": "no-store"},
        )


def health_routes(health: Health) -> list[Route]:
    """The two routes."""
    return [
        Route("/livez", health.live, methods=["GET"]),
        Route("/readyz", health.ready, methods=["GET"]),
    ]


async def _passes(check: Check) -> bool:
    try:
        await check()
    except Exception:  # noqa: BLE001 - whatever it is, the part does not answer; who is away is told
        return False
    return True
