"""A replay without the seal taken apart, so that every change to a history can be tried.

It asks the same parts as :func:`placet.audit.replay`, but reads anew only the events that were
changed, and runs the code once: what a change leaves alone is not done again.
"""

import asyncio
import copy
import dataclasses
import json

from google.protobuf.json_format import MessageToDict, ParseDict
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from placet.audit import LogFiles
from placet.audit._commands import differences
from placet.audit._history import Run, misfits, read_runs
from placet.audit._reconcile import reconcile
from placet.audit._report import Collector
from placet.audit._rerun import rerun
from placet.audit._shape import unexplained
from placet.ledger import decode_entry
from tests.audit.changes import Change
from tests.audit.recording import History


class Piecewise:
    """A case read once: its runs, its entries, and what its code asks for."""

    def __init__(self, files: LogFiles, case: str, workflow: type) -> None:
        archive = files.archives[case]
        self._case = case
        self._runs = tuple(read_runs(archive))
        self._entries = [e for e in map(decode_entry, files.entries) if e.case == case]
        self._asked = {
            each.run_id: asyncio.run(rerun(each.history, [workflow])).commands
            for each in self._runs
        }
        self._read: dict[str, HistoryEvent | None] = {}
        self._texts = [each.history for each in archive.runs]
        self.histories: tuple[History, ...] = tuple(map(json.loads, self._texts))
        self._genuine = {
            id(told): event
            for history, run in zip(self.histories, self._runs, strict=True)
            for told, event in zip(history["events"], run.events, strict=True)
        }

    def changed(self, change: Change, run: int = 0) -> History:
        """A run's history with a change; what it leaves alone is not copied."""
        genuine = self.histories[run]
        if change.what not in {"change", "remove"}:
            forged: History = json.loads(self._texts[run])
        else:
            forged = {"events": list(genuine["events"])}
            forged["events"][change.event] = copy.deepcopy(genuine["events"][change.event])
        change(forged)
        return forged

    def finds(self, change: Change, run: int = 0) -> str | None:
        """The first part of a replay that finds a change; none, if it stays unnoticed."""
        forged_history = self.changed(change, run)
        if forged_history == self.histories[run]:
            return "nothing"  # two equal events were swapped, or the like
        events = [self._event(each) for each in forged_history["events"]]
        read = [each for each in events if each is not None]
        if [each.event_id for each in read] != list(range(1, len(events) + 1)) or not read:
            return "reading"
        if not read[0].workflow_execution_started_event_attributes.original_execution_run_id:
            return "reading"
        if any(misfits(read)):
            return "order"
        if any(unexplained(self._case, read)):
            return "shape"
        log = Collector()
        forged = dataclasses.replace(self._runs[run], history=WorkflowHistory(self._case, read))
        runs: list[Run] = [*self._runs]
        runs[run] = forged
        reconcile(runs, self._entries, log)
        if not log.report().holds:
            return "ledger"
        # Had the code been told something else, one of the parts before would have found it.
        if any(differences(self._asked[forged.run_id], read)):
            return "code"
        return None

    def _event(self, told: dict[str, object]) -> HistoryEvent | None:
        """One event, as a history of Temporal's own making has it."""
        if id(told) in self._genuine:
            return self._genuine[id(told)]
        text = json.dumps(told, sort_keys=True)
        if text not in self._read:
            try:
                event = ParseDict(told, HistoryEvent())
                self._read[text] = event if MessageToDict(event) == told else None
            except Exception:  # noqa: BLE001 - whatever a forged member provokes in the parser
                self._read[text] = None
        return self._read[text]
