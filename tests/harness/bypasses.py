"""Workflow code that wants an approval which people have not given."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from placet.model import CaseInput, PartRef
    from placet.process import STOP_CASE, StepRequest, StopRequest, refused_for
    from tests.harness import parcels


@workflow.defn(name="ParcelCheck")
class AsksAgain(parcels.ParcelCheck):
    """Asks a second time on the very same evidence, whatever people have said."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        request = StepRequest(case=case.case, record=case.subject)
        await self.step("weigh", request, PartRef)
        await self.step("reweigh", request, PartRef)
        await self.checkpoint("release", case.case, case.subject)
        outcome = await self.checkpoint("release", case.case, case.subject)
        await self.close(case.case, case.subject, outcome.status.value)
        return outcome.status.value


@workflow.defn(name="ParcelCheck")
class AsksUnconfirmed(parcels.ParcelCheck):
    """Asks people on one agent's word, where the process has a second one look."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        request = StepRequest(case=case.case, record=case.subject)
        await self.step("weigh", request, PartRef)
        outcome = await self.checkpoint("release", case.case, case.subject)
        return outcome.status.value


@workflow.defn(name="ParcelCheck")
class ClaimsItWasSent(parcels.ParcelCheck):
    """Closes its case with a result that nothing stands behind."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        await self.step("weigh", StepRequest(case=case.case, record=case.subject), PartRef)
        await self.close(case.case, case.subject, "dispatched")
        return "dispatched"


@workflow.defn(name="ParcelCheck")
class StopsLate(parcels.ParcelCheck):
    """Stops its case, and once more with a word from before a person admitted it."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Run one case."""
        request = StopRequest(case=case.case, record=case.subject, reason="a look, please")
        await self.step(STOP_CASE, request, StopRequest)
        await workflow.wait_condition(lambda: self.bells > 0)
        try:
            await self.step(STOP_CASE, request, StopRequest)
        except ActivityError as error:
            if refused_for(error) != ("I1", "admitted_since"):
                raise
        return await super().run(case)


@workflow.defn(name="ParcelCheck")
class StopsInEachRun(parcels.ParcelCheck):
    """Stops its case, continues as new once a person admitted it, and stops it again."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        request = StopRequest(case=case.case, record=case.subject, reason="a look, please")
        await self.step(STOP_CASE, request, StopRequest)
        await workflow.wait_condition(lambda: self.bells > 0)
        if workflow.info().continued_run_id is None:
            workflow.continue_as_new(case)
        return await super().run(case)
