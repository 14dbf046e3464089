"""The review of a draw in which models read what rules can't: narratives, letters, waivers.

As :mod:`workflows.loan_draw`, and between the packet and the analysis two readers read beside each
other; what they say is held to its places, and goes into the analysis and before people. A reader
that ends otherwise is a finding: the case goes on, with a person.
"""

import asyncio

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.draw import AnalysisRef
    from activities.reading._requests import CheckReading
    from placet.model import CaseInput, PartRef
    from placet.process import Process, ReasoningWorkflow
    from workflows.loan_draw import MAX_ROUNDS, LoanDrawReview
    from workflows.read_definition import DEFINITION, READERS


@workflow.defn(name="LoanDrawRead")
class LoanDrawRead(LoanDrawReview, ReasoningWorkflow):
    """One draw's review, with readers."""

    definition = DEFINITION

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Run one case to its end."""
        return await self.rounds(case, self._round, MAX_ROUNDS)

    async def _analyse(self, case: CaseInput) -> AnalysisRef:
        await self._gather(case)
        runs = await asyncio.gather(
            *(self.reason(reader, case.case, case.subject) for reader in READERS)
        )
        check = CheckReading(case=case.case, record=f"{case.subject}/packet", runs=tuple(runs))
        await asyncio.gather(
            *(
                self.patient_step(each, check, PartRef, case.subject)
                for each in ("check_reading", "check_reading_again")
            )
        )
        analysis = await self.take(case, "analyse_read_draw", case.subject, AnalysisRef)
        await self.take(case, "recompute_read_analysis", case.subject, PartRef)
        return analysis


PROCESS = Process(definition=DEFINITION, workflow=LoanDrawRead)
