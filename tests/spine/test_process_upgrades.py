"""Two versions of a process's code side by side: a case finishes on the one that it began on."""

import contextlib
from collections.abc import AsyncIterator
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.service import RPCError
from temporalio.worker import Worker

from placet.agent import ORCHESTRATION, AgentConfig
from placet.audit import LogFiles, read_bundle, replay, verify_bundle, write_bundle
from placet.cli import fetch_case
from placet.model import Verdict
from placet.tokens import SigningKey
from tests.harness.other_parcels import WeighsTwice
from tests.harness.parcels import ParcelCheck
from tests.harness.world import World, sandbox, until
from worker.__main__ import WorkerSettings, make_worker
from worker.registry import ACTIVITIES, GOVERNANCE, PROCESSES
from worker.versions import build_of, pinned

DEPLOYMENT = "parcels"


@contextlib.asynccontextmanager
async def orchestrating(w: World, code: type, build: str) -> AsyncIterator[None]:
    """An orchestrator's worker of a version, which keeps no workflow in memory between tasks."""
    worker = Worker(
        await w.agent_client("orchestrator"),
        task_queue="orchestrator",
        activities=list(ORCHESTRATION),
        workflows=[code],
        workflow_runner=sandbox(),
        deployment_config=pinned(DEPLOYMENT, build),
        max_cached_workflows=0,
    )
    async with worker:
        yield


async def make_current(w: World, build: str) -> None:
    """New cases begin on a version from now on, as ``set-current-version`` does it."""
    service, namespace = w.temporal.workflow_service, w.temporal.namespace

    async def known() -> bool:
        try:
            told = await service.describe_worker_deployment(
                DescribeWorkerDeploymentRequest(namespace=namespace, deployment_name=DEPLOYMENT)
            )
        except RPCError:
            return False
        there = told.worker_deployment_info.version_summaries
        return build in {each.deployment_version.build_id for each in there}

    await until(known)

    async def done() -> bool:
        try:
            await service.set_worker_deployment_current_version(
                SetWorkerDeploymentCurrentVersionRequest(
                    namespace=namespace, deployment_name=DEPLOYMENT, build_id=build
                )
            )
        except RPCError:
            return False
        return True

    await until(done)


async def approve(w: World, case: str) -> None:
    """Decide at the case's checkpoint, and wait until it is archived."""
    checkpoint = await w.until_checkpoint(case)
    await w.people["cleo"].decide(checkpoint, Verdict.APPROVE, amount=Decimal("80.00"))
    await w.until_archived(case)


async def weighed(w: World, case: str) -> int:
    """How often a case's parcel was weighed."""
    issued = await w.entries("grant.issued")
    return sum(
        each["case"] == case and each["data"]["activity"]["activity_type"] == "weigh"
        for each in issued
    )


async def versions(w: World, case: str) -> set[str]:
    """The versions of code that took the case's workflow tasks, as its history says."""
    handle = w.temporal.get_workflow_handle(case)
    ended = [
        each.workflow_task_completed_event_attributes
        async for each in handle.fetch_history_events()
        if each.HasField("workflow_task_completed_event_attributes")
    ]
    return {each.deployment_version.build_id for each in ended}


@pytest.mark.asyncio(loop_scope="module")
async def test_an_open_case_finishes_on_the_code_that_it_began_on(w: World) -> None:
    """I9: whatever the next version does otherwise; and each replays on its own code."""
    agents = ("scale", "second-scale", "carrier")
    async with w.workers(only=agents), orchestrating(w, ParcelCheck, "one"):
        await make_current(w, "one")
        old = await w.open("depot/D1/parcel/41")
        await w.until_checkpoint(old)
        async with orchestrating(w, WeighsTwice, "two"):
            await make_current(w, "two")
            new = await w.open("depot/D1/parcel/42")
            await w.until_checkpoint(new)
            await approve(w, old)
            await approve(w, new)
    assert (await weighed(w, old), await weighed(w, new)) == (1, 2)
    assert (await versions(w, old), await versions(w, new)) == ({"one"}, {"two"})
    for case, own, other in ((old, ParcelCheck, WeighsTwice), (new, WeighsTwice, ParcelCheck)):
        files = await until(partial(fetched, w, case))
        assert [(t.name, t.found) for t in (await replay(files, case, [own])).troubles] == []
        assert (await replay(files, case, [other])).troubles
        report = verify_bundle(read_bundle(write_bundle(files, case)))
        assert (report.troubles, report.unchecked) == ((), ())


async def fetched(w: World, case: str) -> LogFiles | None:
    """A closed case's part of the log, once a head covers it."""
    files = await fetch_case(w.people["una"], case)
    return files if case in files.archives else None


def test_the_same_code_is_the_same_version() -> None:
    """A worker that is started again, or on another machine, is of the version that it was."""
    assert build_of(PROCESSES) == build_of(reversed(PROCESSES))
    assert build_of(PROCESSES) != build_of(PROCESSES[:1])
    assert pinned("placet", build_of(PROCESSES)).version.build_id == build_of(PROCESSES)


@pytest.mark.parametrize("named", [None, "of-tuesday"])
@pytest.mark.asyncio(loop_scope="module")
async def test_a_worker_says_its_build_without_a_deployment(w: World, named: str | None) -> None:
    """Temporal shows it beside each task; every worker of one installation says the same."""
    settings = WorkerSettings(
        key_file=Path("none"),
        issuer=w.issuer,
        temporal_address=w.temporal.service_client.config.target_host,
        build=named,
    )
    own = named or build_of((*PROCESSES, *GOVERNANCE))
    for agent in ("draw-intake", "orchestrator"):
        config = AgentConfig(agent, SigningKey.generate(), w.issuer, settings.systems)
        made = await make_worker(config, settings, ACTIVITIES[agent])
        assert made.config()["build_id"] == own
