"""People's decisions a second, beside holdpoint's approvals.

``python -m bench.approvals`` measures that alone and adds it to the results. Both are decided one
after the other, without waiting for what follows. Ours are signed by the person's key, judged
against the matrix and durable when they are answered, over HTTP; holdpoint is a library in the same
process, whose SQLite may lose the newest with the power (``synchronous=NORMAL``).
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.results import Result, add
from bench.stage import Stage, stage
from bench.work import PROCESS
from placet.model import CheckpointView, Verdict

_APPROVALS, _WARM_UP = 100, 10


async def approvals(stage: Stage) -> list[Result]:
    """How many a second of each."""
    ours = await _decided(stage)
    theirs = await asyncio.to_thread(_approved, stage.folder / "approvals.db")
    return [
        Result(
            "approvals.decided_over_holdpoint",
            ours,
            theirs,
            "1/s",
            "approvals of holdpoint, in the same process, nothing signed",
            _APPROVALS,
        )
    ]


async def _decided(stage: Stage) -> float:
    count = _APPROVALS + _WARM_UP
    cases = [
        str((await stage.porter.open_case(PROCESS, f"bench/0/item/approval-{number}")).case)
        for number in range(count)
    ]
    waiting = [await _until_open(stage, case) for case in cases]
    begun = 0.0
    for number, checkpoint in enumerate(waiting):
        if number == _WARM_UP:
            begun = time.perf_counter()
        amount = checkpoint.evidence.proposal.amount
        await stage.clerk.send_decision(
            checkpoint.id, stage.clerk.sign_decision(checkpoint, Verdict.APPROVE, amount=amount)
        )
    return _APPROVALS / (time.perf_counter() - begun)


async def _until_open(stage: Stage, case: str) -> CheckpointView:
    async with asyncio.timeout(300):
        while True:
            found = await stage.clerk.checkpoints("open", case)
            if found:
                return found[0]
            await asyncio.sleep(0.1)


def _approved(path: Path) -> float:
    from holdpoint import HoldPoint, SQLiteStore

    hold = HoldPoint(store=SQLiteStore(str(path)))

    def release(record: str, amount: str) -> str:
        return f"{record}: {amount}"

    guarded: Callable[..., Any] = hold.guard(kind="release", ttl="24h")(release)
    waiting = [guarded(record=f"item/{each}", amount="1.00") for each in range(_APPROVALS)]
    begun = time.perf_counter()
    for each in waiting:
        hold.approve(each.id, actor="clerk", execute=False)
    return _APPROVALS / (time.perf_counter() - begun)


async def _alone() -> list[Result]:
    with tempfile.TemporaryDirectory() as folder:
        async with stage(Path(folder)) as ready:
            return await approvals(ready)


if __name__ == "__main__":
    add(asyncio.run(_alone()))
