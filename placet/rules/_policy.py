"""Cedar, asked so that doubt denies (invariant I3).

1. Permitted only if the decision is Allow *and* nothing went wrong in evaluating: Cedar skips a
   ``forbid`` that errors, and what is left of the policies may then allow.
2. Policies, principal, action, resource and context fit the schema, or the answer is no.
3. Every entity that a policy can reach is loaded: principal, action and resource are; a policy
   that names any other entity, or a template nobody links, is refused when policies are loaded.
4. Facts that no policy reads are left out before asking, since a system of record may tell more
   than the schema names; every other member of the context must be the schema's. So a schema
   requires no fact that no policy reads, or every question lacks it and is denied.
5. What the agent claims may forbid; a policy that permits by it, or lets it lift a forbid with
   ``unless``, is refused when policies are loaded.
6. Each policy has an ``@id`` of its own; what decided is told by these.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import cedarpy
from pydantic import Field, JsonValue, model_validator

from placet.model import (
    Action,
    Digest,
    Model,
    Principal,
    RecordId,
    Salt,
    canonical_json,
    digest_json,
    salted_digest,
)
from placet.rules._errors import BadPolicies
from placet.rules._plain import require_plain
from placet.rules._policy_text import (
    NAMESPACE,
    Permit,
    called,
    facts_read,
    line_of_fault,
    once_for_all_actions,
    permits_of,
    structure_problems,
)

_ENTITY_TYPES = {"agent": "Agent", "operator": "Operator", "system": "System"}
_GROUPS = frozenset({"ledger", "approval", "facts", "sources", "claim"})
_LONGEST = 500
_KEPT = 16
"""Versions that are kept as parsed: an audit comes to each twice, and again with each bundle."""
MAX_CONTEXT_BYTES = 65_536  # a context is ids, numbers and lists of names; more is no context


@dataclass(frozen=True, slots=True)
class LoadedPolicies:
    """Policies and schema, parsed once. Made by :func:`load_policies` alone."""

    digest: Digest
    policy_set: cedarpy.PolicySet
    schema: cedarpy.Schema
    ids: dict[str, str]
    permits: tuple[Permit, ...]
    facts: frozenset[str]


class PolicyRequest(Model):
    """One question to the policies, with everything they may look at.

    ``salt`` is 32 fresh random bytes: the context is kept beside the ledger with it, and only the
    salted digest stands on the ledger.
    """

    principal: Principal
    principal_attributes: dict[str, JsonValue] = Field(default_factory=dict)
    action: Action
    record: RecordId
    record_attributes: dict[str, JsonValue] = Field(default_factory=dict)
    context: dict[str, JsonValue]
    salt: Salt

    @model_validator(mode="after")
    def _grouped_and_plain(self) -> "PolicyRequest":
        if unknown := sorted(self.context.keys() - _GROUPS):
            raise ValueError(f"context: {', '.join(unknown)} is no group of attributes")
        for part in (self.context, self.principal_attributes, self.record_attributes):
            require_plain(part, MAX_CONTEXT_BYTES)
        return self

    def context_bytes(self) -> bytes:
        """The canonical bytes of the whole question, without its salt: kept for evaluating again.

        ``PolicyRequest.model_validate_json`` of these with the salt is the same question.
        """
        return canonical_json(self.model_dump(mode="json", exclude={"salt"}))

    def context_digest(self) -> Digest:
        """The digest of salt and bytes that stands on the ledger."""
        return salted_digest(self.salt, self.context_bytes())


class DenialCause(StrEnum):
    """Why policies denied."""

    FORBIDDEN = "forbidden"
    NOT_PERMITTED = "not_permitted"
    EVALUATION_ERROR = "evaluation_error"
    UNFIT_REQUEST = "unfit_request"


class Permitted(Model):
    """The policies permit it; ``policies`` are the ids of those that did."""

    policies: tuple[str, ...] = Field(min_length=1)
    policy_digest: Digest
    context_digest: Digest


class Denied(Model):
    """The policies deny it.

    ``policies`` are the ``forbid``s that decided or, where no policy permits, the ``permit``s that
    name the action and did not hold. ``errors`` are Cedar's own words, for the authority's log:
    they may quote the context and are not for the asker.
    """

    cause: DenialCause
    policies: tuple[str, ...]
    errors: tuple[str, ...] = ()
    policy_digest: Digest
    context_digest: Digest

    @property
    def reasons(self) -> tuple[str, ...]:
        """What the asker is told: the invariant, the cause, and the ids of the policies."""
        return ("I3", self.cause.value, *(f"policy:{policy}" for policy in self.policies))

    @property
    def explanation(self) -> str:
        """One sentence for people."""
        named = ", ".join(self.policies)
        match self.cause:
            case DenialCause.FORBIDDEN:
                return f"forbidden by policy {named}"
            case DenialCause.EVALUATION_ERROR:
                return "a policy could not be evaluated, and doubt denies"
            case DenialCause.UNFIT_REQUEST:
                return "the request does not fit the policies' schema"
            case DenialCause.NOT_PERMITTED if named:
                return f"no policy permits it; the conditions of {named} did not hold"
            case DenialCause.NOT_PERMITTED:
                return "no policy permits this action to anyone"


@lru_cache(_KEPT)
def load_policies(policies: str, schema: str) -> LoadedPolicies:
    """Parse policies and schema, and refuse what could not be decided by safely.

    The digest is that of both texts as they stand, comments included: what is published and
    shown is what is fixed, and no parser's version changes it.

    Raises:
        BadPolicies: something does not parse or fit the schema, an ``@id`` is missing or taken
            twice, there is a template, or a policy names an entity that is never loaded, takes
            the context as a whole, or permits by a claim.
    """
    try:
        parsed_schema = cedarpy.Schema.from_str(schema)
    except ValueError as error:
        raise BadPolicies((f"the schema can't be read: {_cut(error)}",)) from error
    try:
        policy_set = cedarpy.PolicySet.from_str(policies)
        tree = policy_set.to_pst()
    except ValueError as error:
        where = f"what begins on line {line_of_fault(policies)}"
        raise BadPolicies((f"the policies can't be read, in {where}: {_cut(error)}",)) from error
    problems = [*structure_problems(tree)]
    validated = cedarpy.validate_policies(policies, parsed_schema)
    problems += once_for_all_actions(
        f"{called(tree, error.policy_id)} does not fit the schema: "
        + error.error.removeprefix(f"for policy `{error.policy_id}`, ")
        for error in validated.errors
    )
    if problems or not validated.validation_passed:
        raise BadPolicies(tuple(problems) or ("does not fit the schema",))
    return LoadedPolicies(
        digest=digest_json({"policies": policies, "schema": schema}),
        policy_set=policy_set,
        schema=parsed_schema,
        ids={key: policy.annotations["id"] for key, policy in tree.static_policies.items()},
        permits=permits_of(tree),
        facts=frozenset().union(*map(facts_read, tree.static_policies.values())),
    )


def _cut(error: ValueError) -> str:
    """What Cedar says, which may quote all that it can't read."""
    said = str(error)
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"


def decide(loaded: LoadedPolicies, request: PolicyRequest) -> Permitted | Denied:
    """Ask the policies. What is not clearly permitted is denied."""
    answer = cedarpy.is_authorized(
        {
            "principal": _principal_uid(request.principal),
            "action": {"type": f"{NAMESPACE}::Action", "id": request.action},
            "resource": _record_uid(request.record),
            "context": _what_is_read(loaded, request.context),
        },
        loaded.policy_set,
        _entities(request),
        loaded.schema,
    )
    context_digest = request.context_digest()
    decided = tuple(sorted(loaded.ids[key] for key in answer.diagnostics.reasons))
    errors = tuple(error[:500] for error in answer.diagnostics.errors[:10])
    if answer.decision is cedarpy.Decision.Allow and decided and not errors:
        return Permitted(
            policies=decided, policy_digest=loaded.digest, context_digest=context_digest
        )
    cause, policies = _why_denied(loaded, request.action, answer.decision, decided, errors)
    return Denied(
        cause=cause,
        policies=policies,
        errors=errors,
        policy_digest=loaded.digest,
        context_digest=context_digest,
    )


def _why_denied(
    loaded: LoadedPolicies,
    action: Action,
    decision: cedarpy.Decision,
    decided: tuple[str, ...],
    errors: tuple[str, ...],
) -> tuple[DenialCause, tuple[str, ...]]:
    """The cause, and the policies that explain it. A default deny has none: name the nearest."""
    if decision is cedarpy.Decision.NoDecision:
        return DenialCause.UNFIT_REQUEST, ()
    if errors:
        return DenialCause.EVALUATION_ERROR, ()
    if decided:
        return DenialCause.FORBIDDEN, decided
    nearest = (permit.policy for permit in loaded.permits if permit.names(action))
    return DenialCause.NOT_PERMITTED, tuple(sorted(nearest))


def _what_is_read(loaded: LoadedPolicies, context: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The context without facts that no policy reads, as systems of record may tell more."""
    facts = context.get("facts")
    if not isinstance(facts, dict):
        return context
    return {**context, "facts": {name: facts[name] for name in facts if name in loaded.facts}}


def _entities(request: PolicyRequest) -> list[dict[str, object]]:
    """Principal and resource; the schema brings the actions and their groups."""
    return [
        {
            "uid": _principal_uid(request.principal),
            "attrs": {
                **request.principal_attributes,
                "name": request.principal.partition(":")[2],
            },
            "parents": [],
        },
        {
            "uid": _record_uid(request.record),
            "attrs": {**request.record_attributes, "path": request.record},
            "parents": [],
        },
    ]


def _principal_uid(principal: Principal) -> dict[str, str]:
    kind, _, name = principal.partition(":")
    return {"type": f"{NAMESPACE}::{_ENTITY_TYPES[kind]}", "id": name}


def _record_uid(record: RecordId) -> dict[str, str]:
    return {"type": f"{NAMESPACE}::Record", "id": record}
