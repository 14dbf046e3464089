"""One identity's review: it orders the work, and decides nothing.

look at the identity → ask its owner → carry out what they signed, or that they were silent → close.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from placet.governance._definition import DEFINITION
    from placet.governance._requests import ReviewEnd
    from placet.model import RECERTIFICATION, CaseInput, CheckpointStatus, PartRef
    from placet.process import GovernedWorkflow, Process

MAX_ROUNDS = 20
"""Rounds of one case: an approval that keeps falling wants a person's look."""

_SPOKEN = {CheckpointStatus.APPROVED, CheckpointStatus.REJECTED, CheckpointStatus.EXPIRED}


@workflow.defn(name="IdentityReview")
class IdentityReview(GovernedWorkflow):
    """One identity of one campaign."""

    definition = DEFINITION

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Run one case to its end."""
        return await self.rounds(case, self._round, MAX_ROUNDS)

    async def _round(self, case: CaseInput) -> str | None:
        await self.take(case, "look_at_identity", case.subject, PartRef)
        outcome = await self.checkpoint(RECERTIFICATION, case.case, case.subject)
        if outcome.status is CheckpointStatus.RETURNED:
            # It is open in its campaign, and asked anew in another case.
            return outcome.status.value
        if outcome.status not in _SPOKEN:
            return None
        end = await self.take(case, "carry_out_review", case.subject, ReviewEnd)
        return end.outcome.value


PROCESS = Process(definition=DEFINITION, workflow=IdentityReview)
