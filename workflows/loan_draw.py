"""The review of one draw: it orders the work; who may do what is decided elsewhere.

read the packet and the loan → match invoices, screen payees → analyse, twice → ask compliance, if
it must look → ask for approval → look again → disburse → close. A returned packet starts the checks
again on its new version; an approval that no longer holds goes back to people; a step that is
denied for another reason stops the case, and is taken once a person has let it go on.
"""

import asyncio
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.draw import (
        AnalysisRef,
        DisbursementRef,
        LoanRef,
        LookRef,
        PacketRef,
    )
    from placet.model import CaseInput, CheckpointStatus, Outcome, PartRef, RecordId
    from placet.process import STOPPED, GovernedWorkflow, Process, StepRequest, refused_for
    from workflows.definition import DEFINITION

_T = TypeVar("_T")
APPROVAL = "draw-approval"
AUDIT_MODE = "policy:law.audit-mode-pays-nothing"
"""The reason for which nothing is paid where agents only flag."""

MAX_ROUNDS = 20
"""Rounds of one case: a packet that comes back more often wants a person's look at the case."""


@workflow.defn(name="LoanDrawReview")
class LoanDrawReview(GovernedWorkflow):
    """One draw's review."""

    definition = DEFINITION

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
        analysis = await self._analyse(case)
        if analysis.compliance:
            outcome = await self.checkpoint("compliance", case.case, case.subject)
            if outcome.status is not CheckpointStatus.APPROVED:
                return await self._not_approved(outcome, case.subject)
        outcome = await self.checkpoint(APPROVAL, case.case, case.subject)
        if outcome.status is not CheckpointStatus.APPROVED:
            return await self._not_approved(outcome, case.subject)
        if not analysis.payable:
            return "nothing_to_pay"
        return await self._pay(case)

    async def _not_approved(self, outcome: Outcome, subject: RecordId) -> str | None:
        if outcome.status is CheckpointStatus.RETURNED:
            await self.resubmission(outcome.checkpoint, outcome.case, subject)
            return None
        again = outcome.status in {CheckpointStatus.RESUBMITTED, CheckpointStatus.VOIDED}
        return None if again else outcome.status.value

    async def _analyse(self, case: CaseInput) -> AnalysisRef:
        subject = case.subject
        loan_id, draw = subject.split("/")[1], int(subject.split("/")[3])
        await self._step(case, "read_packet", f"{subject}/packet", PacketRef)
        loan = await self._step(case, "read_loan", f"loan/{loan_id}", LoanRef)
        if 0 < loan.last_draw < draw:
            earlier = f"loan/{loan_id}/draw/{loan.last_draw}"
            await self._step(case, "read_earlier_draw", earlier, PartRef)
        await asyncio.gather(
            self._step(case, "match_invoices", subject, PartRef),
            *(self._step(case, "screen_payee", payee, PartRef) for payee in loan.payees),
        )
        analysis = await self._step(case, "analyse_draw", subject, AnalysisRef)
        await self._step(case, "recompute_analysis", subject, PartRef)
        return analysis

    async def _step(self, case: CaseInput, step: str, record: RecordId, result: type[_T]) -> _T:
        request = StepRequest(case=case.case, record=record)
        return await self.patient_step(step, request, result, case.subject)

    async def _pay(self, case: CaseInput) -> str | None:
        loan = "/".join(case.subject.split("/")[:2])
        look = await self._step(case, "look_again", loan, LookRef)
        if not look.unchanged:
            return None
        request = StepRequest(case=case.case, record=case.subject)
        looked = False
        while True:
            heard = self.bells
            try:
                await self.step("disburse", request, DisbursementRef)
                return "disbursed"
            except ActivityError as error:
                reasons = refused_for(error)
                if not reasons:
                    raise
            if AUDIT_MODE in reasons:
                return "flagged"
            if STOPPED not in reasons:
                outcome = await self.outcome(APPROVAL, case.case, case.subject)
                if outcome.status is CheckpointStatus.VOIDED:
                    return None  # the authority says that it no longer holds: people look anew
                if "conflict" in reasons and not looked:
                    # The loan changed after the grant: asked again, the authority sees it as well.
                    looked = True
                    continue
            await self.stop(case.case, case.subject, "disburse", reasons, heard)


PROCESS = Process(definition=DEFINITION, workflow=LoanDrawReview)
