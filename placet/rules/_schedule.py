"""A checkpoint's instants, in the lender's business time; and what an escalation changes.

1. Business time runs while the calendar is open: the minutes between two moments are counted as
   they really passed, so the days on which clocks change have 23 or 25 hours.
2. An escalation only widens: it adds roles to every need, and takes nobody's word away.
3. What had been asked before it is kept: a word is heard as the checkpoint stood when it was said.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from placet.model import (
    AuthorityMatrix,
    Calendar,
    CheckpointRule,
    PlannedEscalation,
    Requirement,
    Schedule,
)
from placet.rules._errors import BadCalendar

LONGEST = timedelta(days=5 * 366)
"""How far a calendar is looked through: one with hours at all reaches a year of them by then."""


def schedule_of(matrix: AuthorityMatrix, rule: CheckpointRule, opened: datetime) -> Schedule | None:
    """The instants of a checkpoint that opens now; ``None`` where the lender sets none.

    Raises:
        BadCalendar: the zone is not known here, or the calendar is never open that long.
    """
    asked = rule.time
    if asked is None:
        return None
    calendar = None if asked.calendar is None else matrix.calendar(asked.calendar)

    def after(minutes: int) -> datetime:
        span = timedelta(minutes=minutes)
        return opened + span if calendar is None else business_time(calendar, opened, span)

    return Schedule(
        due_at=after(asked.due),
        expires_at=after(asked.expires),
        reminders=tuple(after(asked.due - before) for before in asked.reminders),
        escalations=tuple(
            PlannedEscalation(at=after(each.after), roles=each.roles) for each in asked.escalations
        ),
    )


def business_time(calendar: Calendar, start: datetime, span: timedelta) -> datetime:
    """The moment when the calendar has been open for ``span`` since ``start``.

    Raises:
        BadCalendar: the zone is not known here, or that moment does not come within years.
    """
    left = span
    for opens, closes in openings(calendar, start):
        begins = max(opens, start)
        if closes <= begins:
            continue
        if closes - begins >= left:
            return begins + left
        left -= closes - begins
    raise BadCalendar(f"calendar {calendar.name} is not open for {span} within five years")


def openings(calendar: Calendar, start: datetime) -> Iterator[tuple[datetime, datetime]]:
    """When the calendar opens and closes, day by day, in UTC."""
    try:
        zone = ZoneInfo(calendar.zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise BadCalendar(f"the zone {calendar.zone} is not in the zone database") from None
    hours = sorted(calendar.hours, key=lambda each: (each.weekday, each.opens))
    closed = set(calendar.holidays)
    day = start.astimezone(zone).date()
    last = day + LONGEST
    while day < last:
        if day not in closed:
            for each in hours:
                if each.weekday == day.isoweekday():
                    opens = datetime.combine(day, each.opens, zone).astimezone(UTC)
                    yield opens, datetime.combine(day, each.closes, zone).astimezone(UTC)
        day += timedelta(days=1)


class Escalated(Requirement):
    """What is asked once some of its planned escalations have happened; its digest is nobody's."""

    before: Requirement
    """What was asked until the last of them."""

    level: int


def escalated(requirement: Requirement, level: int) -> Requirement:
    """What is asked once so many of its planned escalations have happened."""
    planned = () if requirement.schedule is None else requirement.schedule.escalations[:level]
    for number, each in enumerate(planned, start=1):
        needs = tuple(
            need.model_copy(update={"roles": tuple(dict.fromkeys((*need.roles, *each.roles)))})
            for need in requirement.needs
        )
        members: dict[str, Any] = {
            name: getattr(requirement, name) for name in Requirement.model_fields
        }
        members["needs"] = needs
        requirement = Escalated(**members, before=requirement, level=number)
    return requirement


def level_of(requirement: Requirement) -> int:
    """How many escalations have happened in what is asked."""
    return requirement.level if isinstance(requirement, Escalated) else 0


def levels(requirement: Requirement) -> tuple[Requirement, ...]:
    """What was asked from the beginning, and after each escalation up to this one."""
    if isinstance(requirement, Escalated):
        return (*levels(requirement.before), requirement)
    return (requirement,)


def next_instant(requirement: Requirement, deadline: datetime, now: datetime) -> datetime:
    """When to look next because of time alone: a reminder, an escalation, or the end."""
    planned = requirement.schedule
    if planned is None:
        return deadline
    moments = [*planned.reminders, *(each.at for each in planned.escalations), deadline]
    return min((each for each in moments if each > now), default=deadline)
