"""What a text of Cedar policies says of itself: ids, actions, entities and facts that it names."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass

from cedarpy import PolicySet, pst

NAMESPACE = "Placet"
_AGENT = f"{NAMESPACE}::Agent"
_POLICY_ID = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")
_CONTEXT = pst.Var(name="context")
_CLAIM = pst.GetAttr(base=_CONTEXT, attr="claim")
_FACTS = pst.GetAttr(base=_CONTEXT, attr="facts")
_ACTION = re.compile(rf'{NAMESPACE}::Action::"[^"]*"')
_ACTIONS_TOLD = 3


_LOOKED_AT = 20
"""Semicolons, which stand in texts too, up to which a policy that can't be read is looked at."""


def line_of_fault(policies: str) -> int:
    """The line on which the first policy begins that can't be read; Cedar's parser does not say."""
    begin = end = looked = 0
    while looked < _LOOKED_AT and (end := policies.find(";", end) + 1):
        looked += 1
        if _can_be_read(policies[begin:end]):
            begin, looked = end, 0
    rest = policies[begin:]
    return policies.count("\n", 0, len(policies) - len(rest.lstrip())) + 1


def _can_be_read(policies: str) -> bool:
    try:
        PolicySet.from_str(policies)
    except ValueError:
        return False
    return True


def called(tree: pst.PolicySet, key: str) -> str:
    """How a policy is named to its author, who counts from one; Cedar's own key is of no text."""
    if key not in tree.static_policies:
        return "it"
    policy_id = tree.static_policies[key].annotations.get("id")
    position = [*tree.static_policies].index(key) + 1
    return f"policy {position} ({policy_id})" if policy_id else f"policy {position}"


def once_for_all_actions(problems: Iterable[str]) -> Iterator[str]:
    """Each problem once, with the actions it is told of: the validator tells it of every one."""
    alike: dict[str, list[str]] = {}
    for problem in problems:
        alike.setdefault(_ACTION.sub("", problem), []).append(problem)
    for first, *others in alike.values():
        named = sorted({*_ACTION.findall(" ".join((first, *others)))})
        if more := named[_ACTIONS_TOLD:]:
            named = [*named[:_ACTIONS_TOLD], f"and {len(more)} more"]
        at = _ACTION.search(first)
        yield first if at is None else f"{first[: at.start()]}{', '.join(named)}{first[at.end() :]}"


def structure_problems(tree: pst.PolicySet) -> Iterator[str]:
    """What the schema does not check: ids, templates, and entities that are never loaded."""
    if tree.templates:
        yield f"{len(tree.templates)} template(s): nothing links them, so they never apply"
    if not tree.static_policies:
        yield "there is no policy"
    seen: set[str] = set()
    for key, policy in tree.static_policies.items():
        policy_id, name = policy.annotations.get("id", ""), called(tree, key)
        if not _POLICY_ID.fullmatch(policy_id):
            yield f"{name}: needs an @id of lower case, digits, hyphens and dots"
        elif policy_id in seen:
            yield f"{name}: the @id {policy_id} is taken"
        seen.add(policy_id)
        try:
            facts_read(policy)
        except ValueError as error:
            yield f"{name}: {error}"
        if _rests_on_claim(policy):
            yield f"{name}: rests on a claim, which may only forbid"
        for uid in sorted(map(str, _unloaded_entities(policy))):
            yield f"{name}: names {uid}, which is never loaded"


def _unloaded_entities(policy: pst.Template) -> set[pst.EntityUid]:
    """Entities in conditions, but for actions: a comparison with one is false, never known.

    In a policy's head, ``principal == Placet::Agent::"x"`` compares names and loads nothing; with
    ``in`` it would have to know the hierarchy, which the authority does not load.
    """
    heads = (policy.principal, policy.resource)
    reached = {
        uid for uid in pst.entity_uids(policy.clauses) if str(uid.type) != f"{NAMESPACE}::Action"
    }
    for head in heads:
        if isinstance(head, pst.ScopeIn | pst.ScopeIsIn):
            reached |= pst.entity_uids(head)
    return reached


def named_actions(policy: pst.Template) -> frozenset[str] | None:
    """The actions in a policy's head; ``None`` if it leaves the action open."""
    match policy.action:
        case pst.ActionEq(entity=uid):
            return frozenset({uid.id})
        case pst.ActionIn(entities=uids):
            return frozenset(uid.id for uid in uids)
        case _:
            return None


@dataclass(frozen=True, slots=True)
class Permit:
    """For what a ``permit`` can be by its head; ``actions`` is ``None`` if it leaves that open."""

    policy: str
    actions: frozenset[str] | None

    def names(self, action: str) -> bool:
        """Whether the head is for this action, or leaves it open."""
        return self.actions is None or action in self.actions


def names_agent(policy: pst.Template, agent: str) -> bool:
    """Whether a policy's head is for this agent, or leaves open for which."""
    match policy.principal:
        case pst.ScopeEq(entity=pst.EntityUid() as uid):
            return str(uid.type) == _AGENT and uid.id == agent
        case pst.ScopeIs(entity_type=kind):
            return str(kind) == _AGENT
        case _:  # with ``in``, or of a template, none is loaded
            return True


def permits_of(tree: pst.PolicySet) -> tuple[Permit, ...]:
    """Each ``permit``, by its ``@id`` and its head."""
    return tuple(
        Permit(policy.annotations["id"], named_actions(policy))
        for policy in tree.static_policies.values()
        if policy.effect == "permit"
    )


def facts_read(policy: pst.Template) -> frozenset[str]:
    """The facts that a policy looks at: each ``context.facts.<name>``, and ``has`` of one.

    Raises:
        ValueError: it takes the context or the facts as a whole, so that nobody could say which.
    """
    found: set[str] = set()
    rest: list[object] = [policy.clauses]
    while rest:
        match rest.pop():
            case pst.GetAttr(base=base, attr=attr) if base == _FACTS:
                found.add(attr)
            case pst.HasAttr(base=base, attrs=(attr,)) if base == _FACTS:
                found.add(attr)
            case pst.HasAttr(base=base, attrs=(_,)) if base == _CONTEXT:
                pass  # Cedar reads "context has facts.holds" as two questions, one attribute each
            case pst.GetAttr(base=base) as group if base == _CONTEXT and group != _FACTS:
                pass
            case node if node in (_CONTEXT, _FACTS):
                raise ValueError("takes the context as a whole; name the attributes")
            case node:
                rest.extend(_below(node))
    return frozenset(found)


def _rests_on_claim(policy: pst.Template) -> bool:
    """Whether a permit, or an exception from a forbid, looks at what the agent says (I3)."""
    rest: list[object] = [
        clause.expr
        for clause in policy.clauses
        if policy.effect == "permit" or isinstance(clause, pst.Unless)
    ]
    while rest:
        node = rest.pop()
        if node in (_CLAIM, pst.HasAttr(base=_CONTEXT, attrs=("claim",))):
            return True
        rest.extend(_below(node))
    return False


def _below(node: object) -> Iterator[object]:
    if isinstance(node, tuple):
        yield from node
    elif isinstance(node, Mapping):
        yield from node.values()
    elif is_dataclass(node) and not isinstance(node, type):
        for field in fields(node):
            yield getattr(node, field.name)
