"""Other workflows of the parcel process: of later versions, and such as do what they must not."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from placet.model import CaseInput, PartRef
    from placet.process import GovernedWorkflow, StepRequest, refused_for
    from tests.harness.parcels import ParcelCheck
    from tests.harness.processes import DEFINITION


@workflow.defn(name="ParcelCheck")
class DoubtingCheck(ParcelCheck):
    """It asks people, and before it acts on what they said, it looks and asks once more."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Ask, and then do all of it again."""
        request = StepRequest(case=case.case, record=case.subject)
        await self.step("weigh", request, PartRef)
        await self.step("reweigh", request, PartRef)
        await self.checkpoint("release", case.case, case.subject)
        return await super().run(case)


@workflow.defn(name="ParcelCheck")
class ContinuingCheck(ParcelCheck):
    """The same work in a second run: a workflow that would become too long goes on anew."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Weigh, and begin again."""
        if workflow.info().continued_run_id is None:
            await self.step("weigh", StepRequest(case=case.case, record=case.subject), PartRef)
            workflow.continue_as_new(case)
        return await super().run(case)


@workflow.defn(name="ParcelCheck")
class RoundsCheck(ParcelCheck):
    """The same work in rounds, of which the first comes to nothing."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Take rounds."""
        return await self.rounds(case, self._one, 3)

    async def _one(self, case: CaseInput) -> str | None:
        request = StepRequest(case=case.case, record=case.subject)
        await self.step("weigh", request, PartRef)
        if workflow.info().continued_run_id is None:
            return None
        await self.step("reweigh", request, PartRef)
        await self.checkpoint("release", case.case, case.subject)
        await self.step("dispatch", request, PartRef)
        return "dispatched"


@workflow.defn(name="ParcelCheck")
class WeighsTwice(ParcelCheck):
    """The next version, changed without a branch for older cases: it weighs once more."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Weigh, and do what was always done."""
        await self.step("weigh", StepRequest(case=case.case, record=case.subject), PartRef)
        return await super().run(case)


@workflow.defn(name="ParcelCheck")
class SkippingCheck(GovernedWorkflow):
    """Workflow code that goes to dispatch without asking anyone."""

    definition = DEFINITION

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Try to get around the people."""
        request = StepRequest(case=case.case, record=case.subject)
        await self.step("weigh", request, PartRef)
        try:
            await self.step("dispatch", request, PartRef)
        except ActivityError as error:
            return ",".join(refused_for(error))
        return "dispatched"


@workflow.defn(name="ParcelCheck")
class UnaskedCheck(GovernedWorkflow):
    """Workflow code that takes the approved step, and has asked nobody."""

    definition = DEFINITION

    @workflow.run
    async def run(self, case: CaseInput) -> None:
        """Take the step as if people had approved it."""
        await self.take(case, "weigh", case.subject, PartRef)
        await self.take_approved(case, "dispatch", PartRef)


@workflow.defn(name="ParcelCheck")
class FailingCheck(GovernedWorkflow):
    """Workflow code that fails for good after its first step."""

    definition = DEFINITION

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Weigh, and fail."""
        await self.step("weigh", StepRequest(case=case.case, record=case.subject), PartRef)
        raise ApplicationError("no way on", non_retryable=True)


PINNED = DEFINITION.model_copy(update={"name": "pinned-check", "code": "sha-256:" + "A" * 43})


@workflow.defn(name="ParcelCheck")
class Unpublished(ParcelCheck):
    """Other code than was published: somebody changed it and raised no version."""

    definition = PINNED

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """As before."""
        return await super().run(case)
