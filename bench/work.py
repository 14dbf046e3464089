"""The work that is measured: one small step, governed and bare, and the workflows that order it."""

import asyncio
import hashlib
import re
import time
from datetime import timedelta

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from placet.agent import current_grant, governed
    from placet.model import (
        AuthorityMatrix,
        CaseInput,
        CaseResult,
        CheckpointDefinition,
        CheckpointRule,
        Mode,
        Model,
        Need,
        PartRef,
        ProcessDefinition,
        Proposal,
        Relation,
        Step,
        Tier,
        digest_json,
    )
    from placet.process import GovernedWorkflow, StepRequest, orchestrating

AGENT = "toucher"
ASKER = "asker"
ORCHESTRATOR = "orchestrator"
PROCESS = "bench"

DEFINITION = ProcessDefinition(
    name=PROCESS,
    version=1,
    workflow_type="GovernedBench",
    subject="bench/{steps}/item/{item}",
    relations=(Relation(name="item", template="bench/{steps}/item/{item}"),),
    steps=(
        Step(
            activity_type="touch",
            agent=AGENT,
            action="item:touch",
            system="authority",
            relation="item",
            produces=("touched",),
        ),
        Step(
            activity_type="ask",
            agent=ASKER,
            action="item:touch",
            system="authority",
            relation="item",
        ),
        *orchestrating("item", agent=ORCHESTRATOR),
    ),
    checkpoints=(
        CheckpointDefinition(
            name="release", title="Release", evidence=("touched",), proposal="touched"
        ),
    ),
    results=(CaseResult(name="done"),),
)
"""Its subject says how many steps a case takes: none means one and then a checkpoint,
``ask-N`` is N steps that measure a grant each, and ``fan-N`` is N of them at once."""

MATRIX = AuthorityMatrix(
    process=PROCESS,
    version=1,
    mode=Mode.ASSIST,
    automatic_limit="0.00",
    rules=(
        CheckpointRule(
            checkpoint="release",
            tiers=(Tier(up_to=None, needs=(Need(roles=("clerk",), count=1),)),),
        ),
    ),
    openers=("porter",),
)

SCHEMA = """
namespace Placet {
  entity Agent = { name: String, owner?: String };
  entity Record = { path: String };
  type Ledger = {
    agent: String, in_scope: Bool, case_status: String, attempt: Long, mode: String, on_hold: Bool,
  };
  type Step = { ledger: Ledger };
  action "item:touch", "checkpoint:open", "outcome:read", "case:stop", "case:close"
    appliesTo { principal: [Agent], resource: [Record], context: Step };
}
"""

POLICIES = """
@id("open-case")
forbid (principal, action, resource) unless { context.ledger.case_status == "open" };
@id("in-scope")
forbid (principal, action, resource) unless { context.ledger.in_scope };
@id("own-step")
forbid (principal, action, resource) unless { principal.name == context.ledger.agent };
@id("touches")
permit (principal is Placet::Agent, action == Placet::Action::"item:touch", resource);
@id("orchestrates")
permit (
  principal == Placet::Agent::"orchestrator",
  action in [
    Placet::Action::"checkpoint:open", Placet::Action::"outcome:read",
    Placet::Action::"case:stop", Placet::Action::"case:close"
  ],
  resource
);
"""


WORKS = "works-{milliseconds}-"
"""How the name of a case begins whose steps do more than next to nothing."""

_WORKS = re.compile(WORKS.format(milliseconds="([0-9]+)"))
_SOME = bytes(2**20)


async def work(record: str) -> None:
    """Take as much of the processor as the case's name says; others run meanwhile."""
    said = _WORKS.match(record.rpartition("/")[2])
    if said is not None:
        await asyncio.to_thread(_hash, int(said[1]) / 1000)


def _hash(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        hashlib.sha256(_SOME).digest()  # without the interpreter's lock


class Touched(Model):
    """What a step leaves behind."""

    value: str


@activity.defn(name="touch")
@governed(action="item:touch", system="authority")
async def governed_touch(request: StepRequest) -> PartRef:
    """Do what the case's name says, or next to nothing, under a grant, and leave evidence."""
    await work(request.record)
    proposal = Proposal(amount="1.00", requested="1.00", payments_digest=digest_json(["1.00"]))
    return current_grant().keep("touched", Touched(value=request.record), proposal)


@activity.defn(name="touch")
async def bare_touch(request: StepRequest) -> PartRef:
    """Do what the case's name says, or next to nothing, and answer as much."""
    await work(request.record)
    return PartRef(name="touched", record=request.record, digest=digest_json([request.record]))


@activity.defn(name="close_case")
async def bare_close(request: StepRequest) -> StepRequest:
    """End as the governed case does."""
    return request


@workflow.defn(name="GovernedBench")
class GovernedBench(GovernedWorkflow):
    """Steps one after the other, or a checkpoint; then the case is closed."""

    definition = DEFINITION

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Run one case."""
        steps = case.subject.split("/")[1]
        request = StepRequest(case=case.case, record=case.subject)
        if steps.startswith("ask-"):
            for _ in range(int(steps.removeprefix("ask-"))):
                await self.step("ask", request, type(None))
        elif steps.startswith("fan-"):
            count = int(steps.removeprefix("fan-"))
            await asyncio.gather(*(self.step("ask", request, type(None)) for _ in range(count)))
        else:
            for _ in range(int(steps) or 1):
                await self.step("touch", request, PartRef)
        if steps == "0":
            await self.checkpoint("release", case.case, case.subject)
        await self.close(case.case, case.subject, "done")
        return "done"


@workflow.defn(name="BareBench")
class BareBench:
    """The same work in plain Temporal; a signal stands for the people's decision."""

    def __init__(self) -> None:
        self._released = asyncio.Event()

    @workflow.signal
    def release(self) -> None:
        """Go on."""
        self._released.set()

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Run one case."""
        steps = int(case.subject.split("/")[1])
        request = StepRequest(case=case.case, record=case.subject)
        for _ in range(steps or 1):
            await self._step("touch", AGENT, request)
        if steps == 0:
            await self._released.wait()
        await self._step("close_case", ORCHESTRATOR, request)
        return "done"

    async def _step(self, activity_type: str, queue: str, request: StepRequest) -> None:
        side = workflow.info().task_queue.removesuffix(f"-{ORCHESTRATOR}")
        # Tenuo signs plain arguments alone.
        plain = side == "tenuo"
        await workflow.execute_activity(
            activity_type,
            args=[request.case, request.record] if plain else [request],
            task_queue=f"{side}-{queue}",
            start_to_close_timeout=timedelta(minutes=10),
        )
