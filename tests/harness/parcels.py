"""The parcel process's workflow.

It stands alone: Temporal's sandbox imports this module anew for each case and each replay, and
each workflow that is defined in it takes a millisecond.
"""

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from placet.model import CaseInput, CheckpointStatus, PartRef
    from placet.process import GovernedWorkflow, StepRequest, refused_for
    from tests.harness.processes import DEFINITION


@workflow.defn(name="ParcelCheck")
class ParcelCheck(GovernedWorkflow):
    """Weigh, ask, dispatch, close."""

    definition = DEFINITION

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Run one case."""
        request = StepRequest(case=case.case, record=case.subject)
        while True:
            await self.step("weigh", request, PartRef)
            await self.step("reweigh", request, PartRef)
            outcome = await self.checkpoint("release", case.case, case.subject)
            if outcome.status is not CheckpointStatus.VOIDED:
                break
        result = outcome.status.value
        if outcome.status is CheckpointStatus.APPROVED:
            try:
                await self.step("dispatch", request, PartRef)
                result = "dispatched"
            except ActivityError as error:
                if not refused_for(error):
                    raise
                result = "refused"
        await self.close(case.case, case.subject, result)
        return result
