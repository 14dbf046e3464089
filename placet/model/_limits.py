"""What an identity may do at most before it is slowed down, looked at by a person, or suspended."""

from enum import StrEnum

from pydantic import Field

from placet.model._ids import Name
from placet.model._time import Calendar
from placet.model._values import Model

DAY = 24 * 60 * 60


class Measure(StrEnum):
    """What is counted of an identity. ``hours``: nothing is, only the time of day is looked at."""

    GRANTS = "grants"
    RECORDS = "records"
    """Different records that it was granted something on."""
    DENIALS = "denials"
    CASE_DENIALS = "case-denials"
    """Denials of its own running steps in one case."""
    HOURS = "hours"


class Beyond(StrEnum):
    """What happens beyond a limit. ``person``: the case is stopped until a person admits it."""

    THROTTLE = "throttle"
    PERSON = "person"
    SUSPEND = "suspend"


class Limit(Model):
    """So many at most within so many seconds; of these agents, or of every one."""

    agents: tuple[Name, ...] = Field(default=(), max_length=100)
    measure: Measure
    at_most: int = Field(ge=1, le=10_000)
    within_seconds: int = Field(ge=1, le=DAY)
    beyond: Beyond


class WorkingHours(Model):
    """When agents may work: a calendar's hours; of these agents, or of every one."""

    agents: tuple[Name, ...] = Field(default=(), max_length=100)
    calendar: Calendar
    beyond: Beyond


DENIED_OFTEN = Limit(
    measure=Measure.CASE_DENIALS, at_most=4, within_seconds=3600, beyond=Beyond.PERSON
)
"""In force unless told otherwise: who is denied again and again in one case is stopped."""
