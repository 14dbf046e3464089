"""A process that lets a model read slips of parcels: nothing of it has to do with loans."""

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from placet.model import (
        AuthorityMatrix,
        Budget,
        CaseInput,
        CaseResult,
        Ending,
        ProcessDefinition,
        Reasoning,
        Relation,
        Step,
        Tool,
        ToolArgument,
    )
    from placet.process import ReasoningWorkflow
    from tests.harness import processes

SUBJECT = "depot/{depot}/parcel/{parcel}"


def _step(name: str, agent: str, action: str, relation: str = "parcel", **more: Any) -> Step:
    return Step(
        activity_type=name,
        agent=agent,
        action=action,
        system="authority",
        relation=relation,
        **more,
    )


def _look(name: str, relation: str, action: str = "parcel:look") -> Step:
    return _step(name, "scale", action, relation, inputs=("conversation",), produces=("slip",))


HURRY = "D7"
"""The depot whose parcels are read in a hurry."""

PAGE = ToolArgument(name="page", description="Which page.", kind="integer", required=False)
AMOUNT = ToolArgument(name="amount", description="How much.", kind="money")
DEFINITION = ProcessDefinition(
    name="parcel-reading",
    version=1,
    workflow_type="ParcelReading",
    subject=SUBJECT,
    relations=(
        Relation(name="parcel", template=SUBJECT),
        Relation(name="earlier", template="depot/{depot}/parcel/{earlier}", earlier_than="parcel"),
    ),
    steps=(
        _step(
            "think",
            "scale",
            "parcel:think",
            inputs=("conversation", "slip"),
            produces=("conversation",),
        ),
        _step(
            "think_soon",
            "scale",
            "parcel:think",
            inputs=("hurry", "slip"),
            produces=("hurry",),
        ),
        _look("read_slip", "parcel"),
        _look("read_earlier", "earlier"),
        _look("send_off", "parcel", "parcel:send"),  # a tool that no policy permits
        _look("charge", "parcel", "parcel:charge"),  # by policy up to 20.00
        _look("burn", "parcel"),  # a step of the process that is no tool
        *(
            _step(name, "orchestrator", action)
            for name, action in (("stop_case", "case:stop"), ("close_case", "case:close"))
        ),
    ),
    reasonings=(
        Reasoning(
            name="reading",
            think="think",
            conversation="conversation",
            tools=(
                Tool(step="read_slip", description="Read.", result="slip", arguments=(PAGE,)),
                Tool(step="read_earlier", description="Read an earlier one.", result="slip"),
                Tool(step="send_off", description="Send it off.", result="slip"),
                Tool(
                    step="charge",
                    description="Charge for it.",
                    result="slip",
                    arguments=(AMOUNT,),
                    amount="amount",
                ),
            ),
            budget=Budget(
                model_calls=8, tool_calls=12, tokens=50_000, seconds=60, cost="1.00", refusals=4
            ),
        ),
        Reasoning(
            name="hurrying", think="think_soon", conversation="hurry", budget=Budget(seconds=3)
        ),
    ),
    results=tuple(CaseResult(name=each.value) for each in Ending),
)
SCHEMA = processes.SCHEMA.replace(
    'action "parcel:weigh",', 'action "parcel:weigh", "parcel:think", "parcel:look", "parcel:send",'
).replace(
    "  type Step =",
    """  type Charge = { ledger: Ledger, claim: { amount_cents: Long } };
  action "parcel:charge"
    appliesTo { principal: [Agent], resource: [Record], context: Charge };
  type Step =""",
)
POLICIES = (
    processes.POLICIES
    + """
@id("reads")
permit (
  principal == Placet::Agent::"scale",
  action in [Placet::Action::"parcel:think", Placet::Action::"parcel:look"],
  resource
);
@id("charges")
permit (principal == Placet::Agent::"scale", action == Placet::Action::"parcel:charge", resource);
@id("charges-little")
forbid (principal, action == Placet::Action::"parcel:charge", resource)
  when { context.claim.amount_cents > 2000 };
"""
)
MATRIX = AuthorityMatrix(
    process="parcel-reading",
    version=1,
    mode="assist",
    automatic_limit="0.00",
    rules=processes.matrix().rules,
    openers=("porter",),
)
READING = DEFINITION.reasonings[0]  # type: ignore[index]  # it has one


@workflow.defn(name="ParcelReading")
class ParcelReading(ReasoningWorkflow):
    """Let the model read, and close with how that ended."""

    definition = DEFINITION

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Run one case."""
        name = "hurrying" if case.subject.startswith(f"depot/{HURRY}/") else "reading"
        reasoned = await self.reason(name, case.case, case.subject)
        await self.close(case.case, case.subject, reasoned.ending.value)
        return reasoned.ending.value
