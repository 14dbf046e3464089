"""Replaying a closed case from its archive, and reconciling each step with the ledger (I9).

Temporal's Replayer alone is no audit: it recomputes commands, not results. So each activity of
the history is held against its grant on the ledger, in both directions, by input and output digest.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.worker.workflow_sandbox import (
    SandboxedWorkflowRunner,
    SandboxRestrictions,
)

from placet.audit._files import ArchiveFile, LogFiles
from placet.audit._report import Collector, Report
from placet.ledger import Entry, EntryError, EntryType, decode_entry
from placet.model import digest_bytes, payloads_digest

_SCHEDULED = "activityTaskScheduledEventAttributes"
_STARTED = "activityTaskStartedEventAttributes"
_COMPLETED = "activityTaskCompletedEventAttributes"


def workflow_runner() -> SandboxedWorkflowRunner:
    """The sandbox that workers, replayers and tests run workflow code in: one for all."""
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules("placet", "pydantic")
    )


async def replay(files: LogFiles, case: str, workflows: Sequence[type]) -> Report:
    """Replay one archived case and reconcile it with the ledger."""
    collector = Collector()
    archive = files.archives.get(case)
    if archive is None:
        collector.trouble("archive-missing", case, "the case has no archived history")
        return collector.report()
    entries = _entries_of(files, case, collector)
    _check_seal(archive, entries, case, collector)
    await _replay(archive, workflows, case, collector)
    _reconcile(json.loads(archive.history), entries, case, collector)
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
    sealed = [each for each in entries if each.type is EntryType.CASE_ARCHIVED]
    if len(sealed) != 1:
        collector.trouble("seal", case, f"the ledger seals {len(sealed)} histories, not one")
        return
    if digest_bytes(archive.history.encode()) != sealed[0].data.get("history_digest"):
        collector.trouble("history-digest", case, "the history is not the one that was sealed")
    started = [each for each in entries if each.type is EntryType.CASE_STARTED]
    if not started or started[0].data.get("run_id") != archive.run_id:
        collector.trouble("run", case, "the history is of another run than was started")


async def _replay(
    archive: ArchiveFile, workflows: Sequence[type], case: str, collector: Collector
) -> None:
    replayer = Replayer(
        workflows=workflows,
        data_converter=pydantic_data_converter,
        workflow_runner=workflow_runner(),
    )
    history = WorkflowHistory.from_json(archive.workflow_id, archive.history)
    try:
        result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    except Exception as error:  # noqa: BLE001 - whatever a forged history provokes is a finding
        collector.trouble("replay", case, f"the history can't be replayed: {error}")
        return
    if result.replay_failure is not None:
        collector.trouble("replay", case, f"not deterministic: {result.replay_failure}")


def _reconcile(
    history: Mapping[str, Any], entries: Sequence[Entry], case: str, collector: Collector
) -> None:
    events = history.get("events", [])
    scheduled = {int(each["eventId"]): each for each in events if _SCHEDULED in each}
    attempts = {
        str(each[_STARTED]["scheduledEventId"]): int(each[_STARTED].get("attempt", 1))
        for each in events
        if _STARTED in each
    }
    issued = [each for each in entries if each.type is EntryType.GRANT_ISSUED]
    settled = {
        str(each.data.get("grant")): each
        for each in entries
        if each.type is EntryType.GRANT_SETTLED
    }
    _grants_have_activities(issued, scheduled, collector)
    for each in events:
        if _COMPLETED not in each:
            continue
        collector.count("activities")
        completed = each[_COMPLETED]
        number = str(completed["scheduledEventId"])
        event = scheduled.get(int(number))
        place = f"{case} event {each['eventId']}"
        if event is None:
            collector.trouble("activity-unscheduled", place, "completed and never scheduled")
            continue
        activity = event[_SCHEDULED]
        grants = [
            grant
            for grant in issued
            if _activity(grant) == (activity["activityId"], attempts.get(number, 1))
        ]
        ends = [settled[str(g.data["grant"])] for g in grants if str(g.data["grant"]) in settled]
        done = [end for end in ends if end.data.get("outcome") == "completed"]
        if not grants:
            collector.trouble("activity-without-grant", place, activity["activityType"]["name"])
        elif len(done) != 1:
            collector.trouble(
                "activity-unsettled", place, f"{len(done)} completed settlements, not one"
            )
        else:
            _compare(done[0], activity, completed, place, collector)


def _grants_have_activities(
    issued: Sequence[Entry], scheduled: Mapping[int, Mapping[str, Any]], collector: Collector
) -> None:
    known = {
        (each[_SCHEDULED]["activityId"], each[_SCHEDULED]["activityType"]["name"])
        for each in scheduled.values()
    }
    for grant in issued:
        named = grant.data.get("activity")
        pair = (
            (named.get("activity_id"), named.get("activity_type"))
            if isinstance(named, dict)
            else (None, None)
        )
        if pair not in known:
            collector.trouble(
                "grant-without-activity", str(grant.data.get("grant")), f"{pair[1]} {pair[0]}"
            )


def _activity(grant: Entry) -> tuple[Any, Any]:
    named = grant.data.get("activity")
    if not isinstance(named, dict):
        return (None, None)
    return (named.get("activity_id"), named.get("attempt"))


def _compare(
    settled: Entry,
    activity: Mapping[str, Any],
    completed: Mapping[str, Any],
    place: str,
    collector: Collector,
) -> None:
    for name, attributes, key in (
        ("input", activity, "input_digest"),
        ("result", completed, "output_digest"),
    ):
        try:
            digest = payloads_digest(_payloads(attributes.get(name, {})))
        except ValueError:
            digest = "unreadable"
        if digest != settled.data.get(key):
            collector.trouble(
                f"{name}-digest", place, f"the {name} is not the one that was settled"
            )


def _payloads(field: Mapping[str, Any]) -> list[bytes]:
    return [base64.b64decode(each.get("data", "")) for each in field.get("payloads", [])]
