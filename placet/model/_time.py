"""A lender's time: its calendar, how long people have, who is asked as well when they are late.

It is part of the signed matrix, since an escalation changes who may decide, and a calendar changes
when. The instants that follow are computed once, when a checkpoint opens, and stand in what it
asks: a calendar that is published later moves nothing that is open already.
"""

from datetime import date, time
from itertools import pairwise
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from placet.model._ids import Name
from placet.model._values import Model, UtcTime

MAX_MINUTES = 366 * 24 * 60
"""A year: nobody is asked something and has longer."""

Minutes = Annotated[int, Field(ge=1, le=MAX_MINUTES)]
_ZONE = r"^[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}$"
Zone = Annotated[str, StringConstraints(pattern=_ZONE, max_length=64)]
"""A zone of the IANA database: ``America/Los_Angeles``."""


class Hours(Model):
    """Business hours of one weekday (1 is Monday, 7 is Sunday), by the clock on the wall."""

    weekday: int = Field(ge=1, le=7)
    opens: time
    closes: time

    @model_validator(mode="after")
    def _opens_first(self) -> "Hours":
        if self.opens.tzinfo is not None or self.closes.tzinfo is not None:
            raise ValueError("hours are by the calendar's own zone: leave the offset out")
        if self.opens >= self.closes:
            raise ValueError(f"weekday {self.weekday} opens before it closes")
        return self


class Calendar(Model):
    """When the lender works: a zone, its hours, and the days on which it is closed."""

    name: Name
    zone: Zone
    hours: tuple[Hours, ...] = Field(min_length=1, max_length=42)
    holidays: tuple[date, ...] = Field(default=(), max_length=1000)

    @model_validator(mode="after")
    def _hours_do_not_overlap(self) -> "Calendar":
        ordered = sorted(self.hours, key=lambda each: (each.weekday, each.opens))
        for before, after in pairwise(ordered):
            if before.weekday == after.weekday and after.opens < before.closes:
                raise ValueError(f"{self.name}: hours of weekday {after.weekday} overlap")
        return self


class Escalation(Model):
    """So long after a checkpoint was opened, these roles may fill every place, too."""

    after: Minutes
    roles: tuple[Name, ...] = Field(min_length=1)


class TimeRule(Model):
    """How long people have at a checkpoint, in minutes since it opened.

    They are minutes of ``calendar``, or of the clock if it is not given. ``reminders`` are minutes
    before it is due. After ``expires`` it is expired, which is never approval.
    """

    calendar: Name | None = None
    due: Minutes
    expires: Minutes
    reminders: tuple[Minutes, ...] = Field(default=(), max_length=10)
    escalations: tuple[Escalation, ...] = Field(default=(), max_length=10)

    @model_validator(mode="after")
    def _in_order(self) -> "TimeRule":
        if self.due > self.expires:
            raise ValueError("it is due before it expires, or then")
        if any(each >= self.due for each in self.reminders):
            raise ValueError("a reminder comes after the checkpoint was opened")
        if self.reminders != tuple(sorted(set(self.reminders), reverse=True)):
            raise ValueError("reminders come one after the other: the longest before first")
        after = [each.after for each in self.escalations]
        if after != sorted(set(after)) or any(each >= self.expires for each in after):
            raise ValueError("escalations come one after the other, before it expires")
        return self


class PlannedEscalation(Model):
    """From when on these roles may fill every place, too."""

    at: UtcTime
    roles: tuple[Name, ...] = Field(min_length=1)


class Schedule(Model):
    """The instants of one checkpoint, fixed when it opened."""

    due_at: UtcTime
    expires_at: UtcTime
    reminders: tuple[UtcTime, ...] = ()
    escalations: tuple[PlannedEscalation, ...] = ()
