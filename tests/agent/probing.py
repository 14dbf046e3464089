"""A process of one step, in which a test's own words run."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from placet.agent import governed
    from placet.model import CaseInput, ProcessDefinition, Relation, Step
    from placet.process import StepRequest

DEFINITION = ProcessDefinition(
    name="probing",
    version=1,
    workflow_type="Probing",
    subject="depot/{depot}/parcel/{parcel}",
    relations=(Relation(name="parcel", template="depot/{depot}/parcel/{parcel}"),),
    steps=(
        Step(
            activity_type="probe",
            agent="scale",
            action="parcel:weigh",
            system="depot",
            relation="parcel",
            produces=("weight",),
        ),
    ),
)

Body = Callable[[StepRequest], Awaitable[Any]]


def step(body: Body) -> Callable[..., Any]:
    """A governed activity that does what a test says."""

    @activity.defn(name="probe")
    @governed(action="parcel:weigh", system="depot")
    async def probe(request: StepRequest) -> Any:
        return await body(request)

    return probe


@workflow.defn(name="Probing")
class Probing:
    """Runs the one step; the parcel's name says how."""

    @workflow.run
    async def run(self, case: CaseInput) -> Any:
        how = case.subject.rpartition("/")[2]
        record = "depot/D0/parcel/0" if how == "stray" else case.subject
        request = StepRequest(case=case.case, record=record)
        retry = RetryPolicy(initial_interval=timedelta(milliseconds=50), backoff_coefficient=1.0)
        try:
            if how == "local":
                return await workflow.execute_local_activity(
                    "probe",
                    request,
                    start_to_close_timeout=timedelta(seconds=20),
                    retry_policy=retry,
                )
            return await workflow.execute_activity(
                "probe",
                request,
                task_queue="scale",
                start_to_close_timeout=timedelta(seconds=3 if how == "short" else 60),
                heartbeat_timeout=timedelta(seconds=3),
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                retry_policy=retry,
            )
        except FailureError as error:  # a local activity's comes without an ActivityError around it
            return {"failed": _chain(error.cause if isinstance(error, ActivityError) else error)}


def _chain(error: BaseException | None) -> list[Any]:
    """Type, message and details of a failure and its causes, as the workflow sees them."""
    told: list[Any] = []
    while isinstance(error, FailureError):
        kind = error.type if isinstance(error, ApplicationError) else type(error).__name__
        details = list(error.details) if isinstance(error, ApplicationError) else []
        told.append([kind, error.message, details])
        error = error.cause
    return told
