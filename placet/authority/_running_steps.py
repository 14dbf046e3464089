"""Whether an ask for a grant is of the step that runs, as the process and Temporal have it (I1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import bindparam, select

from placet.authority._alarms import meet_run, stop_case
from placet.authority._errors import Unavailable
from placet.authority._facts import FetchedFacts
from placet.authority._foreseeing import Answer
from placet.authority._histories import Seen
from placet.authority._models import stopped
from placet.authority._requests import Sender
from placet.authority._store import Case, CaseRun, Grant, Tx, table_of
from placet.authority._temporal import Execution, RunningActivity
from placet.model import CaseStatus, ProcessDefinition, RequestedDetails, Step

_GRANT = table_of(Grant)
_LATER = (
    select(_GRANT.c.id)
    .where(
        _GRANT.c.run_id == bindparam("run"),
        _GRANT.c.activity_id == bindparam("activity"),
        _GRANT.c.last_started > bindparam("last_started"),
    )
    .limit(1)
)


@dataclass(frozen=True)
class Ask:
    """One request for a grant, with what was fetched for it before the transaction."""

    sender: Sender
    details: RequestedDetails
    facts: FetchedFacts
    execution: Execution | None
    seen: Seen | None = None
    until: datetime | None = None
    """When the agent itself ends: no grant of it lasts longer."""

    foreseen: Answer | None = None
    """What the policies said beforehand."""


@dataclass(frozen=True)
class Denial:
    """Why an ask is denied: in words, and what the ledger keeps of it."""

    description: str
    reasons: tuple[str, ...]
    policy: Mapping[str, JsonValue] = field(default_factory=dict)
    """The decision by policy, if it came to that."""


def wrong_step(ask: Ask, step: Step) -> Denial | None:
    """Whether the step of the signed process is another agent's, action's or system's."""
    asked = ask.details
    if ask.sender.principal != f"agent:{step.agent}":
        return Denial("this step is another agent's", ("I1", "agent"))
    if asked.action != step.action or asked.system != step.system:
        return Denial(f"this step is for {step.action} at {step.system} alone", ("I1", "action"))
    return None


def wrong_claim(tx: Tx, ask: Ask, definition: ProcessDefinition) -> Denial | None:
    """Whether the step asks a model unnamed or stopped, or names one that it does not ask.

    The same for an amount: a tool that has one says it.
    """
    model = ask.details.model
    if definition.thinks(ask.details.activity.activity_type) != (model is not None):
        return Denial("a step that asks a model names it, and no other does", ("I1", "model"))
    if model is not None and stopped(tx, model):
        return Denial(f"the model {model} is suspended", ("I10", "model_suspended"))
    if definition.takes_amount(ask.details.activity.activity_type) != (
        ask.details.amount is not None
    ):
        return Denial("a tool that has an amount says it, and no other step", ("I3", "amount"))
    return None


def wrong_state(tx: Tx, ask: Ask, case: Case) -> Denial | None:
    """Whether case and execution are not those that the authority opened and kept.

    Raises:
        Unavailable: the case is just being opened, or has gone on in another run since Temporal
            was asked.
    """
    if case.status == CaseStatus.OPENING:
        raise Unavailable("the case is just being opened; ask again")
    if case.status == CaseStatus.CLOSED and ask.execution is not None:
        meet_run(tx, case, ask.execution.run_id)
    if case.status != CaseStatus.OPEN:
        return Denial(f"the case is {case.status}", ("I1", "case_status", f"case_{case.status}"))
    execution = ask.execution
    kept = (case.run_id, case.workflow_type, case.task_queue)
    if (
        execution is None
        or kept != (execution.run_id, execution.workflow_type, execution.task_queue)
        or execution.first_run_id not in (case.first_run_id, case.run_id)
    ):
        if execution is not None:
            _require_newest(tx, case, execution.run_id)
            meet_run(tx, case, execution.run_id)
        stop_case(tx, case, "Temporal shows another execution than the authority started")
        return Denial(
            "the case was stopped: Temporal shows another execution than was started",
            ("I1", "execution"),
        )
    if not execution.running:
        return Denial("the case's workflow is not running", ("I1", "workflow_status"))
    activity = ask.details.activity
    if activity.workflow_id != case.workflow_id or activity.run_id != case.run_id:
        return Denial("the activity is none of the case's run", ("I1", "run"))
    return None


def _require_newest(tx: Tx, case: Case, run_id: str) -> None:
    """Stop no case for a run that was its own when Temporal was asked.

    Raises:
        Unavailable: it was. Should Temporal go on to show it, watching stops the case.
    """
    shown = tx.get(CaseRun, (case.id, run_id))
    if run_id != case.run_id and shown is not None and shown.admitted:
        raise Unavailable("the case goes on in another run than Temporal showed; ask again")


def running(tx: Tx, ask: Ask, step: Step) -> RunningActivity | Denial:
    """The activity as Temporal shows it running, if it is the one that asks.

    It is over if a later try of it has had a grant since Temporal was asked.
    """
    asked = ask.details.activity
    assert ask.execution is not None
    for activity in ask.execution.activities:
        if activity.activity_id != asked.activity_id:
            continue
        if activity.activity_type != asked.activity_type:
            return Denial("the activity has another type", ("I1", "activity_type"))
        if activity.attempt != asked.attempt or _tried_since(tx, ask, activity):
            return Denial("the activity is at another attempt", ("I1", "attempt"))
        if activity.task_queue and activity.task_queue != step.agent:
            return Denial("the activity is on another agent's task queue", ("I1", "task_queue"))
        return activity
    return Denial("Temporal shows no such activity running", ("I1", "not_running"))


def _tried_since(tx: Tx, ask: Ask, activity: RunningActivity) -> bool:
    step = {
        "run": ask.details.activity.run_id,
        "activity": activity.activity_id,
        "last_started": activity.last_started.isoformat(),
    }
    return bool(tx.fetch(_LATER, step))
