"""Rotating and offboarding an identity that others own: they order the work, and decide nothing.

look at the order → a person confirms it, where one must → the owner's own tool, which proves what
it did → close. A tool that failed, or told nothing, is called again only when a person says so.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from placet.governance._orders import (
        DONE,
        ENDED_BEFORE,
        GIVEN_UP,
        LOOK,
        NOT_CONFIRMED,
        OFFBOARD,
        OFFBOARDING,
        ROTATE,
        ROTATE_CONFIRMED,
        ROTATION,
    )
    from placet.governance._requests import SeenOrder, ToolRun
    from placet.model import ANOTHER_TRY, CONFIRMATION, CaseInput, CheckpointStatus, Goal
    from placet.process import GovernedWorkflow, NotTaken, Process

MAX_ROUNDS = 20
"""Rounds of one case, each with a confirmation of its own."""

MAX_TRIES = 20
"""Tries of the tool under one confirmation; each but the first has a person's word."""


class _Ordered(GovernedWorkflow):
    """What both have in common."""

    async def _round(self, case: CaseInput, goal: Goal, confirmed: str) -> str | None:
        seen = await self.take(case, LOOK, case.subject, SeenOrder)
        if seen.confirm:
            outcome = await self.checkpoint(CONFIRMATION, case.case, case.subject)
            if outcome.status in NOT_CONFIRMED:
                return outcome.status.value
            if outcome.status is not CheckpointStatus.APPROVED:
                return None
        for _ in range(MAX_TRIES):
            ran = await self._call(case, confirmed if seen.confirm else None)
            if isinstance(ran, NotTaken):
                return ENDED_BEFORE if ran is NotTaken.FORBIDDEN else None
            if ran.done:
                return DONE[goal]
            again = await self.checkpoint(ANOTHER_TRY, case.case, case.subject)
            if again.status is not CheckpointStatus.APPROVED:
                return GIVEN_UP
        return None

    async def _call(self, case: CaseInput, confirmed: str | None) -> ToolRun | NotTaken:
        """One try of the tool; forbidden: the identity has ended since it was ordered."""
        if confirmed is None:
            return await self.take(case, ROTATE, case.subject, ToolRun)
        return await self.take_approved(case, confirmed, ToolRun, "past_end_date")


@workflow.defn(name="IdentityRotation")
class IdentityRotation(_Ordered):
    """One rotation."""

    definition = ROTATION

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Run one case to its end."""
        return await self.rounds(case, self._rotate, MAX_ROUNDS)

    async def _rotate(self, case: CaseInput) -> str | None:
        return await self._round(case, Goal.ROTATE, ROTATE_CONFIRMED)


@workflow.defn(name="IdentityOffboarding")
class IdentityOffboarding(_Ordered):
    """One offboarding."""

    definition = OFFBOARDING

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Run one case to its end."""
        return await self.rounds(case, self._offboard, MAX_ROUNDS)

    async def _offboard(self, case: CaseInput) -> str | None:
        return await self._round(case, Goal.OFFBOARD, OFFBOARD)


ROTATION_PROCESS = Process(definition=ROTATION, workflow=IdentityRotation)
OFFBOARDING_PROCESS = Process(definition=OFFBOARDING, workflow=IdentityOffboarding)
