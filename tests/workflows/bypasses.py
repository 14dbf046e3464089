"""Workflow code that wants something done without those who must be asked."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from placet.model import CaseInput, PartRef
    from placet.process import StepRequest
    from workflows.budget_reallocation import BudgetReallocation
    from workflows.loan_draw import APPROVAL, LoanDrawReview
    from workflows.payment_resend import PaymentResend
    from workflows.resend_definition import APPROVAL as RESEND_APPROVAL


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


@workflow.defn(name="LoanDrawReview")
class ReadsNothingAnew(LoanDrawReview):
    """A returned packet comes back, and people are asked of the one that they returned."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        await self._analyse(case)
        returned = await self.checkpoint(APPROVAL, case.case, case.subject)
        await self.resubmission(returned.checkpoint, case.case, case.subject)
        await self.checkpoint(APPROVAL, case.case, case.subject)
        return await self._pay(case) or "none"


@workflow.defn(name="LoanDrawReview")
class PaysNothing(LoanDrawReview):
    """People approve, and the case is to end as if they had approved nothing."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        await self._analyse(case)
        await self.checkpoint(APPROVAL, case.case, case.subject)
        await self.close(case.case, case.subject, "nothing_to_pay")
        return "nothing_to_pay"


@workflow.defn(name="BudgetReallocation")
class AsksNobody(BudgetReallocation):
    """The moves are checked, and done at once."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        request = StepRequest(case=case.case, record=case.subject)
        await self.take(case, "read_moves", case.subject, PartRef)
        await self.patient_step("reallocate", request, PartRef, case.subject)
        return "reallocated"


@workflow.defn(name="PaymentResend")
class CallsNobodyBack(PaymentResend):
    """The payment is put before those who approve, and nobody has called its payee back."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        await self._propose(case)
        await self.checkpoint(RESEND_APPROVAL, case.case, case.subject)
        return await self._send(case) or "none"
