"""What a checkpoint asks of whom: the lender's matrix, applied to one proposal.

1. Tiers go by the proposal's amount; one without an amount falls into the highest.
2. A blocking finding adds what the matrix says exceptions add.
3. Nobody has to decide only in automatic mode, and only if the proposal has an amount above zero
   and up to the automatic limit, no finding above ``info``, and two agents made it, digest by
   digest equal. In every other mode, and in every doubt, people decide.
4. A checkpoint the matrix does not name can be approved by nobody.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from pydantic import JsonValue, TypeAdapter, ValidationError

from placet.model import (
    AuthorityMatrix,
    CheckpointRule,
    Digest,
    Mode,
    Model,
    Need,
    Part,
    Principal,
    Proposal,
    Requirement,
    Severity,
    digest_json,
)
from placet.rules._errors import BadProposal, MissingFact, NoRule
from placet.rules._scope import string_list

_PRINCIPAL: TypeAdapter[str] = TypeAdapter(Principal)


class AutomaticFacts(Model):
    """Who made the proposal's part, who made it again, and what each of them said.

    The digests are those of :func:`said_digest`, taken by the authority from the settled parts;
    salted digests never agree. The agents are those of the grants the parts were settled under.
    """

    made_by: Principal
    said: Digest
    recomputed_by: Principal
    recomputed: Digest


def said_digest(part: Part) -> Digest:
    """The digest of what a part says, whatever it is named and salted with.

    Two agents that came to the same result leave two parts with an equal one.
    """
    said: dict[str, JsonValue] = {"record": part.record, "data": part.data}
    if part.proposal is not None:
        said["proposal"] = part.proposal.model_dump(mode="json", exclude_none=True)
    return digest_json(said)


def confirmed(automatic: AutomaticFacts | None) -> bool:
    """Whether two different agents came to the very same result."""
    return (
        automatic is not None
        and automatic.made_by != automatic.recomputed_by
        and automatic.said == automatic.recomputed
    )


def requirement(
    matrix: AuthorityMatrix,
    checkpoint: str,
    proposal: Proposal,
    *,
    excluded: Iterable[Principal],
    facts: Mapping[str, JsonValue],
    automatic: AutomaticFacts | None,
) -> Requirement:
    """What ``checkpoint`` asks of whom for ``proposal``, under ``matrix`` as it is now.

    Args:
        matrix: the lender's matrix; its digest goes into the requirement.
        checkpoint: the checkpoint's name in the process.
        proposal: what people would decide on.
        excluded: who may not decide (:func:`placet.rules.excluded`).
        facts: list facts the authority fetched; the rule's ``independent_of`` must be there.
        automatic: the second agent's recomputation, if there was one.

    Raises:
        NoRule: the matrix does not name this checkpoint.
        BadProposal: the amount is negative, or above what was requested.
        MissingFact: the fact named by ``independent_of`` is absent or not a list of principals.
    """
    rule = matrix.rule(checkpoint)
    if rule is None:
        raise NoRule(f"the authority matrix of {matrix.process} has no rule for {checkpoint!r}")
    _check_amounts(proposal)
    needs: tuple[Need, ...] = ()
    if not goes_alone(matrix, proposal, automatic):
        needs = _tier_needs(rule, proposal.amount)
        if proposal.exceptions:
            needs += rule.exception_adds
    return Requirement(
        checkpoint=checkpoint,
        matrix_digest=digest_json(matrix),
        needs=needs,
        excluded=tuple(sorted(set(excluded))),
        not_all_of=_not_independent(rule, facts),
        exceptions=tuple(dict.fromkeys(proposal.exceptions)),
        amount=proposal.amount,
    )


def goes_alone(
    matrix: AuthorityMatrix, proposal: Proposal, automatic: AutomaticFacts | None
) -> bool:
    """Whether automatic mode lets this proposal through without a person."""
    return (
        matrix.mode is Mode.AUTOMATIC
        and proposal.amount is not None
        and Decimal(0) < proposal.amount <= matrix.automatic_limit
        and all(finding.severity is Severity.INFO for finding in proposal.findings)
        and confirmed(automatic)
    )


def _check_amounts(proposal: Proposal) -> None:
    if proposal.amount is None:
        return
    if proposal.amount < 0:
        raise BadProposal(f"the amount {proposal.amount} is negative")
    if proposal.requested is not None and proposal.amount > proposal.requested:
        raise BadProposal(
            f"the amount {proposal.amount} is above the {proposal.requested} requested"
        )


def _tier_needs(rule: CheckpointRule, amount: Decimal | None) -> tuple[Need, ...]:
    for tier in rule.tiers[:-1]:
        if amount is not None and tier.up_to is not None and amount <= tier.up_to:
            return tier.needs
    return rule.tiers[-1].needs  # the model sees to it that the last one has no limit


def _not_independent(rule: CheckpointRule, facts: Mapping[str, JsonValue]) -> tuple[Principal, ...]:
    if rule.independent_of is None:
        return ()
    people = string_list(facts, rule.independent_of)
    try:
        return tuple(sorted({_PRINCIPAL.validate_python(person) for person in people}))
    except ValidationError:
        raise MissingFact(rule.independent_of, "a list of principals") from None
