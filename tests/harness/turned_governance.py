"""Workflow code of reviews and orders that was turned: it takes no answer, or lets one fall."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from placet.governance import IdentityOffboarding, IdentityReview
    from placet.governance._requests import ReviewEnd, SeenOrder
    from placet.model import CONFIRMATION, RECERTIFICATION, CaseInput, PartRef
    from placet.process._workflow import TOO_MANY_ROUNDS


@workflow.defn(name="IdentityReview")
class AsksTheOwnerAgain(IdentityReview):
    """It looks anew at what the owner has decided about, and asks them once more."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Ask twice, and have carried out what came of it."""
        for _ in range(2):
            await self.take(case, "look_at_identity", case.subject, PartRef)
            await self.checkpoint(RECERTIFICATION, case.case, case.subject)
        end = await self.take(case, "carry_out_review", case.subject, ReviewEnd)
        await self.close(case.case, case.subject, end.outcome.value)
        return end.outcome.value


@workflow.defn(name="IdentityReview")
class LetsItFall(IdentityReview):
    """It asks the owner, and has nothing carried out."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Close the case as if nobody had come to anything."""
        await self.take(case, "look_at_identity", case.subject, PartRef)
        await self.checkpoint(RECERTIFICATION, case.case, case.subject)
        await self.close(case.case, case.subject, TOO_MANY_ROUNDS)
        return TOO_MANY_ROUNDS


@workflow.defn(name="IdentityOffboarding")
class AsksSomeoneElse(IdentityOffboarding):
    """It takes no no: it looks anew at the order, and asks whoever has the role."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Ask twice."""
        for _ in range(2):
            await self.take(case, "look_at_order", case.subject, SeenOrder)
            outcome = await self.checkpoint(CONFIRMATION, case.case, case.subject)
        await self.close(case.case, case.subject, outcome.status.value)
        return outcome.status.value
