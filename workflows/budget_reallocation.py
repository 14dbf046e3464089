"""The reallocation of an approved budget: it orders the work, and decides nothing.

read the moves and the loan → check them, twice → ask people → reallocate → close. An approval that
no longer holds, because the loan has changed, goes back to people on the loan as it is now.
"""

from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.draw import LoanRef
    from activities.reallocation import CheckRef
    from placet.model import CaseInput, CheckpointStatus, PartRef, RecordId
    from placet.process import STOPPED, GovernedWorkflow, Process, StepRequest, refused_for
    from workflows.reallocation_definition import APPROVAL, DEFINITION

_T = TypeVar("_T")
AUDIT_MODE = "policy:law.audit-mode-pays-nothing"
"""The reason for which nothing is changed where agents only flag."""

MAX_ROUNDS = 20
"""Rounds of one case: a loan that changes more often than that wants a person's look."""

_ENDS = {CheckpointStatus.REJECTED, CheckpointStatus.RETURNED, CheckpointStatus.EXPIRED}


@workflow.defn(name="BudgetReallocation")
class BudgetReallocation(GovernedWorkflow):
    """One reallocation."""

    definition = DEFINITION

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Run one case to its end."""
        result = "too_many_rounds"
        for _ in range(MAX_ROUNDS):
            ended = await self._round(case)
            if ended is not None:
                result = ended
                break
        await self.close(case.case, case.subject, result)
        return result

    async def _round(self, case: CaseInput) -> str | None:
        """One check and one decision; ``None`` starts the next round."""
        await self._step(case, "read_moves", case.subject, PartRef)
        await self._step(case, "read_loan", "/".join(case.subject.split("/")[:2]), LoanRef)
        check = await self._step(case, "check_reallocation", case.subject, CheckRef)
        await self._step(case, "recompute_reallocation", case.subject, PartRef)
        outcome = await self.checkpoint(APPROVAL, case.case, case.subject)
        if outcome.status in _ENDS:
            return outcome.status.value
        if outcome.status is not CheckpointStatus.APPROVED:
            return None
        return await self._reallocate(case) if check.fits else "nothing_to_apply"

    async def _step(self, case: CaseInput, step: str, record: RecordId, result: type[_T]) -> _T:
        request = StepRequest(case=case.case, record=record)
        return await self.patient_step(step, request, result, case.subject)

    async def _reallocate(self, case: CaseInput) -> str | None:
        request = StepRequest(case=case.case, record=case.subject)
        looked = False
        while True:
            heard = self.bells
            try:
                await self.step("reallocate", request, PartRef)
                return "reallocated"
            except ActivityError as error:
                reasons = refused_for(error)
                if not reasons:
                    raise
            if AUDIT_MODE in reasons:
                return "flagged"
            if STOPPED not in reasons:
                outcome = await self.outcome(APPROVAL, case.case, case.subject)
                if outcome.status is CheckpointStatus.VOIDED:
                    return None  # it no longer holds: people look anew
                if "conflict" in reasons and not looked:
                    # The loan changed after the grant: asked again, the authority sees it as well.
                    looked = True
                    continue
            await self.stop(case.case, case.subject, "reallocate", reasons, heard)


PROCESS = Process(definition=DEFINITION, workflow=BudgetReallocation)
