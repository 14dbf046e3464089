"""``make chaos RUNS=… SEED=… JOBS=…``: take seeded runs, check each, and write what came of them.

Each stack's runs are written down at its end, so that a series that was stopped goes on there.
"""

import argparse
import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.chaos.breaking import broken
from bench.chaos.checks import Figures, Heads, broken_by, figures
from bench.chaos.draws import SORTS, People, Played, Stuck, play, prepare, until
from bench.chaos.journal import Came, Journal
from bench.chaos.plan import RUNS_A_STACK, Kind, Plan, plan, store_of
from bench.chaos.stack import Stack, stack
from bench.results import Figure, add
from placet.audit import LogFiles, verify
from placet.cli import fetch_case, fetch_log
from placet.cli._fetch import fetch_ledger
from placet.client import AuthorityAway
from placet.ledger import NoteVerifier

_FIRST_LOAN = 2000
_LOOKS = 0.1


@dataclass
class Runner:
    """Runs on one stack: its people, the heads that were seen, and what draws usually come to."""

    stack: Stack
    people: People
    heads: Heads
    usual: dict[str, Figures] = field(default_factory=dict)
    loans: Iterator[int] = field(default_factory=lambda: iter(range(_FIRST_LOAN, 10**6)))

    async def watch(self) -> None:
        """Keep every head that the authority shows."""
        while True:
            with contextlib.suppress(AuthorityAway):
                head = await self.people["una"].head()
                if head is not None:
                    self.heads.note(head)
            await asyncio.sleep(_LOOKS)

    async def undisturbed(self) -> None:
        """One draw of each kind with nothing broken: what all others are held against."""
        for kind in [each for each in SORTS if each not in self.usual]:
            played = prepare(self.stack, kind, next(self.loans))
            await play(self.people, played, 0.0)
            files = await self._fetch(played)
            self.usual[kind] = figures(self.stack, files, played)
            wrong = await broken_by(self.stack, files, played, self.usual)
            if wrong:
                raise SystemExit(f"chaos: an undisturbed draw is wrong: {wrong}")

    async def _fetch(self, played: Played) -> LogFiles:
        """A case's part of the log, once a head covers it."""

        async def covered() -> LogFiles | None:
            files = await fetch_case(self.people["una"], played.case)
            return files if played.case in files.archives else None

        return await until(covered, lambda: f"no head covers {played.case}")

    async def _check(self, prepared: Sequence[Played]) -> list[str]:
        found: list[str] = []
        for played in prepared:
            files = await self._fetch(played)
            found += await broken_by(self.stack, files, played, self.usual)
        ledger = await fetch_ledger(self.people["una"], None)
        return found + self.heads.broken_by(ledger.entries)

    async def whole(self) -> list[str]:
        """What does not hold of the whole log, as an auditor finds it."""
        trust = {"log_key": self.stack.log_key, "administrators": self.stack.administrators}
        report = verify(await fetch_log(self.people["una"], trust=trust))
        return [f"the whole log: {each.place}: {each.found}" for each in report.troubles]

    async def run(self, planned: Plan) -> Came:
        """One run: break, mend, check."""
        began = time.monotonic()
        prepared = [prepare(self.stack, d.kind, next(self.loans)) for d in planned.draws]
        troubles: list[str] = []
        async with broken(self.stack, planned.faults) as breaking:
            playing = zip(prepared, planned.draws, strict=True)
            ended = await asyncio.gather(
                *(play(self.people, each, draw.opened) for each, draw in playing),
                return_exceptions=True,
            )
        for error in ended:
            if isinstance(error, Stuck):
                troubles.append(str(error))
            elif error is not None:
                troubles.append("".join(traceback.format_exception(error)))
        took = time.monotonic() - began
        if not troubles:
            troubles = await self._check(prepared)
        stops = [stop for each in prepared for stop in each.stops]
        if all(each.kind is not Kind.SKEW for each in planned.faults):
            troubles += [f"a case was stopped for no wrong clock: {each}" for each in stops]
        checked = time.monotonic() - began - took
        draws = [each.kind for each in planned.draws]
        return Came(planned.seed, troubles, breaking.befell, draws, stops, took, checked)


async def take(seeds: Sequence[int], keep: Path, usual: dict[str, Figures]) -> list[Came]:
    """Take runs of one store on one stack; ``usual`` is found out on the first."""
    came: list[Came] = []
    folder = Path(tempfile.mkdtemp(prefix="placet-chaos-"))
    async with contextlib.AsyncExitStack() as exits:
        made = await exits.enter_async_context(stack(folder, plan(seeds[0]).store))
        runner = Runner(
            made,
            await People.of(made, exits),
            Heads(NoteVerifier.from_vkey(made.log_key)),
            usual=usual,
        )
        await runner.undisturbed()
        watching = asyncio.create_task(runner.watch())
        try:
            for seed in seeds:
                one = await runner.run(plan(seed))
                came.append(one)
                _tell(one)
                if one.troubles:
                    break  # what is broken would be found again in all runs after it
            if not came[-1].troubles:
                came[-1].troubles += await runner.whole()
                if came[-1].troubles:
                    _tell(came[-1])
            if came[-1].troubles:
                _keep(folder, keep / str(came[-1].seed))
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    shutil.rmtree(folder, ignore_errors=True)
    return came


def _tell(came: Came) -> None:
    verdict = "BROKEN" if came.troubles else "ok"
    what = "; ".join(came.befell)
    stops = f"; stopped {len(came.stops)} times" if came.stops else ""
    took = f"{came.seconds:.0f} + {came.checked:.0f} s"
    where = f"{took}, {store_of(came.seed)}, {', '.join(came.draws)}"
    print(f"seed {came.seed} {verdict} ({where}): {what}{stops}", flush=True)
    for each in came.troubles:
        print(f"  {each}", flush=True)
    if came.troubles:
        print(f"  repeat it: make chaos RUNS=1 SEED={came.seed}", flush=True)


def _keep(folder: Path, into: Path) -> None:
    shutil.copytree(folder / "logs", into, dirs_exist_ok=True)
    print(f"  its logs: {into}", flush=True)


def _stacks(seeds: Sequence[int]) -> Iterator[list[int]]:
    group: list[int] = []
    for seed in seeds:
        if group and seed // RUNS_A_STACK != group[0] // RUNS_A_STACK:
            yield group
            group = []
        group.append(seed)
    if group:
        yield group


def _take_all(seeds: Sequence[int], logs: Path, journal: Journal) -> None:
    usual: dict[str, Figures] = {}
    left = list(seeds)
    while left:
        came = asyncio.run(take(next(_stacks(left)), logs, usual))
        journal.write(came)
        done = {each.seed for each in came}
        left = [each for each in left if each not in done]


async def _side_by_side(seeds: Sequence[int], jobs: int, logs: Path) -> None:
    """Each stack in a process of its own, so many at once."""
    free = asyncio.Semaphore(jobs)

    async def one(group: Sequence[int]) -> None:
        command = [sys.executable, "-m", "bench.chaos", "--dry", "--logs", str(logs)]
        command += ["--runs", str(group[-1] - group[0] + 1), "--seed", str(group[0])]
        async with free:
            process = await asyncio.create_subprocess_exec(*command)
            try:
                await process.wait()
            finally:
                if process.returncode is None:
                    process.terminate()
                    await process.wait()

    async with asyncio.TaskGroup() as group_of_all:
        for group in _stacks(seeds):
            group_of_all.create_task(one(group))


def main() -> int:
    """Take the runs; exit status 1 if any broke an invariant, or was not taken."""
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="so many stacks at once")
    parser.add_argument("--logs", type=Path, default=Path(tempfile.gettempdir()) / "placet-chaos")
    parser.add_argument("--dry", action="store_true", help="write no figures")
    asked = parser.parse_args()
    # Told to stop, it stops its parts first, as at ctrl+c.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    journal = Journal.of_this_code(asked.logs)
    seeds = range(asked.seed, asked.seed + asked.runs)
    taken = journal.read(seeds)
    held = {each.seed for each in taken} - {each.seed for each in taken if each.troubles}
    if held:
        print(f"{len(held)} of these runs were taken of this code before: {journal.path}")
    left = [each for each in seeds if each not in held]
    if asked.jobs == 1:
        _take_all(left, asked.logs, journal)
    else:
        asyncio.run(_side_by_side(left, asked.jobs, asked.logs))
    came = journal.read(seeds)
    wrong = sorted({each.seed for each in came if each.troubles})
    runs = {each.seed for each in came}  # one that broke and was repeated is one run
    missing = sorted(set(seeds) - runs)
    if not asked.dry:
        add(
            [
                Figure("chaos.runs", len(runs), "runs", len(runs)),
                Figure("chaos.broken", len(wrong), "runs", len(runs)),
            ]
        )
    faults = sum(len(each.befell) for each in came)
    draws = sum(len(each.draws) for each in came)
    print(f"{len(runs)} runs, {draws} draws, {faults} faults: {len(wrong)} broken {wrong or ''}")
    if missing:
        print(f"chaos: {len(missing)} runs were not taken: {missing}", file=sys.stderr)
    return 1 if wrong or missing else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("chaos: stopped before its end; no figures are written", file=sys.stderr)
        sys.exit(130)
