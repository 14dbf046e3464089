"""Saying why: what is missing, which word fills which place, and what one more would do."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from placet.model import (
    AcceptedView,
    CheckpointStatus,
    DecisionClaims,
    Digest,
    FindingId,
    OutcomeProof,
    Principal,
    Prospect,
    Requirement,
    SeatView,
    Uncounted,
    Verdict,
    quantity,
)
from placet.rules._deciding import CheckpointStanding, OperatorFacts, check_decision
from placet.rules._errors import DecisionRefused
from placet.rules._quorum import outcome_status
from placet.rules._schedule import level_of
from placet.rules._words import CountedDecision, Words, entitled

_NAMED = 3
"""So many exceptions of one kind are named; all stand among the findings."""
_NOBODY_YET = "0" * 16
"""The id of a word that nobody has signed: it is tried, and never kept."""


def missing(requirement: Requirement, decisions: Sequence[CountedDecision]) -> tuple[str, ...]:
    """What an open checkpoint still waits for, in plain words; empty once it has ended."""
    if outcome_status(requirement, decisions) is not CheckpointStatus.OPEN:
        return ()
    words = Words.of(requirement, decisions)
    lacking: dict[tuple[int, tuple[str, ...]], int] = {}
    for seat in words.seats():
        if seat.word is None:
            key = (seat.place.stage, seat.place.roles)
            lacking[key] = lacking.get(key, 0) + 1
    now = min((stage for stage, _ in lacking), default=1)
    who = requirement.decided_by
    alone = "" if who is None else f" ({who.partition(':')[2]} alone)"
    said = [
        _in_words(count, roles) + alone + ("" if stage == now else ", after that")
        for (stage, roles), count in sorted(lacking.items(), key=lambda each: each[0][0])
    ]
    said += _exceptions(requirement, words.unaccepted())
    if not words.independent():
        people = ", ".join(each.partition(":")[2] for each in requirement.not_all_of)
        said.append(f"an independent approval: by someone other than {people}")
    return tuple(said)


def _exceptions(requirement: Requirement, findings: Iterable[FindingId]) -> Iterator[str]:
    """Those that the same people may accept, in one line however many there are."""
    accepted: dict[str, list[FindingId]] = {}
    for finding in findings:
        roles = requirement.accepting(finding)
        by = "whoever approves" if roles is None else " or ".join(roles)
        accepted.setdefault(by, []).append(finding)
    for by, some in accepted.items():
        names = ", ".join(some[:_NAMED]) + (", …" if len(some) > _NAMED else "")
        what = f"the exception {names}" if len(some) == 1 else f"{len(some)} exceptions ({names})"
        yield f"{what}, accepted by: {by}"


def _in_words(count: int, roles: tuple[str, ...]) -> str:
    return f"{quantity(count, 'more approval')} by: {' or '.join(roles)}"


def explain(
    requirement: Requirement,
    decisions: Sequence[CountedDecision],
    standing: CheckpointStanding,
    evidence_digest: Digest,
    requirement_digest: Digest,
) -> OutcomeProof:
    """The proof of where a checkpoint stands: every place, and what became of every word."""
    words = Words.of(requirement, decisions)
    seats = words.seats()
    seated = {seat.word.jti for seat in seats if seat.word is not None}
    return OutcomeProof(
        checkpoint=standing.id,
        name=requirement.checkpoint,
        status=standing.status,
        evidence_digest=evidence_digest,
        requirement_digest=requirement_digest,
        matrix_digest=requirement.matrix_digest,
        matrix_version=requirement.matrix_version,
        tier=requirement.tier,
        amount=requirement.amount,
        added=requirement.added,
        facts=requirement.facts,
        seats=tuple(
            SeatView(
                need=seat.place.model_copy(update={"count": 1}),
                decision=None if seat.word is None else seat.word.jti,
                operator=None if seat.word is None else seat.word.operator,
                stands_in_for=None if seat.word is None else seat.word.stands_in_for,
            )
            for seat in seats
        ),
        exceptions=tuple(
            AcceptedView(
                finding=finding,
                roles=requirement.accepting(finding),
                accepted_by=tuple(
                    each.operator
                    for each in words.approvers
                    if finding in each.exceptions
                    and finding in requirement.acceptable_by(frozenset(each.roles))
                ),
            )
            for finding in requirement.exceptions
        ),
        excluded=requirement.excluded,
        named=requirement.named,
        not_all_of=requirement.not_all_of,
        independent=words.independent(),
        uncounted=tuple(
            Uncounted(
                decision=each.jti, operator=each.operator, verdict=each.verdict.value, why=why
            )
            for each in decisions
            if (why := _why_not(requirement, words, seated, each)) is not None
        ),
        missing=missing(requirement, decisions) if standing.status is CheckpointStatus.OPEN else (),
    )


def _why_not(
    requirement: Requirement, words: Words, seated: set[str], decision: CountedDecision
) -> str | None:
    """Why a decision fills no place; ``None`` if it does."""
    if decision.jti in seated:
        return None
    if requirement.bars(*decision.people):
        return "its person may not decide here"
    if not entitled(requirement, decision.people, decision.roles):
        return "in no role that is asked for"
    if decision.verdict is Verdict.WITHDRAW:
        return "it takes an earlier word back"
    if decision not in words.standing:
        return f"it was taken back, or what {_approval(decision)} rested on was"
    if decision.verdict is Verdict.APPROVE:
        return "every place that it fits is filled"
    return {
        Verdict.REJECT: "it ends the checkpoint: rejected",
        Verdict.RETURN: "it ends the checkpoint: returned",
    }.get(decision.verdict, "its person stands aside")


def _approval(decision: CountedDecision) -> str:
    return f"the {decision.verdict.value}"


def prospect(
    requirement: Requirement,
    operator: OperatorFacts,
    standing: CheckpointStanding,
    evidence_digest: Digest,
    requirement_digest: Digest,
    now: datetime,
) -> Prospect:
    """What a word of this person would do at the checkpoint now; nothing is decided by asking."""
    accepts = requirement.acceptable_by(frozenset(operator.roles))
    digests = (evidence_digest, requirement_digest)

    def tried(verdict: Verdict) -> DecisionRefused | None:
        claims = _would_say(requirement, operator, standing, digests, verdict)
        try:
            check_decision(requirement, *digests, claims, operator, standing, now)
        except DecisionRefused as refused:
            return refused
        return None

    approve, turn_back = tried(Verdict.APPROVE), tried(Verdict.RETURN)
    withdraw = tried(Verdict.WITHDRAW)
    if approve is not None:
        return Prospect(
            operator=operator.principal,
            may_decide=turn_back is None,
            may_approve=False,
            may_withdraw=withdraw is None,
            reasons=tuple(each.value for each in approve.reasons),
            needed=(*(each.words for each in approve.reasons), *approve.needed),
            missing=missing(requirement, standing.decisions),
            stands_in_for=operator.stands_in_for,
        )
    word = CountedDecision(
        jti=_NOBODY_YET,
        operator=operator.principal,
        roles=operator.roles,
        verdict=Verdict.APPROVE,
        exceptions=accepts,
        escalated=level_of(requirement),
    )
    after = (*standing.decisions, word)
    seats = Words.of(requirement, after).seats()
    return Prospect(
        operator=operator.principal,
        may_decide=True,
        may_approve=True,
        may_withdraw=False,
        fills=next(
            (each.place for each in seats if each.word is not None and each.word.jti == word.jti),
            None,
        ),
        then=outcome_status(requirement, after),
        missing=missing(requirement, after),
        accepts=accepts,
        stands_in_for=operator.stands_in_for,
    )


def _would_say(
    requirement: Requirement,
    operator: OperatorFacts,
    standing: CheckpointStanding,
    digests: tuple[Digest, Digest],
    verdict: Verdict,
) -> DecisionClaims:
    """The claims that this person would sign; made without a signature, and never sent."""
    approves = verdict is Verdict.APPROVE
    accepted = requirement.acceptable_by(frozenset(operator.roles)) if approves else ()
    return DecisionClaims.model_validate(
        {
            "iss": operator.principal,
            "aud": "urn:placet:nobody",
            "iat": 0,
            "jti": _NOBODY_YET,
            "sub": standing.id,
            "txn": standing.case,
            "evidence_digest": digests[0],
            "requirement_digest": digests[1],
            "verdict": verdict,
            "reason_code": "asked",
            "amount": requirement.amount if approves else None,
            "adjustments_digest": standing.adjustments_digest if approves else None,
            "exceptions": [{"finding": each, "reason": "asked"} for each in accepted[:30]],
        }
    )


def people_of(decisions: Sequence[CountedDecision]) -> tuple[Principal, ...]:
    """Whose approvals these are, each once, sorted: who is told when they are void."""
    return tuple(sorted({each.operator for each in decisions if each.verdict is Verdict.APPROVE}))
