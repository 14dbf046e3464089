"""Segregation of duties: who had a hand in a case never approves it (invariant I6).

An agent counts as whoever owned it while the case was open, and administrators are no exception.
"""

from collections.abc import Collection, Iterable, Mapping

from placet.model import Exclusion, ExclusionReason, Principal


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


def in_order(exclusions: Iterable[Exclusion]) -> tuple[Exclusion, ...]:
    """Each once, sorted, so that a requirement has one spelling and one digest."""
    found = {(each.person, each.why.value, each.of or ""): each for each in exclusions}
    return tuple(found[key] for key in sorted(found))


def _because(person: Principal, why: ExclusionReason, of: str | None = None) -> Exclusion:
    return Exclusion(person=person, why=why, of=of)
