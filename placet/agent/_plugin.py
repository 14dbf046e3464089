"""The plugin that governs an agent's worker: all that a worker adds (Temporal's Plugin API).

A worker that could take no step of its process does not start: with an activity that is not
``@governed``, or a workflow that does not fit its definition.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from temporalio.plugin import SimplePlugin
from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    WorkerConfig,
)
from temporalio.workflow import _Definition  # pyright: ignore[reportPrivateUsage]  # the SDK has no public name for it

from placet.agent._config import AgentConfig
from placet.agent._errors import UnfitWorkflow
from placet.agent._governed import require_governed
from placet.agent._governor import Governor
from placet.agent._heartbeats import Heartbeats
from placet.clock import system_clock
from placet.model import build_models
from placet.payloads import encrypting
from placet.process import CLOSE_CASE, GovernedWorkflow, code_digest

_log = logging.getLogger("placet.agent")


class PlacetPlugin(SimplePlugin):
    """Governs every activity of a worker under one agent's identity, and encrypts its payloads.

    Give it to ``Client.connect``; workers made with that client inherit it.
    """

    def __init__(
        self, config: AgentConfig, *, clock: Callable[[], datetime] = system_clock
    ) -> None:
        self._config = config
        self._governor = Governor(config, clock)
        super().__init__(
            "placet.agent",
            data_converter=encrypting(self._governor, config.agent, strict=False),
            interceptors=[_Interceptor(self._governor)],
            run_context=self._governor.session,
        )

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """Refuse a worker that could take no step, and say of what looks like an oversight.

        Raises:
            UngovernedActivity: an activity can't be governed; it is named.
            UnfitWorkflow: a workflow and its definition don't fit.
        """
        activities, queue = config.get("activities") or (), config.get("task_queue")
        require_governed(activities, self._config.systems)
        if activities and queue != self._config.agent:
            _log.warning(
                "this worker takes from the queue %s; steps of %s come on the queue of its name",
                queue,
                self._config.agent,
            )
        for workflow in config.get("workflows") or ():
            if issubclass(workflow, GovernedWorkflow):
                _require_fit(workflow)
                self._governor.installed[workflow.definition.name] = code_digest(workflow)
        build_models()
        return super().configure_worker(config)


def _require_fit(workflow: type[GovernedWorkflow]) -> None:
    definition, name = workflow.definition, _Definition.must_from_class(workflow).name
    if name != definition.workflow_type:
        raise UnfitWorkflow(
            f"workflow {workflow.__qualname__} is named {name!r} at Temporal, and its definition "
            f"{definition.name} says {definition.workflow_type!r}"
        )
    if definition.step(CLOSE_CASE) is None:
        raise UnfitWorkflow(
            f"the definition {definition.name} has no step {CLOSE_CASE}: add "
            "*orchestrating(RELATION) to its steps"
        )


class _Interceptor(Interceptor):
    def __init__(self, governor: Governor) -> None:
        self._governor = governor

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's own name
        return _Inbound(next, self._governor)


class _Inbound(ActivityInboundInterceptor):
    _heartbeats: Heartbeats

    def __init__(self, following: ActivityInboundInterceptor, governor: Governor) -> None:
        super().__init__(following)
        self._governor = governor

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        self._heartbeats = Heartbeats(outbound)
        super().init(self._heartbeats)

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's own name
        return await self._governor.run(
            input, lambda: self.next.execute_activity(input), self._heartbeats
        )
