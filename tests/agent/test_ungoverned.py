"""What runs under a worker and can't be governed asks for nothing and fails for good (I1)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ExecuteActivityInput

from placet.agent import governed
from placet.agent._governed import requested_details
from placet.model import spell_id
from placet.process import StepRequest

CASE, OTHER = spell_id("case", bytes(16)), spell_id("case", bytes([1] * 16))
REQUEST = StepRequest(case=CASE, record="depot/D1/parcel/7")


@governed(action="parcel:weigh", system="depot")
async def weigh(request: StepRequest) -> None:
    """A step."""


async def unmarked(request: StepRequest) -> None:
    """None of Placet's."""


def asked(
    function: Callable[..., Any] = weigh, args: tuple[Any, ...] = (REQUEST,), **told: Any
) -> Any:
    """What an activity asks for, or what keeps it from asking."""
    environment = ActivityEnvironment()
    environment.info = replace(ActivityEnvironment.default_info(), **({"workflow_id": CASE} | told))
    step = ExecuteActivityInput(fn=function, args=list(args), executor=None, headers={})
    return environment.run(requested_details, step)


def test_a_step_asks_for_its_action_on_its_record_in_its_case() -> None:
    details = asked()
    assert (details.case, details.identifier, details.actions) == (
        CASE,
        REQUEST.record,
        ("parcel:weigh",),
    )
    assert details.activity.workflow_id == CASE


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ({"is_local": True}, "a local activity"),
        ({"function": unmarked}, "is not governed"),
        ({"args": ()}, "its one argument is a StepRequest"),
        ({"args": (CASE,)}, "its one argument is a StepRequest"),
        ({"args": (REQUEST, REQUEST)}, "its one argument is a StepRequest"),
        ({"workflow_id": OTHER}, "another case than the workflow's"),
        ({"workflow_id": None}, "another case than the workflow's"),
    ],
)
def test_nothing_else_asks(case: dict[str, Any], said: str) -> None:
    """I1, I2: the worker does not ask for what the authority would refuse, and no try repeats it."""
    with pytest.raises(ApplicationError, match=said) as refused:
        asked(**case)
    assert refused.value.non_retryable


@pytest.mark.parametrize(
    ("marked", "said"),
    [
        ({"action": "weigh", "system": "depot"}, "action, as object:verb: 'weigh' is none"),
        ({"action": "parcel:weigh", "system": "The Depot"}, "system, a name: 'The Depot' is none"),
        ({"action": "parcel:weigh", "system": "depot", "model": ""}, "model, a name: '' is none"),
    ],
)
def test_a_mark_that_no_grant_could_name_is_refused_at_once(
    marked: dict[str, Any], said: str
) -> None:
    """Where it is written, not when the first case comes to the step."""
    with pytest.raises(ValueError, match=said):
        governed(**marked)
