"""What is wrong with a worker is said when it is made, not by its first case."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import WorkerConfig

from placet.agent import (
    ORCHESTRATION,
    AgentConfig,
    PlacetPlugin,
    UnfitWorkflow,
    UngovernedActivity,
    governed,
)
from placet.model import CaseInput, PartRef, ProcessDefinition
from placet.process import GovernedWorkflow, StepRequest, ToolRequest
from placet.tokens import SigningKey
from tests.harness.parcels import ParcelCheck
from tests.harness.processes import DEFINITION

KEY = SigningKey.generate()
ISSUER = "http://127.0.0.1:8600"


async def configured(
    *activities: Callable[..., Any],
    workflows: tuple[type, ...] = (),
    agent: str = "scale",
    queue: str = "scale",
) -> WorkerConfig:
    """A worker's configuration as the plugin leaves it."""
    config = AgentConfig(agent, KEY, ISSUER, {"depot": "http://127.0.0.1:8611"})
    client = await Client.connect("127.0.0.1:1", lazy=True)  # nobody is asked anything
    asked = WorkerConfig(
        client=client, activities=activities, workflows=workflows, task_queue=queue
    )
    return PlacetPlugin(config).configure_worker(asked)


@activity.defn
@governed(action="parcel:weigh", system="depot")
async def weigh(request: StepRequest) -> None:
    """Takes what a step takes."""


@activity.defn
@governed(action="parcel:weigh", system="depot")
async def reweigh(request: ToolRequest) -> None:
    """The same for a tool."""


class Scale:
    """An agent whose steps share something."""

    @activity.defn
    @governed(action="parcel:weigh", system="depot")
    async def weigh(self, request: StepRequest) -> None:
        """Takes what a step takes."""


@activity.defn
@governed(action="parcel:weigh", system="depot")
async def of_another_kind(request: str) -> None:
    """Takes something else."""


@activity.defn
@governed(action="parcel:weigh", system="depot")
async def of_no_kind(request) -> None:  # type: ignore[no-untyped-def]  # what is tested
    """Says nothing, so that Temporal would give it a dict."""


@activity.defn
@governed(action="parcel:weigh", system="depot")
async def of_two(request: StepRequest, page: int = 0) -> None:
    """Takes more."""


@activity.defn
@governed(action="parcel:weigh", system="dept")
async def elsewhere(request: StepRequest) -> None:
    """Is for a system that is misspelt."""


async def test_steps_and_the_orchestrators_own_are_taken(caplog: pytest.LogCaptureFixture) -> None:
    await configured(weigh, reweigh, Scale().weigh)
    await configured(
        *ORCHESTRATION, workflows=(ParcelCheck,), agent="orchestrator", queue="orchestrator"
    )
    assert caplog.records == []


@pytest.mark.parametrize("wrong", [of_another_kind, of_no_kind, of_two])
async def test_an_activity_that_takes_no_request_is_refused(wrong: Callable[..., Any]) -> None:
    """I1: its step could only fail, in the case."""
    with pytest.raises(UngovernedActivity, match=f"activity {wrong.__name__} takes another"):
        await configured(weigh, wrong)


async def test_an_activity_for_a_system_without_an_address_is_refused() -> None:
    with pytest.raises(UngovernedActivity, match="activity elsewhere is for the system 'dept'"):
        await configured(weigh, elsewhere)


async def test_another_queue_than_the_agents_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "placet.agent"):
        await configured(weigh, queue="scales")
    assert "takes from the queue scales; steps of scale come on the queue" in caplog.text


@workflow.defn(name="ParcelChek")
class Misspelt(GovernedWorkflow):
    """Is named otherwise than its definition says."""

    definition = DEFINITION

    @workflow.run
    async def run(self, case: CaseInput) -> None:
        """Do nothing."""


@workflow.defn(name="ParcelCheck")
class Unorchestrated(GovernedWorkflow):
    """Could neither ask people nor close its case."""

    definition = ProcessDefinition.model_validate(
        {
            **DEFINITION.model_dump(),
            "steps": [each.model_dump() for each in DEFINITION.steps[:3]],
        }
    )

    @workflow.run
    async def run(self, case: CaseInput) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (Misspelt, "Misspelt is named 'ParcelChek' .* definition parcel-check says 'ParcelCheck'"),
        (Unorchestrated, r"parcel-check has no step close_case: add \*orchestrating\(RELATION\)"),
    ],
)
async def test_a_workflow_that_does_not_fit_its_definition_is_refused(
    wrong: type, said: str
) -> None:
    with pytest.raises(UnfitWorkflow, match=said):
        await configured(workflows=(wrong,))


async def test_a_step_that_the_definition_lacks_is_the_codes_fault() -> None:
    """I11: it ends no case: Temporal tries the task again, until the code is mended."""
    case = "case-" + "0" * 26
    request = StepRequest(case=case, record="depot/D1/parcel/7")
    with pytest.raises(LookupError, match="parcel-check has no step 'wiegh'; it has weigh, "):
        await ParcelCheck().step("wiegh", request, PartRef)
    with pytest.raises(LookupError, match="'weigh' that a checkpoint approves"):
        given = CaseInput(case=case, subject="depot/D1/parcel/7")
        await ParcelCheck().take_approved(given, "weigh", PartRef, "policy:any")


@pytest.mark.parametrize(
    ("agent", "issuer", "said"),
    [
        ("Scale", ISSUER, "agent: 'Scale' is no agent's name"),
        ("scale_two", ISSUER, "agent: 'scale_two' is no agent's name"),
        ("scale", ISSUER + "/", "issuer: 'http://127.0.0.1:8600/' is no authority's address"),
        ("scale", "127.0.0.1:8600", "issuer: '127.0.0.1:8600' is no authority's address"),
    ],
)
def test_a_configuration_that_can_not_be_right_is_refused(
    agent: str, issuer: str, said: str
) -> None:
    """With a slash more, the authority answers 404 to every step, again and again."""
    with pytest.raises(ValueError, match=said):
        AgentConfig(agent, KEY, issuer, {})


@pytest.mark.parametrize(
    ("system", "address", "said"),
    [
        ("Depot", "http://127.0.0.1:8611", "systems: 'Depot' is no system's name"),
        ("depot", "127.0.0.1:8611", "systems: depot: '127.0.0.1:8611' is no system's address"),
        ("depot", "http://depot?a=1", "systems: depot: 'http://depot.a=1' is no system's address"),
    ],
)
def test_a_system_that_can_not_be_asked_is_refused(system: str, address: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        AgentConfig("scale", KEY, ISSUER, {system: address})
