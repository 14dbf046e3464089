"""Histories as the authority reads them: decrypted, in order, and how far they can still change.

1. What is sealed is what Temporal holds, with every payload decrypted; one that does not open stays
   as it is and is told.
2. A running workflow's last events may still change: those of a workflow task that has not ended
   are not kept by Temporal until it has. They are no part of a prefix.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.json_format import MessageToJson
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import History, HistoryEvent

from placet.ledger import event_digests, events_root
from placet.model import ArchivedRun, Digest, RunRoot, Salt
from placet.payloads import Keyring, decrypt_messages

_SKIPPED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED
_UNSETTLED = {
    EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
}


@dataclass(frozen=True)
class Run:
    """One run's history, decrypted."""

    run_id: str
    events: tuple[HistoryEvent, ...]
    unopened: tuple[tuple[int, str], ...]
    """Events (by their place, from 0) with a payload that does not open, and why."""

    @property
    def newest(self) -> datetime | None:
        """When its last event was, by Temporal's clock; nothing, if time was skipped in it."""
        if any(each.event_type == _SKIPPED for each in self.events):
            return None
        return max((each.event_time.ToDatetime(tzinfo=UTC) for each in self.events), default=None)

    def archived(self) -> ArchivedRun:
        """The run as it is kept: Temporal's own JSON."""
        history = History(events=self.events)
        return ArchivedRun(run_id=self.run_id, history=MessageToJson(history, sort_keys=True))


def open_run(run_id: str, history: History, ring: Keyring) -> Run:
    """Decrypt a run's history, in place."""
    unopened = decrypt_messages(ring, history.events)
    return Run(run_id, tuple(history.events), tuple(unopened))


@dataclass(frozen=True)
class Seen:
    """The events of a run that can't change any more, by their digests."""

    run_id: str
    digests: tuple[Digest, ...]

    def root(self, events: int | None = None) -> RunRoot:
        """The root over all of them, or over the first ``events``."""
        first = self.digests if events is None else self.digests[:events]
        return RunRoot(run_id=self.run_id, events=len(first), root=events_root(first))


def settled(run: Run, salt: str) -> Seen:
    """The prefix of a run's history that can't change any more."""
    events = list(run.events)
    while events and events[-1].event_type in _UNSETTLED:
        events.pop()
    kept = Run(run.run_id, tuple(events), ())
    return Seen(run.run_id, event_digests(kept.archived().history, salt))


def run_before(events: Sequence[HistoryEvent]) -> str | None:
    """The run that a run goes on from: what it was reset from, or continued as new."""
    before = None
    for event in events:
        failed = event.workflow_task_failed_event_attributes
        if failed.cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW:
            before = failed.base_run_id
    if before is None and events:
        before = events[0].workflow_execution_started_event_attributes.continued_execution_run_id
    return before or None


def archive_salt(ring: Keyring) -> Salt:
    """The salt of a case's event digests: as secret as its keys, and gone with them."""
    return base64.urlsafe_b64encode(ring.derive("archive salt")).decode().rstrip("=")
