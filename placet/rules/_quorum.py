"""What the words add up to (invariant I6).

1. Approval wants every place of every need filled, every exception accepted by someone whose role
   may, and at least one approval of people outside ``not_all_of``.
2. One rejection rejects, one return returns. The first end a checkpoint comes to stays.
3. Without needs (automatic mode) it is approved at once.
"""

from collections.abc import Sequence

from placet.model import CheckpointStatus, Requirement, Verdict
from placet.rules._words import CountedDecision, Words


def outcome_status(
    requirement: Requirement, decisions: Sequence[CountedDecision]
) -> CheckpointStatus:
    """What the decisions add up to: ``open``, ``approved``, ``rejected`` or ``returned``.

    Decisions are heard in the order in which they were recorded; the first end stays. Words of
    people who are excluded, in no role that is asked for, or out of their turn are not heard.
    """
    words = Words(requirement)
    for decision in decisions:
        words.escalate(decision.escalated)
        if (status := _standing_of(words)) is not CheckpointStatus.OPEN:
            return status
        words.hear(decision)
        if (status := _standing_of(words)) is not CheckpointStatus.OPEN:
            return status
    words.escalate()
    return _standing_of(words)


def approvals(
    requirement: Requirement, decisions: Sequence[CountedDecision]
) -> tuple[CountedDecision, ...]:
    """The approvals that count: by those entitled, not withdrawn, one a person, in order."""
    return Words.of(requirement, decisions).approvers


def _standing_of(words: Words) -> CheckpointStatus:
    if not words.asked.needs:
        return CheckpointStatus.APPROVED
    if Verdict.REJECT in words.verdicts:
        return CheckpointStatus.REJECTED
    if Verdict.RETURN in words.verdicts:
        return CheckpointStatus.RETURNED
    # An independent approver who is entitled can always be given a place without losing another
    # (a matching grows along augmenting paths and never gives up a person it has placed).
    filled = all(seat.word is not None for seat in words.seats())
    if filled and words.independent() and not words.unaccepted():
        return CheckpointStatus.APPROVED
    return CheckpointStatus.OPEN
