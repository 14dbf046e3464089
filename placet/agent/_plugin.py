"""The plugin that governs an agent's worker: all that a worker adds (Temporal's Plugin API).

A worker with an activity that is not ``@governed`` does not start.
"""

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

from placet.agent._config import AgentConfig
from placet.agent._governed import require_governed
from placet.agent._governor import Governor
from placet.agent._heartbeats import Heartbeats
from placet.clock import system_clock
from placet.model import build_models
from placet.payloads import encrypting
from placet.process import GovernedWorkflow, code_digest


class PlacetPlugin(SimplePlugin):
    """Governs every activity of a worker under one agent's identity, and encrypts its payloads.

    Give it to ``Client.connect``; workers made with that client inherit it.
    """

    def __init__(
        self, config: AgentConfig, *, clock: Callable[[], datetime] = system_clock
    ) -> None:
        self._governor = Governor(config, clock)
        super().__init__(
            "placet.agent",
            data_converter=encrypting(self._governor, config.agent, strict=False),
            interceptors=[_Interceptor(self._governor)],
            run_context=self._governor.session,
        )

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """Refuse a worker with an activity that is not governed.

        Raises:
            UngovernedActivity: it names the activity.
        """
        require_governed(config.get("activities") or ())
        for workflow in config.get("workflows") or ():
            if issubclass(workflow, GovernedWorkflow):
                self._governor.installed[workflow.definition.name] = code_digest(workflow)
        build_models()
        return super().configure_worker(config)


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
