"""Material that is stored: what of it is paid, and by which bills of sale."""

from decimal import Decimal

from lender.model import LoanFile, Packet
from tests.domain import building
from tests.domain.building import DRAW
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
