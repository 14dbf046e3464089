"""Replaying a closed case from its archive, and reconciling each step with the ledger (I9).

1. The archive is what the ledger seals: each run, each event. Without the seal, the rest must tell:
2. The server wrote each event as it must after those before it; each field is explained.
3. The code, run once more, asks for what the history says it asked for: Temporal's Replayer alone
   is no audit, since it accepts other arguments, results and times.
4. Each activity has its grant, with the same input and result, and each grant its activity.

A Replayer may wait for ever on a history that was forged, and code may keep its thread: run this in
a process that can be ended (:mod:`placet.audit._crew`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue, ValidationError

from placet.audit._commands import differences
from placet.audit._files import LogFiles
from placet.audit._history import BadHistory, Run, misfits, read_runs
from placet.audit._reconcile import check_chain, reconcile
from placet.audit._report import Collector, Report
from placet.audit._rerun import rerun
from placet.audit._sealed import unsealed
from placet.audit._shape import unexplained
from placet.audit._states import State
from placet.ledger import Entry, EntryError, EntryType, decode_entry
from placet.model import CaseArchive, ProcessDefinition, digest_bytes
from placet.process import code_digest

_OPENED = EntryType.CASE_OPENED


@dataclass(frozen=True)
class Replayed:
    """What a replay has found, and the runs; none where the archive can't be read.

    ``states`` are those of each run, by the event at which Temporal gave the code its task.
    """

    report: Report
    runs: tuple[Run, ...] = ()
    states: Mapping[str, Mapping[int, State]] = field(default_factory=dict)


async def replay(
    files: LogFiles, case: str, workflows: Sequence[type], *, sealed: bool = True
) -> Report:
    """Replay one archived case and reconcile it with the ledger.

    The entries are taken as they are: :func:`placet.audit.verify` says whether they are the log's.

    Args:
        files: the log, or one case's part of it.
        case: the case.
        workflows: the workflow code of its process, as it is installed here.
        sealed: compare with the sealed digests as well; without them signatures, grants and what
            is computed again have to tell.
    """
    return (await replayed(files, case, workflows, sealed=sealed)).report


async def replayed(
    files: LogFiles,
    case: str,
    workflows: Sequence[type],
    *,
    sealed: bool = True,
    watched: bool = False,
) -> Replayed:
    """The same with the runs themselves; ``watched``: and their states."""
    collector = Collector()
    archive = files.archives.get(case)
    if archive is None:
        collector.trouble("archive-missing", case, "the case has no archived history")
        return Replayed(collector.report())
    entries = list(_entries_of(files, case, collector))
    if sealed:
        _sealed(archive, entries, collector)
    if archive.workflow_id != case or archive.case != case:
        collector.trouble("workflow", case, "the history is of another workflow")
    if archive.erased:
        _erased(entries, case, collector)
        return Replayed(collector.report(trusted=files.trusted_log_key is not None))
    trusted_code = _code(files, entries, workflows, case, collector)
    check_chain([each.run_id for each in archive.runs], entries, case, collector)
    try:
        runs = tuple(read_runs(archive))
    except BadHistory as error:
        collector.trouble("history-unreadable", case, str(error))
        return Replayed(collector.report())
    states = {
        each.run_id: await _run(each, trusted_code, collector, watched=watched) for each in runs
    }
    reconcile(runs, entries, collector)
    collector.count("cases")
    return Replayed(collector.report(trusted=files.trusted_log_key is not None), runs, states)


def _entries_of(files: LogFiles, case: str, collector: Collector) -> Iterator[Entry]:
    name = case.encode()
    for index, data in files.numbered():
        if name not in data:
            continue  # an id has one spelling; reading others would cost as much as the log
        try:
            entry = decode_entry(data)
        except EntryError as error:
            collector.trouble("entry", f"entry {index}", str(error))
            continue
        if entry.case == case:
            yield entry


def _sealed(archive: CaseArchive, entries: Sequence[Entry], collector: Collector) -> None:
    for each in unsealed(archive, entries):
        if each.event:
            collector.event(each.run, each.event, each.name, archive.case, each.found)
        else:
            collector.trouble(each.name, archive.case, each.found)


def _erased(entries: Sequence[Entry], case: str, collector: Collector) -> None:
    """An erased history can't be replayed; that it was erased is on the ledger, signed."""
    if any(each.type is EntryType.CASE_ERASED for each in entries):
        collector.count("cases whose history was erased")
    else:
        collector.trouble("archive-missing", case, "the history is gone, and nobody erased it")


def _code(
    files: LogFiles,
    entries: Sequence[Entry],
    workflows: Sequence[type],
    case: str,
    collector: Collector,
) -> Sequence[type]:
    """The code to run: what is installed, if it is what was published and ran; else none.

    No code is ever loaded from what is audited.
    """
    if not workflows:
        collector.trouble("code-installed", case, "its history is here, and no code to run it on")
    opened = [each.data.get("process_digest") for each in entries if each.type is _OPENED]
    pinned = _published_code(files.processes, opened[0]) if opened else None
    if pinned is None:
        collector.count("cases whose code was not pinned when it was published")
        return workflows
    for entry in entries:
        ran = entry.data.get("code") if entry.type is EntryType.CASE_ARCHIVED else None
        if isinstance(ran, list) and any(each != pinned for each in ran):
            collector.trouble("code-ran", case, f"the orchestrator ran other code than {pinned}")
    for workflow in workflows:
        try:
            installed = code_digest(workflow)
        except LookupError as error:
            installed = str(error)
        if installed != pinned:
            found = f"the code installed here is {installed}; what was published is {pinned}"
            collector.trouble("code-installed", case, found)
            return ()
    return workflows


def _published_code(processes: Iterable[str], digest: JsonValue) -> str | None:
    for body in processes:
        try:
            definition = ProcessDefinition.model_validate_json(body)
        except ValidationError:
            continue
        if digest_bytes(body.encode()) == digest:
            return definition.code
    return None


async def _run(
    run: Run, workflows: Sequence[type], collector: Collector, *, watched: bool
) -> Mapping[int, State]:
    wrong = [(event.event_id, "history-order", found) for event, found in misfits(run.events)]
    for number, name, found in (*wrong, *unexplained(run.case, run.events)):
        collector.event(run.run_id, number, name, run.case, found)
    if wrong or not workflows:
        return {}  # the Replayer must not be given such a history, or other code
    ran = await rerun(run.history, workflows, watched=watched)
    if ran.failure is not None:
        collector.trouble("replay", run.case, ran.failure)
    for number, found in differences(ran.commands, run.events):
        collector.event(run.run_id, number, "command", run.case, found)
    return ran.states
