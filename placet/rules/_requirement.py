"""What a checkpoint asks of whom: the lender's matrix, applied to one proposal.

1. Tiers go by the proposal's amount; one without an amount falls into the highest.
2. A blocking finding adds what the matrix says exceptions add; facts add what its additions say.
   Nothing takes away what a tier asks.
3. Who is excluded is excluded in every role and every tier; the reason stands beside them.
4. Nobody has to decide only in automatic mode, and only if the proposal has an amount above zero
   and up to the automatic limit, no finding above ``info``, and two agents made it, digest by
   digest equal. In every other mode, and in every doubt, people decide.
5. A checkpoint the matrix does not name can be approved by nobody.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from pydantic import JsonValue, TypeAdapter, ValidationError

from placet.model import (
    Acceptors,
    AuthorityMatrix,
    CheckpointRule,
    Condition,
    Digest,
    Exclusion,
    ExclusionReason,
    ExpiryStatus,
    Mode,
    Model,
    NamedHand,
    Need,
    Part,
    Principal,
    Proposal,
    Requirement,
    RequirementFact,
    Severity,
    Tier,
    digest_json,
)
from placet.rules._errors import BadProposal, MissingFact, NoRule
from placet.rules._schedule import schedule_of
from placet.rules._scope import string_list
from placet.rules._segregation import in_order

_PRINCIPAL: TypeAdapter[str] = TypeAdapter(Principal)
_EXCEPTIONS, _ACCEPTORS = "exceptions", "acceptors"
_WHY_MORE = {
    _EXCEPTIONS: "there are blocking findings, which have to be accepted",
    _ACCEPTORS: "there are blocking findings that only some roles may accept",
}


def why_more(added: str) -> str:
    """Why more people are asked than for the amount alone; an addition of a matrix is its name."""
    return _WHY_MORE.get(added, added)


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
    excluded: Iterable[Exclusion],
    facts: Iterable[RequirementFact],
    automatic: AutomaticFacts | None,
    opened: datetime,
    named: Iterable[NamedHand] = (),
    expires_as: ExpiryStatus = "expired",
    decided_by: Principal | None = None,
) -> Requirement:
    """What ``checkpoint`` asks of whom for ``proposal``, under ``matrix`` as it is now.

    Args:
        matrix: the lender's matrix; its digest goes into the requirement.
        checkpoint: the checkpoint's name in the process.
        proposal: what people would decide on.
        excluded: who may not decide (:func:`placet.rules.excluded`).
        facts: what the authority fetched; every fact that the rule names must be there.
        automatic: the second agent's recomputation, if there was one.
        opened: when the checkpoint opens.
        named: whom the evidence names as having had a hand in it
            (:func:`placet.rules.named_hands`).
        expires_as: what the process makes of it when nobody has decided in time.
        decided_by: the one person who decides, if the evidence names them
            (:func:`placet.rules.named_decider`).

    Raises:
        BadCalendar: the lender's calendar can't be used.
        NoRule: the matrix does not name this checkpoint.
        BadProposal: the amount is negative, or above what was requested.
        MissingFact: a fact that the rule names is absent, or has not the shape it needs.
    """
    rule = matrix.rule(checkpoint)
    if rule is None:
        raise NoRule(f"the authority matrix of {matrix.process} has no rule for {checkpoint!r}")
    _check_amounts(proposal)
    given = {fact.name: fact for fact in facts}
    values: Mapping[str, JsonValue] = {name: fact.value for name, fact in given.items()}
    tier = _tier(rule, proposal.amount)
    acceptors = _acceptors(rule, proposal)
    needs: tuple[Need, ...] = ()
    added: tuple[str, ...] = ()
    if not goes_alone(matrix, proposal, automatic):
        added, needs = _asked(rule, tier, proposal, values, acceptors)
    by_fact = [
        Exclusion(person=person, why=ExclusionReason.FACT, of=name)
        for name in rule.excluded_by
        for person in _people(values, name)
    ]
    return Requirement(
        checkpoint=checkpoint,
        matrix_digest=digest_json(matrix),
        matrix_version=matrix.version,
        tier=tier.up_to,
        added=added,
        needs=needs,
        excluded=in_order([*excluded, *by_fact]),
        not_all_of=() if rule.independent_of is None else _people(values, rule.independent_of),
        exceptions=tuple(dict.fromkeys(proposal.exceptions)),
        acceptors=acceptors,
        facts=tuple(given[name] for name in sorted(rule.fact_names)),
        amount=proposal.amount,
        schedule=schedule_of(matrix, rule, opened),
        named=tuple(named),
        expires_as=expires_as,
        decided_by=decided_by,
    )


def _asked(
    rule: CheckpointRule,
    tier: Tier,
    proposal: Proposal,
    facts: Mapping[str, JsonValue],
    acceptors: Sequence[Acceptors],
) -> tuple[tuple[str, ...], tuple[Need, ...]]:
    """The tier's needs and what is added to them, with the additions' names."""
    added: list[str] = []
    needs = [*tier.needs]
    if proposal.exceptions and rule.exception_adds:
        added.append(_EXCEPTIONS)
        needs += rule.exception_adds
    for addition in rule.additions:
        # Each condition is looked at: a fact that is missing is found whatever the others say.
        holding = [_holds(condition, facts) for condition in addition.when]
        if all(holding):
            added.append(addition.name)
            needs += addition.needs
    for each in acceptors:
        # Someone who may accept them must be among those who are asked, or nobody ever could.
        if not any(set(need.roles) & set(each.roles) for need in needs):
            added.append(_ACCEPTORS)
            needs.append(Need(roles=each.roles, count=1, stage=max(n.stage for n in needs)))
    return tuple(dict.fromkeys(added)), tuple(needs)


def _holds(condition: Condition, facts: Mapping[str, JsonValue]) -> bool:
    value = facts.get(condition.fact)
    if condition.at_least is not None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise MissingFact(condition.fact, "a whole number")
        return value >= condition.at_least
    if not isinstance(value, str | bool | int):
        raise MissingFact(condition.fact, "a text, a whole number or a yes or no")
    # A yes is no 1 here, though Python holds them equal.
    return any(type(each) is type(value) and each == value for each in condition.one_of or ())


def _acceptors(rule: CheckpointRule, proposal: Proposal) -> tuple[Acceptors, ...]:
    """Those of the rule that speak of a finding which must be accepted."""
    checks = {finding.partition("#")[0] for finding in proposal.exceptions}
    return tuple(each for each in rule.acceptors if not checks.isdisjoint(each.checks))


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


def _tier(rule: CheckpointRule, amount: Decimal | None) -> Tier:
    for tier in rule.tiers[:-1]:
        if amount is not None and tier.up_to is not None and amount <= tier.up_to:
            return tier
    return rule.tiers[-1]  # the model sees to it that the last one has no limit


def _people(facts: Mapping[str, JsonValue], name: str) -> tuple[Principal, ...]:
    people = string_list(facts, name)
    try:
        return tuple(sorted({_PRINCIPAL.validate_python(person) for person in people}))
    except ValidationError:
        raise MissingFact(name, "a list of principals") from None
