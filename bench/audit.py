"""What an audit of cases costs: a replay beside the SDK's Replayer, and a bundle."""

import asyncio
import dataclasses
import hashlib
import multiprocessing
import os
import statistics
import time
from collections.abc import Iterator
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from bench.results import Result
from bench.stage import Stage
from bench.work import PROCESS, GovernedBench
from placet.audit import (
    LogFiles,
    Report,
    read_bundle,
    replay_many,
    verify,
    verify_bundle,
    workflow_runner,
    write_bundle,
)
from placet.cli._fetch import fetch_case, fetch_log
from placet.client import OperatorClient
from placet.payloads import PLAIN
from placet.tokens import read_key_file
from tests.harness.world import until

CASES, FEW, STEPS = 1000, 10, 4
_AT_ONCE = 20


async def replaying(stage: Stage) -> list[Result]:
    """Archived cases a second, each with a history of its own, in one child, beside the SDK's bare
    Replayer in this process; and the memory of auditing them all, beside that of auditing ten."""
    await _closed(stage, FEW)
    few = await asyncio.to_thread(_audited_apart, stage)
    cases = await _closed(stage, CASES)
    many = await asyncio.to_thread(_audited_apart, stage)
    files = await fetch_log(stage.auditor)
    begun = time.perf_counter()
    held = await asyncio.to_thread(_replayed, files, cases)
    rate = CASES / (time.perf_counter() - begun)
    if held != CASES:
        raise RuntimeError(f"{CASES - held} of {CASES} replays do not hold")
    histories = [
        WorkflowHistory.from_json(case, files.archives[case].runs[0].history) for case in cases
    ]
    replayer = Replayer(
        workflows=[GovernedBench], data_converter=PLAIN, workflow_runner=workflow_runner()
    )
    begun = time.perf_counter()
    for history in histories:
        await replayer.replay_workflow(history)
    plain = CASES / (time.perf_counter() - begun)
    return [
        Result(
            "replay.over_replayer",
            rate,
            plain,
            "cases/s",
            f"Temporal's Replayer alone, {CASES} archived cases of {STEPS + 1} steps",
            CASES,
        ),
        Result(
            "replay.peak_memory",
            many.child,
            few.child,
            "MiB",
            f"one of the processes that replay, with {few.cases} cases and not {many.cases}",
            1,
        ),
        Result(
            "replay.fetched_memory",
            many.parent,
            few.parent,
            "MiB",
            f"the process that fetches and verifies the log, with {few.cases} cases, not "
            f"{many.cases}",
            1,
        ),
    ]


@dataclasses.dataclass(frozen=True)
class _Audited:
    """How many cases were fetched, verified and replayed, and the most memory of each process."""

    cases: int
    parent: float
    child: float


def _audited_apart(stage: Stage) -> _Audited:
    """Audit everything in a process of its own, as ``placet audit replay --all --jobs 1`` does."""
    there, here = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_audit_and_tell, args=(here, stage.issuer, stage.folder / "auditor.key")
    )
    process.start()
    here.close()
    told: _Audited = there.recv()
    process.join()
    return told


def _audit_and_tell(here: Connection, issuer: str, key: Path) -> None:
    files = asyncio.run(_fetched(issuer, key))
    cases = sorted(files.archives)
    held, child = verify(files).holds, 0.0
    for _, report in _replays(files, cases):
        held = held and report.holds
        child = max(child, *(_peak(each.pid) for each in multiprocessing.active_children()))
    if not held:
        raise RuntimeError("the log does not hold")
    here.send(_Audited(len(cases), _peak(os.getpid()), child))


def _peak(process: int | None) -> float:
    """The most memory of a running process, in MiB; rusage would count its parent's as well."""
    told = Path(f"/proc/{process}/status").read_text()
    (line,) = (each for each in told.splitlines() if each.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


async def _fetched(issuer: str, key: Path) -> LogFiles:
    async with OperatorClient(issuer, "operator:auditor", read_key_file(key, None)) as client:
        return await fetch_log(client)


def _replays(files: LogFiles, cases: list[str]) -> Iterator[tuple[str, Report]]:
    return replay_many(files, cases, lambda _: GovernedBench, children=1)


def _replayed(files: LogFiles, cases: list[str]) -> int:
    return sum(report.holds for _, report in _replays(files, cases))


async def _closed(stage: Stage, count: int) -> list[str]:
    """So many cases of this bench, from their opening to their archive."""
    cases: list[str] = []
    async with asyncio.timeout(1800):
        for start in range(0, count, _AT_ONCE):
            opened = await asyncio.gather(
                *(
                    stage.porter.open_case(PROCESS, f"bench/{STEPS}/item/audit{count}-{number}")
                    for number in range(start, min(start + _AT_ONCE, count))
                )
            )
            cases += [str(each.case) for each in opened]
        for case in cases:
            await until(partial(_is_archived, stage, case), 600)
    return cases


async def _is_archived(stage: Stage, case: str) -> bool:
    return (await stage.auditor.case(case)).archived


async def typical(stage: Stage) -> tuple[str, LogFiles]:
    """A case, and what its bundle is made of once a head covers its archive."""
    (case,) = await _closed(stage, 1)

    async def covered() -> LogFiles | None:
        files = await fetch_case(stage.auditor, case)
        return files if case in files.archives else None

    return case, await until(covered)


async def bundle(stage: Stage) -> list[Result]:
    """A typical case's bundle: its size, beside that of its history; and verifying it, beside a
    SHA-256 of its bytes."""
    case, files = await typical(stage)
    data = write_bundle(files, case)
    history = len(files.archives[case].runs[0].history)
    taken: list[float] = []
    plain: list[float] = []
    for _ in range(10):
        begun = time.perf_counter()
        if not verify_bundle(read_bundle(data)).holds:
            raise RuntimeError("the bundle does not hold")
        read = time.perf_counter()
        hashlib.sha256(data).digest()
        taken.append((read - begun) * 1000)
        plain.append((time.perf_counter() - read) * 1000)
    return [
        Result(
            "bundle.size", len(data) / 1024, history / 1024, "KiB", "the case's history alone", 1
        ),
        Result(
            "bundle.verify",
            statistics.median(taken),
            statistics.median(plain),
            "ms",
            "a SHA-256 of its bytes",
            10,
        ),
    ]


MEASURES = (replaying, bundle)
