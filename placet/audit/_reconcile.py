"""Each event of a history held against the ledger, and the ledger's grants against the history.

1. The run is the one that the authority started, of the workflow and on the input of its case.
2. Each activity that completed has one grant that was settled as completed, for this attempt, in
   this run, over the same input and result; its start is the one that the authority saw.
3. Each activity that failed was granted or denied, and not settled as completed.
4. Each grant is for an activity of this history, of its type.
5. The history ends with the workflow's own end, or wherever it stood when a person ended the case.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import timedelta

from temporalio.api.common.v1 import Payloads
from temporalio.api.history.v1 import HistoryEvent

from placet.audit._files import ArchiveFile
from placet.audit._history import Activity, activities, time_of
from placet.audit._report import Collector
from placet.ledger import Entry, EntryType
from placet.model import CaseInput, payloads_digest

CLOCKS = timedelta(seconds=5)
"""How far Temporal's clock and the authority's may be apart (PROTOCOL.md: clock skew)."""


def reconcile(
    archive: ArchiveFile, events: Sequence[HistoryEvent], entries: Sequence[Entry], log: Collector
) -> None:
    """Hold a history against its case's entries, in both directions."""
    _Case(archive, events, entries, log).run()


def ended_by_person(entries: Iterable[Entry]) -> bool:
    """Whether a person's act, and not the workflow, closed the case of these entries."""
    return any("act" in each.data for each in _of_type(entries, EntryType.CASE_CLOSED))


class _Case:
    def __init__(
        self,
        archive: ArchiveFile,
        events: Sequence[HistoryEvent],
        entries: Sequence[Entry],
        log: Collector,
    ) -> None:
        self._archive = archive
        self._events = events
        self._log = log
        self._entries = entries
        self._ended = ended_by_person(entries)
        self._issued = _of_type(entries, EntryType.GRANT_ISSUED)
        self._denied = _of_type(entries, EntryType.GRANT_DENIED)
        self._settled = {
            str(each.data.get("grant")): each for each in _of_type(entries, EntryType.GRANT_SETTLED)
        }

    def run(self) -> None:
        found, strays = activities(self._events)
        self._start()
        for stray in strays:
            self._trouble("activity-unscheduled", stray, "of no activity that was scheduled")
        self._grants_have_activities(found)
        for activity in found:
            self._activity(activity)
        self._end()

    def _trouble(self, name: str, event: HistoryEvent, found: str) -> None:
        archive = self._archive
        self._log.event(archive.run_id, event.event_id, name, archive.workflow_id, found)

    # --- the run ------------------------------------------------------------------------------

    def _start(self) -> None:
        first = self._events[0]
        told = first.workflow_execution_started_event_attributes
        for entry in _of_type(self._entries, EntryType.CASE_STARTED):
            asked = CaseInput(case=self._archive.workflow_id, subject=entry.record or "?")
            for name, found, expected in (
                ("workflow type", told.workflow_type.name, entry.data.get("workflow_type")),
                ("task queue", told.task_queue.name, entry.data.get("task_queue")),
                ("run", told.original_execution_run_id, entry.data.get("run_id")),
                ("input", _digest(told.input), _digest_of(asked)),
            ):
                if found != expected:
                    self._trouble("history-start", first, f"another {name} than was started")

    def _end(self) -> None:
        last = self._events[-1]
        if last.HasField("workflow_execution_completed_event_attributes"):
            return
        if self._ended:
            self._log.count(f"cases that a person ended, {_end_of(last)}")
        else:
            self._trouble("history-end", last, "the history does not end with the workflow's end")

    # --- activities ---------------------------------------------------------------------------

    def _activity(self, activity: Activity) -> None:
        if activity.ended is None:
            if not self._ended:
                self._trouble("activity-unfinished", activity.scheduled, activity.type)
            return
        grants = [each for each in self._issued if self._is_for(each, activity)]
        done = [
            end
            for each in grants
            if (end := self._settled.get(str(each.data["grant"])))
            and end.data.get("outcome") == "completed"
        ]
        if activity.ended.HasField("activity_task_completed_event_attributes"):
            self._log.count("activities")
            self._completed(activity, activity.ended, grants, done)
        elif activity.ended.HasField("activity_task_failed_event_attributes"):
            self._log.count("failed activities")
            denied = any(self._is_for(each, activity) for each in self._denied)
            if not grants and not denied:
                self._trouble(
                    "activity-without-grant", activity.ended, f"{activity.type} failed unasked"
                )
            elif done:
                self._trouble("activity-outcome", activity.ended, "it was settled as completed")

    def _completed(
        self,
        activity: Activity,
        ended: HistoryEvent,
        grants: Sequence[Entry],
        done: Sequence[Entry],
    ) -> None:
        if not grants:
            self._trouble("activity-without-grant", ended, activity.type)
        elif len(done) != 1:
            self._trouble("activity-unsettled", ended, f"{len(done)} completed settlements, not 1")
        else:
            (settled,) = done
            (grant,) = [g for g in grants if g.data["grant"] == settled.data["grant"]]
            self._compare(activity, ended, settled)
            self._times(activity, ended, grant, settled)

    def _is_for(self, entry: Entry, activity: Activity) -> bool:
        named = entry.data.get("activity")
        return isinstance(named, dict) and (
            named.get("run_id"),
            named.get("activity_id"),
            named.get("attempt"),
        ) == (self._archive.run_id, activity.id, activity.attempt)

    def _grants_have_activities(self, found: Iterable[Activity]) -> None:
        known = {(self._archive.run_id, each.id, each.type) for each in found}
        for grant in self._issued:
            named = grant.data.get("activity")
            activity = named if isinstance(named, dict) else {}
            key = (
                activity.get("run_id"),
                activity.get("activity_id"),
                activity.get("activity_type"),
            )
            if key not in known:
                self._log.trouble(
                    "grant-without-activity", str(grant.data.get("grant")), f"{key[2]} {key[1]}"
                )

    def _compare(self, activity: Activity, ended: HistoryEvent, settled: Entry) -> None:
        given = activity.scheduled.activity_task_scheduled_event_attributes.input
        result = ended.activity_task_completed_event_attributes.result
        for name, event, payloads, key in (
            ("input", activity.scheduled, given, "input_digest"),
            ("result", ended, result, "output_digest"),
        ):
            if _digest(payloads) != settled.data.get(key):
                self._trouble(
                    f"{name}-digest", event, f"the {name} is not the one that was settled"
                )

    def _times(self, activity: Activity, ended: HistoryEvent, grant: Entry, settled: Entry) -> None:
        started = activity.started
        if started is None:
            self._trouble("activity-not-started", ended, activity.type)
            return
        if time_of(started).isoformat() != grant.data.get("last_started"):
            self._trouble("started-time", started, "it is not the start that the authority saw")
        if time_of(activity.scheduled) > grant.time + CLOCKS:
            self._trouble("time-order", activity.scheduled, "scheduled after it was granted")
        if time_of(ended) < settled.time - CLOCKS:
            self._trouble("time-order", ended, "completed before it was settled")


def _of_type(entries: Iterable[Entry], type_: EntryType) -> list[Entry]:
    return [each for each in entries if each.type is type_]


def _end_of(event: HistoryEvent) -> str:
    name = event.WhichOneof("attributes") or "nothing"
    end = name.removeprefix("workflow_execution_").removesuffix("_event_attributes")
    return f"their workflow {end}"


def _digest(payloads: Payloads) -> str:
    try:
        return payloads_digest(each.data for each in payloads.payloads)
    except ValueError:
        return "unreadable"


def _digest_of(asked: CaseInput) -> str:
    return payloads_digest([json.dumps(asked.model_dump(mode="json")).encode()])
