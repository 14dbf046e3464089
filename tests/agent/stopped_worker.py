"""``python -m tests.agent.stopped_worker``: a worker whose step never ends, until SIGTERM.

Reads one line of JSON: Temporal's address, the issuer, the depot and the agent's key file. Says
``running`` when the step runs.
"""

import asyncio
import json
import logging
import signal
import sys
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client
from temporalio.worker import Worker

from placet.agent import AgentConfig, PlacetPlugin, current_grant
from placet.process import StepRequest
from placet.tokens import read_key_file
from tests.agent.probing import step

_LAST_BREATH = 0.5
"""Seconds the loop runs on after the worker (sdk-python issue 300: crashes at the end)."""


async def _endless(request: StepRequest) -> None:
    await current_grant().request("GET", "/fine")
    print("running", flush=True)  # noqa: T201 - what the test waits for
    await asyncio.Event().wait()


async def _run(told: dict[str, str]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.slow_callback_duration = 60  # the development mode's word about a busy machine
    config = AgentConfig(
        "scale", read_key_file(Path(told["key"])), told["issuer"], {"depot": told["depot"]}
    )
    client = await Client.connect(told["temporal"], plugins=[PlacetPlugin(config)])
    async with Worker(
        client,
        task_queue="scale",
        activities=[step(_endless)],
        graceful_shutdown_timeout=timedelta(milliseconds=100),
    ):
        await stop.wait()
    await asyncio.sleep(_LAST_BREATH)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(name)s %(message)s")
    asyncio.run(_run(json.loads(sys.stdin.readline())))
