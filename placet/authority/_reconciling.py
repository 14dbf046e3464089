"""A closed case's histories held against what the authority knows, before they are sealed.

A function of values: what does not fit comes back as reasons, each naming run, event and what is
wrong. The auditor's own reconciliation (:mod:`placet.audit`) goes further and believes none of it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from temporalio.api.common.v1 import Payloads
from temporalio.api.history.v1 import HistoryEvent

from placet.authority._histories import Run
from placet.ledger import run_root
from placet.model import HistorySeal, RunRoot, payloads_digest
from placet.payloads import Start, going_on, started_otherwise


@dataclass(frozen=True)
class SettledGrant:
    """A grant with how it was settled; no ``outcome`` if it was not."""

    run_id: str
    activity_id: str
    activity_type: str
    attempt: int
    outcome: str | None = None
    input_digest: str | None = None
    output_digest: str | None = None


_Completed = Mapping[tuple[str, int], Sequence[SettledGrant]]
"""Grants of the case's own runs that were settled as completed, by activity id and attempt."""


@dataclass
class _Step:
    scheduled: HistoryEvent
    started: HistoryEvent | None = None


def misfits(
    runs: Sequence[Run],
    start: Start,
    seal: HistorySeal,
    chain: Sequence[str],
    prefixes: Sequence[RunRoot],
    grants: Sequence[SettledGrant],
) -> list[str]:
    """What does not fit, in order; nothing if all does.

    Args:
        runs: the histories, oldest first.
        start: what the authority started the first of the chain with.
        seal: their events' digests.
        chain: the runs that the authority started or a person admitted.
        prefixes: what was seen of them while the case was open.
        grants: the case's grants.
    """
    completed: dict[tuple[str, int], list[SettledGrant]] = {}
    for each in grants:
        if each.run_id in chain and each.outcome == "completed":
            completed.setdefault((each.activity_id, each.attempt), []).append(each)
    return [
        *_strangers(runs, chain),
        *_otherwise(runs, start, chain),
        *_changed(seal, prefixes),
        *(f"run {r.run_id} event {at + 1}: {why}" for r in runs for at, why in r.unopened),
        *(wrong for run in runs for wrong in _activities(run, completed)),
        *_without_activity(runs, grants),
    ]


def _strangers(runs: Sequence[Run], chain: Sequence[str]) -> Iterator[str]:
    for run in runs:
        if run.run_id not in chain:
            yield f"run {run.run_id} was neither started by the authority nor admitted"


def _otherwise(runs: Sequence[Run], start: Start, chain: Sequence[str]) -> Iterator[str]:
    """What the first run, one that continues another, and what was reset to either, began with.

    A run that was reset began as the one it was reset from, which may be gone from Temporal.
    """
    ended = {run.run_id: run.events[-1] for run in runs}
    for run in runs:
        first = run.events[0]
        told = first.workflow_execution_started_event_attributes
        before = ended.get(told.continued_execution_run_id)
        if {run.run_id, told.original_execution_run_id} & set(chain[:1]):
            asked = start
        elif before is not None:
            asked = going_on(start, before)
        else:
            continue  # what is none of the chain is told of as such
        for name in started_otherwise(first, asked):
            yield f"run {run.run_id} event 1: another {name} than it was started with"


def _changed(seal: HistorySeal, prefixes: Sequence[RunRoot]) -> Iterator[str]:
    sealed = {each.run_id: each for each in seal.runs}
    for kept in prefixes:
        run = sealed.get(kept.run_id)
        if run is None or run_root(run, kept.events) != kept:
            yield f"run {kept.run_id} does not begin with the {kept.events} events seen before"


def _activities(run: Run, completed: _Completed) -> Iterator[str]:
    steps: dict[int, _Step] = {}
    for event in run.events:
        where = f"run {run.run_id} event {event.event_id}"
        match event.WhichOneof("attributes"):
            case "activity_task_scheduled_event_attributes":
                steps[event.event_id] = _Step(event)
            case "activity_task_started_event_attributes":
                of = event.activity_task_started_event_attributes.scheduled_event_id
                if of in steps:
                    steps[of].started = event
            case "activity_task_completed_event_attributes":
                step = steps.get(event.activity_task_completed_event_attributes.scheduled_event_id)
                wrong = "of no activity" if step is None else _wrong(step, event, completed)
                if wrong is not None:
                    yield f"{where}: {wrong}"
            case "marker_recorded_event_attributes":
                name = event.marker_recorded_event_attributes.marker_name
                if name == "core_local_activity":
                    yield f"{where}: a local activity, which nobody grants"
            case _:
                pass  # what is no step of anyone's


def _wrong(step: _Step, ended: HistoryEvent, completed: _Completed) -> str | None:
    """What is wrong with a completed activity, if anything is."""
    told = step.scheduled.activity_task_scheduled_event_attributes
    attempt = 1
    if step.started is not None:
        attempt = step.started.activity_task_started_event_attributes.attempt or 1
    mine = completed.get((told.activity_id, attempt), [])
    name = told.activity_type.name
    if not mine:
        return f"{name} completed without a grant that was settled as completed"
    given = _digest(told.input)
    made = _digest(ended.activity_task_completed_event_attributes.result)
    # Runs of one chain may have used one activity's id twice; one of its grants must fit whole.
    fits = [(e.activity_type, e.input_digest, e.output_digest) for e in mine]
    if (name, given, made) not in fits:
        return f"{name}: type, input or result is not what was settled"
    return None


def _without_activity(runs: Sequence[Run], grants: Iterable[SettledGrant]) -> Iterator[str]:
    known = {
        (told.activity_id, told.activity_type.name)
        for run in runs
        for event in run.events
        if (told := event.activity_task_scheduled_event_attributes).activity_id
    }
    for each in grants:
        if (each.activity_id, each.activity_type) not in known:
            yield f"a grant for {each.activity_type}: activity {each.activity_id} is in no run"


def _digest(payloads: Payloads) -> str:
    try:
        return payloads_digest(each.data for each in payloads.payloads)
    except ValueError:
        return "unreadable"
