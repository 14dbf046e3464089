"""Workflow code that was turned: it calls an owner's tool, and asks nobody to confirm it."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from placet.governance import IdentityRotation
    from placet.governance._requests import SeenOrder, ToolRun
    from placet.model import CaseInput


@workflow.defn(name="IdentityRotation")
class Hasty(IdentityRotation):
    """It goes on as if the rules asked for nobody."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Call the tool at once."""
        await self.take(case, "look_at_order", case.subject, SeenOrder)
        await self.take(case, "rotate_identity", case.subject, ToolRun)
        await self.close(case.case, case.subject, "rotated")
        return "rotated"
