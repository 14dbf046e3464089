"""A process of three steps that has nothing to do with loans: the engine must not know any."""

from placet.model import (
    AuthorityMatrix,
    CaseResult,
    CheckpointDefinition,
    CheckpointEnd,
    CheckpointRule,
    CheckpointStatus,
    ExclusionReason,
    Mode,
    NamedIn,
    Need,
    PriorCheckpoint,
    ProcessDefinition,
    Relation,
    Step,
    Tier,
)
from placet.process import orchestrating

DEFINITION = ProcessDefinition(
    name="parcel-check",
    version=1,
    workflow_type="ParcelCheck",
    subject="depot/{depot}/parcel/{parcel}",
    relations=(
        Relation(name="parcel", template="depot/{depot}/parcel/{parcel}"),
        Relation(name="earlier", template="depot/{depot}/parcel/{earlier}", earlier_than="parcel"),
    ),
    steps=(
        Step(
            activity_type="weigh",
            agent="scale",
            action="parcel:weigh",
            system="authority",
            relation="parcel",
            inputs=("cuts", "keyed"),
            produces=("weight",),
        ),
        Step(
            activity_type="reweigh",
            agent="second-scale",
            action="parcel:weigh",
            system="authority",
            relation="parcel",
            inputs=("weight",),
            produces=("second_weight",),
            confirms="weight",
        ),
        Step(
            activity_type="dispatch",
            agent="carrier",
            action="parcel:dispatch",
            system="authority",
            relation="parcel",
            inputs=("weight",),
            produces=("dispatched",),
            approval="release",
        ),
        *orchestrating("parcel"),
    ),
    checkpoints=(
        CheckpointDefinition(
            name="customs", title="Customs", evidence=("weight",), proposal="weight"
        ),
        CheckpointDefinition(
            name="release",
            title="Release of a parcel",
            evidence=("weight", "cuts", "keyed"),
            proposal="weight",
            after=(PriorCheckpoint(checkpoint="customs", findings_of=("parcel.dutiable",)),),
            adjustments="cuts",
            keyed="keyed",
            named=(NamedIn(part="weight", path="inspected_by", hand=ExclusionReason.INSPECTED),),
        ),
    ),
    results=(
        CaseResult(name="dispatched", part="dispatched"),
        *(
            CaseResult(
                name=name,
                ends=(CheckpointEnd(checkpoint="release", status=status),),
                without=("dispatched",),
            )
            for name, status in (
                ("refused", CheckpointStatus.VOIDED),
                ("rejected", CheckpointStatus.REJECTED),
                ("expired", CheckpointStatus.EXPIRED),
                ("returned", CheckpointStatus.RETURNED),
            )
        ),
    ),
)


def matrix(version: int = 1, mode: Mode = Mode.ASSIST) -> AuthorityMatrix:
    """One clerk up to 100.00, two people above."""
    return AuthorityMatrix(
        process="parcel-check",
        version=version,
        mode=mode,
        automatic_limit="50.00",
        rules=(
            CheckpointRule(
                checkpoint="release",
                tiers=(
                    Tier(up_to="100.00", needs=(Need(roles=("clerk", "chief"), count=1),)),
                    Tier(
                        up_to=None,
                        needs=(
                            Need(roles=("clerk", "chief"), count=1),
                            Need(roles=("chief",), count=1),
                        ),
                    ),
                ),
            ),
        ),
        openers=("porter",),
        keyers=("porter", "clerk"),
    )


SCHEMA = """
namespace Placet {
  entity Agent = { name: String, owner?: String };
  entity Record = { path: String };
  type Ledger = {
    agent: String, in_scope: Bool, case_status: String, attempt: Long, mode: String, on_hold: Bool,
  };
  type Approval = {
    status: String, needs_met: Bool, automatic: Bool, confirmed: Bool, people: Long,
    approved_cents: Long, amount_cents: Long, automatic_limit_cents: Long, exceptions_open: Long,
    findings_above_info: Long, evidence_settled: Bool, payments_fixed: Bool,
    version_unchanged: Bool, emergency: Bool,
  };
  type Nothing = {};
  type Step = { ledger: Ledger };
  type Guarded = { ledger: Ledger, approval: Approval, facts: Nothing, sources: Set<String> };
  action "parcel:weigh", "checkpoint:open", "outcome:read", "case:stop", "case:close"
    appliesTo { principal: [Agent], resource: [Record], context: Step };
  action "parcel:dispatch"
    appliesTo { principal: [Agent], resource: [Record], context: Guarded };
}
"""

POLICIES = """
@id("open-case")
forbid (principal, action, resource) unless { context.ledger.case_status == "open" };
@id("in-scope")
forbid (principal, action, resource) unless { context.ledger.in_scope };
@id("own-step")
forbid (principal, action, resource) unless { principal.name == context.ledger.agent };
@id("approved")
forbid (principal, action == Placet::Action::"parcel:dispatch", resource)
unless {
  context.approval.status == "approved" && context.approval.needs_met &&
  context.approval.evidence_settled && !context.ledger.on_hold &&
  (context.approval.people > 0 || (context.approval.automatic && context.approval.confirmed))
};
@id("weighs")
permit (principal, action == Placet::Action::"parcel:weigh", resource);
@id("dispatches")
permit (
  principal == Placet::Agent::"carrier", action == Placet::Action::"parcel:dispatch", resource
);
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
