"""What an agent's limits say, as functions of values: which hold for it, and what counts."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum

from placet.model import Calendar, IdentityRules, Limit, Measure, WorkingHours, quantity
from placet.rules._errors import BadCalendar
from placet.rules._schedule import openings


class Counts(StrEnum):
    """For what a denial counts."""

    NOTHING = "nothing"
    AGENT = "agent"
    """It asked for what is not its own step, or does not run."""
    CASE = "case"
    """It was a running step of its own, and is denied all the same."""


def denial_counts(reasons: Sequence[str]) -> Counts:
    """For what a denial counts, by its reasons.

    Whoever may do nothing at all for now, or no more for now, is not denied again by that.
    """
    first = reasons[0] if reasons else ""
    if first in {"I10", "limit"}:
        return Counts.NOTHING
    return Counts.AGENT if first == "I1" else Counts.CASE


def limits_of(rules: IdentityRules, agent: str, *measures: Measure) -> tuple[Limit, ...]:
    """The limits of an agent at these measures."""
    return tuple(
        each for each in rules.limits if each.measure in measures and _is_of(each.agents, agent)
    )


def hours_of(rules: IdentityRules, agent: str) -> tuple[WorkingHours, ...]:
    """The hours that an agent must keep."""
    return tuple(each for each in rules.hours if _is_of(each.agents, agent))


def _is_of(agents: Iterable[str], agent: str) -> bool:
    named = {f"agent:{each}" for each in agents}
    return not named or agent in named


def opens_next(calendar: Calendar, now: datetime) -> datetime:
    """``now`` if a calendar is open now, else when it opens next.

    Raises:
        BadCalendar: the zone is not known here, or it does not open within years.
    """
    for opens, closes in openings(calendar, now):
        if now < closes:
            return max(opens, now.astimezone(UTC))
    raise BadCalendar(f"calendar {calendar.name} does not open within five years")


def exceeded_in_words(agent: str, limit: Limit | WorkingHours) -> str:
    """That an agent went beyond a limit, in words."""
    if isinstance(limit, WorkingHours):
        return f"{agent} asks outside its hours ({limit.calendar.name})"
    what = {
        Measure.GRANTS: "was granted something",
        Measure.RECORDS: "reached for different records",
        Measure.DENIALS: "was denied",
        Measure.CASE_DENIALS: "was denied in this case",
    }[limit.measure]
    within = quantity(limit.within_seconds, "second")
    return f"{agent} {what} more than {quantity(limit.at_most, 'time')} within {within}"
