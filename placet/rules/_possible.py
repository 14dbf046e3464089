"""What a policy's conditions come to for a step before anybody has said anything, of any record.

A condition holds always, never, or (``None``) as facts, people or the record itself will have it.
What is not understood here is ``None`` as well: what is told is so, and not all that is so is told.
"""

import functools
import json
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import cedarpy
from cedarpy import pst

from placet.rules._policy import LoadedPolicies
from placet.rules._policy_text import NAMESPACE

_PATH = pst.GetAttr(base=pst.Var(name="resource"), attr="path")
_IN_A_SEGMENT = frozenset(string.ascii_letters + string.digits + "._-")
_ANOTHER = "\0"  # stands for every character of a segment that a pattern does not name


def policies_for(loaded: LoadedPolicies, action: str) -> tuple[pst.Template, ...]:
    """The policies that name an action in their head, by a group of the schema's too, or none."""
    tree = loaded.policy_set.to_pst()
    any_one = pst.ScopeAny()
    heads = {
        key: replace(each, effect="permit", principal=any_one, resource=any_one, clauses=())
        for key, each in tree.static_policies.items()
    }
    # Asked in part, as the whole question would have to bring a context that fits the schema.
    answer = cedarpy.is_authorized_partial(
        {"action": f"{NAMESPACE}::Action::{json.dumps(action)}"},
        cedarpy.PolicySet.from_pst(replace(tree, static_policies=pst.FrozenMap(heads))),
        [],
        loaded.schema,
    )
    named = answer.diagnostics.must_be_determining
    return tuple(tree.static_policies[key] for key in sorted(named))


@dataclass(frozen=True, slots=True)
class Asked:
    """A step's question: the form of the records it is about, and the values that are known."""

    template: str
    known: Mapping[pst.Expr, object]

    def holds(self, policy: pst.Template) -> bool | None:
        """Whether a policy that names principal and action is met: in its resource and clauses."""
        return _every((self._names_record(policy.resource), *map(self._clause, policy.clauses)))

    def _names_record(self, head: pst.PrincipalOrResourceConstraint) -> bool | None:
        match head:
            case pst.ScopeAny():
                return True
            case pst.ScopeEq(entity=pst.EntityUid() as uid):
                return _fits(self.template, tuple(map(pst.Char, uid.id)))
            case pst.ScopeIs(entity_type=kind):
                return str(kind) == f"{NAMESPACE}::Record"
            case _:
                return None

    def _clause(self, clause: pst.Clause) -> bool | None:
        found = self._truth(clause.expr)
        return _opposite(found) if isinstance(clause, pst.Unless) else found

    def _truth(self, condition: pst.Expr) -> bool | None:
        match condition:
            case pst.UnaryOp(op="not", arg=arg):
                return _opposite(self._truth(arg))
            case pst.BinaryOp(op="and", left=left, right=right):
                return _every((self._truth(left), self._truth(right)))
            case pst.BinaryOp(op="or", left=left, right=right):
                sides = (self._truth(left), self._truth(right))
                return _opposite(_every(map(_opposite, sides)))
            case pst.BinaryOp(op="eq", left=left, right=right):
                return self._same(left, right)
            case pst.BinaryOp(op="not_eq", left=left, right=right):
                return _opposite(self._same(left, right))
            case pst.Like(base=base, pattern=pattern) if base == _PATH:
                return _fits(self.template, pattern)
            case _:
                value = self._value(condition)
                return value if isinstance(value, bool) else None

    def _same(self, *sides: pst.Expr) -> bool | None:
        one, other = map(self._value, sides)
        if _PATH in sides and isinstance(path := one if other is None else other, str):
            return _fits(self.template, tuple(map(pst.Char, path)))
        return None if one is None or other is None else one == other

    def _value(self, expression: pst.Expr) -> object:
        match expression:
            case pst.BoolLit(value=value) | pst.StringLit(value=value) | pst.LongLit(value=value):
                return value
            case _:
                return self.known.get(expression)


def _every(found: Iterable[bool | None]) -> bool | None:
    each = {*found}
    return False if False in each else None if None in each else True


def _opposite(found: bool | None) -> bool | None:
    return None if found is None else not found


@functools.lru_cache(maxsize=1024)
def _fits(template: str, pattern: tuple[pst.PatternElem, ...]) -> bool | None:
    """Whether every record of the template matches the pattern, none does, or some do.

    All records are spelled at once, and beside each the places of the pattern where it may be.
    """
    named = {each.value for each in pattern if isinstance(each, pst.Char)}
    any_segment = (named & _IN_A_SEGMENT) | {_ANOTHER}
    spelled: list[set[str]] = []
    for text, variable, *_ in string.Formatter().parse(template):
        spelled += [{letter} for letter in text]
        spelled += [any_segment] if variable else []
    ends: set[bool] = set()
    seen: set[tuple[int, frozenset[int]]] = set()
    left = [(0, _reached({0}, pattern))]
    while left:
        at = left.pop()
        if at in seen:
            continue
        seen.add(at)
        index, places = at
        if index == len(spelled):
            ends.add(len(pattern) in places)
            continue
        for letter in spelled[index]:
            after = _reached({*_next(places, pattern, letter)}, pattern)
            left.append((index + 1, after))
            if spelled[index] is any_segment:
                left.append((index, after))
    return ends.pop() if len(ends) == 1 else None


def _next(
    places: Iterable[int], pattern: tuple[pst.PatternElem, ...], letter: str
) -> Iterable[int]:
    for place in places:
        match pattern[place : place + 1]:
            case (pst.Wildcard(),):
                yield place
            case (pst.Char(value=value),) if value == letter:
                yield place + 1
            case _:
                pass


def _reached(places: set[int], pattern: tuple[pst.PatternElem, ...]) -> frozenset[int]:
    """These places, and those behind an asterisk, which may stand for nothing."""
    for place, each in enumerate(pattern):
        if place in places and isinstance(each, pst.Wildcard):
            places.add(place + 1)
    return frozenset(places)
