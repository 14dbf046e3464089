"""The day, as the checks take it."""

from datetime import UTC, date, datetime


def today() -> date:
    """The day now, in UTC."""
    return datetime.now(UTC).date()
