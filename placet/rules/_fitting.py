"""Whether a process, its matrix and its policies belong together, before a case finds out.

Each is right by itself, and together they may still let no case through: a checkpoint that no rule
names is approved by nobody, and a question that the schema does not have is denied.
"""

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal

import cedarpy
from cedarpy import pst
from pydantic import JsonValue

from placet.model import (
    AuthorityMatrix,
    CaseStatus,
    CheckpointStatus,
    ProcessDefinition,
    Step,
    template_variables,
)
from placet.rules._context import ApprovalFacts, StepFacts, guarded_context, step_context
from placet.rules._policy import (
    DenialCause,
    Denied,
    LoadedPolicies,
    Permitted,
    PolicyRequest,
    decide,
)
from placet.rules._policy_text import NAMESPACE, names_agent
from placet.rules._possible import Asked, policies_for

_SALT = "A" * 43
_OPENS = "checkpoint:open"
_ORCHESTRATING = (_OPENS, "outcome:read", "case:stop", "case:close")
_APPROVED = ApprovalFacts(
    status=CheckpointStatus.APPROVED,
    needs_met=True,
    automatic=False,
    confirmed=False,
    people=1,
    approved=Decimal(0),
    amount=Decimal(0),
    automatic_limit=Decimal(0),
    exceptions_open=0,
    findings_above_info=0,
    evidence_settled=True,
    payments_fixed=True,
    version_unchanged=True,
    emergency=False,
)


def misfits(
    definition: ProcessDefinition, matrix: AuthorityMatrix, loaded: LoadedPolicies
) -> tuple[str, ...]:
    """What keeps every case of the process from going on; nothing if the three belong together.

    What systems of record will say is not known here, so that facts are left out.
    """
    if matrix.process != definition.name:
        return (f"the matrix is for the process {matrix.process}, not {definition.name}",)
    named = {checkpoint.name for checkpoint in definition.checkpoints}
    return (
        *(
            f"the matrix has a rule for {rule.checkpoint}, and the process no such checkpoint"
            for rule in matrix.rules
            if rule.checkpoint not in named
        ),
        *_untold(definition, matrix),
        *_unread(definition),
        *_unreachable(definition),
        *_made_alone(definition),
        *_unfit(definition, matrix, loaded),
    )


def dead_ends(
    definition: ProcessDefinition, matrix: AuthorityMatrix, loaded: LoadedPolicies
) -> tuple[str, ...]:
    """Where no case would come through, though that may be meant: steps denied, nobody to approve.

    A step is asked of every record that its relation names. What people, agents and systems of
    record will say is not known yet: told is what would be denied whatever that is.
    """
    denied: dict[tuple[str, str], list[Step]] = {}
    for step in definition.steps:
        for why in _denied(definition, step, matrix, loaded):
            denied.setdefault(why, []).append(step)
    found = [*left_to_nobody(definition, matrix)]
    for (before, after), steps in denied.items():
        names = ", ".join(step.activity_type for step in steps)
        actions = ", ".join(dict.fromkeys(step.action for step in steps))
        found.append(f"{names}: {before} {actions}{after}")
    return tuple(found)


def left_to_nobody(definition: ProcessDefinition | None, matrix: AuthorityMatrix) -> Iterator[str]:
    """What a matrix lets nobody do: approve at a checkpoint of the process, or open a case."""
    ruled = {rule.checkpoint for rule in matrix.rules}
    for checkpoint in () if definition is None else definition.checkpoints:
        if checkpoint.name not in ruled:
            yield f"{checkpoint.name}: nobody can approve it, the matrix has no rule for it"
    if not matrix.openers:
        yield "nobody can open a case: the matrix names no openers"


def _denied(
    definition: ProcessDefinition, step: Step, matrix: AuthorityMatrix, loaded: LoadedPolicies
) -> Iterator[tuple[str, str]]:
    """Why a step is denied in every case: what is said before its action, and what after it."""
    template = definition.relation(step.relation).template
    asked = Asked(template, _known(step, matrix))
    policies = policies_for(loaded, step.action)
    permits = [each for each in policies if each.effect == "permit"]
    to_agent = [each for each in permits if names_agent(each, step.agent)]
    if not permits:
        yield "no policy permits", " to anyone"
    elif not to_agent:
        yield "no policy permits", f" to {step.agent}; {_ids(permits)} permits that to others"
    elif all(asked.holds(each) is False for each in to_agent):
        yield (
            "no policy permits",
            f" to {step.agent} on {template}: the conditions of {_ids(to_agent)} never hold",
        )
    forbids = [
        each
        for each in policies
        if each.effect == "forbid" and names_agent(each, step.agent) and asked.holds(each)
    ]
    if forbids:
        yield f"{_ids(forbids)} always forbids", ""


def _known(step: Step, matrix: AuthorityMatrix) -> dict[pst.Expr, JsonValue]:
    """What a step's question says in every case, by where it stands in a policy.

    A guarded step's mode is left out: in audit mode it is meant to be denied.
    """
    otherwise = {"attempt"} if step.approval is None else {"attempt", "mode"}
    said = _step_facts(step, matrix).model_dump(mode="json", exclude=otherwise)
    group = pst.GetAttr(base=pst.Var(name="context"), attr="ledger")
    return {
        pst.GetAttr(base=pst.Var(name="principal"), attr="name"): step.agent,
        **{pst.GetAttr(base=group, attr=each): value for each, value in said.items()},
    }


def _ids(policies: Iterable[pst.Template]) -> str:
    return ", ".join(sorted(each.annotations["id"] for each in policies))


def _untold(definition: ProcessDefinition, matrix: AuthorityMatrix) -> Iterator[str]:
    """Facts on which a rule rests, where opening a checkpoint asks nobody for any."""
    opening = [step for step in definition.steps if step.action == _OPENS]
    for rule in matrix.rules:
        if rule.fact_names and opening and not any(step.facts for step in opening):
            yield (
                f"{rule.checkpoint}: the matrix rests on the fact {rule.fact_names[0]}, and "
                f"{opening[0].activity_type} names no facts"
            )


def _unread(definition: ProcessDefinition) -> Iterator[str]:
    """Evidence that nobody would be shown: a proposal is shown with what it was made from."""
    for checkpoint in definition.checkpoints:
        for step in definition.steps:
            if checkpoint.proposal not in step.produces:
                continue
            for part in sorted({*checkpoint.evidence} - {checkpoint.proposal, *step.inputs}):
                yield (
                    f"{checkpoint.name}: people would not be shown {part}: {step.activity_type}, "
                    f"which leaves {checkpoint.proposal}, does not have it among its inputs"
                )


def _unreachable(definition: ProcessDefinition) -> Iterator[str]:
    """Steps of which no record would ever be the case's."""
    for step in definition.steps:
        relation = definition.relation(step.relation)
        if relation.member_of is not None and not step.facts:
            yield (
                f"{step.activity_type}: {relation.name} is in the list fact {relation.member_of}, "
                "and the step names no facts that are asked for it"
            )
        if step.action in _ORCHESTRATING and relation.template != definition.subject:
            yield (
                f"{step.activity_type}: it is about the case's subject, and {relation.name} is "
                f"{relation.template}"
            )


def _made_alone(definition: ProcessDefinition) -> Iterator[str]:
    """Parts that are to be confirmed, and never could be: people would be asked of no case."""
    for step in definition.steps:
        made = [each for each in definition.steps if step.confirms in each.produces]
        if made and all(each.agent == step.agent for each in made):
            yield f"{step.activity_type}: it confirms {step.confirms}, which its own agent leaves"
        elif made and all(each.relation != step.relation for each in made):
            yield (
                f"{step.activity_type}: it confirms {step.confirms}, which is of "
                f"{made[0].relation}, and is itself taken on {step.relation}"
            )


def _unfit(
    definition: ProcessDefinition, matrix: AuthorityMatrix, loaded: LoadedPolicies
) -> Iterator[str]:
    """Questions that the schema does not have, each fault once with the steps that ask so."""
    unfit: dict[str, list[str]] = {}
    for step in definition.steps:
        for why in _not_in_schema(definition, step, matrix, loaded):
            unfit.setdefault(why, []).append(step.activity_type)
    for why, names in unfit.items():
        yield f"{', '.join(names)}: does not fit the schema: {why}"


def _not_in_schema(
    definition: ProcessDefinition, step: Step, matrix: AuthorityMatrix, loaded: LoadedPolicies
) -> Iterator[str]:
    if step.approval is not None:
        yield from _unknown_members(step, _context(definition, step, matrix), loaded)
        return
    answer = _first_try(definition, step, matrix, loaded)
    if isinstance(answer, Denied) and answer.cause is DenialCause.UNFIT_REQUEST:
        yield "; ".join(answer.errors)


def _first_try(
    definition: ProcessDefinition, step: Step, matrix: AuthorityMatrix, loaded: LoadedPolicies
) -> Permitted | Denied:
    template = definition.relation(step.relation).template
    return decide(
        loaded,
        PolicyRequest(
            principal=f"agent:{step.agent}",
            action=step.action,
            record=template.format_map(dict.fromkeys(template_variables(template), "1")),
            context=_context(definition, step, matrix),
            salt=_SALT,
        ),
    )


def _context(
    definition: ProcessDefinition, step: Step, matrix: AuthorityMatrix
) -> dict[str, JsonValue]:
    asked = _step_facts(step, matrix)
    if step.approval is not None:
        return guarded_context(asked, _APPROVED, ())
    claims = definition.takes_amount(step.activity_type)
    return step_context(asked, claim={"amount_cents": 1} if claims else None)


def _step_facts(step: Step, matrix: AuthorityMatrix) -> StepFacts:
    return StepFacts(
        agent=step.agent,
        in_scope=True,
        case_status=CaseStatus.OPEN,
        attempt=1,
        mode=matrix.mode,
        on_hold=False,
    )


def _unknown_members(
    step: Step, context: dict[str, JsonValue], loaded: LoadedPolicies
) -> Iterator[str]:
    """Members of the question that the schema does not have, asked one by one.

    A whole question would have to bring the facts, which only the schema could tell.
    """
    action = f"{NAMESPACE}::Action::{json.dumps(step.action)}"
    probes = {
        f"{group}.{name}": f"context.{group}.{name} == {json.dumps(value)}"
        for group, members in context.items()
        if isinstance(members, dict)
        for name, value in members.items()
    }
    for member, probe in {**probes, "sources": 'context.sources.contains("")'}.items():
        policy = f"permit (principal, action == {action}, resource) when {{ {probe} }};"
        errors = [each.error for each in cedarpy.validate_policies(policy, loaded.schema).errors]
        if any("unrecognized action" in each for each in errors):
            yield f"there is no action {step.action}"
            return
        if any("optional attribute" not in each for each in errors):
            yield f"{member} is asked, and not in it"
