"""What time it is, and how wrong a test lets one process be about it.

``PLACET_CLOCK_SKEW`` is in seconds, ahead or, with a minus, behind. Whoever can set a process's
environment can do worse; nothing else reads it.
"""

import os
from datetime import UTC, datetime, timedelta

_SKEW = timedelta(seconds=float(os.environ.get("PLACET_CLOCK_SKEW") or 0))


def system_clock() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC) + _SKEW
