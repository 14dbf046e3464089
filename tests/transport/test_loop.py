"""What serves or works for long runs on the quicker event loop."""

import asyncio

from placet.transport import run_long


def test_runs_on_uvloop() -> None:
    async def loop() -> str:
        return type(asyncio.get_running_loop()).__module__

    assert run_long(loop()) == "uvloop"
