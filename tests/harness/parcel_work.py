"""What is done in the parcel process: what its steps tell, and its activities."""

from decimal import Decimal

from temporalio import activity

from placet.agent import current_grant, governed
from placet.model import KeyedValue, Model, PartRef, Proposal, RowCut, digest_json
from placet.process import StepRequest

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
