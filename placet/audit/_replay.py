"""Replaying a closed case from its archive, and reconciling each step with the ledger (I9).

Temporal's Replayer alone is no audit: it accepts other arguments, results and times. So the code's
commands are compared with the history's, and every activity with its grant on the ledger.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from placet.audit._commands import differences
from placet.audit._files import ArchiveFile, LogFiles
from placet.audit._history import Activity, BadHistory, activities, misfits, read_history
from placet.audit._reconcile import ended_by_person, reconcile
from placet.audit._report import Collector, Report
from placet.audit._rerun import Rerun, rerun
from placet.audit._states import State
from placet.ledger import Entry, EntryError, EntryType, decode_entry
from placet.model import digest_bytes


@dataclass(frozen=True)
class RunReplayed:
    """One run of a case's workflow, and what its code did when it ran again.

    ``ids`` are the run's id and those of the runs whose events it goes on from.
    """

    run_id: str
    ids: tuple[str, ...]
    events: Sequence[HistoryEvent]
    activities: Sequence[Activity]
    states: Mapping[int, State]


@dataclass(frozen=True)
class Replayed:
    """What a replay has found, and the runs; none where the archive can't be read."""

    report: Report
    runs: tuple[RunReplayed, ...] = ()


async def replay(files: LogFiles, case: str, workflows: Sequence[type]) -> Report:
    """Replay one archived case and reconcile it with the ledger.

    The entries are taken as they are: :func:`placet.audit.verify` says whether they are the log's.
    """
    return (await replayed(files, case, workflows)).report


async def replayed(
    files: LogFiles, case: str, workflows: Sequence[type], *, watched: bool = False
) -> Replayed:
    """The same with the runs themselves; ``watched``: and their states."""
    collector = Collector()
    archive = files.archives.get(case)
    if archive is None:
        collector.trouble("archive-missing", case, "the case has no archived history")
        return Replayed(collector.report())
    entries = _entries_of(files, case, collector)
    _check_seal(archive, entries, case, collector)
    try:
        history = read_history(archive)
    except BadHistory as error:
        collector.trouble("history-unreadable", case, str(error))
        return Replayed(collector.report())
    wrong = list(misfits(history.events))
    for event, found in wrong:
        collector.event(archive.run_id, event.event_id, "history-order", case, found)
    states: Mapping[int, State] = {}
    if not wrong:
        ran = await rerun(history, workflows, watched=watched)
        states = ran.states
        _compare(ran, history, archive, collector, cut=ended_by_person(entries))
    reconcile(archive, history.events, entries, collector)
    collector.count("cases")
    run = RunReplayed(
        archive.run_id,
        (archive.run_id,),
        history.events,
        activities(history.events)[0],
        states,
    )
    return Replayed(collector.report(trusted=files.trusted_log_key is not None), (run,))


def _entries_of(files: LogFiles, case: str, collector: Collector) -> list[Entry]:
    found: list[Entry] = []
    for index, data in enumerate(files.entries):
        try:
            entry = decode_entry(data)
        except EntryError as error:
            collector.trouble("entry", f"entry {index}", str(error))
            continue
        if entry.case == case:
            found.append(entry)
    return found


def _check_seal(
    archive: ArchiveFile, entries: Sequence[Entry], case: str, collector: Collector
) -> None:
    if archive.workflow_id != case:
        collector.trouble("workflow", case, "the history is of another workflow")
    sealed = [each for each in entries if each.type is EntryType.CASE_ARCHIVED]
    if len(sealed) != 1:
        collector.trouble("seal", case, f"the ledger seals {len(sealed)} histories, not one")
    elif digest_bytes(archive.history.encode()) != sealed[0].data.get("history_digest"):
        collector.trouble("history-digest", case, "the history is not the one that was sealed")
    started = [each for each in entries if each.type is EntryType.CASE_STARTED]
    if not started or started[0].data.get("run_id") != archive.run_id:
        collector.trouble("run", case, "the history is of another run than was started")


def _compare(
    ran: Rerun, history: WorkflowHistory, archive: ArchiveFile, collector: Collector, *, cut: bool
) -> None:
    """What the code asked for this time, beside what the history says it asked for."""
    if ran.failure is not None:
        collector.trouble("replay", archive.workflow_id, ran.failure)
    whole = ran.failure is None
    for number, found in differences(ran.commands, history.events, whole=whole, cut=cut):
        collector.event(archive.run_id, number, "command", archive.workflow_id, found)
