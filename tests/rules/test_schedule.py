"""Business time, by a lender's calendar: holidays, weekends, and the days when clocks change."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from placet.model import (
    AuthorityMatrix,
    Calendar,
    CheckpointRule,
    Hours,
    Mode,
    Need,
    Requirement,
    Schedule,
    Tier,
    TimeRule,
)
from placet.rules import BadCalendar, business_time, escalated, next_instant, schedule_of

LA = ZoneInfo("America/Los_Angeles")


def calendar(*holidays: date, zone: str = "America/Los_Angeles") -> Calendar:
    return Calendar(
        name="desk",
        zone=zone,
        hours=tuple(
            Hours(weekday=each, opens=time(9), closes=time(17)) for each in (1, 2, 3, 4, 5)
        ),
        holidays=holidays,
    )


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=LA)  # type: ignore[arg-type, misc]  # year to minute


def matrix(rule: TimeRule) -> AuthorityMatrix:
    return AuthorityMatrix(
        process="loan-draw",
        version=1,
        mode=Mode.ASSIST,
        automatic_limit=Decimal("0.00"),
        rules=(
            CheckpointRule(
                checkpoint="release",
                tiers=(Tier(needs=(Need(roles=("clerk",), count=2),)),),
                time=rule,
            ),
        ),
        calendars=(calendar(date(2026, 11, 26)),),
    )


def planned(rule: TimeRule, opened: datetime) -> Schedule:
    made = matrix(rule)
    found = schedule_of(made, made.rules[0], opened)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        (at(2026, 11, 24, 10, 0), 4, at(2026, 11, 24, 14, 0)),  # inside a day
        (at(2026, 11, 24, 15, 0), 4, at(2026, 11, 25, 11, 0)),  # over night
        (at(2026, 11, 25, 16, 0), 2, at(2026, 11, 27, 10, 0)),  # over Thanksgiving
        (at(2026, 11, 27, 16, 0), 2, at(2026, 11, 30, 10, 0)),  # over a weekend
        (at(2026, 11, 26, 12, 0), 1, at(2026, 11, 27, 10, 0)),  # begun on a holiday
        (at(2026, 11, 24, 3, 0), 1, at(2026, 11, 24, 10, 0)),  # before it opens
        (at(2026, 11, 24, 9, 0), 8, at(2026, 11, 24, 17, 0)),  # until the very close
        (at(2026, 11, 24, 17, 0), 1, at(2026, 11, 25, 10, 0)),  # at the very close
        (at(2026, 3, 6, 16, 0), 2, at(2026, 3, 9, 10, 0)),  # clocks go forward on the 8th
        (at(2026, 10, 30, 16, 0), 2, at(2026, 11, 2, 10, 0)),  # and back on November 1
    ],
)
def test_business_hours_pass_while_the_desk_is_open(
    start: datetime, hours: int, end: datetime
) -> None:
    found = business_time(calendar(date(2026, 11, 26)), start, timedelta(hours=hours))
    assert found == end


@pytest.mark.parametrize(("day", "real"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25)])
def test_a_day_on_which_clocks_change_is_as_long_as_it_is(day: date, real: int) -> None:
    always = Calendar(
        name="always",
        zone="America/Los_Angeles",
        hours=tuple(
            Hours(weekday=n, opens=time(0), closes=time(23, 59, 59, 999999)) for n in range(1, 8)
        ),
    )
    start = datetime.combine(day, time(0), LA)
    end = business_time(always, start, timedelta(hours=real) - timedelta(seconds=1))
    assert end.astimezone(LA).date() == day
    assert end.astimezone(LA).hour == 23


@given(
    start=st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
    first=st.integers(1, 3000),
    second=st.integers(1, 3000),
)
def test_time_adds_up(start: datetime, first: int, second: int) -> None:
    """Waiting twice is waiting once as long, whenever one begins."""
    desk = calendar(date(2026, 7, 3), date(2026, 11, 26), date(2027, 1, 1))
    one = business_time(desk, start, timedelta(minutes=first))
    two = business_time(desk, one, timedelta(minutes=second))
    assert two == business_time(desk, start, timedelta(minutes=first + second))
    assert start < one < two
    assert time(9) <= two.astimezone(LA).time() <= time(17)
    assert two.astimezone(LA).isoweekday() < 6


def test_a_calendar_that_can_not_be_used_is_named() -> None:
    """I12: an unknown zone, and a desk that never opens."""
    with pytest.raises(BadCalendar, match="Mars/Olympus"):
        business_time(calendar(zone="Mars/Olympus"), at(2026, 1, 1, 9, 0), timedelta(hours=1))
    days = tuple(date(2026, 1, 1) + timedelta(days=n) for n in range(1000))
    monday = Calendar(
        name="closed",
        zone="UTC",
        hours=(Hours(weekday=1, opens=time(9), closes=time(9, 1)),),
        holidays=days,
    )
    with pytest.raises(BadCalendar, match="closed"):
        business_time(monday, at(2026, 1, 1, 9, 0), timedelta(hours=9))


def test_a_schedule_is_fixed_when_the_checkpoint_opens() -> None:
    rule = TimeRule.model_validate(
        {
            "calendar": "desk",
            "due": 480,
            "expires": 960,
            "reminders": [240, 60],
            "escalations": [{"after": 480, "roles": ["chief"]}],
        }
    )
    found = planned(rule, at(2026, 11, 25, 13, 0))
    assert found.due_at == at(2026, 11, 27, 13, 0)
    assert found.expires_at == at(2026, 11, 30, 13, 0)
    assert found.reminders == (at(2026, 11, 25, 17, 0), at(2026, 11, 27, 12, 0))
    assert [each.at for each in found.escalations] == [at(2026, 11, 27, 13, 0)]


def test_an_escalation_adds_roles_and_takes_none_away() -> None:
    rule = TimeRule.model_validate(
        {
            "due": 10,
            "expires": 60,
            "escalations": [
                {"after": 10, "roles": ["chief"]},
                {"after": 20, "roles": ["director", "clerk"]},
            ],
        }
    )
    asked = Requirement(
        checkpoint="release",
        matrix_digest="sha-256:" + "A" * 43,
        matrix_version=1,
        needs=(Need(roles=("clerk",), count=2),),
        schedule=planned(rule, at(2026, 11, 24, 9, 0)),
    )
    assert escalated(asked, 0) is asked
    assert escalated(asked, 1).needs == (Need(roles=("clerk", "chief"), count=2),)
    assert escalated(asked, 2).needs == (Need(roles=("clerk", "chief", "director"), count=2),)
    assert escalated(asked, 9) == escalated(asked, 2)
    deadline = at(2026, 11, 24, 10, 0)
    looks = [next_instant(asked, deadline, at(2026, 11, 24, 9, m)) for m in (0, 10, 20)]
    assert looks == [at(2026, 11, 24, 9, 10), at(2026, 11, 24, 9, 20), deadline]


@pytest.mark.parametrize(
    "wrong",
    [
        {"due": 20, "expires": 10},
        {"due": 10, "expires": 20, "reminders": [10]},
        {"due": 10, "expires": 20, "reminders": [1, 5]},
        {"due": 10, "expires": 20, "escalations": [{"after": 20, "roles": ["chief"]}]},
        {
            "due": 10,
            "expires": 20,
            "escalations": [{"after": 9, "roles": ["a"]}, {"after": 9, "roles": ["b"]}],
        },
        {"due": 10, "expires": 20, "escalations": [{"after": 9, "roles": []}]},
        {"due": 0, "expires": 20},
    ],
)
def test_a_time_rule_that_contradicts_itself_is_none(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TimeRule.model_validate(wrong)


def test_a_matrix_has_the_calendars_that_it_names() -> None:
    with pytest.raises(ValidationError, match="moon"):
        matrix(TimeRule(calendar="moon", due=1, expires=2))
    with pytest.raises(ValidationError, match="overlap"):
        Calendar(
            name="desk",
            zone="UTC",
            hours=(
                Hours(weekday=1, opens=time(9), closes=time(12)),
                Hours(weekday=1, opens=time(11), closes=time(13)),
            ),
        )
