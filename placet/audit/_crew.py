"""Many cases replayed side by side, each in a process that can be ended.

1. A forged history can make the SDK wait for ever, and workflow code may keep its thread:
   a child that takes longer than its limit is killed, and its case has the trouble that says so.
2. Memory stays flat: an archive is fetched when its turn comes, and forgotten with its report.
3. Children get one case's entries and archive, and the workflow's class by its name; they load the
   code that is installed, never any from what they are given.
"""

import asyncio
import logging
import multiprocessing
import os
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from placet.audit._files import LogFiles
from placet.audit._replay import replay
from placet.audit._report import Report, Trouble
from placet.ledger import EntryError, decode_entry

CASE_LIMIT = 120.0
"""Seconds for one case; a case of a thousand events takes about two."""
_BEGINNING = 60.0
"""Seconds more for a child's first case: it loads the code."""


@dataclass(frozen=True)
class _Job:
    files: LogFiles
    case: str
    workflow: type | None
    sealed: bool


@dataclass
class _Child:
    process: BaseProcess
    link: Connection
    case: str = ""
    until: float = 0.0
    fresh: bool = True


def replay_many(
    files: LogFiles,
    cases: Iterable[str],
    code: Callable[[str], type | None],
    *,
    sealed: bool = True,
    children: int | None = None,
    limit: float = CASE_LIMIT,
) -> Iterator[tuple[str, Report]]:
    """Replay cases in child processes; each report as it comes.

    Args:
        files: the log; its ``archives`` are asked for one case at a time.
        cases: which.
        code: the workflow class of a case, as it is installed here; none of an erased one.
        sealed: compare with the sealed digests as well.
        children: how many at once; one for each processor unless told.
        limit: seconds for one case, after which its child is killed.
    """
    crew = _Crew(files, code, sealed=sealed, limit=limit)
    try:
        yield from crew.run(deque(cases), children or os.cpu_count() or 1)
    finally:
        crew.end()


class _Crew:
    def __init__(
        self, files: LogFiles, code: Callable[[str], type | None], *, sealed: bool, limit: float
    ) -> None:
        self._files = files
        self._code = code
        self._sealed = sealed
        self._limit = limit
        self._children: list[_Child] = []
        self._entries = _by_case(files)

    def run(self, waiting: deque[str], count: int) -> Iterator[tuple[str, Report]]:
        """Give each child a case as long as there are any."""
        for _ in range(min(count, len(waiting))):
            self._give(self._begin(), waiting.popleft())
        while busy := [each for each in self._children if each.case]:
            soonest = min(each.until for each in busy) - time.monotonic()
            ready = wait([each.link for each in busy], timeout=max(0.0, soonest))
            for child in busy:
                if child.link in ready:
                    report = self._hear(child)
                elif child.until <= time.monotonic():
                    report = self._kill(child, "replay-hangs", f"over {self._limit:g} seconds")
                else:
                    continue
                case, child.case = child.case, ""
                yield case, report
                if waiting:
                    alive = child in self._children
                    self._give(child if alive else self._begin(), waiting.popleft())

    def end(self) -> None:
        """Leave no child behind."""
        for child in tuple(self._children):
            self._bury(child)

    def _begin(self) -> _Child:
        here, there = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(
            target=_work, args=(there,), daemon=True
        )
        process.start()
        there.close()
        child = _Child(process, here)
        self._children.append(child)
        return child

    def _give(self, child: _Child, case: str) -> None:
        indices = self._entries.get(case, ())
        archive = self._files.archives.get(case)
        one = replace(
            self._files,
            entries=tuple(self._files.entries[at] for at in indices),
            indices=tuple(indices),
            proofs=(),
            archives={} if archive is None else {case: archive},
            kept={},
            parts={},
            attachments={},
            acts={},
            checkpoints={},
            matrices=(),
            policies=(),
        )
        child.case = case
        child.until = time.monotonic() + self._limit + (_BEGINNING if child.fresh else 0)
        child.fresh = False
        child.link.send(_Job(one, case, self._code(case), self._sealed))

    def _hear(self, child: _Child) -> Report:
        try:
            report = child.link.recv()
        except (EOFError, OSError):
            return self._kill(child, "replay-crashes", "the process that replayed it has died")
        assert isinstance(report, Report)
        return report

    def _bury(self, child: _Child) -> None:
        child.process.kill()
        child.process.join()
        child.link.close()
        self._children.remove(child)

    def _kill(self, child: _Child, name: str, found: str) -> Report:
        self._bury(child)
        return Report(checked={}, troubles=(Trouble(name=name, place=child.case, found=found),))


def _by_case(files: LogFiles) -> "dict[str, array[int]]":
    """Where each case's entries stand among those that are there."""
    found: dict[str, array[int]] = {}
    for at, data in enumerate(files.entries):
        try:
            case = decode_entry(data).case
        except EntryError:
            continue  # verifying the log names it
        if case is not None:
            found.setdefault(case, array("Q")).append(at)
    return found


def _work(link: Connection) -> None:
    """A child's life: cases in, reports out, until nobody asks any more."""
    # The SDK's core writes warnings to the standard output, which is the parent's for its answer.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    logging.disable(logging.CRITICAL)
    try:
        while True:
            job = link.recv()
            code = [] if job.workflow is None else [job.workflow]
            work = replay(job.files, job.case, code, sealed=job.sealed)
            link.send(asyncio.run(work))
    except (EOFError, OSError, KeyboardInterrupt):
        pass
    finally:
        os._exit(0)  # the SDK's threads make an interpreter that ends crash now and then
