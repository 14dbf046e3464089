"""For whom an open checkpoint waits, as lists want to know it: a hint, and never a permission."""

from collections.abc import Sequence

from placet.model import CheckpointStatus, Name, Requirement, Verdict
from placet.rules._quorum import outcome_status
from placet.rules._schedule import level_of
from placet.rules._words import CountedDecision, Words


def standing_words(
    requirement: Requirement, decisions: Sequence[CountedDecision]
) -> tuple[CountedDecision, ...]:
    """The words that stand, of whatever verdict: one a person, none of them withdrawn."""
    return Words.of(requirement, decisions).standing


def waiting_roles(
    requirement: Requirement, decisions: Sequence[CountedDecision]
) -> tuple[Name, ...]:
    """The roles in which one more approval would bring an open checkpoint nearer to its end.

    Not only those of the places that are empty: whoever sits in one place may be able to move to
    another and make room. When every place is filled and something else still lacks, someone
    independent or someone who may accept an exception, it waits for every role that is asked for.
    """
    if outcome_status(requirement, decisions) is not CheckpointStatus.OPEN:
        return ()
    words = Words.of(requirement, decisions)
    roles = sorted({role for need in requirement.needs for role in need.roles})
    in_turn = tuple(role for role in roles if words.in_turn((role,)))
    filled = _filled(words)
    if filled == sum(need.count for need in requirement.needs):
        return in_turn
    return tuple(
        role
        for role in in_turn
        if _filled(Words.of(requirement, (*decisions, _anyone_in(role, requirement)))) > filled
    )


def _filled(words: Words) -> int:
    return sum(seat.word is not None for seat in words.seats())


def _anyone_in(role: Name, asked: Requirement) -> CountedDecision:
    """The word of someone who has not spoken; it is tried, and never kept."""
    return CountedDecision(
        jti="0" * 16,
        operator="operator:anyone",
        roles=(role,),
        verdict=Verdict.APPROVE,
        escalated=level_of(asked),
    )
