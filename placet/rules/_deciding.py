"""Whether one person's word counts (invariant I6).

A word counts once, from an active operator in a role the checkpoint asks for, who is not excluded
and whose turn it is, while the checkpoint is open, for exactly what it asks and shows.
"""

from collections.abc import Iterable
from datetime import datetime

from placet.model import (
    CaseId,
    CheckpointId,
    CheckpointStatus,
    DecisionClaims,
    Digest,
    Model,
    Name,
    Need,
    Principal,
    Requirement,
    UtcTime,
    Verdict,
)
from placet.rules._errors import DecisionRefused
from placet.rules._refusals import Refusal
from placet.rules._words import CountedDecision, Words, fits


class OperatorFacts(Model):
    """What the authority knows of the operator whose enrolled key signed.

    ``stands_in_for`` are the people who have handed over to them for this time; ``mend`` says what
    would make them, or the key that signed, active, where they are not.
    """

    principal: Principal
    active: bool
    roles: tuple[Name, ...]
    stands_in_for: tuple[Principal, ...] = ()
    mend: str = ""


class CheckpointStanding(Model):
    """Where a checkpoint stands. ``decisions`` in the order in which they were recorded."""

    id: CheckpointId
    case: CaseId
    status: CheckpointStatus
    deadline: UtcTime
    adjustments_digest: Digest | None = None
    decisions: tuple[CountedDecision, ...] = ()


def check_decision(
    requirement: Requirement,
    evidence_digest: Digest,
    requirement_digest: Digest,
    claims: DecisionClaims,
    operator: OperatorFacts,
    standing: CheckpointStanding,
    now: datetime,
) -> None:
    """Hold one verified decision against everything that makes it count.

    The signature, audience and enrolled key were checked before; the same ``jti`` sent again is
    the caller's to answer as before.

    Args:
        requirement: what the checkpoint asks, as fixed when it opened.
        evidence_digest: of the evidence that the checkpoint shows now.
        requirement_digest: of ``requirement``.
        claims: what was signed.
        operator: whose enrolled key verified the signature, as of now.
        standing: the checkpoint, with every decision recorded so far.
        now: the authority's clock.

    Raises:
        DecisionRefused: with one reason for each rule that the decision breaks, and what would
            have been needed.
    """
    words = Words.of(requirement, standing.decisions)
    broken = [
        *_wrong_target(evidence_digest, requirement_digest, claims, standing),
        *_wrong_time(requirement, standing, now),
        *_wrong_person(requirement, claims, operator),
        *_wrong_turn(requirement, claims, operator, words),
        *_wrong_words(claims),
    ]
    if claims.verdict is Verdict.APPROVE:
        broken += _wrong_content(requirement, claims, operator, standing)
    if broken:
        said = needed(requirement, words, broken, claims, operator, standing)
        raise DecisionRefused(tuple(broken), said)


def _wrong_target(
    evidence_digest: Digest,
    requirement_digest: Digest,
    claims: DecisionClaims,
    standing: CheckpointStanding,
) -> Iterable[Refusal]:
    if claims.sub != standing.id:
        yield Refusal.WRONG_CHECKPOINT
    if claims.txn != standing.case:
        yield Refusal.WRONG_CASE
    if claims.evidence_digest != evidence_digest:
        yield Refusal.WRONG_EVIDENCE
    if claims.requirement_digest != requirement_digest:
        yield Refusal.WRONG_REQUIREMENT


def _wrong_time(
    requirement: Requirement, standing: CheckpointStanding, now: datetime
) -> Iterable[Refusal]:
    if standing.status is not CheckpointStatus.OPEN:
        yield Refusal.NOT_OPEN
    until = requirement.emergency_until
    if now >= standing.deadline or (until is not None and now >= until):
        yield Refusal.PAST_DEADLINE


def _wrong_person(
    requirement: Requirement, claims: DecisionClaims, operator: OperatorFacts
) -> Iterable[Refusal]:
    if claims.iss != operator.principal:
        yield Refusal.WRONG_PERSON
    if not operator.active:
        yield Refusal.OPERATOR_NOT_ACTIVE
    if not any(fits(operator.roles, need) for need in requirement.needs):
        yield Refusal.OUT_OF_ROLE
    if requirement.bars(operator.principal):
        yield Refusal.SEGREGATION
    if requirement.decided_by not in (None, operator.principal, claims.stands_in_for):
        yield Refusal.ANOTHERS
    absent = claims.stands_in_for
    if absent is not None:
        if absent not in operator.stands_in_for or absent == operator.principal:
            yield Refusal.NOT_STANDING_IN
        if requirement.bars(absent):
            yield Refusal.STANDS_IN_FOR_EXCLUDED


def _wrong_turn(
    requirement: Requirement, claims: DecisionClaims, operator: OperatorFacts, words: Words
) -> Iterable[Refusal]:
    word = words.of_person(operator.principal)
    if word is not None and word.operator == operator.principal:
        if word.verdict is Verdict.ABSTAIN:
            yield Refusal.ABSTAINED
        elif claims.verdict is not Verdict.WITHDRAW:
            yield Refusal.DECIDED_ALREADY
    elif claims.verdict is Verdict.WITHDRAW:
        yield Refusal.NOTHING_TO_WITHDRAW
    elif word is not None:
        yield Refusal.SPOKEN_FOR
    absent = claims.stands_in_for
    withdraws = claims.verdict is Verdict.WITHDRAW
    if absent is not None and not withdraws and words.of_person(absent) not in (None, word):
        yield Refusal.ABSENT_HAS_DECIDED
    in_role = any(fits(operator.roles, need) for need in requirement.needs)
    if claims.verdict is Verdict.APPROVE and in_role and not words.in_turn(operator.roles):
        yield Refusal.NOT_YOUR_TURN


def _wrong_words(claims: DecisionClaims) -> Iterable[Refusal]:
    if claims.verdict is Verdict.REJECT and claims.reason_code is None:
        yield Refusal.NO_REASON
    if claims.verdict is Verdict.RETURN and claims.reason_code is None and not claims.comment:
        yield Refusal.NO_QUESTION
    if claims.verdict is not Verdict.APPROVE and claims.exceptions:
        yield Refusal.EXCEPTIONS_UNKNOWN


def _wrong_content(
    requirement: Requirement,
    claims: DecisionClaims,
    operator: OperatorFacts,
    standing: CheckpointStanding,
) -> Iterable[Refusal]:
    if claims.amount != requirement.amount:
        yield Refusal.AMOUNT_DIFFERS
    if claims.adjustments_digest != standing.adjustments_digest:
        yield Refusal.ADJUSTMENTS_DIFFER
    accepted, asked = set(claims.accepted), set(requirement.exceptions)
    mine = set(requirement.acceptable_by(frozenset(operator.roles)))
    if mine - accepted:
        yield Refusal.EXCEPTIONS_NOT_ACCEPTED
    if accepted - asked or len(accepted) != len(claims.exceptions):
        yield Refusal.EXCEPTIONS_UNKNOWN
    if accepted & asked - mine:
        yield Refusal.EXCEPTIONS_OUT_OF_ROLE


def needed(
    requirement: Requirement,
    words: Words,
    broken: Iterable[Refusal],
    claims: DecisionClaims,
    operator: OperatorFacts,
    standing: CheckpointStanding,
) -> tuple[str, ...]:
    """What would have been needed, where that is not plain from the refusal itself.

    Of a checkpoint that has ended that is all: nothing that anybody did would help.
    """
    reasons = set(broken)
    if Refusal.NOT_OPEN in reasons:
        return (f"it is {standing.status.value}",)
    return (
        *_needed_of_time(reasons, standing),
        *_needed_of_person(requirement, words, reasons, claims, operator),
        *_needed_of_content(requirement, reasons, operator),
    )


def _needed_of_time(reasons: set[Refusal], standing: CheckpointStanding) -> Iterable[str]:
    if Refusal.PAST_DEADLINE in reasons:
        yield f"needed: before {standing.deadline.isoformat(timespec='seconds')}"


def _needed_of_person(
    requirement: Requirement,
    words: Words,
    reasons: set[Refusal],
    claims: DecisionClaims,
    operator: OperatorFacts,
) -> Iterable[str]:
    if Refusal.OPERATOR_NOT_ACTIVE in reasons and operator.mend:
        yield f"needed: {operator.mend}"
    if Refusal.OUT_OF_ROLE in reasons:
        asked = sorted({role for need in requirement.needs for role in need.roles})
        yield f"needed: the role {' or '.join(asked) or '(nobody)'}"
    if Refusal.SEGREGATION in reasons:
        yield f"needed: {without_a_hand(requirement, operator.principal)}"
    if Refusal.ANOTHERS in reasons:
        yield f"needed: {requirement.decided_by}"
    if Refusal.NOT_YOUR_TURN in reasons:
        stage = words.stage
        first = [seat.place for seat in words.seats() if seat.word is None]
        lacking = {in_role(need) for need in first if need.stage == stage}
        yield f"needed first: an approval by {' and by '.join(sorted(lacking))}"
    for refusal, whose in (
        (Refusal.SPOKEN_FOR, operator.principal),
        (Refusal.ABSENT_HAS_DECIDED, claims.stands_in_for),
    ):
        word = None if whose is None else words.of_person(whose)
        if refusal in reasons and word is not None:
            yield f"needed first: {word.operator} withdraws"


def _needed_of_content(
    requirement: Requirement, reasons: set[Refusal], operator: OperatorFacts
) -> Iterable[str]:
    if Refusal.AMOUNT_DIFFERS in reasons:
        yield f"needed: exactly {requirement.amount}; a lower amount is new evidence"
    if Refusal.EXCEPTIONS_NOT_ACCEPTED in reasons:
        mine = requirement.acceptable_by(frozenset(operator.roles))
        yield f"needed: {', '.join(mine)}"[:600]
    if Refusal.EXCEPTIONS_OUT_OF_ROLE in reasons:
        roles = {
            role
            for finding in requirement.exceptions
            for role in requirement.accepting(finding) or ()
        }
        yield f"needed: the role {' or '.join(sorted(roles - set(operator.roles)))}"


def without_a_hand(requirement: Requirement, person: Principal) -> str:
    """Who could decide in place of someone who had a hand in it, in words."""
    whys = dict.fromkeys(requirement.barring(person))
    return f"someone who has not {' and '.join(_HANDS[why] for why in whys)}"


def in_role(need: Need) -> str:
    """The roles of a need, in words."""
    return " or ".join(need.roles)


_HANDS = {
    "opened": "opened the case",
    "resubmitted": "handed in a record of the case again",
    "prepared": "prepared what is decided on",
    "inspected": "inspected what is decided on",
    "keyed": "keyed a value of it",
    "owns_agent": "an agent that worked on it",
    "approved_earlier": "approved the cases before it",
    "fact": "a part in it by what the systems of record say",
}
