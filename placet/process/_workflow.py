"""The workflow's side of steps and checkpoints.

1. Workflow code decides nothing that matters: it orders the work. Grants, evidence and outcomes are
   the authority's (I1, I5, I13).
2. A bell is a signal without content; it only makes the workflow look (I5). First read, then
   wait: an outcome that was there before the workflow asked is never missed. Every wait ends by
   itself and looks, so that a lost bell loses no case (I11).
3. Payloads carry ids and digests, never document text (I7).
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import ClassVar, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

from placet.model import (
    CaseId,
    CaseInput,
    CheckpointStatus,
    Model,
    Outcome,
    PartRef,
    ProcessDefinition,
    RecordId,
    Stage,
)
from placet.process._orchestrating import CLOSE_CASE, OPEN_CHECKPOINT, READ_OUTCOME, STOP_CASE
from placet.process._refused import UNMET, NotTaken, Unmet, refused_for
from placet.process._requests import CheckpointRequest, CloseRequest, StepRequest, StopRequest
from placet.process._standing import tell

BELL = "checkpoint_bell"
ADMITTED = "case_admitted"

STOPPED = "case_stopped"
"""The reason for which nothing is granted while a person looks at the case."""

READINGS = 5
"""How often two agents read a record that changes between them before the authority judges."""

TOO_MANY_ROUNDS = "too_many_rounds"
"""What a case closes with that wants a person's look at why it comes back so often."""

ROUNDS = "rounds"
"""What the memo of a run that continues a case has: how many rounds were taken before it."""

STEP_TIMEOUT = timedelta(minutes=10)
HEARTBEAT_TIMEOUT = timedelta(seconds=10)
"""How long Temporal waits for a worker that says nothing; the plugin's heartbeats come far more
often, so that a killed worker's step is tried again within seconds."""

LOOK_AGAIN = timedelta(hours=1)
"""How long a waiting workflow goes without looking, should every bell be lost."""

LOOK_SOONEST = timedelta(seconds=5)
"""How soon it looks again where the authority's clock, which judges, is behind Temporal's."""

LOOK_DAILY = timedelta(days=1)
"""The same where no deadline ends the wait: a packet is with its borrower for weeks, and a history
has room for 51,200 events (Temporal's limit), of which each look takes about ten."""

_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(seconds=30),
)
_T = TypeVar("_T")
_Read = TypeVar("_Read", bound=Model)


def _alike(first: Model, second: Model) -> bool:
    """Whether two results are the same, but for the parts that each left."""
    return first.model_dump(exclude={"part"}) == second.model_dump(exclude={"part"})


def _until(outcome: Outcome) -> timedelta:
    """How long to wait for a bell: until time alone changes something, as the authority has it."""
    if outcome.look_again is None:
        return LOOK_AGAIN
    return min(max(outcome.look_again - workflow.now(), LOOK_SOONEST), LOOK_AGAIN)


class GovernedWorkflow:
    """The base of a process's workflow. Subclasses set ``definition``.

    ``code_modules`` names modules besides the class's own that order its steps too.

    ``await self.step(...)`` runs an activity on its agent's own task queue;
    ``await self.checkpoint(...)`` asks people and waits for what they decide.
    """

    definition: ProcessDefinition
    code_modules: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self._bells = 0
        self._admissions = 0
        self._stopped = False
        self._waiting_for: str | None = None
        self._returned_by: str | None = None
        self._held = 0

    @workflow.signal(name=BELL)
    def on_bell(self) -> None:
        """Something at the authority has changed: look again."""
        self._bells += 1

    @workflow.signal(name=ADMITTED)
    def on_admitted(self) -> None:
        """A person has admitted the stopped case: try again."""
        self._bells += 1
        self._admissions += 1
        self._stopped = False

    @workflow.query
    def waiting_for(self) -> str | None:
        """The checkpoint that the case waits at, if any."""
        return self._waiting_for

    async def step(
        self,
        activity_type: str,
        request: StepRequest,
        result: type[_T],
        *,
        timeout: timedelta = STEP_TIMEOUT,
        within: timedelta | None = None,
    ) -> _T:
        """Run one governed step on its agent's queue; ``within`` is for all its tries together.

        Raises:
            ActivityError: the step failed for good; :func:`refused_for` says if it was denied.
            LookupError: the definition has no such step.
        """
        step = self.definition.step(activity_type)
        if step is None:
            # The code's own fault: the task is tried again, and the case goes on once it is mended.
            known = ", ".join(each.activity_type for each in self.definition.steps)
            raise LookupError(
                f"the process {self.definition.name} has no step {activity_type!r}; it has {known}"
            )
        answer: _T = await workflow.execute_activity(
            activity_type,
            request,
            result_type=result,
            task_queue=step.agent,
            # The server cuts the parts to the whole: said here, the command stays the code's own.
            schedule_to_close_timeout=within,
            schedule_to_start_timeout=within,
            start_to_close_timeout=timeout if within is None else min(timeout, within),
            heartbeat_timeout=HEARTBEAT_TIMEOUT
            if within is None
            else min(HEARTBEAT_TIMEOUT, within),
            retry_policy=_RETRY,
            summary=f"{step.action} {request.record}",
        )
        if activity_type != STOP_CASE:
            self._stopped = False
            self._tell()
        return answer

    def _tell(self) -> None:
        """Tell Temporal how the case stands, where that has changed."""
        if self._held:
            tell(Stage.STOPPED)
        elif self._waiting_for is not None:
            tell(Stage.WAITING, self._waiting_for)
        elif self._returned_by is not None:
            tell(Stage.RETURNED, self._returned_by)
        else:
            tell(Stage.RUNNING)

    async def patient_step(
        self, activity_type: str, request: StepRequest, result: type[_T], subject: RecordId
    ) -> _T:
        """Run one governed step; if it is denied, stop the case and try again when it goes on.

        Raises:
            ActivityError: the step failed for good and was not denied.
            Unmet: it was to open a checkpoint, and as the case stands it never could.
        """
        while True:
            heard = self._bells
            try:
                return await self.step(activity_type, request, result)
            except ActivityError as error:
                reasons = refused_for(error)
                if not reasons:
                    raise
            await self.stop(request.case, subject, activity_type, reasons, heard)
            if activity_type == OPEN_CHECKPOINT and UNMET in reasons:
                raise Unmet

    async def take(
        self, case: CaseInput, activity_type: str, record: RecordId, result: type[_T]
    ) -> _T:
        """Run one governed step on a record of the case, as :meth:`patient_step` does.

        Raises:
            ActivityError: the step failed for good and was not denied.
        """
        request = StepRequest(case=case.case, record=record)
        return await self.patient_step(activity_type, request, result, case.subject)

    async def take_twice(
        self, case: CaseInput, activity_type: str, again: str, record: RecordId, result: type[_Read]
    ) -> _Read:
        """Run a step that reads a record, and beside it the one by which another agent confirms it.

        Gives what the first came to; whether the second came to the same, the authority judges.
        Both are run anew where they give back another thing than their ``part``, say a version:
        the record changed between the two.

        Raises:
            ActivityError: one of them failed for good and was not denied.
        """
        readings = 0
        while True:
            readings += 1
            first, second = await asyncio.gather(
                *(self.take(case, each, record, result) for each in (activity_type, again))
            )
            if isinstance(first, PartRef) or readings == READINGS or _alike(first, second):
                return first

    async def take_approved(
        self, case: CaseInput, activity_type: str, result: type[_T], forbids: str | None = None
    ) -> _T | NotTaken:
        """Run the step that people have approved, on the case's subject.

        A denial because the approval no longer holds ends it, and one for the reason ``forbids``.
        For any other, the case is stopped, and the step tried again once a person lets it go on;
        where its system said twice that it does not fit its records, all is looked at anew then.

        Raises:
            ActivityError: the step failed for good and was not denied.
        """
        step = self.definition.step(activity_type)
        if step is None or step.approval is None:
            raise LookupError(
                f"the process {self.definition.name} has no step {activity_type!r} that a "
                "checkpoint approves"
            )
        request = StepRequest(case=case.case, record=case.subject)
        looked = False
        while True:
            heard = self._bells
            try:
                return await self.step(activity_type, request, result)
            except ActivityError as error:
                reasons = refused_for(error)
                if not reasons:
                    raise
            if forbids in reasons:
                return NotTaken.FORBIDDEN
            if STOPPED not in reasons:
                outcome = await self.outcome(step.approval, case.case, case.subject)
                if outcome.status is CheckpointStatus.VOIDED:
                    return NotTaken.VOIDED
                if "conflict" in reasons and not looked:
                    # The record changed after the grant: asked again, the authority sees it too.
                    looked = True
                    continue
            await self.stop(case.case, case.subject, activity_type, reasons, heard)
            if "conflict" in reasons:
                return NotTaken.VOIDED

    async def checkpoint(self, name: str, case: CaseId, subject: RecordId) -> Outcome:
        """Ask people at a checkpoint; gives the outcome once there is one, whenever that is.

        Raises:
            Unmet: what it rests on has to be made anew, and a person let the case go on.
        """
        request = CheckpointRequest(case=case, record=subject, checkpoint=name)
        outcome = await self.patient_step(OPEN_CHECKPOINT, request, Outcome, subject)
        if outcome.status is not CheckpointStatus.OPEN:
            return outcome
        self._waiting_for = name
        self._tell()
        try:
            while outcome.status is CheckpointStatus.OPEN:
                heard = self._bells
                outcome = await self.patient_step(READ_OUTCOME, request, Outcome, subject)
                if outcome.status is CheckpointStatus.OPEN:
                    await self._wait(heard, _until(outcome), "look whether people have decided")
        finally:
            self._waiting_for = None
        self._tell()
        return outcome

    async def outcome(self, name: str, case: CaseId, subject: RecordId) -> Outcome:
        """How a checkpoint that was asked stands now."""
        request = CheckpointRequest(case=case, record=subject, checkpoint=name)
        return await self.patient_step(READ_OUTCOME, request, Outcome, subject)

    async def resubmission(self, name: str, case: CaseId, subject: RecordId) -> None:
        """Wait until what a checkpoint has returned was handed in again, whenever that is."""
        while True:
            heard = self._bells
            outcome = await self.outcome(name, case, subject)
            if outcome.status is not CheckpointStatus.RETURNED:
                self._returned_by = None
                return
            self._returned_by = name
            self._tell()
            await self._wait(heard, LOOK_DAILY, "look whether it was handed in again")

    @property
    def bells(self) -> int:
        """How often a bell has rung so far."""
        return self._bells

    async def stop(
        self,
        case: CaseId,
        subject: RecordId,
        activity_type: str,
        reasons: tuple[str, ...],
        heard: int,
    ) -> None:
        """Stop the case for a person to look at; back when it may go on, as the next step tells.

        ``heard`` is :attr:`bells` as it was before the step was tried. Steps side by side stop the
        case once, and no bell but a person's admission makes it stop again; a denial from before
        that stops nothing afterwards. An orchestrator that may not even do that waits as well: the
        authority has stopped the case.
        """
        if not (self._stopped or STOPPED in reasons or self._bells > heard):
            self._stopped = True
            reason = f"{activity_type} was denied: {', '.join(reasons)}"
            request = StopRequest(
                case=case, record=subject, reason=reason[:300], admissions=self._admissions
            )
            try:
                await self.step(STOP_CASE, request, StopRequest)
            except ActivityError as error:
                if not refused_for(error):
                    raise
        self._held += 1
        self._tell()
        try:
            await self._wait(heard, LOOK_DAILY, "look whether a person has admitted the case")
        finally:
            self._held -= 1

    async def _wait(self, heard: int, longest: timedelta, what: str) -> None:
        try:
            await workflow.wait_condition(
                lambda: self._bells > heard, timeout=longest, timeout_summary=what
            )
        except asyncio.TimeoutError:  # noqa: UP041 - what the SDK raises, on every version
            return

    async def rounds(
        self, case: CaseInput, one: Callable[[CaseInput], Awaitable[str | None]], most: int
    ) -> str:
        """Take rounds until one ends with a result, at most so many, and close the case with it.

        Each is checks and decisions; one without a result starts the next, and so does one that had
        nothing to ask people of. Where Temporal says that the history has grown long, the next
        begins in a new run.
        """
        result = TOO_MANY_ROUNDS
        before = workflow.memo_value(ROUNDS, 0, type_hint=int)
        for number in range(before, most):
            if number > before and workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(case, memo={**workflow.memo(), ROUNDS: number})
            try:
                ended = await one(case)
            except Unmet:
                continue
            if ended is not None:
                result = ended
                break
        await self.close(case.case, case.subject, result)
        return result

    async def close(self, case: CaseId, subject: RecordId, result: str) -> None:
        """Close the case. One that is closed already, by a try whose answer was lost, is closed.

        If that is denied, the case is stopped, and closed once a person lets it go on.
        """
        request = CloseRequest(case=case, record=subject, result=result)
        while True:
            heard = self._bells
            try:
                await self.step(CLOSE_CASE, request, CloseRequest)
                break
            except ActivityError as error:
                reasons = refused_for(error)
                if not reasons:
                    raise
            if "case_closed" in reasons:
                break
            await self.stop(case, subject, CLOSE_CASE, reasons, heard)
        tell(Stage.CLOSED, outcome=result)
