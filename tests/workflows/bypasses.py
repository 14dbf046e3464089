"""Workflow code that wants a changed account paid without the call-back."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from placet.model import CaseInput
    from workflows.loan_draw import APPROVAL, LoanDrawReview


@workflow.defn(name="LoanDrawReview")
class SkipsCompliance(LoanDrawReview):
    """The people of compliance are not asked at all."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        await self._analyse(case)
        await self.checkpoint(APPROVAL, case.case, case.subject)
        return await self._pay(case) or "none"


@workflow.defn(name="LoanDrawReview")
class IgnoresCompliance(LoanDrawReview):
    """They are asked, say no, and are not heard."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        await self._analyse(case)
        await self.checkpoint("compliance", case.case, case.subject)
        await self.checkpoint(APPROVAL, case.case, case.subject)
        return await self._pay(case) or "none"
