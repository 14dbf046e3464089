"""Workflow code that wants an approval which people have not given."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from placet.model import CaseInput, PartRef
    from placet.process import StepRequest
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
