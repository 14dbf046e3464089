"""Each event of a history held against the ledger, and the ledger's grants against the history.

1. The run is the one that the authority started, of the workflow and on the input of its case, and
   shown in Temporal as the authority shows it; a later one was admitted by a person, or both
   histories and the ledger say that it continues it, with what the one before left.
2. Each activity that completed has one grant that was settled as completed, for this attempt, in
   this run, over the same input and result; its start is the one that the authority saw.
3. Each activity that failed was granted or denied, and not settled as completed; the reasons that
   the workflow was told of a denial are the ledger's. A system of record denies for reasons of its
   own, but policy denies on the ledger alone.
4. Each grant is for an activity of this history, of its type.
5. A bell rings only after something on the ledger for which the authority rings it.
6. The history ends with the workflow's own end, or wherever it stood when a person ended the case.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from temporalio.api.common.v1 import Payloads
from temporalio.api.history.v1 import HistoryEvent

from placet.audit._history import BEGINNING, CLOCKS, Activity, Run, activities, time_of
from placet.audit._report import Collector
from placet.ledger import Entry, EntryType
from placet.model import payloads_digest
from placet.payloads import Start, going_on, start_of, started_otherwise

_DENIED = "GrantDenied"
"""What a worker calls the failure of a step that the authority denied."""
_RUNG_FOR = {
    EntryType.CHECKPOINT_RESOLVED,
    EntryType.CHECKPOINT_EXPIRED,
    EntryType.CHECKPOINT_VOIDED,
    EntryType.CASE_RESUBMITTED,
    EntryType.CASE_ADMITTED,
}


def reconcile(runs: Sequence[Run], entries: Sequence[Entry], log: Collector) -> None:
    """Hold a case's runs against its entries, in both directions."""
    ledger = _Ledger(entries)
    known: set[tuple[object, ...]] = set()
    ended = {run.run_id: run.events[-1] for run in runs}
    for number, run in enumerate(runs):
        reading = _Reading(run, ledger, log, ended, last=number == len(runs) - 1)
        reading.run()
        known |= reading.known
    for grant in ledger.issued:
        named = grant.data.get("activity")
        activity = named if isinstance(named, dict) else {}
        key = tuple(activity.get(each) for each in ("run_id", "activity_id", "activity_type"))
        if key not in known:
            place = str(grant.data.get("grant"))
            log.trouble("grant-without-activity", place, f"{key[2]} {key[1]}")


def check_chain(runs: Sequence[str], entries: Sequence[Entry], case: str, log: Collector) -> None:
    """The first run is the authority's; each later one was admitted, or continues one of these."""
    started = [each.data.get("run_id") for each in _of_type(entries, EntryType.CASE_STARTED)]
    admitted = [each.data.get("run_id") for each in _of_type(entries, EntryType.CASE_ADMITTED)]
    if not runs or not started or started[0] != runs[0]:
        log.trouble("run", case, "the history is of another run than was started")
    continued = [each.data.get("run_id") for each in _of_type(entries, EntryType.CASE_CONTINUED)]
    for run in runs[1:]:
        if run in continued:
            log.count("runs that continue another")
            continue
        log.count("runs after a reset")
        if run not in admitted:
            log.trouble("run-unadmitted", case, f"nobody has admitted the run {run}")


class _Ledger:
    """A case's entries by what they are asked for."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.opened = _of_type(entries, EntryType.CASE_OPENED)
        self.started = _of_type(entries, EntryType.CASE_STARTED)
        self.continued = {
            each.data.get("run_id"): each for each in _of_type(entries, EntryType.CASE_CONTINUED)
        }
        self.issued = _of_type(entries, EntryType.GRANT_ISSUED)
        self.denied = _of_type(entries, EntryType.GRANT_DENIED)
        self.settled = {
            str(each.data.get("grant")): each for each in _of_type(entries, EntryType.GRANT_SETTLED)
        }
        self.rung_for = [each.time for each in entries if each.type in _RUNG_FOR]
        self.ended = any("act" in each.data for each in _of_type(entries, EntryType.CASE_CLOSED))
        self.sealed = [each.time for each in _of_type(entries, EntryType.CASE_ARCHIVED)]

    @property
    def opened_at(self) -> datetime:
        """When the case was opened; long ago if the ledger does not say so."""
        return self.opened[0].time if self.opened else BEGINNING

    def start(self, started: Entry) -> Start | None:
        """What the authority started the case's workflow with, computed again, if it can be."""
        if started.case is None or started.record is None:
            return None
        opened = self.opened[0].data if self.opened else {}
        return start_of(
            case=started.case,
            process=str(opened.get("process")),
            version=opened.get("version"),
            subject=started.record,
            opened_at=self.opened_at,
            workflow_type=str(started.data.get("workflow_type")),
            task_queue=str(started.data.get("task_queue")),
            record_tag=str(started.data.get("record_tag")),
            fairness_key=str(started.data.get("fairness_key")),
        )


class _Reading:
    """One run as it is held against the ledger."""

    def __init__(
        self,
        run: Run,
        ledger: _Ledger,
        log: Collector,
        ended: Mapping[str, HistoryEvent],
        *,
        last: bool,
    ) -> None:
        self._run = run
        self._events = run.events
        self._log = log
        self._ledger = ledger
        self._ended = ended
        self._last = last
        self.known: set[tuple[object, ...]] = set()
        """The activities that there were, each in the runs that it may have happened in."""

    def run(self) -> None:
        """Compare everything."""
        found, strays = activities(self._events)
        self._start()
        for stray in strays:
            self._trouble("activity-unscheduled", stray, "of no activity that was scheduled")
        for activity in found:
            self.known |= {
                (run, activity.id, activity.type) for run in self._run.ids_at(activity.scheduled)
            }
            self._activity(activity)
        self._bells()
        self._end()

    def _trouble(self, name: str, event: HistoryEvent, found: str) -> None:
        self._log.event(self._run.run_id, event.event_id, name, self._run.case, found)

    # --- the run ------------------------------------------------------------------------------

    def _start(self) -> None:
        first = self._events[0]
        told = first.workflow_execution_started_event_attributes
        begun = told.original_execution_run_id
        for entry in self._ledger.started:
            start, since = self._ledger.start(entry), self._ledger.opened_at
            if start is None:
                self._trouble("history-start", first, "the ledger names no record for its start")
                continue
            until: Entry | None = entry
            if told.first_execution_run_id != entry.data.get("run_id"):
                self._trouble("history-start", first, "another run than was started")
            if begun != entry.data.get("run_id"):
                until = self._ledger.continued.get(begun)
                before = self._continued(first, until)
                if before is not None:
                    start, since = going_on(start, before), time_of(before)
            for name in started_otherwise(first, start):
                self._trouble("history-start", first, f"another {name} than was started")
            if until is not None and time_of(first) > until.time + CLOCKS:
                self._trouble("time-order", first, "started after the ledger says so")
            if time_of(first) < since - CLOCKS:
                self._trouble("time-order", first, "started before there was a cause for it")

    def _continued(self, first: HistoryEvent, entry: Entry | None) -> HistoryEvent | None:
        """The end of the run that a run, or the one it was reset from, continues by this entry."""
        told = first.workflow_execution_started_event_attributes
        before = told.continued_execution_run_id
        last = self._ended.get(before)
        as_new = None if last is None else last.workflow_execution_continued_as_new_event_attributes
        if entry is None:
            self._trouble("history-start", first, "another run than was started")
        elif before != entry.data.get("continues") or (
            as_new is None or as_new.new_execution_run_id != told.original_execution_run_id
        ):
            self._trouble("history-start", first, f"the run {before} does not continue as this one")
        else:
            return last
        return None

    def _bells(self) -> None:
        """Signals are the authority's, for something that it rings for; all is before the seal."""
        for event in self._events:
            moment = time_of(event)
            if event.HasField("workflow_execution_signaled_event_attributes") and not any(
                cause <= moment + CLOCKS for cause in self._ledger.rung_for
            ):
                self._trouble("signal-unexplained", event, "the authority had nothing to tell")
            if any(moment > sealed + CLOCKS for sealed in self._ledger.sealed):
                self._trouble("time-order", event, "it is after the history was sealed")

    def _end(self) -> None:
        last = self._events[-1]
        ended = last.HasField("workflow_execution_completed_event_attributes")
        if ended or not self._last:
            return
        if self._ledger.ended:
            self._log.count(f"cases that a person ended, {_end_of(last)}")
        else:
            self._trouble("history-end", last, "the history does not end with the workflow's end")

    # --- activities ---------------------------------------------------------------------------

    def _activity(self, activity: Activity) -> None:
        if activity.ended is None:
            if not self._ledger.ended and self._last:
                self._trouble("activity-unfinished", activity.scheduled, activity.type)
            return
        grants = [each for each in self._ledger.issued if self._is_for(each, activity)]
        done = [
            end
            for each in grants
            if (end := self._ledger.settled.get(str(each.data["grant"])))
            and end.data.get("outcome") == "completed"
        ]
        if activity.ended.HasField("activity_task_completed_event_attributes"):
            self._log.count("activities")
            self._completed(activity, activity.ended, grants, done)
        elif activity.ended.HasField("activity_task_failed_event_attributes"):
            self._log.count("failed activities")
            denied = [each for each in self._ledger.denied if self._is_for(each, activity)]
            self._failed(activity, activity.ended, grants, denied, done)

    def _failed(
        self,
        activity: Activity,
        ended: HistoryEvent,
        grants: Sequence[Entry],
        denied: Sequence[Entry],
        done: Sequence[Entry],
    ) -> None:
        if not grants and not denied:
            self._trouble("activity-without-grant", ended, f"{activity.type} failed unasked")
        elif done:
            self._trouble("activity-outcome", ended, "it was settled as completed")
        told = ended.activity_task_failed_event_attributes.failure.application_failure_info
        if told.type != _DENIED:
            return
        if not denied:
            if any(map(_is_of_policy, _data(told.details))):
                self._trouble("denial-unfounded", ended, "policy has not denied it on the ledger")
            return
        reasons = [json.dumps(each) for each in _reasons(denied[-1])]
        if [each.decode(errors="replace") for each in _data(told.details)] != reasons:
            self._trouble("denial-reasons", ended, "the ledger gave other reasons")

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
        if not isinstance(named, dict) or named.get("run_id") not in self._run.ids_at(
            activity.ended or activity.scheduled
        ):
            return False
        return (named.get("activity_id"), named.get("attempt")) == (activity.id, activity.attempt)

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


def _data(payloads: Payloads) -> list[bytes]:
    return [each.data for each in payloads.payloads]


def _is_of_policy(reason: bytes) -> bool:
    """Whether a reason is read as a policy's, however it is spelled."""
    try:
        said = json.loads(reason)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, str) and said.startswith("policy:")


def _reasons(denied: Entry) -> list[str]:
    told = denied.data.get("reasons")
    return [str(each) for each in told] if isinstance(told, list) else []
