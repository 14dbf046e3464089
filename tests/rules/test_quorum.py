"""Whose word counts, and what the words add up to (I6)."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placet.model import (
    AcceptedException,
    Acceptors,
    CheckpointStatus,
    DecisionClaims,
    Exclusion,
    ExclusionReason,
    Need,
    PlannedEscalation,
    Requirement,
    Schedule,
    Verdict,
    digest_bytes,
    digest_json,
    spell_id,
)
from placet.rules import (
    CheckpointStanding,
    CountedDecision,
    DecisionRefused,
    OperatorFacts,
    Refusal,
    approvals,
    check_decision,
    escalated,
    missing,
    outcome_status,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CHECKPOINT, OTHER_CHECKPOINT = spell_id("ckpt", bytes(16)), spell_id("ckpt", bytes([1] * 16))
CASE, OTHER_CASE = spell_id("case", bytes(16)), spell_id("case", bytes([1] * 16))
EVIDENCE = digest_bytes(b"evidence")
ADJUSTMENTS = digest_bytes(b"adjustments")
OPEN, APPROVED = CheckpointStatus.OPEN, CheckpointStatus.APPROVED
REJECTED, RETURNED = CheckpointStatus.REJECTED, CheckpointStatus.RETURNED


def need(count: int, *roles: str) -> Need:
    return Need(roles=roles, count=count)


def asks(*needs: Need, **more: Any) -> Requirement:
    return Requirement(
        checkpoint="draw-approval",
        matrix_digest=digest_bytes(b"matrix"),
        matrix_version=1,
        needs=needs,
        **more,
    )


def prepared(*people: str) -> tuple[Exclusion, ...]:
    """They had a hand in it."""
    return tuple(Exclusion(person=each, why=ExclusionReason.PREPARED) for each in people)


def accepts(*findings: str) -> tuple[AcceptedException, ...]:
    """These findings are accepted."""
    return tuple(AcceptedException(finding=each, reason="a typing error") for each in findings)


REQUIREMENT = asks(
    need(1, "loan-officer", "senior-approver"),
    need(1, "senior-approver"),
    excluded=prepared("operator:opener"),
    exceptions=("sov.arithmetic#row-1",),
    amount=Decimal("184200.00"),
)


def said(who: str, verdict: str, *roles: str, number: int = 0) -> CountedDecision:
    return CountedDecision(
        jti=f"{who}-{verdict}-{number:016}",
        operator=f"operator:{who}",
        roles=roles,
        verdict=Verdict(verdict),
    )


CLAIMS = DecisionClaims(
    iss="operator:ana",
    aud="https://authority.example",
    iat=int(NOW.timestamp()),
    jti="0123456789abcdef",
    sub=CHECKPOINT,
    txn=CASE,
    evidence_digest=EVIDENCE,
    requirement_digest=digest_json(REQUIREMENT),
    verdict=Verdict.APPROVE,
    amount=Decimal("184200.00"),
    adjustments_digest=ADJUSTMENTS,
    exceptions=accepts("sov.arithmetic#row-1"),
)
ANA = OperatorFacts(principal="operator:ana", active=True, roles=("loan-officer",))
STANDING = CheckpointStanding(
    id=CHECKPOINT,
    case=CASE,
    status=OPEN,
    deadline=NOW + timedelta(days=1),
    adjustments_digest=ADJUSTMENTS,
)

REJECTS = {
    "verdict": Verdict.REJECT,
    "reason_code": "findings",
    "amount": None,
    "exceptions": (),
}
RETURNS = {"verdict": Verdict.RETURN, "comment": "who?", "amount": None, "exceptions": ()}
WITHDRAWS = {"verdict": Verdict.WITHDRAW, "amount": None, "exceptions": ()}
IN_SEQUENCE = (need(1, "loan-officer"), Need(roles=("senior-approver",), count=1, stage=2))
SENIORS_ACCEPT = Acceptors(checks=("sov.arithmetic",), roles=("senior-approver",))


def refusals(
    claims: dict[str, Any] | None = None,
    operator: dict[str, Any] | None = None,
    standing: dict[str, Any] | None = None,
    now: datetime = NOW,
    requirement: dict[str, Any] | None = None,
) -> set[str]:
    """Why a decision that would count is refused once these members are changed."""
    try:
        check_decision(
            REQUIREMENT.model_copy(update=requirement or {}),
            EVIDENCE,
            digest_json(REQUIREMENT),
            CLAIMS.model_copy(update=claims or {}),
            ANA.model_copy(update=operator or {}),
            STANDING.model_copy(update=standing or {}),
            now,
        )
    except DecisionRefused as refused:
        reasons = refused.reasons
    else:
        reasons = ()
    assert len(reasons) == len(set(reasons))
    return {reason.value for reason in reasons}


def test_i6_a_decision_that_breaks_no_rule_counts() -> None:
    """I6: the scenario that all others change in one thing."""
    assert refusals() == set()


SCENARIOS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "another checkpoint": ({"claims": {"sub": OTHER_CHECKPOINT}}, {"wrong_checkpoint"}),
    "another case": ({"claims": {"txn": OTHER_CASE}}, {"wrong_case"}),
    "other evidence": (
        {"claims": {"evidence_digest": digest_bytes(b"older evidence")}},
        {"wrong_evidence"},
    ),
    "another requirement": (
        {"claims": {"requirement_digest": digest_bytes(b"older matrix")}},
        {"wrong_requirement"},
    ),
    "signed in another's name": ({"claims": {"iss": "operator:ben"}}, {"wrong_person"}),
    "resolved": ({"standing": {"status": APPROVED}}, {"not_open"}),
    "expired": ({"standing": {"status": CheckpointStatus.EXPIRED}}, {"not_open"}),
    "voided": ({"standing": {"status": CheckpointStatus.VOIDED}}, {"not_open"}),
    "at the deadline": ({"now": STANDING.deadline}, {"past_deadline"}),
    "after the deadline": ({"now": STANDING.deadline + timedelta(seconds=1)}, {"past_deadline"}),
    "just in time": ({"now": STANDING.deadline - timedelta(microseconds=1)}, set()),
    "suspended": ({"operator": {"active": False}}, {"operator_not_active"}),
    "no role": ({"operator": {"roles": ()}}, {"out_of_role"}),
    "out of role": ({"operator": {"roles": ("auditor", "inspector")}}, {"out_of_role"}),
    "one role of many": ({"operator": {"roles": ("auditor", "senior-approver")}}, set()),
    "another's to decide": (
        {"requirement": {"decided_by": "operator:olga"}},
        {"anothers"},
    ),
    "one's own to decide": ({"requirement": {"decided_by": ANA.principal}}, set()),
    "opened the case": (
        {"claims": {"iss": "operator:opener"}, "operator": {"principal": "operator:opener"}},
        {"segregation"},
    ),
    "opened the case, and rejects": (
        {
            "claims": {"iss": "operator:opener", **REJECTS},
            "operator": {"principal": "operator:opener"},
        },
        {"segregation"},
    ),
    "approved before": (
        {"standing": {"decisions": (said("ana", "approve", "loan-officer"),)}},
        {"decided_already"},
    ),
    "another approved before": (
        {"standing": {"decisions": (said("ben", "approve", "loan-officer"),)}},
        set(),
    ),
    "withdrew before": (
        {
            "standing": {
                "decisions": (
                    said("ana", "approve", "loan-officer"),
                    said("ana", "withdraw", "loan-officer"),
                )
            }
        },
        set(),
    ),
    "withdraws": (
        {
            "claims": {**WITHDRAWS},
            "standing": {"decisions": (said("ana", "approve", "loan-officer"),)},
        },
        set(),
    ),
    "withdraws nothing": ({"claims": {**WITHDRAWS}}, {"nothing_to_withdraw"}),
    "withdraws another's": (
        {
            "claims": {**WITHDRAWS},
            "standing": {"decisions": (said("ben", "approve", "loan-officer"),)},
        },
        {"nothing_to_withdraw"},
    ),
    "abstained before": (
        {"standing": {"decisions": (said("ana", "abstain", "loan-officer"),)}},
        {"abstained"},
    ),
    "takes back an abstention": (
        {
            "claims": {**WITHDRAWS},
            "standing": {"decisions": (said("ana", "abstain", "loan-officer"),)},
        },
        {"abstained"},
    ),
    "another amount": ({"claims": {"amount": Decimal("184200.01")}}, {"amount_differs"}),
    "no amount": ({"claims": {"amount": None}}, {"amount_differs"}),
    "other adjustments": (
        {"claims": {"adjustments_digest": digest_bytes(b"other")}},
        {"adjustments_differ"},
    ),
    "no adjustments": ({"claims": {"adjustments_digest": None}}, {"adjustments_differ"}),
    "exception not accepted": ({"claims": {"exceptions": ()}}, {"exceptions_not_accepted"}),
    "exception nobody found": (
        {"claims": {"exceptions": accepts("sov.arithmetic#row-1", "sov.totals#line-8")}},
        {"exceptions_unknown"},
    ),
    "another exception instead": (
        {"claims": {"exceptions": accepts("sov.totals#line-8")}},
        {"exceptions_not_accepted", "exceptions_unknown"},
    ),
    "rejects without amount": (
        {"claims": {**REJECTS}},
        set(),
    ),
    "returns without amount": (
        {"claims": {**RETURNS}},
        set(),
    ),
    "abstains": (
        {"claims": {"verdict": Verdict.ABSTAIN, "amount": None, "exceptions": ()}},
        set(),
    ),
    "rejects without a reason": ({"claims": {**REJECTS, "reason_code": None}}, {"no_reason"}),
    "returns without a question": ({"claims": {**RETURNS, "comment": None}}, {"no_question"}),
    "rejects and accepts": (
        {"claims": {**REJECTS, "exceptions": CLAIMS.exceptions}},
        {"exceptions_unknown"},
    ),
    "an exception accepted twice": (
        {"claims": {"exceptions": accepts("sov.arithmetic#row-1", "sov.arithmetic#row-1")}},
        {"exceptions_unknown"},
    ),
    "an exception that the role may not accept": (
        {"requirement": {"acceptors": (SENIORS_ACCEPT,)}},
        {"exceptions_out_of_role"},
    ),
    "leaves it to those who may": (
        {
            "requirement": {"acceptors": (SENIORS_ACCEPT,)},
            "claims": {"exceptions": ()},
        },
        set(),
    ),
    "approves before its turn": (
        {"requirement": {"needs": IN_SEQUENCE}, "operator": {"roles": ("senior-approver",)}},
        {"not_your_turn"},
    ),
    "rejects before its turn": (
        {
            "requirement": {"needs": IN_SEQUENCE},
            "claims": REJECTS,
            "operator": {"roles": ("senior-approver",)},
        },
        set(),
    ),
    "approves in its turn": (
        {
            "requirement": {"needs": IN_SEQUENCE},
            "operator": {"roles": ("senior-approver",)},
            "standing": {"decisions": (said("ben", "approve", "loan-officer"),)},
        },
        set(),
    ),
    "stands in for someone who is away": (
        {
            "claims": {"stands_in_for": "operator:ben"},
            "operator": {"stands_in_for": ("operator:ben",)},
        },
        set(),
    ),
    "stands in for someone who has not handed over, or no longer": (
        {"claims": {"stands_in_for": "operator:ben"}},
        {"not_standing_in"},
    ),
    "stands in for themselves": (
        {
            "claims": {"stands_in_for": "operator:ana"},
            "operator": {"stands_in_for": ("operator:ana",)},
        },
        {"not_standing_in"},
    ),
    "stands in for who may not decide": (
        {
            "claims": {"stands_in_for": "operator:opener"},
            "operator": {"stands_in_for": ("operator:opener",)},
        },
        {"stands_in_for_excluded"},
    ),
    "stands in for who has decided": (
        {
            "claims": {"stands_in_for": "operator:ben"},
            "operator": {"stands_in_for": ("operator:ben",)},
            "standing": {"decisions": (said("ben", "approve", "loan-officer"),)},
        },
        {"absent_has_decided"},
    ),
    "comes back after someone stood in": (
        {
            "standing": {
                "decisions": (
                    said("ben", "approve", "loan-officer").model_copy(
                        update={"stands_in_for": "operator:ana"}
                    ),
                )
            },
        },
        {"spoken_for"},
    ),
    "withdraws for who stood in": (
        {
            "claims": {**WITHDRAWS},
            "standing": {
                "decisions": (
                    said("ben", "approve", "loan-officer").model_copy(
                        update={"stands_in_for": "operator:ana"}
                    ),
                )
            },
        },
        {"nothing_to_withdraw"},
    ),
    "everything at once": (
        {
            "claims": {
                "txn": OTHER_CASE,
                "evidence_digest": digest_bytes(b"x"),
                "amount": None,
                "exceptions": (),
            },
            "operator": {"active": False, "roles": ("auditor",)},
            "standing": {"status": REJECTED},
            "now": NOW + timedelta(days=2),
        },
        {
            "wrong_case",
            "wrong_evidence",
            "amount_differs",
            "exceptions_not_accepted",
            "operator_not_active",
            "out_of_role",
            "not_open",
            "past_deadline",
        },
    ),
}


@pytest.mark.parametrize(("changes", "expected"), SCENARIOS.values(), ids=SCENARIOS.keys())
def test_i6_each_broken_rule_is_named(changes: dict[str, Any], expected: set[str]) -> None:
    """I6: a decision counts only if nothing is wrong with it, and the refusal says all that is."""
    assert refusals(**changes) == expected


def test_the_scenarios_break_every_rule() -> None:
    broken = set().union(*(expected for _, expected in SCENARIOS.values()))
    # The sign-in's freshness is no matter of the checkpoint: tests of step-up see to it.
    assert broken == {refusal.value for refusal in Refusal} - {Refusal.STEP_UP}


def test_of_what_has_ended_nothing_more_is_needed() -> None:
    """I12: that somebody withdraws first, or another role, would help no more."""
    ended = STANDING.model_copy(update={"status": APPROVED})
    clerk = ANA.model_copy(update={"roles": ("clerk",)})
    with pytest.raises(DecisionRefused) as refused:
        check_decision(REQUIREMENT, EVIDENCE, digest_json(REQUIREMENT), CLAIMS, clerk, ended, NOW)
    assert {"not_open", "out_of_role"} <= {each.value for each in refused.value.reasons}
    assert refused.value.needed == ("it is approved",)


def test_i6_nobody_is_asked_in_automatic_mode() -> None:
    """I6: where the requirement asks for nobody, nobody is in role."""
    with pytest.raises(DecisionRefused) as refused:
        check_decision(
            asks(amount=CLAIMS.amount, exceptions=CLAIMS.accepted),
            EVIDENCE,
            CLAIMS.requirement_digest,
            CLAIMS,
            ANA,
            STANDING,
            NOW,
        )
    assert refused.value.reasons == (Refusal.OUT_OF_ROLE,)


# --- what the words add up to ---------------------------------------------------------------

OFFICER, SENIOR = "loan-officer", "senior-approver"
TWO = asks(need(1, OFFICER, SENIOR), need(1, SENIOR))
SEQUENCE = asks(need(1, OFFICER), Need(roles=(SENIOR,), count=1, stage=2))
EXCEPTED = asks(
    need(2, OFFICER, SENIOR),
    exceptions=("sov.arithmetic#row-1",),
    acceptors=(SENIORS_ACCEPT,),
)

OUTCOMES: dict[str, tuple[Requirement, list[CountedDecision], CheckpointStatus]] = {
    "no word": (TWO, [], OPEN),
    "one of two": (TWO, [said("ana", "approve", OFFICER)], OPEN),
    "officer, then senior": (
        TWO,
        [said("ana", "approve", OFFICER), said("sam", "approve", SENIOR)],
        APPROVED,
    ),
    "senior first takes the place the officer could fill": (
        TWO,
        [said("sam", "approve", SENIOR), said("ana", "approve", OFFICER)],
        APPROVED,
    ),
    "two officers": (
        TWO,
        [said("ana", "approve", OFFICER), said("ben", "approve", OFFICER)],
        OPEN,
    ),
    "one person in both roles fills one place": (
        TWO,
        [said("ana", "approve", OFFICER, SENIOR)],
        OPEN,
    ),
    "the same person twice": (
        TWO,
        [said("sam", "approve", SENIOR), said("sam", "approve", SENIOR, number=1)],
        OPEN,
    ),
    "a rejection": (
        TWO,
        [said("ana", "approve", OFFICER), said("sam", "reject", SENIOR)],
        REJECTED,
    ),
    "a return": (TWO, [said("ana", "return", OFFICER)], RETURNED),
    "a rejection by someone out of role": (TWO, [said("eve", "reject", "auditor")], OPEN),
    "a rejection after the approval": (
        asks(need(1, OFFICER)),
        [said("ana", "approve", OFFICER), said("ben", "reject", OFFICER)],
        APPROVED,
    ),
    "an approval after the return": (
        asks(need(1, OFFICER)),
        [said("ana", "return", OFFICER), said("ben", "approve", OFFICER)],
        RETURNED,
    ),
    "a withdrawal": (
        TWO,
        [
            said("ana", "approve", OFFICER),
            said("ana", "withdraw", OFFICER),
            said("sam", "approve", SENIOR),
        ],
        OPEN,
    ),
    "an approval again after a withdrawal": (
        TWO,
        [
            said("ana", "approve", OFFICER),
            said("ana", "withdraw", OFFICER),
            said("sam", "approve", SENIOR),
            said("ana", "approve", OFFICER, number=1),
        ],
        APPROVED,
    ),
    "an abstention bars": (
        asks(need(1, OFFICER)),
        [said("ana", "abstain", OFFICER), said("ana", "approve", OFFICER)],
        OPEN,
    ),
    "an abstention can't be taken back": (
        asks(need(1, OFFICER)),
        [
            said("ana", "abstain", OFFICER),
            said("ana", "withdraw", OFFICER),
            said("ana", "approve", OFFICER),
        ],
        OPEN,
    ),
    "an excluded person's word": (
        asks(need(1, OFFICER), excluded=prepared("operator:ana")),
        [said("ana", "approve", OFFICER)],
        OPEN,
    ),
    "all had a part in granting": (
        asks(need(1, OFFICER), not_all_of=("operator:ana", "operator:ben")),
        [said("ana", "approve", OFFICER), said("ben", "approve", OFFICER)],
        OPEN,
    ),
    "one had no part in granting": (
        asks(need(1, OFFICER), not_all_of=("operator:ana",)),
        [said("ana", "approve", OFFICER), said("ben", "approve", OFFICER)],
        APPROVED,
    ),
    "independent, but in no role": (
        asks(need(1, OFFICER), not_all_of=("operator:ana",)),
        [said("ana", "approve", OFFICER), said("eve", "approve", "auditor")],
        OPEN,
    ),
    "in sequence": (
        SEQUENCE,
        [said("ana", "approve", OFFICER), said("sam", "approve", SENIOR)],
        APPROVED,
    ),
    "the second before the first": (
        SEQUENCE,
        [said("sam", "approve", SENIOR), said("ana", "approve", OFFICER)],
        OPEN,
    ),
    "a withdrawal takes with it what rested on it": (
        SEQUENCE,
        [
            said("ana", "approve", OFFICER),
            said("ana", "withdraw", OFFICER),
            said("ben", "approve", OFFICER),
        ],
        OPEN,
    ),
    "a surplus word of the first stage fills no place of the second": (
        asks(
            need(1, OFFICER), need(1, SENIOR), Need(roles=("compliance-officer",), count=1, stage=2)
        ),
        [
            said("ana", "approve", OFFICER),
            said("ben", "approve", OFFICER, "compliance-officer"),
            said("sam", "approve", SENIOR),
        ],
        OPEN,
    ),
    "an exception that nobody in role has accepted": (
        EXCEPTED,
        [said("ana", "approve", OFFICER), said("ben", "approve", OFFICER)],
        OPEN,
    ),
    "an exception accepted by who may": (
        EXCEPTED,
        [
            said("ana", "approve", OFFICER),
            said("sam", "approve", SENIOR).model_copy(update={"exceptions": EXCEPTED.exceptions}),
        ],
        APPROVED,
    ),
    "an exception accepted by who may not": (
        EXCEPTED,
        [
            said("ana", "approve", OFFICER).model_copy(update={"exceptions": EXCEPTED.exceptions}),
            said("ben", "approve", OFFICER),
        ],
        OPEN,
    ),
    "independent, but standing in for who granted": (
        asks(need(1, OFFICER), not_all_of=("operator:ana",)),
        [said("ben", "approve", OFFICER).model_copy(update={"stands_in_for": "operator:ana"})],
        OPEN,
    ),
    "one word of two people": (
        asks(need(2, OFFICER)),
        [
            said("ben", "approve", OFFICER).model_copy(update={"stands_in_for": "operator:ana"}),
            said("ana", "approve", OFFICER),
        ],
        OPEN,
    ),
    "nobody is asked": (asks(not_all_of=("operator:ana",)), [], APPROVED),
}


@pytest.mark.parametrize(("asked", "words", "status"), OUTCOMES.values(), ids=OUTCOMES.keys())
def test_i6_what_the_words_add_up_to(
    asked: Requirement, words: list[CountedDecision], status: CheckpointStatus
) -> None:
    """I6: nobody counts twice, and the first end stays."""
    assert outcome_status(asked, words) is status


PEOPLE = ("ana", "ben", "sam", "tia", "eve")
ROLES = ("officer", "senior", "compliance")


@st.composite
def requirements(draw: st.DrawFn) -> Requirement:
    roles = st.lists(st.sampled_from(ROLES), min_size=1, max_size=2, unique=True)
    needs = draw(
        st.lists(
            st.builds(lambda r, c: need(c, *r), roles, st.integers(1, 2)), min_size=0, max_size=2
        )
    )
    people = st.lists(st.sampled_from(PEOPLE), max_size=2, unique=True)
    return asks(
        *needs,
        excluded=prepared(*(f"operator:{who}" for who in draw(people))),
        not_all_of=tuple(f"operator:{who}" for who in draw(people)),
    )


@st.composite
def words(draw: st.DrawFn) -> list[CountedDecision]:
    roles = {who: draw(st.lists(st.sampled_from(ROLES), max_size=2, unique=True)) for who in PEOPLE}
    # Approvals are drawn more often, or hardly any quorum would be reached.
    verdicts = ["approve"] * 5 + ["withdraw", "abstain", "reject", "return"]
    spoken = draw(
        st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(verdicts)), max_size=7)
    )
    return [
        said(who, verdict, *roles[who], number=number)
        for number, (who, verdict) in enumerate(spoken)
    ]


def by_brute_force(asked: Requirement, decisions: Sequence[CountedDecision]) -> CheckpointStatus:
    """The same question, answered from the rules' words by trying every seating."""
    for end in range(len(decisions) + 1):
        status = _status_of(asked, decisions[:end])
        if status is not OPEN:
            return status
    return OPEN


def _status_of(asked: Requirement, decisions: Sequence[CountedDecision]) -> CheckpointStatus:
    roles: dict[str, frozenset[str]] = {}
    word: dict[str, str] = {}
    for decision in decisions:
        who = decision.operator
        in_role = {role for need in asked.needs for role in need.roles} & set(decision.roles)
        if asked.bars(who) or not in_role or word.get(who) == "abstain":
            continue
        if decision.verdict is Verdict.WITHDRAW:
            word.pop(who, None)
        elif who not in word:
            word[who], roles[who] = decision.verdict.value, frozenset(decision.roles)
    if "reject" in word.values():
        return REJECTED
    if "return" in word.values():
        return RETURNED
    places = [set(need.roles) for need in asked.needs for _ in range(need.count)]
    approvers = [who for who, verdict in word.items() if verdict == "approve"]
    for seated in itertools.permutations(approvers, len(places)):
        fits = all(roles[who] & place for who, place in zip(seated, places, strict=True))
        independent = any(who not in asked.not_all_of for who in seated)
        if fits and (independent or not asked.not_all_of or not places):
            return APPROVED
    return OPEN


@settings(max_examples=300)
@given(asked=requirements(), decisions=words())
def test_i6_the_quorum_agrees_with_trying_every_seating(
    asked: Requirement, decisions: list[CountedDecision]
) -> None:
    """I6: approved exactly if some seating fills every place with a different person."""
    assert outcome_status(asked, decisions) is by_brute_force(asked, decisions)


@settings(max_examples=150)
@given(asked=requirements(), decisions=words())
def test_something_is_missing_exactly_while_it_is_open(
    asked: Requirement, decisions: list[CountedDecision]
) -> None:
    open_still = outcome_status(asked, decisions) is OPEN
    assert bool(missing(asked, decisions)) is open_still


def test_i6_an_approval_that_rested_on_another_may_be_given_again() -> None:
    """I6: what a withdrawal takes with it is no word any more; its person is free to speak."""
    heard = [
        said("ana", "approve", OFFICER),
        said("sam", "approve", SENIOR),
        said("tia", "approve", SENIOR),
    ]
    wide = asks(need(1, OFFICER), Need(roles=(SENIOR,), count=3, stage=2))
    assert approvals(wide, heard) == tuple(heard)
    after = [*heard, said("ana", "withdraw", OFFICER)]
    assert approvals(wide, after) == ()
    again = [*after, said("ben", "approve", OFFICER), said("sam", "approve", SENIOR, number=1)]
    assert [each.operator for each in approvals(wide, again)] == ["operator:ben", "operator:sam"]
    assert missing(wide, again) == ("2 more approvals by: senior-approver",)


def test_what_comes_after_is_said_to_come_after() -> None:
    assert missing(SEQUENCE, []) == (
        "1 more approval by: loan-officer",
        "1 more approval by: senior-approver, after that",
    )
    assert missing(
        EXCEPTED, [said("ana", "approve", OFFICER), said("ben", "approve", OFFICER)]
    ) == ("the exception sov.arithmetic#row-1, accepted by: senior-approver",)


def test_many_exceptions_are_missing_in_one_line() -> None:
    """A packet that can't be read has dozens: what else is missing must not drown in them."""
    findings = tuple(f"sov.arithmetic#row-{number}" for number in range(1, 31))
    many = EXCEPTED.model_copy(update={"exceptions": findings})
    assert missing(many, [said("ana", "approve", OFFICER), said("ben", "approve", OFFICER)]) == (
        "30 exceptions (sov.arithmetic#row-1, sov.arithmetic#row-2, sov.arithmetic#row-3, …), "
        "accepted by: senior-approver",
    )


def test_i6_a_withdrawn_approval_is_no_approval() -> None:
    """I6: the approvals that count are the words that stand, of people who are asked."""
    heard = [
        said("ana", "approve", OFFICER),
        said("ana", "withdraw", OFFICER),
        said("eve", "approve", "auditor"),
        said("sam", "approve", SENIOR),
        said("sam", "approve", SENIOR, number=1),
    ]
    assert approvals(TWO, heard) == (heard[3],)


def test_what_is_missing_is_said_in_plain_words() -> None:
    asked = asks(
        need(1, OFFICER, SENIOR), need(2, SENIOR), not_all_of=("operator:ana", "operator:sam")
    )
    assert missing(asked, []) == (
        "1 more approval by: loan-officer or senior-approver",
        "2 more approvals by: senior-approver",
        "an independent approval: by someone other than ana, sam",
    )
    heard = [said("ana", "approve", OFFICER), said("sam", "approve", SENIOR)]
    assert missing(asked, heard) == (
        "1 more approval by: senior-approver",
        "an independent approval: by someone other than ana, sam",
    )
    assert missing(asked, [*heard, said("tia", "approve", SENIOR)]) == ()
    alone = asks(need(1, OFFICER)).model_copy(update={"decided_by": "operator:ana"})
    assert missing(alone, []) == ("1 more approval by: loan-officer (ana alone)",)


def test_twenty_places_and_forty_people_are_counted_at_once() -> None:
    asked = asks(need(20, OFFICER), need(20, SENIOR))
    both = [said(f"p-{n}", "approve", OFFICER, SENIOR, number=n) for n in range(20)]
    officers = [said(f"o-{n}", "approve", OFFICER, number=n) for n in range(20)]
    assert outcome_status(asked, [*both, *officers[:19]]) is OPEN
    assert outcome_status(asked, [*both, *officers]) is APPROVED


def planned(*added: tuple[str, ...]) -> Schedule:
    """Escalations to these roles, one an hour."""
    hours = [NOW + timedelta(hours=n) for n in range(len(added) + 2)]
    return Schedule(
        due_at=hours[-1],
        expires_at=hours[-1],
        escalations=tuple(
            PlannedEscalation(at=at, roles=roles)
            for at, roles in zip(hours[1:], added, strict=False)
        ),
    )


def test_i6_an_escalation_brings_back_no_approval_that_fell_with_another() -> None:
    """I6: what no longer stands counts never again, unless its giver says it anew."""
    fixed = asks(need(1, OFFICER), Need(roles=(SENIOR,), count=2, stage=2))
    wide = escalated(fixed.model_copy(update={"schedule": planned((SENIOR,))}), 1)
    heard = [
        said("ana", "approve", OFFICER),
        said("sam", "approve", SENIOR),
        said("ana", "withdraw", OFFICER),
    ]
    assert approvals(wide, heard) == ()
    anew = said("sam", "approve", SENIOR, number=1).model_copy(update={"escalated": 1})
    assert approvals(wide, [*heard, anew]) == (anew,)


def test_i6_an_escalation_approves_nothing_by_a_word_that_was_withdrawn() -> None:
    """I6: two officers stood once, and would have been enough as the roles are now; one is gone."""
    fixed = asks(need(1, OFFICER), Need(roles=(SENIOR,), count=1, stage=2))
    wide = escalated(fixed.model_copy(update={"schedule": planned((OFFICER,))}), 1)
    heard = [said("ana", "approve", OFFICER), said("ben", "approve", OFFICER)]
    assert outcome_status(wide, heard) is APPROVED
    after = [*heard, said("ana", "withdraw", OFFICER)]
    assert outcome_status(wide, after) is OPEN
    assert approvals(wide, after) == (heard[1],)
