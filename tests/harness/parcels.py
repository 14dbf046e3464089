"""The parcel process's workflow and activities."""

from decimal import Decimal

from temporalio import activity, workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from placet.agent import current_grant, governed
    from placet.model import (
        CaseInput,
        CheckpointStatus,
        KeyedValue,
        Model,
        PartRef,
        Proposal,
        RowCut,
        digest_json,
    )
    from placet.process import GovernedWorkflow, StepRequest, refused_for
    from tests.harness.processes import DEFINITION

VALUES: dict[str, Decimal] = {}
"""What a parcel is worth, by record: what the scale finds."""

INSPECTORS: dict[str, str] = {}
"""Who inspected a parcel, by record, as a document would name them."""


class Weight(Model):
    """What the scale says, and who looked at it."""

    value: str
    inspected_by: str | None = None


class Cut(RowCut):
    """What someone took off."""

    by: str
    act: str


class Cuts(Model):
    """What people took off."""

    rows: tuple[Cut, ...]


class KeyedByHand(KeyedValue):
    """What someone read on the label."""

    by: str
    act: str


class Keyed(Model):
    """What people keyed."""

    values: tuple[KeyedByHand, ...]


class Dispatched(Model):
    """What the carrier was allowed."""

    max_amount: str
    approvals: int


@activity.defn
@governed(action="parcel:weigh", system="authority")
async def weigh(request: StepRequest) -> PartRef:
    """Weigh a parcel."""
    asked = VALUES.get(request.record, Decimal("80.00"))
    for part in await current_grant().inputs("keyed"):
        asked = Decimal(Keyed.model_validate(part.part.data).values[-1].value)
    cut = Cuts(rows=())
    for part in await current_grant().inputs("cuts"):
        cut = Cuts.model_validate(part.part.data)
    value = asked - sum(each.amount for each in cut.rows)
    current_grant().reason("the scale was read once")
    proposal = Proposal(
        amount=value,
        requested=asked,
        payments_digest=digest_json([str(value)]),
        adjustments_digest=digest_json(cut) if cut.rows else None,
    )
    weight = Weight(value=str(value), inspected_by=INSPECTORS.get(request.record))
    return current_grant().keep("weight", weight, proposal)


@activity.defn
@governed(action="parcel:weigh", system="authority")
async def reweigh(request: StepRequest) -> PartRef:
    """Weigh it again, by another agent."""
    (found,) = await current_grant().inputs("weight")
    value = Weight.model_validate(found.part.data)
    return current_grant().keep("second_weight", value, found.part.proposal)


@activity.defn
@governed(action="parcel:dispatch", system="authority")
async def dispatch(request: StepRequest) -> PartRef:
    """Send the parcel off: only with what people fixed."""
    details = current_grant().details
    return current_grant().keep(
        "dispatched",
        Dispatched(max_amount=f"{details.max_amount:.2f}", approvals=len(details.approvals or ())),
    )


@workflow.defn(name="ParcelCheck")
class ParcelCheck(GovernedWorkflow):
    """Weigh, ask, dispatch, close."""

    definition = DEFINITION

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Run one case."""
        request = StepRequest(case=case.case, record=case.subject)
        while True:
            await self.step("weigh", request, PartRef)
            await self.step("reweigh", request, PartRef)
            outcome = await self.checkpoint("release", case.case, case.subject)
            if outcome.status is not CheckpointStatus.VOIDED:
                break
        result = outcome.status.value
        if outcome.status is CheckpointStatus.APPROVED:
            try:
                await self.step("dispatch", request, PartRef)
                result = "dispatched"
            except ActivityError as error:
                if not refused_for(error):
                    raise
                result = "refused"
        await self.close(case.case, case.subject, result)
        return result


@workflow.defn(name="ParcelCheck")
class DoubtingCheck(ParcelCheck):
    """It asks people, and before it acts on what they said, it looks and asks once more."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Ask, and then do all of it again."""
        request = StepRequest(case=case.case, record=case.subject)
        await self.step("weigh", request, PartRef)
        await self.step("reweigh", request, PartRef)
        await self.checkpoint("release", case.case, case.subject)
        return await super().run(case)


@workflow.defn(name="ParcelCheck")
class ContinuingCheck(ParcelCheck):
    """The same work in a second run: a workflow that would become too long goes on anew."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Weigh, and begin again."""
        if workflow.info().continued_run_id is None:
            await self.step("weigh", StepRequest(case=case.case, record=case.subject), PartRef)
            workflow.continue_as_new(case)
        return await super().run(case)


@workflow.defn(name="ParcelCheck")
class RoundsCheck(ParcelCheck):
    """The same work in rounds, of which the first comes to nothing."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Take rounds."""
        return await self.rounds(case, self._one, 3)

    async def _one(self, case: CaseInput) -> str | None:
        request = StepRequest(case=case.case, record=case.subject)
        await self.step("weigh", request, PartRef)
        if workflow.info().continued_run_id is None:
            return None
        await self.step("reweigh", request, PartRef)
        await self.checkpoint("release", case.case, case.subject)
        await self.step("dispatch", request, PartRef)
        return "dispatched"


@workflow.defn(name="ParcelCheck")
class WeighsTwice(ParcelCheck):
    """The next version, changed without a branch for older cases: it weighs once more."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Weigh, and do what was always done."""
        await self.step("weigh", StepRequest(case=case.case, record=case.subject), PartRef)
        return await super().run(case)


@workflow.defn(name="ParcelCheck")
class SkippingCheck(GovernedWorkflow):
    """Workflow code that goes to dispatch without asking anyone."""

    definition = DEFINITION

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Try to get around the people."""
        request = StepRequest(case=case.case, record=case.subject)
        await self.step("weigh", request, PartRef)
        try:
            await self.step("dispatch", request, PartRef)
        except ActivityError as error:
            return ",".join(refused_for(error))
        return "dispatched"


@workflow.defn(name="ParcelCheck")
class UnaskedCheck(GovernedWorkflow):
    """Workflow code that takes the approved step, and has asked nobody."""

    definition = DEFINITION

    @workflow.run
    async def run(self, case: CaseInput) -> None:
        """Take the step as if people had approved it."""
        await self.take(case, "weigh", case.subject, PartRef)
        await self.take_approved(case, "dispatch", PartRef)


@workflow.defn(name="ParcelCheck")
class FailingCheck(GovernedWorkflow):
    """Workflow code that fails for good after its first step."""

    definition = DEFINITION

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Weigh, and fail."""
        await self.step("weigh", StepRequest(case=case.case, record=case.subject), PartRef)
        raise ApplicationError("no way on", non_retryable=True)


PINNED = DEFINITION.model_copy(update={"name": "pinned-check", "code": "sha-256:" + "A" * 43})


@workflow.defn(name="ParcelCheck")
class Unpublished(ParcelCheck):
    """Other code than was published: somebody changed it and raised no version."""

    definition = PINNED

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """As before."""
        return await super().run(case)
