"""A process whose agents read and release liens, at the system of record that a page writes."""

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from placet.agent import current_grant, governed, read_answer
    from placet.model import (
        AuthorityMatrix,
        CaseInput,
        CaseResult,
        CheckpointDefinition,
        CheckpointEnd,
        CheckpointRule,
        CheckpointStatus,
        FactSource,
        Model,
        Need,
        PartRef,
        ProcessDefinition,
        Proposal,
        Relation,
        Step,
        Tier,
        digest_bytes,
    )
    from placet.process import GovernedWorkflow, NotTaken, StepRequest, orchestrating
    from tests.harness import processes

SYSTEM = "lien-registry"
AGENTS = ("lien-reader", "lien-releaser")

DEFINITION = ProcessDefinition(
    name="lien-release",
    version=1,
    workflow_type="LienRelease",
    subject="lien/{lien}",
    relations=(Relation(name="lien", template="lien/{lien}"),),
    facts=(FactSource(name="lien", system=SYSTEM, relation="lien"),),
    steps=(
        Step(
            activity_type="read_lien",
            agent="lien-reader",
            action="lien:read",
            system=SYSTEM,
            relation="lien",
            produces=("lien",),
        ),
        Step(
            activity_type="release_lien",
            agent="lien-releaser",
            action="lien:release",
            system=SYSTEM,
            relation="lien",
            produces=("released",),
            approval="release",
            facts=("lien",),
        ),
        *orchestrating("lien"),
    ),
    checkpoints=(
        CheckpointDefinition(
            name="release", title="Release of a lien", evidence=("lien",), proposal="lien"
        ),
    ),
    results=(
        CaseResult(name="released", part="released"),
        CaseResult(
            name="voided",
            ends=(CheckpointEnd(checkpoint="release", status=CheckpointStatus.VOIDED),),
            without=("released",),
        ),
    ),
)

MATRIX = AuthorityMatrix(
    process="lien-release",
    version=1,
    mode="assist",
    automatic_limit="0.00",
    rules=(
        CheckpointRule(
            checkpoint="release", tiers=(Tier(needs=(Need(roles=("clerk",), count=1),)),)
        ),
    ),
    openers=("porter",),
)


def _renamed(text: str) -> str:
    said = {
        "parcel:weigh": "lien:read",
        "parcel:dispatch": "lien:release",
        '"carrier"': '"lien-releaser"',
        "!context.ledger.on_hold": "!context.ledger.on_hold && context.approval.version_unchanged",
    }
    for before, after in said.items():
        text = text.replace(before, after)
    return text


POLICIES, SCHEMA = _renamed(processes.POLICIES), _renamed(processes.SCHEMA)


class Lien(Model):
    """A lien as the registry tells it."""

    lien: str
    holder: str
    version: int


class Released(Model):
    """What the registry says of a release."""

    lien: str
    holder: str


class Why(Model):
    """What the registry is sent to release a lien."""

    reason: str


WHY = Why(reason="the loan was repaid")


@activity.defn
@governed(action="lien:read", system=SYSTEM)
async def read_lien(request: StepRequest) -> PartRef:
    """Read it, and propose its release."""
    grant = current_grant()
    lien = read_answer(await grant.request("GET", f"/liens/{request.record[5:]}"), Lien)
    body = WHY.model_dump_json(exclude_none=True).encode()
    proposal = Proposal(payments_digest=digest_bytes(body), record_version=str(lien.version))
    return grant.keep("lien", lien, proposal)


@activity.defn
@governed(action="lien:release", system=SYSTEM)
async def release_lien(request: StepRequest) -> PartRef:
    """Release it."""
    grant = current_grant()
    path = f"/liens/{request.record[5:]}/release"
    return grant.keep(
        "released", read_answer(await grant.request("POST", path, json=WHY), Released)
    )


@workflow.defn(name="LienRelease")
class LienRelease(GovernedWorkflow):
    """Read, ask, release, close."""

    definition = DEFINITION

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Run one case."""
        await self.take(case, "read_lien", case.subject, PartRef)
        await self.checkpoint("release", case.case, case.subject)
        released = await self.take_approved(case, "release_lien", PartRef)
        result = "voided" if released is NotTaken.VOIDED else "released"
        await self.close(case.case, case.subject, result)
        return result
