"""``python -m bench.worker``: one side's workers in one process: governed, bare, or beside us."""

import argparse
import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from bench.bank import BankTask
from bench.credentials import BARE, SIDES, credentials
from bench.work import (
    AGENT,
    ORCHESTRATOR,
    BareBench,
    GovernedBench,
    governed_touch,
)
from placet.agent import ORCHESTRATION, AgentConfig, PlacetPlugin
from placet.audit import workflow_runner
from placet.tokens import read_key_file
from placet.transport import run_long


async def main() -> None:
    """Run until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("side", choices=["governed", BARE, *SIDES])
    parser.add_argument("--temporal", required=True)
    parser.add_argument("--issuer", required=True)
    parser.add_argument("--folder", required=True, type=Path)
    parser.add_argument("--issues", default="", help="where a side's credentials are issued")
    asked = parser.parse_args()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    governed = asked.side == "governed"
    beside = credentials(
        BARE if governed else asked.side, asked.issues, os.environ.get("BENCH_TOKEN", "")
    )
    activities: dict[str, list[Callable[..., Any]]] = {
        AGENT: [governed_touch if governed else beside.touch],
        ORCHESTRATOR: list(ORCHESTRATION) if governed else [beside.close],
    }
    workflows: list[type] = [GovernedBench, BankTask] if governed else [BareBench]
    async with contextlib.AsyncExitStack() as stack:
        for agent in (AGENT, ORCHESTRATOR):
            if governed:
                key = read_key_file(asked.folder / f"{agent}.key")
                config = AgentConfig(agent, key, asked.issuer, {})
                client = await Client.connect(asked.temporal, plugins=[PlacetPlugin(config)])
            else:
                client = await Client.connect(
                    asked.temporal,
                    data_converter=pydantic_data_converter,
                    plugins=[beside.plugin()] if beside.plugin else [],
                )
            worker = Worker(
                client,
                task_queue=agent if governed else f"{asked.side}-{agent}",
                activities=activities[agent],
                workflows=workflows if agent == ORCHESTRATOR else [],
                workflow_runner=workflow_runner(),
                interceptors=beside.interceptors,
            )
            await stack.enter_async_context(worker)
        print("ready", flush=True)
        await stop.wait()
    await asyncio.sleep(0.5)  # the loop outlives the workers (sdk-python issue 300)


if __name__ == "__main__":
    run_long(main())  # as our workers do; both sides have it
