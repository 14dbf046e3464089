"""What is said to people in many places is said one way."""

import pytest
from pydantic import ValidationError

from placet.model import RowCut, first_error, quantity


@pytest.mark.parametrize(
    ("number", "invoices", "entries"),
    [
        (0, "0 invoices", "0 entries"),
        (1, "1 invoice", "1 entry"),
        (12, "12 invoices", "12 entries"),
    ],
)
def test_one_of_a_kind_is_said_as_one(number: int, invoices: str, entries: str) -> None:
    assert quantity(number, "invoice") == invoices
    assert quantity(number, "entry", "entries") == entries


def test_the_first_error_names_its_place_and_not_the_library_that_found_it() -> None:
    with pytest.raises(ValidationError) as refused:
        RowCut.model_validate({"item": "4", "amount": "x", "reason": "y"})
    place, said = first_error(refused.value)
    assert (place, said) == ("amount", "money must be written like 184200.00, not 'x'")
