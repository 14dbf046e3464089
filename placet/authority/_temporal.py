"""What the authority asks of Temporal, and how little it believes.

Temporal vouches for nothing (``docs/threat-model.md``). The authority starts each case's workflow
itself, keeps the run id, and compares what ``describe`` says with what it kept (invariant I1).
Raw gRPC is used for ``describe``: the SDK's own raises on a paused workflow (SDK 1.35.0).
"""

import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import (
    PendingActivityState,
    TaskQueueKind,
    WorkflowExecutionStatus,
    WorkflowIdConflictPolicy,
    WorkflowIdReusePolicy,
)
from temporalio.api.history.v1 import History, HistoryEvent
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import PendingActivityInfo, PendingWorkflowTaskInfo
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryReverseRequest,
    ListWorkflowExecutionsRequest,
    SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from placet.authority._errors import Unavailable
from placet.authority._namespace import prepare_namespace
from placet.authority._rpc import ask
from placet.payloads import Start

_IDENTITY = "placet-authority"
PAUSED = "PAUSED"
_NEWEST = 200
"""Events at a history's end in which what happened last to a step is looked for."""


class AlreadyStarted(Exception):
    """Someone else started a workflow under an id that only the authority knows: an alarm."""


class ExecutionNotFound(Exception):
    """Temporal has no such execution."""


@dataclass(frozen=True)
class RunningActivity:
    """One activity as Temporal shows it while it runs."""

    activity_id: str
    activity_type: str
    attempt: int
    last_started: datetime
    task_queue: str
    start_to_close: timedelta | None


@dataclass(frozen=True)
class Execution:
    """A workflow execution as Temporal shows it now."""

    run_id: str
    first_run_id: str
    workflow_type: str
    task_queue: str
    running: bool
    status: str
    activities: tuple[RunningActivity, ...]
    pending: Sequence[PendingActivityInfo] = ()
    """All its activities that have not ended, running or not."""

    task: PendingWorkflowTaskInfo | None = None
    """The task of its own code that is to be taken, if there is one."""


class SeenRun(NamedTuple):
    """A run as Temporal's visibility lists it."""

    workflow_id: str
    run_id: str
    running: bool


class Temporal:
    """The authority's own view of Temporal."""

    def __init__(self, client: Client, retention: timedelta) -> None:
        self._client = client
        self._service = client.workflow_service
        self._retention = retention
        self._prepared = False

    async def prepare(self) -> None:
        """Look once whether the namespace is as cases need it, and make what is missing.

        Raises:
            NamespaceTrouble: it is not, and can't be made so.
            Unavailable: Temporal did not answer.
        """
        if not self._prepared:
            await prepare_namespace(self._client, self._retention)
            self._prepared = True

    async def start(
        self,
        *,
        workflow_id: str,
        start: Start,
        request_id: str,
    ) -> str:
        """Start a case's workflow and return its run id; asked twice, it answers the same.

        ``start`` is what it is started with, encrypted.

        Raises:
            AlreadyStarted: the id was taken by a start that was not ours.
            Unavailable: Temporal did not answer.
        """
        request = StartWorkflowExecutionRequest(
            namespace=self._client.namespace,
            workflow_id=workflow_id,
            workflow_type=WorkflowType(name=start.workflow_type),
            task_queue=TaskQueue(name=start.task_queue, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL),
            input=start.input,
            search_attributes=start.attributes,
            memo=start.memo,
            user_metadata=start.metadata,
            priority=start.priority,
            identity=_IDENTITY,
            request_id=request_id,
            workflow_id_reuse_policy=WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
            workflow_id_conflict_policy=WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
        )
        try:
            answer = await ask(self._service.start_workflow_execution, request)
        except RPCError as error:
            if error.status is RPCStatusCode.ALREADY_EXISTS:
                raise AlreadyStarted(workflow_id) from error
            raise Unavailable(f"Temporal did not start the workflow: {error.message}") from error
        return answer.run_id

    async def describe(self, workflow_id: str) -> Execution:
        """Say how the newest run of a workflow id stands.

        Raises:
            ExecutionNotFound: Temporal does not know the id.
            Unavailable: Temporal did not answer.
        """
        request = DescribeWorkflowExecutionRequest(
            namespace=self._client.namespace,
            execution=WorkflowExecution(workflow_id=workflow_id),
        )
        try:
            answer = await ask(self._service.describe_workflow_execution, request)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise ExecutionNotFound(workflow_id) from error
            raise Unavailable("Temporal does not answer; ask again later") from error
        info = answer.workflow_execution_info
        return Execution(
            run_id=info.execution.run_id,
            first_run_id=info.first_run_id,
            workflow_type=info.type.name,
            task_queue=info.task_queue,
            running=info.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING,
            status=WorkflowExecutionStatus.Name(info.status).removeprefix(
                "WORKFLOW_EXECUTION_STATUS_"
            ),
            activities=tuple(
                _activity(each)
                for each in answer.pending_activities
                if each.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
            ),
            pending=answer.pending_activities,
            task=answer.pending_workflow_task if answer.HasField("pending_workflow_task") else None,
        )

    async def signal(self, *, workflow_id: str, run_id: str, name: str, request_id: str) -> None:
        """Ring a workflow: a signal without arguments, a bell that vouches for nothing (I5).

        Raises:
            ExecutionNotFound: the run is not there or has ended.
            Unavailable: Temporal did not answer.
        """
        request = SignalWorkflowExecutionRequest(
            namespace=self._client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
            signal_name=name,
            identity=_IDENTITY,
            request_id=request_id,
        )
        try:
            await ask(self._service.signal_workflow_execution, request)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise ExecutionNotFound(workflow_id) from error
            raise Unavailable("Temporal did not take the signal; ask again later") from error

    async def terminate(self, workflow_id: str) -> None:
        """Terminate whatever runs under a case's workflow id, a reset's run as well.

        Raises:
            ExecutionNotFound: nothing runs under it.
            Unavailable: Temporal did not answer.
        """
        request = TerminateWorkflowExecutionRequest(
            namespace=self._client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            reason="a person has ended the case",
            identity=_IDENTITY,
        )
        try:
            await ask(self._service.terminate_workflow_execution, request)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise ExecutionNotFound(workflow_id) from error
            raise Unavailable("Temporal did not terminate the workflow") from error

    async def seen_since(self, moment: datetime, *, everything: bool) -> AsyncIterator[SeenRun]:
        """The runs that began or ended since, as Temporal's visibility has them.

        ``everything``: of all that runs as well, however long ago it began.

        Raises:
            Unavailable: Temporal did not answer.
        """
        at = moment.isoformat()
        running = "ExecutionStatus = 'Running'" if everything else f"StartTime > '{at}'"
        token = b""
        while True:
            request = ListWorkflowExecutionsRequest(
                namespace=self._client.namespace,
                query=f"{running} OR CloseTime > '{at}'",
                page_size=1000,
                next_page_token=token,
            )
            try:
                page = await ask(self._service.list_workflow_executions, request)
            except RPCError as error:
                raise Unavailable("Temporal does not list what runs") from error
            for each in page.executions:
                yield SeenRun(
                    each.execution.workflow_id,
                    each.execution.run_id,
                    each.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING,
                )
            token = page.next_page_token
            if not token:
                return

    async def answers(self) -> None:
        """See whether Temporal answers, and has our namespace.

        Raises:
            Unavailable: it does not.
        """
        request = DescribeNamespaceRequest(namespace=self._client.namespace)
        try:
            await ask(self._service.describe_namespace, request)
        except RPCError as error:
            raise Unavailable("Temporal does not answer") from error

    async def newest(self, workflow_id: str, run_id: str) -> Sequence[HistoryEvent]:
        """The last events of a run, the newest first, their payloads as they are there.

        Raises:
            ExecutionNotFound: Temporal does not have it (any more).
            Unavailable: Temporal did not answer.
        """
        request = GetWorkflowExecutionHistoryReverseRequest(
            namespace=self._client.namespace,
            execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
            maximum_page_size=_NEWEST,
        )
        with _history_of(workflow_id):
            page = await ask(self._service.get_workflow_execution_history_reverse, request)
        return page.history.events

    async def history(self, workflow_id: str, run_id: str) -> History:
        """The full history of one run, its payloads as they are there.

        Raises:
            ExecutionNotFound: Temporal does not have it (any more).
            Unavailable: Temporal did not answer.
        """
        whole, token = History(), b""
        while True:
            request = GetWorkflowExecutionHistoryRequest(
                namespace=self._client.namespace,
                execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
                next_page_token=token,
            )
            with _history_of(workflow_id):
                page = await ask(self._service.get_workflow_execution_history, request)
            whole.MergeFrom(page.history)
            token = page.next_page_token
            if not token:
                return whole


@contextlib.contextmanager
def _history_of(workflow_id: str) -> Iterator[None]:
    """Say what it means that a history was not given."""
    try:
        yield
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise ExecutionNotFound(workflow_id) from error
        raise Unavailable("Temporal does not give the history") from error


def _activity(pending: Any) -> RunningActivity:
    options = pending.activity_options
    timeout = options.start_to_close_timeout.ToTimedelta()
    return RunningActivity(
        activity_id=pending.activity_id,
        activity_type=pending.activity_type.name,
        attempt=pending.attempt,
        last_started=pending.last_started_time.ToDatetime(tzinfo=UTC),
        task_queue=options.task_queue.name,
        start_to_close=timeout or None,
    )
