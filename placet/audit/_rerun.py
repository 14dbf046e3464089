"""A workflow's code run once more on a history: what it asked for, and its states."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.worker.workflow_sandbox import (
    SandboxedWorkflowRunner,
    SandboxRestrictions,
)

from placet.audit._commands import Fields, RecordingRunner
from placet.audit._states import State, Watch
from placet.model import build_models
from placet.payloads import PLAIN

LIMIT = 60.0
"""Seconds that one run may take: forty times what a case of a thousand events takes."""


_DEADLOCK = "TMPRL1101"
_TRIES = 3


@dataclass(frozen=True)
class Rerun:
    """One run of the code: its commands and states, and why it did not come to the end.

    Both are named by the event at which Temporal gave the code its task.
    """

    commands: Mapping[int, Sequence[Fields]]
    states: Mapping[int, State]
    failure: str | None


def workflow_runner() -> SandboxedWorkflowRunner:
    """The sandbox that workers, replayers and tests run workflow code in: one for all."""
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules("placet", "pydantic")
    )


async def rerun(
    history: WorkflowHistory,
    workflows: Sequence[type],
    *,
    watched: bool = False,
    limit: float = LIMIT,
) -> Rerun:
    """Run the code on a history; ``watched``: and keep its states.

    The SDK takes code that has not run for two seconds for a deadlock, as on a machine that does
    much else; it is then run again. On some shapes the SDK's Replayer waits for ever; it is left
    after ``limit`` seconds. Code that never gives its thread back can't be left: for that, run this
    in a process that can be killed.
    """
    ran = await _rerun(history, workflows, watched=watched, limit=limit)
    for _ in range(_TRIES - 1):
        if ran.failure is None or _DEADLOCK not in ran.failure:
            break
        ran = await _rerun(history, workflows, watched=watched, limit=limit)
    return ran


async def _rerun(
    history: WorkflowHistory, workflows: Sequence[type], *, watched: bool, limit: float
) -> Rerun:
    build_models()
    watch = Watch()
    runner = RecordingRunner(workflow_runner(), watch if watched else None)
    replayer = Replayer(
        workflows=workflows,
        data_converter=PLAIN,
        workflow_runner=runner,
        interceptors=[watch] if watched else [],
        build_id="audit",  # the SDK's own is a digest of all code that is loaded: half a second
    )
    failure = None
    try:
        async with asyncio.timeout(limit):
            result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    except TimeoutError:
        failure = f"the replay did not end in {limit:g} seconds"
    except Exception as error:  # noqa: BLE001 - whatever a forged history provokes is a finding
        failure = f"the history can't be replayed: {error}"
    else:
        if result.replay_failure is not None:
            failure = f"not deterministic: {result.replay_failure}"
    return Rerun(runner.commands, runner.states, failure)
