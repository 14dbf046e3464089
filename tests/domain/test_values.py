"""What a cell or field says, as a value and the precision it was shown at."""

from decimal import Decimal

import pytest

from activities.packet._values import read_share


@pytest.mark.parametrize(
    ("value", "share", "places"),
    [
        ("43.5%", "0.435", 1),
        ("0.435", "0.435", 1),
        (0.1165, "0.1165", 2),  # rounded as a cell of format 0.00% is, when it was typed in
        (0.5, "0.5", 0),
        (1, "1", 0),
        (0.11652873144, "0.11652873144", 6),
    ],
)
def test_a_share_is_as_precise_as_it_was_written(value: object, share: str, places: int) -> None:
    assert read_share(value) == (Decimal(share), places)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, None, "", "half"])
def test_what_is_no_share_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="is no percentage"):
        read_share(value)
