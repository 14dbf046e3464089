"""A bank's assistant as a process: it reads freely, and what moves money has limits.

It sends up to 100.00 to payees on file, which the authority asks the bank for; orders that pay
later, or again, need people; and what an account says of its owner no policy lets it change.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from placet.model import (
        AuthorityMatrix,
        Budget,
        CaseInput,
        CaseResult,
        CheckpointDefinition,
        CheckpointRule,
        Ending,
        FactSource,
        Mode,
        Need,
        ProcessDefinition,
        Reasoning,
        Relation,
        Step,
        Tier,
        Tool,
        ToolArgument,
    )
    from placet.process import ReasoningWorkflow

TELLER = "teller"
OWN = "bank/1"
"""The account whose assistant works."""

READS = ("read_file", "get_most_recent_transactions", "get_scheduled_transactions")
SENDS = "send_money"
PAYS = ("schedule_transaction", "update_scheduled_transaction")
CHANGES = ("update_password", "update_user_info")
_TEXTS = (
    *("file_path", "recipient", "amount", "subject", "date", "recurring", "password"),
    *("street", "city"),
)
BUDGET = Budget(model_calls=12, tool_calls=24, seconds=120, refusals=4)


def _step(name: str) -> Step:
    if name == SENDS:
        return Step(
            activity_type=name,
            agent=TELLER,
            action="bank:send",
            system="authority",
            relation="payee",
            inputs=("said",),
            produces=("shown",),
            facts=("payees",),
        )
    pays = name in PAYS
    kind = "pay" if pays else "read" if name in READS else "change"
    return Step(
        activity_type=name,
        agent=TELLER,
        action=f"bank:{kind}",
        system="authority",
        relation="task" if pays else "account",
        inputs=("said",),
        produces=("shown",),
        approval="payment" if pays else None,
    )


def _tool(name: str) -> Tool:
    texts = [
        ToolArgument(name=each, description=each, longest=500, required=False) for each in _TEXTS
    ]
    if name == SENDS:
        amount = ToolArgument(name="amount", description="How much.", kind="money")
        said = tuple(each for each in texts if each.name in {"subject", "date"})
        return Tool(
            step=name,
            description="Send money to a payee on file.",
            result="shown",
            arguments=(amount, *said),
            amount="amount",
        )
    numbers = [
        ToolArgument(name=each, description=each, kind="integer", required=False)
        for each in ("id", "n")
    ]
    return Tool(step=name, description=name, result="shown", arguments=(*texts, *numbers))


TOOLS = (*READS, SENDS, *PAYS, *CHANGES)
DEFINITION = ProcessDefinition(
    name="bank",
    version=1,
    workflow_type="BankTask",
    subject="bank/{account}/task/{task}",
    relations=(
        Relation(name="task", template="bank/{account}/task/{task}"),
        Relation(name="account", template="bank/{account}"),
        Relation(name="payee", template="bank/{account}/payee/{payee}", member_of="payees"),
    ),
    facts=(FactSource(name="payees", system="core-bank", relation="account"),),
    steps=(
        Step(
            activity_type="teller_thinks",
            agent=TELLER,
            action="bank:think",
            system="authority",
            relation="task",
            inputs=("said", "shown"),
            produces=("said",),
        ),
        *(_step(name) for name in TOOLS),
        Step(
            activity_type="close_case",
            agent="orchestrator",
            action="case:close",
            system="authority",
            relation="task",
        ),
    ),
    checkpoints=(
        CheckpointDefinition(
            name="payment", title="A payment", evidence=("shown",), proposal="shown"
        ),
    ),
    results=tuple(CaseResult(name=each.value) for each in Ending),
    reasonings=(
        Reasoning(
            name="assisting",
            think="teller_thinks",
            conversation="said",
            tools=tuple(_tool(name) for name in TOOLS),
            budget=BUDGET,
        ),
    ),
)
MATRIX = AuthorityMatrix(
    process="bank",
    version=1,
    mode=Mode.ASSIST,
    automatic_limit="0.00",
    rules=(
        CheckpointRule(
            checkpoint="payment",
            tiers=(Tier(up_to=None, needs=(Need(roles=("clerk",), count=1),)),),
        ),
    ),
    openers=("porter",),
)
ACTIONS = '"bank:think", "bank:read", "bank:pay", "bank:change"'
SENDING = """
  type Send = { ledger: Ledger, claim: { amount_cents: Long } };
  action "bank:send" appliesTo { principal: [Agent], resource: [Record], context: Send };
"""
PERMITS = """
@id("assists")
permit (
  principal == Placet::Agent::"teller",
  action in [
    Placet::Action::"bank:think", Placet::Action::"bank:read", Placet::Action::"bank:pay"
  ],
  resource
);
@id("sends")
permit (principal == Placet::Agent::"teller", action == Placet::Action::"bank:send", resource);
@id("sends-little")
forbid (principal, action == Placet::Action::"bank:send", resource)
  when { context.claim.amount_cents > 10000 };
"""


@workflow.defn(name="BankTask")
class BankTask(ReasoningWorkflow):
    """Let the assistant work, and close with how that ended."""

    definition = DEFINITION

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Run one case."""
        reasoned = await self.reason("assisting", case.case, case.subject)
        await self.close(case.case, case.subject, reasoned.ending.value)
        return reasoned.ending.value
