"""The context of a policy decision: every attribute in the group of its source (invariant I3).

``ledger`` and ``approval`` come from the authority's own record; ``facts`` from systems of
record, asked by the authority itself, and ``sources`` says which system, record and version each
fact came from; ``claim`` is what the agent says, which may tighten a decision and never permit.
Money is whole cents, since Cedar has no decimals that fit. Nothing here knows what a process is
about: facts pass through under the names that its definition and the lender's schema give them.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Annotated

from pydantic import Field, JsonValue, StringConstraints

from placet.model import (
    CaseStatus,
    CheckpointStatus,
    Identifier,
    Mode,
    Model,
    Money,
    Name,
    RecordId,
    canonical_json,
)
from placet.rules._errors import MissingFact
from placet.rules._plain import require_plain

MAX_FACTS_BYTES = 49_152  # what is left of a context's 64 KiB after everything else


class StepFacts(Model):
    """What the authority's own record says of the step that asks.

    ``agent`` is the agent that the signed process lets take this step; ``in_scope`` that I2 held;
    ``on_hold`` that a signed hold covers the record.
    """

    agent: Name
    in_scope: bool
    case_status: CaseStatus
    attempt: int = Field(ge=1)
    mode: Mode
    on_hold: bool


class ApprovalFacts(Model):
    """What the authority's own record says of the approval that a guarded step rests on.

    Attributes:
        status: the outcome under the matrix as it was when the checkpoint opened.
        needs_met: those needs are filled, computed again now from the recorded decisions.
        automatic: the requirement asked for nobody (automatic mode).
        confirmed: a second agent came to the very same result.
        people: how many different people's approvals count.
        approved: the amount that people signed, or that automatic mode let through.
        amount: the amount that this grant would carry.
        automatic_limit: the matrix's limit for automatic mode, as it is today.
        exceptions_open: blocking findings that nobody accepted.
        findings_above_info: findings of more weight than ``info``.
        evidence_settled: every part has the digest that was settled, by the agent that the
            process lets produce it (I13), and no newer part has taken its place.
        payments_fixed: the proposal names the digest of what would be done.
        version_unchanged: the record's version is the one the proposal rests on.
        emergency: they were asked by the emergency path, which a review follows.
    """

    status: CheckpointStatus
    needs_met: bool
    automatic: bool
    confirmed: bool
    people: int = Field(ge=0)
    approved: Money
    amount: Money
    automatic_limit: Money
    exceptions_open: int = Field(ge=0)
    findings_above_info: int = Field(ge=0)
    evidence_settled: bool
    payments_fixed: bool
    version_unchanged: bool
    emergency: bool


class Fact(Model):
    """One fact of a system of record, as the authority fetched it itself. Money is in cents."""

    name: Identifier
    value: JsonValue
    system: Name
    record: RecordId
    version: Annotated[str, StringConstraints(max_length=64)]


def cents(amount: Decimal) -> int:
    """Money as whole cents.

    Raises:
        ValueError: not whole cents.
    """
    scaled = amount * 100
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{amount} is not whole cents")
    return int(scaled)


def step_context(
    step: StepFacts, *, claim: Mapping[str, JsonValue] | None = None
) -> dict[str, JsonValue]:
    """The context of an ordinary step."""
    context: dict[str, JsonValue] = {"ledger": step.model_dump(mode="json")}
    if claim:
        context["claim"] = dict(claim)
    return context


def guarded_context(
    step: StepFacts,
    approval: ApprovalFacts,
    facts: Iterable[Fact],
    *,
    claim: Mapping[str, JsonValue] | None = None,
) -> dict[str, JsonValue]:
    """The context of a step that needs people's approval.

    Raises:
        MissingFact: two sources tell a fact of one name, so nobody knows which holds; or a fact
            is no plain JSON, or too large (:data:`MAX_FACTS_BYTES` for all together).
    """
    values: dict[str, JsonValue] = {}
    sources: list[JsonValue] = []
    for fact in sorted(facts, key=lambda each: each.name):
        if fact.name in values:
            raise MissingFact(fact.name, "told by one source alone")
        try:
            require_plain(fact.value, MAX_FACTS_BYTES)
        except ValueError as error:
            raise MissingFact(fact.name, f"plain JSON ({error})") from None
        values[fact.name] = fact.value
        sources.append(f"{fact.name} {fact.system} {fact.record} {fact.version}")
    if len(canonical_json([values, sources])) > MAX_FACTS_BYTES:
        raise MissingFact("all facts", f"at most {MAX_FACTS_BYTES} bytes together")
    return {
        **step_context(step, claim=claim),
        "approval": _approval(approval),
        "facts": values,
        "sources": sources,
    }


def _approval(approval: ApprovalFacts) -> dict[str, JsonValue]:
    money = {"approved", "amount", "automatic_limit"}
    said: dict[str, JsonValue] = approval.model_dump(mode="json", exclude=money)
    for name in money:
        said[f"{name}_cents"] = cents(getattr(approval, name))
    return said
