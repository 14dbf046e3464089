"""Segregation of duties: who had a hand in a case never approves it (invariant I6).

An agent counts as whoever owned it while the case was open, and administrators are no exception.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping

from pydantic import JsonValue, TypeAdapter, ValidationError

from placet.model import (
    CheckpointDefinition,
    Exclusion,
    ExclusionReason,
    NamedHand,
    NamedIn,
    Part,
    Principal,
)
from placet.rules._errors import BadProposal

_LONGEST_NAME = 300
_PRINCIPAL: TypeAdapter[str] = TypeAdapter(Principal)


def excluded(
    case_opener: Principal,
    preparers: Iterable[Principal] = (),
    *,
    resubmitters: Iterable[Principal] = (),
    keyers: Iterable[Principal] = (),
    owners: Mapping[Principal, Collection[Principal]] | None = None,
    approved_earlier: Mapping[Principal, str] | None = None,
) -> tuple[Exclusion, ...]:
    """Who may not decide at a checkpoint of a case, and why.

    Args:
        case_opener: who signed the act that opened the case.
        preparers: who prepared what is decided on: inspected, answered findings. An agent among
            them counts as its owners.
        resubmitters: who handed in a record of the case again.
        keyers: who keyed a value that is decided on.
        owners: the people who owned the agents that worked on the evidence while the case was
            open, by agent.
        approved_earlier: who approved a case that the matrix looks back to, and which.
    """
    owned = dict(owners or {})
    found = [_because(case_opener, ExclusionReason.OPENED)]
    found += [_because(each, ExclusionReason.RESUBMITTED) for each in resubmitters]
    found += [_because(each, ExclusionReason.KEYED) for each in keyers]
    for preparer in preparers:
        if preparer in owned:
            continue  # said below, with the agent that it follows from
        found.append(_because(preparer, ExclusionReason.PREPARED))
    found += [
        _because(owner, ExclusionReason.OWNS_AGENT, agent)
        for agent, people in owned.items()
        for owner in people
    ]
    found += [
        _because(person, ExclusionReason.APPROVED_EARLIER, case)
        for person, case in (approved_earlier or {}).items()
    ]
    return in_order(found)


def named_hands(named: Iterable[NamedIn], parts: Iterable[Part]) -> tuple[NamedHand, ...]:
    """Whom the evidence names as having had a hand in it, as the process says where it does."""
    shown = list(parts)
    found = [
        NamedHand(name=name, why=each.hand, of=f"{each.part}: {each.path}")
        for each in named
        for part in shown
        if part.name == each.part
        for name in _texts(part.data, each.path.split(".") if each.path else [])
    ]
    return tuple(dict.fromkeys(found))


def named_decider(checkpoint: CheckpointDefinition, parts: Iterable[Part]) -> Principal | None:
    """The one person whom the proposal's part names to decide; ``None``: whoever has the role.

    Raises:
        BadProposal: what is named is no principal.
    """
    if checkpoint.decided_by is None:
        return None
    for part in parts:
        if part.name == checkpoint.proposal:
            for name in _texts(part.data, checkpoint.decided_by.split(".")):
                return _principal(checkpoint.name, name)
    return None


def named_subject(checkpoint: CheckpointDefinition, parts: Iterable[Part]) -> str | None:
    """What the proposal's part says that is decided about, where the process says that it does."""
    if checkpoint.about is None:
        return None
    path = checkpoint.about.split(".")
    found = (_texts(each.data, path) for each in parts if each.name == checkpoint.proposal)
    return next((text for texts in found for text in texts), None)


def _principal(checkpoint: str, name: str) -> Principal:
    try:
        return _PRINCIPAL.validate_python(name)
    except ValidationError:
        raise BadProposal(f"{checkpoint}: the one who decides is no person's name") from None


def _texts(data: JsonValue, path: list[str]) -> Iterator[str]:
    """The texts at a path; a value that was read from a document stands with its place."""
    if isinstance(data, list):
        for each in data:
            yield from _texts(each, path)
    elif isinstance(data, dict):
        if path:
            yield from _texts(data.get(path[0]), path[1:])
        elif "value" in data:
            yield from _texts(data["value"], [])
    elif isinstance(data, str) and not path and data.strip():
        yield data.strip()[:_LONGEST_NAME]


def in_order(exclusions: Iterable[Exclusion]) -> tuple[Exclusion, ...]:
    """Each once, sorted, so that a requirement has one spelling and one digest."""
    found = {(each.person, each.why.value, each.of or ""): each for each in exclusions}
    return tuple(found[key] for key in sorted(found))


def _because(person: Principal, why: ExclusionReason, of: str | None = None) -> Exclusion:
    return Exclusion(person=person, why=why, of=of)
