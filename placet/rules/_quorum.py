"""Whose word counts, and what the words add up to (invariant I6).

1. A word counts once, from an active operator in a role the checkpoint asks for, who is not
   excluded, while the checkpoint is open, for exactly what it asks and shows.
2. Approval wants a different person for every place of every need: a matching, since a senior
   approver may be able to fill a place that someone else could have filled as well.
3. At least one approver is outside ``not_all_of``.
4. One rejection rejects, one return returns. The first end a checkpoint comes to stays.
5. Withdrawing takes back one's own word. An abstention never counts, and can't be taken back:
   who stood aside stays aside.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from placet.model import (
    CaseId,
    CheckpointId,
    CheckpointStatus,
    DecisionClaims,
    Digest,
    Jti,
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


class OperatorFacts(Model):
    """What the authority knows of the operator whose enrolled key signed."""

    principal: Principal
    active: bool
    roles: tuple[Name, ...]


class CountedDecision(Model):
    """One decision that was accepted, with the roles its operator had at that moment."""

    jti: Jti
    operator: Principal
    roles: tuple[Name, ...]
    verdict: Verdict


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
        DecisionRefused: with one reason for each rule that the decision breaks.
    """
    broken = [
        *_wrong_target(evidence_digest, requirement_digest, claims, standing),
        *_wrong_time(standing, now),
        *_wrong_person(requirement, claims, operator),
        *_wrong_turn(claims, operator, standing),
    ]
    if claims.verdict is Verdict.APPROVE:
        broken += _wrong_content(requirement, claims, standing)
    if broken:
        raise DecisionRefused(tuple(broken))


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


def _wrong_time(standing: CheckpointStanding, now: datetime) -> Iterable[Refusal]:
    if standing.status is not CheckpointStatus.OPEN:
        yield Refusal.NOT_OPEN
    if now >= standing.deadline:
        yield Refusal.PAST_DEADLINE


def _wrong_person(
    requirement: Requirement, claims: DecisionClaims, operator: OperatorFacts
) -> Iterable[Refusal]:
    if claims.iss != operator.principal:
        yield Refusal.WRONG_PERSON
    if not operator.active:
        yield Refusal.OPERATOR_NOT_ACTIVE
    if not any(_fits(operator.roles, need) for need in requirement.needs):
        yield Refusal.OUT_OF_ROLE
    if operator.principal in requirement.excluded:
        yield Refusal.SEGREGATION


def _wrong_turn(
    claims: DecisionClaims, operator: OperatorFacts, standing: CheckpointStanding
) -> Iterable[Refusal]:
    words: dict[Principal, CountedDecision] = {}
    for decision in standing.decisions:
        _hear(words, decision)
    word = words.get(operator.principal)
    if word is not None and word.verdict is Verdict.ABSTAIN:
        yield Refusal.ABSTAINED
    elif claims.verdict is Verdict.WITHDRAW:
        if word is None:
            yield Refusal.NOTHING_TO_WITHDRAW
    elif word is not None:
        yield Refusal.DECIDED_ALREADY


def _wrong_content(
    requirement: Requirement, claims: DecisionClaims, standing: CheckpointStanding
) -> Iterable[Refusal]:
    if claims.amount != requirement.amount:
        yield Refusal.AMOUNT_DIFFERS
    if claims.adjustments_digest != standing.adjustments_digest:
        yield Refusal.ADJUSTMENTS_DIFFER
    accepted, asked = set(claims.exceptions), set(requirement.exceptions)
    if asked - accepted:
        yield Refusal.EXCEPTIONS_NOT_ACCEPTED
    if accepted - asked:
        yield Refusal.EXCEPTIONS_UNKNOWN


def outcome_status(
    requirement: Requirement, decisions: Sequence[CountedDecision]
) -> CheckpointStatus:
    """What the decisions add up to: ``open``, ``approved``, ``rejected`` or ``returned``.

    Decisions are heard in the order in which they were recorded; the first end stays. Words of
    people who are excluded or in no role that is asked for are not heard. Without needs
    (automatic mode) it is approved at once.
    """
    words: dict[Principal, CountedDecision] = {}
    status = _standing_of(requirement, words)
    for decision in decisions:
        if status is not CheckpointStatus.OPEN:
            break
        if _entitled(requirement, decision):
            _hear(words, decision)
            status = _standing_of(requirement, words)
    return status


def approvals(
    requirement: Requirement, decisions: Sequence[CountedDecision]
) -> tuple[CountedDecision, ...]:
    """The approvals that count: by those entitled, not withdrawn, one a person, in order."""
    return tuple(_approvers(_heard(requirement, decisions)))


def missing(requirement: Requirement, decisions: Sequence[CountedDecision]) -> tuple[str, ...]:
    """What an open checkpoint still waits for, in plain words; empty once it has ended."""
    if outcome_status(requirement, decisions) is not CheckpointStatus.OPEN:
        return ()
    approvers = approvals(requirement, decisions)
    places = _places(requirement)
    filled = _match_places(places, approvers)
    lacking: dict[tuple[str, ...], int] = {}
    for index, need in enumerate(places):
        if index not in filled:
            lacking[need.roles] = lacking.get(need.roles, 0) + 1
    said = [_in_words(count, roles) for roles, count in lacking.items()]
    if not _has_independent(requirement, approvers):
        people = ", ".join(each.partition(":")[2] for each in requirement.not_all_of)
        said.append(f"an independent approval: by someone other than {people}")
    return tuple(said)


def _heard(
    requirement: Requirement, decisions: Iterable[CountedDecision]
) -> dict[Principal, CountedDecision]:
    words: dict[Principal, CountedDecision] = {}
    for decision in decisions:
        if _entitled(requirement, decision):
            _hear(words, decision)
    return words


def _fits(roles: Iterable[str], need: Need) -> bool:
    return not set(need.roles).isdisjoint(roles)


def _entitled(requirement: Requirement, decision: CountedDecision) -> bool:
    return decision.operator not in requirement.excluded and any(
        _fits(decision.roles, need) for need in requirement.needs
    )


def _hear(words: dict[Principal, CountedDecision], decision: CountedDecision) -> None:
    """Let a word take its place. A second word of one person is not heard before a withdrawal."""
    word = words.get(decision.operator)
    if decision.verdict is Verdict.WITHDRAW:
        if word is not None and word.verdict is not Verdict.ABSTAIN:
            del words[decision.operator]
    elif word is None:
        words[decision.operator] = decision


def _standing_of(
    requirement: Requirement, words: dict[Principal, CountedDecision]
) -> CheckpointStatus:
    if not requirement.needs:
        return CheckpointStatus.APPROVED
    verdicts = {word.verdict for word in words.values()}
    if Verdict.REJECT in verdicts:
        return CheckpointStatus.REJECTED
    if Verdict.RETURN in verdicts:
        return CheckpointStatus.RETURNED
    approvers = _approvers(words)
    places = _places(requirement)
    # An independent approver who is entitled can always be given a place without losing another
    # (a matching grows along augmenting paths and never gives up a person it has placed).
    if len(_match_places(places, approvers)) == len(places) and _has_independent(
        requirement, approvers
    ):
        return CheckpointStatus.APPROVED
    return CheckpointStatus.OPEN


def _approvers(words: dict[Principal, CountedDecision]) -> list[CountedDecision]:
    return [word for word in words.values() if word.verdict is Verdict.APPROVE]


def _has_independent(requirement: Requirement, approvers: Iterable[CountedDecision]) -> bool:
    return not requirement.not_all_of or any(
        approver.operator not in requirement.not_all_of for approver in approvers
    )


def _places(requirement: Requirement) -> list[Need]:
    return [need for need in requirement.needs for _ in range(need.count)]


def _match_places(
    places: Sequence[Need], approvers: Sequence[CountedDecision]
) -> dict[int, CountedDecision]:
    """Fill as many places as can be filled at once, each person one (Kuhn's augmenting paths)."""
    filled: dict[int, CountedDecision] = {}

    def seat(approver: CountedDecision, tried: set[int]) -> bool:
        for index, need in enumerate(places):
            if index in tried or not _fits(approver.roles, need):
                continue
            tried.add(index)
            seated = filled.get(index)
            if seated is None or seat(seated, tried):
                filled[index] = approver
                return True
        return False

    for approver in approvers:
        seat(approver, set())
    return filled


def _in_words(count: int, roles: tuple[str, ...]) -> str:
    noun = "approval" if count == 1 else "approvals"
    return f"{count} more {noun} by: {' or '.join(roles)}"
