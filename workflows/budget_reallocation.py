"""The reallocation of an approved budget: it orders the work, and decides nothing.

read the moves and the loan, twice → check them, twice → ask people → reallocate → close. What
people return waits until whoever asked has changed the moves, and is checked and asked anew. An
approval that no longer holds, because the loan has changed, goes back to people on the loan as it
is now.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.draw import LoanRef
    from placet.model import CaseInput, CheckpointStatus, PartRef
    from placet.process import GovernedWorkflow, NotTaken, Process
    from workflows.reallocation_definition import APPROVAL, DEFINITION
    from workflows.steps import AUDIT_MODE

MAX_ROUNDS = 20
"""Rounds of one case: moves that come back more often than that want a person's look."""

_ENDS = {CheckpointStatus.REJECTED, CheckpointStatus.EXPIRED}


@workflow.defn(name="BudgetReallocation")
class BudgetReallocation(GovernedWorkflow):
    """One reallocation."""

    definition = DEFINITION

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Run one case to its end."""
        return await self.rounds(case, self._round, MAX_ROUNDS)

    async def _round(self, case: CaseInput) -> str | None:
        """One check and one decision; ``None`` starts the next round."""
        await self.take_twice(case, "read_moves", "read_moves_again", case.subject, PartRef)
        loan = "/".join(case.subject.split("/")[:2])
        await self.take_twice(case, "read_loan", "read_loan_again", loan, LoanRef)
        await self.take(case, "check_reallocation", case.subject, PartRef)
        await self.take(case, "recompute_reallocation", case.subject, PartRef)
        outcome = await self.checkpoint(APPROVAL, case.case, case.subject)
        if outcome.status in _ENDS:
            return outcome.status.value
        if outcome.status is CheckpointStatus.RETURNED:
            await self.resubmission(outcome.checkpoint, outcome.case, case.subject)
        if outcome.status is not CheckpointStatus.APPROVED:
            return None
        return await self._reallocate(case) if outcome.amount else "nothing_to_apply"

    async def _reallocate(self, case: CaseInput) -> str | None:
        changed = await self.take_approved(case, "reallocate", PartRef, AUDIT_MODE)
        if isinstance(changed, NotTaken):
            return None if changed is NotTaken.VOIDED else "flagged"
        return "reallocated"


PROCESS = Process(definition=DEFINITION, workflow=BudgetReallocation)
