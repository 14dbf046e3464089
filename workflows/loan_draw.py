"""The review of one draw: it orders the work; who may do what is decided elsewhere.

read the packet and the loan → match invoices, screen payees → analyse, twice → ask compliance, if
it must look → ask for approval → look again → disburse → close. A returned packet starts the checks
again on its new version; an approval that no longer holds goes back to people.
"""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.draw import (
        AnalysisRef,
        DisbursementRef,
        DrawRequestInput,
        LoanRef,
        LookRef,
        PacketRef,
    )
    from placet.model import CaseInput, CheckpointStatus, PartRef
    from placet.process import GovernedWorkflow, Process, StepRequest, refused_for
    from workflows.definition import DEFINITION

MAX_ROUNDS = 20
"""Rounds of one case: a packet that comes back more often wants a person's look at the case."""


@workflow.defn(name="LoanDrawReview")
class LoanDrawReview(GovernedWorkflow):
    """One draw's review."""

    definition = DEFINITION

    def __init__(self) -> None:
        super().__init__()
        self._resubmissions = 0

    @workflow.signal
    def packet_resubmitted(self) -> None:
        """Document storage has a new version of the packet: a bell, like the others."""
        self._resubmissions += 1

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Run one case to its end."""
        result = "too_many_rounds"
        for _ in range(MAX_ROUNDS):
            ended = await self._round(case)
            if ended is not None:
                result = ended
                break
        await self.close(case.case, case.subject, result)
        return result

    async def _round(self, case: CaseInput) -> str | None:
        """One round of checks and decisions; ``None`` starts the next one."""
        heard = self._resubmissions
        analysis = await self._analyse(case)
        if analysis.compliance:
            outcome = await self.checkpoint("compliance", case.case, case.subject)
            if outcome.status is not CheckpointStatus.APPROVED:
                return await self._not_approved(outcome.status, heard)
        outcome = await self.checkpoint("draw-approval", case.case, case.subject)
        if outcome.status is not CheckpointStatus.APPROVED:
            return await self._not_approved(outcome.status, heard)
        if not analysis.payable:
            return "nothing_to_pay"
        return await self._pay(case)

    async def _not_approved(self, status: CheckpointStatus, heard: int) -> str | None:
        if status is CheckpointStatus.RETURNED:
            await workflow.wait_condition(lambda: self._resubmissions > heard)
            return None
        return None if status is CheckpointStatus.VOIDED else status.value

    async def _analyse(self, case: CaseInput) -> AnalysisRef:
        subject = case.subject
        loan_id, draw = subject.split("/")[1], int(subject.split("/")[3])
        today = workflow.now().date().isoformat()
        await self.step(
            "read_packet",
            StepRequest(case=case.case, record=f"{subject}/packet"),
            PacketRef,
        )
        loan = await self.step(
            "read_loan", StepRequest(case=case.case, record=f"loan/{loan_id}"), LoanRef
        )
        if 0 < loan.last_draw < draw:
            earlier = StepRequest(case=case.case, record=f"loan/{loan_id}/draw/{loan.last_draw}")
            await self.step("read_earlier_draw", earlier, PartRef)
        await asyncio.gather(
            self.step("match_invoices", StepRequest(case=case.case, record=subject), PartRef),
            *(
                self.step("screen_payee", StepRequest(case=case.case, record=payee), PartRef)
                for payee in loan.payees
            ),
        )
        request = DrawRequestInput(case=case.case, record=subject, today=today)
        analysis = await self.step("analyse_draw", request, AnalysisRef)
        await self.step("recompute_analysis", request, PartRef)
        return analysis

    async def _pay(self, case: CaseInput) -> str | None:
        loan = "/".join(case.subject.split("/")[:2])
        look = await self.step("look_again", StepRequest(case=case.case, record=loan), LookRef)
        if not look.unchanged:
            return None
        request = StepRequest(case=case.case, record=case.subject)
        try:
            await self.step("disburse", request, DisbursementRef)
        except ActivityError as error:
            reasons = refused_for(error)
            if not reasons:
                raise
            if "policy:law.audit-mode-pays-nothing" in reasons:
                return "flagged"
            return None  # the authority has voided the approval: people look at it anew
        return "disbursed"


PROCESS = Process(definition=DEFINITION, workflow=LoanDrawReview)
