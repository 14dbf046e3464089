"""A payment that came back is sent again: it orders the work, and decides nothing.

read the payment and the loan, twice → screen the payee → propose, twice → have the payee called
back → ask for approval → send → close. What people return waits until the loan was handed in anew,
and is looked at and asked anew. An approval that no longer holds goes back to people.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.draw import LoanRef
    from activities.resend import SentRef
    from placet.model import CaseInput, CheckpointStatus, Outcome, PartRef
    from placet.process import GovernedWorkflow, NotTaken, Process
    from workflows.resend_definition import APPROVAL, CALL_BACK, DEFINITION
    from workflows.steps import AUDIT_MODE

MAX_ROUNDS = 20
"""Rounds of one case: a payment that is looked at more often than that wants a person's look."""

_ENDS = {CheckpointStatus.REJECTED, CheckpointStatus.EXPIRED}


@workflow.defn(name="PaymentResend")
class PaymentResend(GovernedWorkflow):
    """One payment that came back."""

    definition = DEFINITION

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Run one case to its end."""
        return await self.rounds(case, self._round, MAX_ROUNDS)

    async def _round(self, case: CaseInput) -> str | None:
        """One proposal, a call-back and a decision; ``None`` starts the next round."""
        await self._propose(case)
        outcome = await self.checkpoint(CALL_BACK, case.case, case.subject)
        if outcome.status is not CheckpointStatus.APPROVED:
            return await self._not_approved(case, outcome)
        if not outcome.amount:
            return "nothing_to_send"
        outcome = await self.checkpoint(APPROVAL, case.case, case.subject)
        if outcome.status is not CheckpointStatus.APPROVED:
            return await self._not_approved(case, outcome)
        return await self._send(case)

    async def _propose(self, case: CaseInput) -> None:
        sent = await self.take_twice(
            case, "read_payment", "read_payment_again", case.subject, SentRef
        )
        loan = "/".join(case.subject.split("/")[:2])
        await self.take_twice(case, "read_loan", "read_loan_again", loan, LoanRef)
        await self.take(case, "screen_payee", sent.payee, PartRef)
        await self.take(case, "propose_resend", case.subject, PartRef)
        await self.take(case, "recompute_resend", case.subject, PartRef)

    async def _not_approved(self, case: CaseInput, outcome: Outcome) -> str | None:
        if outcome.status is CheckpointStatus.RETURNED:
            await self.resubmission(outcome.checkpoint, outcome.case, case.subject)
        return outcome.status.value if outcome.status in _ENDS else None

    async def _send(self, case: CaseInput) -> str | None:
        sent = await self.take_approved(case, "resend_payment", PartRef, AUDIT_MODE)
        if isinstance(sent, NotTaken):
            return None if sent is NotTaken.VOIDED else "flagged"
        return "resent"


PROCESS = Process(definition=DEFINITION, workflow=PaymentResend)
