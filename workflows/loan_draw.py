"""The review of one draw: it orders the work; who may do what is decided elsewhere.

read the packet and the loan, twice → match invoices, screen payees → analyse, twice → ask
compliance, if it must look → ask for approval → look again → disburse → close. A returned packet
starts the checks again on its new version; an approval that no longer holds goes back to people; a
step that is denied for another reason stops the case, and is taken once a person has let it go on.
"""

import asyncio

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.draw import (
        AnalysisRef,
        DisbursementRef,
        LoanRef,
        LookRef,
        PacketRef,
    )
    from placet.model import CaseInput, CheckpointStatus, Outcome, PartRef, RecordId
    from placet.process import GovernedWorkflow, NotTaken, Process
    from workflows.definition import DEFINITION
    from workflows.steps import AUDIT_MODE

APPROVAL = "draw-approval"

MAX_ROUNDS = 20
"""Rounds of one case: a packet that comes back more often wants a person's look at the case."""


@workflow.defn(name="LoanDrawReview")
class LoanDrawReview(GovernedWorkflow):
    """One draw's review."""

    definition = DEFINITION

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Run one case to its end."""
        return await self.rounds(case, self._round, MAX_ROUNDS)

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
        return await self._pay(case) if outcome.amount else "nothing_to_pay"

    async def _not_approved(self, outcome: Outcome, subject: RecordId) -> str | None:
        if outcome.status is CheckpointStatus.RETURNED:
            await self.resubmission(outcome.checkpoint, outcome.case, subject)
            return None
        again = outcome.status in {CheckpointStatus.RESUBMITTED, CheckpointStatus.VOIDED}
        return None if again else outcome.status.value

    async def _analyse(self, case: CaseInput) -> AnalysisRef:
        await self._gather(case)
        analysis = await self.take(case, "analyse_draw", case.subject, AnalysisRef)
        await self.take(case, "recompute_analysis", case.subject, PartRef)
        return analysis

    async def _gather(self, case: CaseInput) -> None:
        """Read and ask what the analysis rests on."""
        subject = case.subject
        loan_id, draw = subject.split("/")[1], int(subject.split("/")[3])
        await self.take_twice(
            case, "read_packet", "read_packet_again", f"{subject}/packet", PacketRef
        )
        loan = await self.take_twice(
            case, "read_loan", "read_loan_again", f"loan/{loan_id}", LoanRef
        )
        if 0 < loan.last_draw < draw:
            earlier = f"loan/{loan_id}/draw/{loan.last_draw}"
            await self.take(case, "read_earlier_draw", earlier, PartRef)
        await asyncio.gather(
            self.take(case, "match_invoices", subject, PartRef),
            *(self.take(case, "screen_payee", payee, PartRef) for payee in loan.payees),
        )

    async def _pay(self, case: CaseInput) -> str | None:
        loan = "/".join(case.subject.split("/")[:2])
        look = await self.take(case, "look_again", loan, LookRef)
        if not look.unchanged:
            return None
        paid = await self.take_approved(case, "disburse", DisbursementRef, AUDIT_MODE)
        if isinstance(paid, NotTaken):
            return None if paid is NotTaken.VOIDED else "flagged"
        return "disbursed"


PROCESS = Process(definition=DEFINITION, workflow=LoanDrawReview)
