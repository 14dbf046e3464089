"""Workflow code that nobody published: it never ends, takes its process along, or does more."""

import os
import threading

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from placet.model import CaseInput, CheckpointStatus, PartRef
    from placet.process import GovernedWorkflow, StepRequest
    from tests.harness.parcels import ParcelCheck
    from tests.harness.processes import DEFINITION


@workflow.defn(name="ParcelCheck", sandboxed=False)
class NeverEnding(GovernedWorkflow):
    """Keeps its thread."""

    definition = DEFINITION

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Never give anything back."""
        threading.Event().wait()  # the fault that is tested
        return ""


@workflow.defn(name="ParcelCheck", sandboxed=False)
class Dying(GovernedWorkflow):
    """Ends its process."""

    definition = DEFINITION

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """End at once."""
        os._exit(7)


@workflow.defn(name="ParcelCheck")
class WeighsTwice(ParcelCheck):
    """A stranger's code on the workflow's task queue: a step more, which policy lets through."""

    definition = DEFINITION

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Weigh once more than the process does."""
        request = StepRequest(case=case.case, record=case.subject)
        await self.step("weigh", request, PartRef)
        await self.step("weigh", request, PartRef)
        await self.step("reweigh", request, PartRef)
        outcome = await self.checkpoint("release", case.case, case.subject)
        result = outcome.status.value
        if outcome.status is CheckpointStatus.APPROVED:
            await self.step("dispatch", request, PartRef)
            result = "dispatched"
        await self.close(case.case, case.subject, result)
        return result
