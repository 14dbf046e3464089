"""Whether a process, its matrix and its policies belong together, before a case finds out.

Each is right by itself, and together they may still let no case through: a checkpoint that no rule
names is approved by nobody, and a question that the schema does not have is denied.
"""

import json
from collections.abc import Iterator
from decimal import Decimal

import cedarpy
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
from placet.rules._policy_text import NAMESPACE

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
        *(
            problem
            for step in definition.steps
            for problem in _unfit(definition, step, matrix, loaded)
        ),
    )


def dead_ends(
    definition: ProcessDefinition, matrix: AuthorityMatrix, loaded: LoadedPolicies
) -> tuple[str, ...]:
    """Where no case would come through, though that may be meant: steps denied, nobody to approve.

    Each step is asked of a record as its relation names them, with ``1`` for what differs. The
    answer to a guarded one rests on what people and systems of record say: of it no more is told
    than that no policy, by its head, permits its action to its agent.
    """
    found = [*left_to_nobody(definition, matrix)]
    for step in definition.steps:
        if step.approval is not None:
            found += _not_permitted(step, loaded)
            continue
        answer = _first_try(definition, step, matrix, loaded)
        if isinstance(answer, Denied):
            found.append(f"{step.activity_type}: {answer.explanation}")
    return tuple(found)


def left_to_nobody(definition: ProcessDefinition | None, matrix: AuthorityMatrix) -> Iterator[str]:
    """What a matrix lets nobody do: approve at a checkpoint of the process, or open a case."""
    ruled = {rule.checkpoint for rule in matrix.rules}
    for checkpoint in () if definition is None else definition.checkpoints:
        if checkpoint.name not in ruled:
            yield f"{checkpoint.name}: nobody can approve it, the matrix has no rule for it"
    if not matrix.openers:
        yield "nobody can open a case: the matrix names no openers"


def _not_permitted(step: Step, loaded: LoadedPolicies) -> Iterator[str]:
    """Whether the heads of the policies alone keep a step's agent from its action."""
    named = [permit for permit in loaded.permits if permit.names(step.action)]
    if not named:
        yield f"{step.activity_type}: no policy permits {step.action} to anyone"
    elif not any(permit.admits(step.agent) for permit in named):
        others = ", ".join(sorted(permit.policy for permit in named))
        yield (
            f"{step.activity_type}: no policy permits {step.action} to {step.agent}; "
            f"{others} permits it to others"
        )


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


def _unfit(
    definition: ProcessDefinition, step: Step, matrix: AuthorityMatrix, loaded: LoadedPolicies
) -> Iterator[str]:
    if step.approval is not None:
        yield from _unknown_members(step, _context(definition, step, matrix), loaded)
        return
    answer = _first_try(definition, step, matrix, loaded)
    if isinstance(answer, Denied) and answer.cause is DenialCause.UNFIT_REQUEST:
        yield f"{step.activity_type} does not fit the schema: {'; '.join(answer.errors)}"


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
    asked = StepFacts(
        agent=step.agent,
        in_scope=True,
        case_status=CaseStatus.OPEN,
        attempt=1,
        mode=matrix.mode,
        on_hold=False,
    )
    if step.approval is not None:
        return guarded_context(asked, _APPROVED, ())
    claims = definition.takes_amount(step.activity_type)
    return step_context(asked, claim={"amount_cents": 1} if claims else None)


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
            yield f"{step.activity_type} does not fit the schema: there is no action {step.action}"
            return
        if any("optional attribute" not in each for each in errors):
            yield f"{step.activity_type} does not fit the schema: {member} is asked, and not in it"
