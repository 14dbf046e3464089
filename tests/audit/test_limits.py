"""Limits of agents that were passed over, made up, or met otherwise than the rules of then say."""

from collections.abc import Callable
from datetime import time, timedelta
from typing import Any

import pytest

from placet.model import Beyond, Calendar, Hours, Limit, Measure, WorkingHours
from tests.audit.asked import last
from tests.audit.pen import BEGUN, Found, Pen
from tests.audit.test_registered import AGENT, CASE, SUBJECT, begun, grant, rule


def limit(measure: Measure, at_most: int, beyond: Beyond) -> Limit:
    return Limit(measure=measure, at_most=at_most, within_seconds=3600, beyond=beyond)


def deny(pen: Pen, *reasons: str) -> None:
    pen.write(
        "grant.denied", actor=AGENT, case=CASE, record=SUBJECT, reasons=list(reasons or ("I2",))
    )


def exceeded(pen: Pen, measure: str, beyond: str, **more: Any) -> None:
    said = {"target": AGENT, "measure": measure, "beyond": beyond, **more}
    pen.write("identity.exceeded", case=CASE, record=SUBJECT, **said)


def _at(hour: int, beyond: Beyond) -> WorkingHours:
    hours = Hours(weekday=1, opens=time(hour), closes=time(hour + 1))
    return WorkingHours(calendar=Calendar(name="work", zone="UTC", hours=(hours,)), beyond=beyond)


def limits_found(pen: Pen) -> Found:
    return {each for each in pen.troubles() if each[0].startswith("limit-")}


def granted_once_too_often(pen: Pen) -> Found:
    rule(pen, limits=(limit(Measure.GRANTS, 2, Beyond.THROTTLE),))
    for _ in range(3):
        grant(pen)
    return last(pen, "limit-passed")


def granted_after_hours(pen: Pen) -> Found:
    rule(pen, hours=(_at(14, Beyond.THROTTLE),))
    grant(pen)
    return last(pen, "limit-passed")


def suspended_for_its_hours_within_them(pen: Pen) -> Found:
    rule(pen, hours=(_at(9, Beyond.SUSPEND),))
    exceeded(pen, "hours", "suspend")
    return last(pen, "limit-unfounded")


def suspended_where_the_rules_slow_down(pen: Pen) -> Found:
    rule(pen, hours=(_at(14, Beyond.THROTTLE),))
    exceeded(pen, "hours", "suspend")
    return last(pen, "limit-unfounded")


def denied_again_and_again(pen: Pen) -> Found:
    """As the rules have it unless told otherwise: the fifth stops the case."""
    for _ in range(6):
        deny(pen)
    return last(pen, "limit-passed")


def denied_too_often_and_granted(pen: Pen) -> Found:
    """Nothing follows from one denial too many, and it is let in the next time."""
    for _ in range(5):
        deny(pen)
    grant(pen)
    return last(pen, "limit-passed")


def slowed_down_for_nothing(pen: Pen) -> Found:
    rule(pen, limits=(limit(Measure.DENIALS, 2, Beyond.THROTTLE),))
    deny(pen)
    exceeded(pen, "denials", "throttle", at_most=2, within_seconds=3600)
    return last(pen, "limit-unfounded")


def not_slowed_down(pen: Pen) -> Found:
    rule(pen, limits=(limit(Measure.DENIALS, 1, Beyond.THROTTLE),))
    for _ in range(3):
        deny(pen)
    return last(pen, "limit-passed")


def something_else_followed(pen: Pen) -> Found:
    """It was met with another limit, which it has not gone beyond."""
    rule(
        pen,
        limits=(
            limit(Measure.GRANTS, 9, Beyond.THROTTLE),
            limit(Measure.DENIALS, 1, Beyond.SUSPEND),
        ),
    )
    deny(pen)
    deny(pen)
    exceeded(pen, "grants", "throttle", at_most=9, within_seconds=3600)
    found = last(pen, "limit-unfounded")
    deny(pen)
    return found | last(pen, "limit-passed")


OF_LIMITS = (
    granted_once_too_often,
    granted_after_hours,
    suspended_for_its_hours_within_them,
    suspended_where_the_rules_slow_down,
    denied_again_and_again,
    denied_too_often_and_granted,
    slowed_down_for_nothing,
    not_slowed_down,
    something_else_followed,
)


@pytest.mark.parametrize("forge", OF_LIMITS, ids=lambda each: each.__name__)
def test_a_limit_that_was_passed_over_or_made_up_is_found(forge: Callable[[Pen], Found]) -> None:
    """I10: of an identity's limits, each way."""
    pen = begun()
    expected = forge(pen)
    assert limits_found(pen) == expected


def test_limits_are_those_of_each_moment() -> None:
    """I10: stricter rules count what was before from the next denial on, and find nothing before."""
    pen = begun()
    rule(pen, 1, limits=(limit(Measure.DENIALS, 9, Beyond.SUSPEND),))
    for _ in range(5):
        deny(pen)
    rule(pen, 2, limits=(limit(Measure.DENIALS, 2, Beyond.PERSON),))
    deny(pen, "I10")  # who may do nothing at all is not denied again by that
    deny(pen)
    exceeded(pen, "denials", "person", at_most=2, within_seconds=3600)
    deny(pen)
    grant(pen)
    assert limits_found(pen) == set()


def test_of_two_limits_that_are_met_at_once_the_first_one_is_told() -> None:
    """I10: the other one is met by the next denial."""
    pen = begun()
    both = (limit(Measure.DENIALS, 2, Beyond.PERSON), limit(Measure.CASE_DENIALS, 2, Beyond.PERSON))
    rule(pen, limits=both)
    for _ in range(3):
        deny(pen)
    exceeded(pen, "denials", "person", at_most=2, within_seconds=3600)
    deny(pen)
    exceeded(pen, "case-denials", "person", at_most=2, within_seconds=3600)
    assert limits_found(pen) == set()


def test_hours_are_met_around_their_end() -> None:
    """I10: an entry is written an instant after its moment, on either side."""
    pen = begun()
    rule(pen, hours=(_at(9, Beyond.THROTTLE),))
    grant(pen)
    pen.now = BEGUN + timedelta(hours=1, seconds=-1)
    exceeded(pen, "hours", "throttle")
    pen.after(minutes=5)
    exceeded(pen, "hours", "throttle")
    assert limits_found(pen) == set()
