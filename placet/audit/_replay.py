"""Replaying a closed case from its archive, and reconciling each step with the ledger (I9).

Temporal's Replayer alone is no audit: it accepts other arguments, results and times. So the code's
commands are compared with the history's, and every activity with its grant on the ledger.
"""

from collections.abc import Sequence

from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.worker.workflow_sandbox import (
    SandboxedWorkflowRunner,
    SandboxRestrictions,
)

from placet.audit._commands import RecordingRunner, differences
from placet.audit._files import ArchiveFile, LogFiles
from placet.audit._history import BadHistory, misfits, read_history
from placet.audit._reconcile import ended_by_person, reconcile
from placet.audit._report import Collector, Report
from placet.ledger import Entry, EntryError, EntryType, decode_entry
from placet.model import digest_bytes


def workflow_runner() -> SandboxedWorkflowRunner:
    """The sandbox that workers, replayers and tests run workflow code in: one for all."""
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules("placet", "pydantic")
    )


async def replay(files: LogFiles, case: str, workflows: Sequence[type]) -> Report:
    """Replay one archived case and reconcile it with the ledger.

    The entries are taken as they are: :func:`placet.audit.verify` says whether they are the log's.
    """
    collector = Collector()
    archive = files.archives.get(case)
    if archive is None:
        collector.trouble("archive-missing", case, "the case has no archived history")
        return collector.report()
    entries = _entries_of(files, case, collector)
    _check_seal(archive, entries, case, collector)
    try:
        history = read_history(archive)
    except BadHistory as error:
        collector.trouble("history-unreadable", case, str(error))
        return collector.report()
    wrong = list(misfits(history.events))
    for event, found in wrong:
        collector.trouble("history-order", f"{case} event {event.event_id}", found)
    if not wrong:
        await _replay(history, workflows, case, collector, cut=ended_by_person(entries))
    reconcile(archive, history.events, entries, collector)
    collector.count("cases")
    return collector.report(trusted=files.trusted_log_key is not None)


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


async def _replay(
    history: WorkflowHistory,
    workflows: Sequence[type],
    case: str,
    collector: Collector,
    *,
    cut: bool,
) -> None:
    runner = RecordingRunner(workflow_runner())
    replayer = Replayer(
        workflows=workflows,
        data_converter=pydantic_data_converter,
        workflow_runner=runner,
    )
    whole = False
    try:
        result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    except Exception as error:  # noqa: BLE001 - whatever a forged history provokes is a finding
        collector.trouble("replay", case, f"the history can't be replayed: {error}")
    else:
        whole = result.replay_failure is None
        if not whole:
            collector.trouble("replay", case, f"not deterministic: {result.replay_failure}")
    for number, found in differences(runner.commands, history.events, whole=whole, cut=cut):
        collector.trouble("command", f"{case} event {number}", found)
