"""Change orders: of one row, of several rows, in a log that tells them once, row by row, or twice."""

from decimal import Decimal

import pytest

from lender.model import ChangeOrder, LoanFile, LoggedChangeOrder, Packet, Read
from tests.domain import building
from tests.domain.test_checks_clean import analysed


def changed() -> LoanFile:
    """The loan whose one change order, of 700.00, changed two rows already."""
    loan = building.loan()
    parts = {"01": Decimal("1000.00"), "02": Decimal("-300.00")}
    schedule = tuple(
        row.model_copy(
            update={"scheduled_value": row.scheduled_value - parts.get(row.item, Decimal(0))}
        )
        for row in loan.schedule
    )
    orders = tuple(
        ChangeOrder(number="CO-1", item=item, amount=amount, approved_by="the owner")
        for item, amount in parts.items()
    )
    return loan.model_copy(update={"schedule": schedule, "change_orders": orders})


def logging(*amounts: str) -> Packet:
    packet = building.packet()
    assert packet.application is not None
    summary = packet.application.summary
    assert summary.contract_to_date is not None
    orders: Read[Decimal] = building.at(Decimal("700.00"), "G702!2")
    original = building.at(summary.contract_to_date.value - 700, "G702!1")
    lines = {"change_orders": orders, "original_contract": original}
    application = packet.application.model_copy(
        update={"summary": summary.model_copy(update=lines)}
    )
    log = tuple(
        LoggedChangeOrder(
            number=building.at("CO-1", f"row {n}"),
            amount=building.at(Decimal(amount), f"row {n}"),
            approved_by=building.at("the owner", f"row {n}"),
        )
        for n, amount in enumerate(amounts)
    )
    return packet.model_copy(update={"application": application, "change_orders": log})


@pytest.mark.parametrize(
    ("amounts", "difference"),
    [
        (("700.00",), None),
        (("1000.00", "-300.00"), None),
        (("700.00", "700.00"), None),
        (("1000.00",), "300.00"),
        (("700.00", "0.01"), "0.01"),
    ],
    ids=["once", "row by row", "in a copy", "half of it", "a cent more"],
)
def test_a_change_order_of_several_rows_is_one(
    amounts: tuple[str, ...], difference: str | None
) -> None:
    """Only its last row counted: line 2 was never the sum of the approved change orders."""
    findings = analysed(logging(*amounts), changed()).findings
    assert [each.difference for each in findings] == ([] if difference is None else [difference])
