"""Material that is stored: what of it is paid, and by which bills of sale."""

from decimal import Decimal

import pytest

from lender.model import BillOfSale, LoanFile, Packet
from tests.domain import building
from tests.domain.building import DRAW
from tests.domain.drawing import after_draw
from tests.domain.test_checks_clean import analysed


def retaining(on_stored: str) -> LoanFile:
    """The loan with another rate on stored material."""
    loan = building.loan()
    held = loan.terms.retainage.model_copy(update={"stored_rate": Decimal(on_stored)})
    return loan.model_copy(update={"terms": loan.terms.model_copy(update={"retainage": held})})


def without_bills() -> Packet:
    packet = building.packet()
    bills = tuple(each for each in packet.invoices if not each.bill_of_sale)
    return packet.model_copy(update={"invoices": bills})


def test_material_without_a_bill_is_taken_off_at_the_rate_that_is_held_on_material() -> None:
    """At the rate on work, a tenth of it was paid all the same where nothing is held on material."""
    stored = DRAW[2].stored
    for rate in ("0.00", "0.05", "0.10"):
        (off,) = analysed(without_bills(), retaining(rate)).adjustments
        assert off.amount == stored * (1 - Decimal(rate))


BILL = BillOfSale(item="03", vendor="Timber Yard", number="B-03", amount=DRAW[2].stored)
"""The bill of sale that the packet has for its third row."""


def drawn(*draws: tuple[str, tuple[BillOfSale, ...] | None]) -> LoanFile:
    """The loan after draws with so much material of the third row, and these bills of sale."""
    loan = building.loan()
    (first,) = loan.prior_draws
    *others, last = first.rows
    priors = tuple(
        first.model_copy(
            update={
                "number": number,
                "rows": (*others, last.model_copy(update={"stored": Decimal(stored)})),
                "bills": bills,
            }
        )
        for number, (stored, bills) in enumerate(draws, 1)
    )
    return loan.model_copy(update={"prior_draws": priors})


def unbacked(loan: LoanFile, packet: Packet | None = None) -> list[str | None]:
    found = analysed(packet or building.packet(), loan).findings
    return [each.difference for each in found if each.check == "stored.documented"]


OTHER = BILL.model_copy(update={"number": "B-99"})
USED = {
    "it lies there still": (drawn(("5000.00", (BILL,))), []),
    "it was built in": (drawn(("5000.00", (BILL,)), ("0.00", ())), ["5,000.00"]),
    "it was built in, as other letters": (
        drawn(
            ("5000.00", (BILL.model_copy(update={"number": "b-03", "item": "01"}),)), ("0.00", ())
        ),
        ["5,000.00"],
    ),
    "some of it was built in": (drawn(("5000.00", (BILL,)), ("1200.00", (BILL,))), ["3,800.00"]),
    "the rest comes later": (drawn(("2000.00", (BILL,))), []),
    "what lay there had no bill then": (drawn(("5000.00", ())), []),
    "what had no bill was built in": (drawn(("5000.00", ()), ("0.00", ())), []),
    "what lies there has no bill": (drawn(("700.00", ())), []),
    "another bill was used": (drawn(("5000.00", (OTHER,)), ("0.00", ())), []),
    "nobody knows": (drawn(("5000.00", None), ("0.00", None)), []),
}


@pytest.mark.parametrize("name", USED)
def test_a_bill_of_sale_covers_material_once(name: str) -> None:
    """Kept in the packets, it covered the same amount again and again, however much was built in."""
    loan, found = USED[name]
    assert unbacked(loan) == found


def test_a_bill_of_sale_covers_one_row() -> None:
    packet = building.packet()
    bill = packet.invoices[-1]
    again = bill.model_copy(update={"item": building.at("01", "field item")})
    assert packet.application is not None
    first, *others = packet.application.rows
    stored = first.model_copy(update={"stored": building.at(DRAW[2].stored, "G703!F01")})
    application = packet.application.model_copy(update={"rows": (stored, *others)})
    both = packet.model_copy(
        update={"invoices": (*packet.invoices, again), "application": application}
    )
    assert unbacked(building.loan(), both) == ["5,000.00"]


def test_a_draw_keeps_its_bills_of_sale() -> None:
    analysis = analysed(building.packet(), building.loan())
    last = after_draw(building.loan(), analysis).last_draw
    assert last is not None
    assert last.bills == analysis.bills == (BILL,)


def test_material_above_the_rows_value_is_taken_off_as_material() -> None:
    """What was seen to be built is, so that it is the material that the row has no value left for."""
    line = building.more(DRAW[2], this_period=Decimal("94000.00"))  # and 5000.00 are stored
    lines = (*DRAW[:2], line)
    loan = building.loan(lines)
    held = loan.terms.retainage.model_copy(update={"stored_rate": Decimal(0)})
    terms = loan.terms.model_copy(update={"retainage": held})
    (off,) = analysed(building.packet(lines), loan.model_copy(update={"terms": terms})).adjustments
    assert off.amount == Decimal("1000.00")
