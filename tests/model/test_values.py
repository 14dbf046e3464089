"""Times and amounts in their one spelling."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import TypeAdapter, ValidationError

from placet.model import UtcTime

_TIME: TypeAdapter[datetime] = TypeAdapter(UtcTime)


def test_a_time_is_kept_in_utc() -> None:
    there = datetime(2026, 11, 24, 4, 50, tzinfo=timezone(timedelta(hours=-5)))
    kept = _TIME.validate_python(there)
    assert (kept, kept.tzinfo) == (datetime(2026, 11, 24, 9, 50, tzinfo=UTC), UTC)
    assert _TIME.dump_json(kept) == b'"2026-11-24T09:50:00Z"'


@pytest.mark.parametrize("moment", [datetime(2026, 11, 24, 9, 50), "2026-11-24T09:50:00"])  # noqa: DTZ001
def test_a_time_without_its_zone_is_none(moment: object) -> None:
    """It would be whatever the machine's own zone makes of it."""
    with pytest.raises(ValidationError, match="a time must say its zone"):
        _TIME.validate_python(moment)
