"""Making a flight: the frames of a case from its replay, and what the ledger says of each."""

import base64
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from pydantic import ValidationError
from temporalio.api.history.v1 import HistoryEvent

from placet.audit._causes import attributes, causes, describe, kind, marks, named
from placet.audit._context import facts_of
from placet.audit._files import LogFiles
from placet.audit._flight import (
    DecisionFrame,
    Flight,
    Frame,
    GrantFrame,
    changes,
)
from placet.audit._history import BEGINNING, Activity, activities, time_of
from placet.audit._replay import Replayed, replayed
from placet.audit._report import Collector, Trouble, spelled
from placet.audit._scene import Scene
from placet.audit._select import select
from placet.audit._states import State
from placet.audit._timeline import Moment, timeline
from placet.audit._verify import Walk
from placet.ledger import Entry, EntryType, decode_entry
from placet.model import DecisionClaims, Outcome, format_time
from placet.process import OPEN_CHECKPOINT, READ_OUTCOME

_OUTCOMES = {OPEN_CHECKPOINT, READ_OUTCOME}
_DECISIONS = {EntryType.DECISION_RECORDED, EntryType.DECISION_WITHDRAWN}
_ENDS = {EntryType.GRANT_SETTLED, EntryType.GRANT_REVOKED, EntryType.GRANT_EXPIRED}


async def record_flight(files: LogFiles, case: str, workflows: Sequence[type]) -> Flight:
    """Record a closed case: replay it, and lay the ledger beside each event.

    The entries are taken as they are: :func:`placet.audit.verify` says whether they are the log's.

    Args:
        files: the log, or one case's part of it.
        case: the case.
        workflows: the workflow code of its process, as it is installed here.

    Raises:
        EntryError: an entry is damaged.
    """
    result = await replayed(files, case, workflows, watched=True)
    ledger = _Ledger(files, case)
    told = ledger.first(EntryType.CASE_OPENED)
    started = ledger.first(EntryType.CASE_STARTED)
    return Flight(
        case=case,
        process=str(told.data.get("process")) if told else "",
        workflow_type=str(started.data.get("workflow_type")) if started else "",
        frames=tuple(_frames(result, ledger, result.report.troubles)),
        report=result.report,
    )


def _frames(result: Replayed, ledger: "_Ledger", troubles: Sequence[Trouble]) -> Iterator[Frame]:
    since = BEGINNING
    for run in result.runs:
        states = result.states[run.run_id]
        before: State = {}
        begun = 0
        why, called, names = causes(run.events), marks(run.events), named(run.events)
        activity_of = {
            each.event_id: activity
            for activity in activities(run.events)[0]
            for each in (activity.started, activity.ended)
            if each is not None
        }
        for event in run.events:
            number, moment, state = event.event_id, time_of(event), before
            if kind(event) == "workflow_task_started":
                begun = number
            elif kind(event) == "workflow_task_completed":
                state = states.get(begun, before)
            activity = activity_of.get(number)
            yield Frame(
                run=run.run_id,
                event=number,
                time=format_time(moment),
                type=kind(event),
                what=spelled(describe(event, names)),
                causes=why.get(number, ()),
                changes=tuple(changes(before, state)),
                state=state,
                grants=ledger.grants(activity.id, run.ids) if activity else (),
                decisions=ledger.decisions(since, moment, _outcome_of(activity, event)),
                ledger=ledger.moments(since, moment),
                marks=called.get(number, ()),
                troubles=tuple(
                    each for each in troubles if (each.run, each.event) == (run.run_id, number)
                ),
            )
            before, since = state, max(since, moment)


def _outcome_of(activity: Activity | None, event: HistoryEvent) -> Sequence[str]:
    """The decisions that an activity's result names, if it read a checkpoint's outcome."""
    if activity is None or activity.ended is not event or activity.type not in _OUTCOMES:
        return ()
    try:
        (payload,) = attributes(event).result.payloads
        return Outcome.model_validate_json(payload.data).decisions
    except (ValueError, AttributeError):
        return ()


class _Ledger:
    """The ledger's entries of one case, each with what does not hold of it."""

    def __init__(self, files: LogFiles, case: str) -> None:
        self._files = files
        self._troubles = _troubles(files, case)
        self._own = [
            (index, entry)
            for index, data in files.numbered()
            if (entry := decode_entry(data)).case == case
        ]
        self._moments = {each.index: each for each in timeline(files, case)}
        self._settled = {
            str(entry.data.get("grant")): entry for _, entry in self._own if entry.type in _ENDS
        }

    def first(self, kind_: EntryType) -> Entry | None:
        """The first entry of a type."""
        return next((entry for _, entry in self._own if entry.type is kind_), None)

    def moments(self, since: datetime, until: datetime) -> tuple[Moment, ...]:
        """What the ledger says of the case from one event to the next, by the clocks of both."""
        return tuple(
            self._moments[index] for index, entry in self._own if since < entry.time <= until
        )

    def grants(self, activity_id: str, runs: Collection[str]) -> tuple[GrantFrame, ...]:
        """Every grant and denial of an activity, one for each time that it was asked for."""
        return tuple(
            self._grant(index, entry)
            for index, entry in self._own
            if entry.type in {EntryType.GRANT_ISSUED, EntryType.GRANT_DENIED}
            and isinstance(told := entry.data.get("activity"), dict)
            and told.get("activity_id") == activity_id
            and told.get("run_id") in runs
        )

    def _grant(self, index: int, entry: Entry) -> GrantFrame:
        data = entry.data
        issued = entry.type is EntryType.GRANT_ISSUED
        grant = str(data.get("grant")) if issued else None
        end = self._settled.get(grant or "")
        kept = self._files.kept.get(str(end.data.get("reasoning_digest"))) if end else None
        activity = data.get("activity")
        return GrantFrame(
            entry=index,
            grant=grant,
            permitted=issued,
            agent=entry.actor,
            action=str(data.get("action")),
            system=str(data.get("system")),
            record=entry.record or "",
            attempt=_count(activity.get("attempt")) if isinstance(activity, dict) else 0,
            why=_texts(data.get("policies" if issued else "reasons")),
            facts=facts_of(self._files, entry),
            outcome=_end_of(end) if end else None,
            reasoning=spelled(kept.content, lines=True) if kept and kept.content else None,
            troubles=self._troubles.get(index, ()),
        )

    def decisions(
        self, since: datetime, until: datetime, named_: Sequence[str]
    ) -> tuple[DecisionFrame, ...]:
        """People's decisions from one event to the next, and those that an outcome names."""
        return tuple(
            self._decision(index, entry)
            for index, entry in self._own
            if entry.type in _DECISIONS
            and (since < entry.time <= until or str(entry.data.get("decision")) in named_)
        )

    def _decision(self, index: int, entry: Entry) -> DecisionFrame:
        data = entry.data
        wrong = self._troubles.get(index, ())
        view = self._files.checkpoints.get(str(data.get("checkpoint")))
        jti = str(data.get("decision"))
        jws = next((e.jws for e in view.decisions if e.jti == jti), None) if view else None
        claims = _claims(jws) if jws else None
        return DecisionFrame(
            entry=index,
            decision=jti,
            checkpoint=str(data.get("checkpoint")),
            operator=entry.actor,
            roles=_texts(data.get("roles")),
            verdict=str(data.get("verdict")),
            time=format_time(entry.time),
            signature="; ".join(f"{each.name}: {each.found}" for each in wrong) or "valid",
            amount=str(claims.amount) if claims and claims.amount is not None else None,
            reason_code=claims.reason_code if claims else None,
            comment=spelled(claims.comment, lines=True) if claims and claims.comment else None,
            exceptions=tuple(spelled(f"{e.finding}: {e.reason}") for e in claims.exceptions)
            if claims
            else (),
        )


def _troubles(files: LogFiles, case: str) -> dict[int, tuple[Trouble, ...]]:
    """What does not hold of the entries that a case's proof needs, by their index."""
    chosen = set(select(files.entries, case))
    collector = Collector()
    walk = Walk(Scene(files, collector))
    found: dict[int, tuple[Trouble, ...]] = {}
    seen = 0
    for at, (index, data) in enumerate(files.numbered()):
        if at in chosen:
            walk.entry(index, decode_entry(data))
            here = collector.report().troubles
            if len(here) > seen:
                found[index], seen = here[seen:], len(here)
    return found


def _claims(jws: str) -> DecisionClaims | None:
    """What a decision says, for reading: whether it is signed is told beside it."""
    payload = jws.split(".")[1] if jws.count(".") == 2 else ""
    try:
        return DecisionClaims.model_validate_json(
            base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        )
    except (ValidationError, ValueError):
        return None


def _end_of(entry: Entry) -> str:
    told = entry.data.get("outcome") or entry.data.get("reason")
    end = entry.type.value.partition(".")[2]
    return f"{end}: {told}" if told else end


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0
