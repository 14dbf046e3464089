"""The population of cases, proven complete: every case that a log has opened in a period.

1. (I8) All entries are there and give the root of the signed head: so no case was left out.
2. An entry of a case that was never opened is a trouble: a case can't be hidden by its opening.
3. A sample is drawn by a word that the examiner chooses: the same word, the same sample.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from placet.audit._files import LogFiles
from placet.audit._heads import open_whole
from placet.audit._report import Collector, Report
from placet.ledger import (
    Checkpoint,
    Entry,
    EntryType,
    LedgerError,
    verify_log,
)
from placet.model import Model, UtcTime

_STATES = {
    EntryType.CASE_STOPPED: "stopped",
    EntryType.CASE_ADMITTED: "open",
    EntryType.CASE_CLOSED: "closed",
    EntryType.CASE_ARCHIVED: "archived",
    EntryType.CASE_LOST: "lost",
    EntryType.CASE_ERASED: "erased",
}


class CaseLine(Model):
    """One case: when and by whom it was opened, and how it stands at the head."""

    case: str
    entry: int
    process: str
    subject: str
    opened: UtcTime
    opened_by: str
    status: str = "open"
    result: str | None = None
    closed: UtcTime | None = None


class Population(Model):
    """The cases of a period, and what was found when the log was checked for it."""

    origin: str
    size: int
    root: str
    cases: tuple[CaseLine, ...]
    report: Report

    @property
    def complete(self) -> bool:
        """Whether these are all of them, as far as the head says."""
        return self.report.holds


def population(
    files: LogFiles, since: datetime | None = None, until: datetime | None = None
) -> Population:
    """Every case that the log has opened from a time on and before another."""
    collector = Collector()
    opened = open_whole(files, collector)
    if opened is None:
        return Population(origin=files.origin, size=0, root="", cases=(), report=collector.report())
    head, kept = opened
    cases = _cases(files, head, kept, collector)
    return Population(
        origin=files.origin,
        size=head.size,
        root=head.root.hex(),
        cases=tuple(
            each
            for each in cases
            if (since is None or each.opened >= since) and (until is None or each.opened < until)
        ),
        report=collector.report(trusted=files.vouched),
    )


def sample(cases: Sequence[CaseLine], count: int, word: str) -> tuple[CaseLine, ...]:
    """``count`` of the cases, as the word chooses them, in the order of their opening."""

    def drawn(line: CaseLine) -> bytes:
        return hashlib.sha256(f"{word}\n{line.case}".encode()).digest()

    chosen = sorted(cases, key=drawn)[:count]
    return tuple(sorted(chosen, key=lambda each: each.entry))


def _cases(
    files: LogFiles, head: Checkpoint, kept: list[Checkpoint], collector: Collector
) -> list[CaseLine]:
    found: dict[str, CaseLine] = {}
    reached = 0
    try:
        for index, entry in verify_log(files.entries, head, kept):
            reached = index + 1
            collector.count("entries")
            _take(found, index, entry, collector)
    except LedgerError as error:
        place = "the log" if reached == head.size else f"entry {reached}"
        collector.trouble("log", place, str(error))
    return list(found.values())


def _take(found: dict[str, CaseLine], index: int, entry: Entry, collector: Collector) -> None:
    if entry.case is None:
        return
    line = found.get(entry.case)
    if entry.type is EntryType.CASE_OPENED and line is None:
        found[entry.case] = CaseLine(
            case=entry.case,
            entry=index,
            process=str(entry.data.get("process")),
            subject=entry.record or "",
            opened=entry.time,
            opened_by=entry.actor,
        )
    elif line is None:
        collector.trouble("case-unopened", f"entry {index}", f"{entry.case} was never opened")
    elif entry.type in _STATES:
        closed = entry.type is EntryType.CASE_CLOSED
        change: dict[str, object] = {"status": _STATES[entry.type]}
        if closed:
            change |= {"result": str(entry.data.get("result")), "closed": entry.time}
        found[entry.case] = line.model_copy(update=change)
