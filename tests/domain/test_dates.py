"""Whose date counts: an analysis says its day, and another clock must find that it may be true."""

import inspect
from datetime import date, timedelta

import pytest
from pydantic import ValidationError

from activities.checks import analyse, day_to_confirm
from activities.draw._steps import analyse_draw, recompute_analysis
from lender.model import Analysis
from placet.process import StepRequest
from tests.domain import building

DAY = timedelta(days=1)


def analysed_on(day: date) -> Analysis:
    """The analysis of the clean packet on some day."""
    loan = building.loan()
    return analyse(
        building.packet(), loan, loan.next_draw, building.SCREENINGS, building.MATCHES, day
    )


@pytest.mark.parametrize("apart", [-400, -2, 2, 400])
def test_an_analysis_of_another_day_is_not_confirmed(apart: int) -> None:
    """I3: made again on the verifier's own day it is another state of the draw."""
    said = analysed_on(building.TODAY + apart * DAY)
    again = analysed_on(day_to_confirm(said.as_of, building.TODAY))
    assert again.as_of == building.TODAY
    assert again.version != said.version


@pytest.mark.parametrize("apart", [-1, 0, 1])
def test_midnight_between_the_two_steps_changes_nothing(apart: int) -> None:
    """I3: what is made again for the day the analysis says has the same bytes."""
    said = analysed_on(building.TODAY + apart * DAY)
    assert analysed_on(day_to_confirm(said.as_of, building.TODAY)) == said


@pytest.mark.parametrize("step", [analyse_draw, recompute_analysis])
def test_the_workflow_tells_no_step_its_date(step: object) -> None:
    """I3: whoever controls the workflow can name a case and a record, and nothing else."""
    assert callable(step)
    (asked,) = inspect.signature(step, eval_str=True).parameters.values()
    assert asked.annotation is StepRequest
    told = {"case": f"case-{'0' * 26}", "record": "loan/L-1/draw/2"}
    StepRequest.model_validate(told)
    with pytest.raises(ValidationError, match="today"):
        StepRequest.model_validate({**told, "today": "2020-01-01"})
