"""What the lender's matrix asks of whom."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from placet.model import (
    AuthorityMatrix,
    CheckpointRule,
    Exclusion,
    ExclusionReason,
    Finding,
    Mode,
    Need,
    Part,
    Proposal,
    Requirement,
    RequirementFact,
    Severity,
    Unusual,
    digest_bytes,
    digest_json,
)
from placet.rules import (
    AutomaticFacts,
    BadProposal,
    MissingFact,
    NoRule,
    excluded,
    requirement,
    said_digest,
    why_more,
)

MATRIX = AuthorityMatrix.model_validate_json(
    (Path(__file__).parents[2] / "policies/loan-draw/authority-matrix.json").read_bytes()
)
GRANTED_BY: dict[str, JsonValue] = {"granted_by": ["operator:greta-holm"]}
OPENED = Exclusion(person="operator:otto-lang", why=ExclusionReason.OPENED)
OFFICER = Need(roles=("loan-officer",), count=1)
EITHER = Need(roles=("loan-officer", "senior-approver"), count=1)
SENIOR = Need(roles=("senior-approver",), count=1)
TWO_SENIORS = Need(roles=("senior-approver",), count=2)
SAID = digest_bytes(b"the analysis")
AGREED = AutomaticFacts(
    made_by="agent:draw-analyst",
    said=SAID,
    recomputed_by="agent:draw-verifier",
    recomputed=SAID,
)
OPENED_AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def finding(severity: Severity, number: int = 1) -> Finding:
    return Finding(
        id=f"sov.arithmetic#row-{number}",
        check="sov.arithmetic",
        severity=severity,
        message="G is not D + E + F",
    )


def proposal(amount: str | None, *severities: Severity) -> Proposal:
    return Proposal(
        amount=None if amount is None else Decimal(amount),
        findings=tuple(finding(severity, n) for n, severity in enumerate(severities)),
    )


def fetched(facts: Mapping[str, JsonValue]) -> tuple[RequirementFact, ...]:
    return tuple(
        RequirementFact(
            name=name, value=value, system="loan-servicing", record="loan/L-1", version="4"
        )
        for name, value in facts.items()
    )


def asked(
    proposed: Proposal,
    *,
    matrix: AuthorityMatrix = MATRIX,
    checkpoint: str = "draw-approval",
    facts: Mapping[str, JsonValue] = GRANTED_BY,
    automatic: AutomaticFacts | None = None,
) -> Requirement:
    return requirement(
        matrix,
        checkpoint,
        proposed,
        excluded=(OPENED,),
        facts=fetched(facts),
        automatic=automatic,
        opened=OPENED_AT,
    )


def in_mode(mode: Mode) -> AuthorityMatrix:
    return MATRIX.model_copy(update={"mode": mode})


@pytest.mark.parametrize(
    ("amount", "needs"),
    [
        ("0.00", (OFFICER,)),
        ("0.01", (OFFICER,)),
        ("50000.00", (OFFICER,)),
        ("50000.01", (EITHER, SENIOR)),
        ("500000.00", (EITHER, SENIOR)),
        ("500000.01", (TWO_SENIORS,)),
        ("9999999999999.99", (TWO_SENIORS,)),
        (None, (TWO_SENIORS,)),
    ],
)
def test_the_tier_goes_by_the_amount_to_the_cent(
    amount: str | None, needs: tuple[Need, ...]
) -> None:
    assert asked(proposal(amount)).needs == needs


@pytest.mark.parametrize("amount", ["100.00", "60000.00", "600000.00"])
def test_a_blocking_finding_adds_a_senior_approver(amount: str) -> None:
    plain = asked(proposal(amount))
    excepted = asked(proposal(amount, Severity.BLOCKING, Severity.WARNING, Severity.BLOCKING))
    assert excepted.needs == (*plain.needs, SENIOR)
    assert excepted.exceptions == ("sov.arithmetic#row-0", "sov.arithmetic#row-2")


def test_warnings_add_nobody() -> None:
    assert asked(proposal("100.00", Severity.WARNING, Severity.INFO)).needs == (OFFICER,)


def test_the_requirement_names_matrix_excluded_and_who_is_not_independent() -> None:
    fixed = asked(proposal("100.00"))
    assert fixed.matrix_digest == digest_json(MATRIX)
    assert fixed.excluded == (OPENED,)
    assert fixed.matrix_version == MATRIX.version
    assert [each.name for each in fixed.facts] == ["granted_by"]
    assert fixed.not_all_of == ("operator:greta-holm",)
    assert fixed.amount == Decimal("100.00")


def test_the_order_of_people_does_not_change_the_requirement() -> None:
    people = ["operator:b", "operator:a", "operator:b"]
    out = [Exclusion(person=each, why=ExclusionReason.PREPARED) for each in people]
    one = requirement(
        MATRIX,
        "draw-approval",
        proposal("1.00"),
        excluded=out,
        facts=fetched({"granted_by": ["operator:a", "operator:b"]}),
        automatic=None,
        opened=OPENED_AT,
    )
    other = requirement(
        MATRIX,
        "draw-approval",
        proposal("1.00"),
        excluded=reversed(out),
        facts=fetched({"granted_by": ["operator:a", "operator:b"]}),
        automatic=None,
        opened=OPENED_AT,
    )
    assert digest_json(one) == digest_json(other)


@pytest.mark.parametrize(
    "facts",
    [{}, {"granted_by": None}, {"granted_by": ["greta"]}, {"granted_by": [1]}],
)
def test_unknown_granters_can_not_be_judged(facts: dict[str, JsonValue]) -> None:
    with pytest.raises(MissingFact, match="granted_by"):
        asked(proposal("1.00"), facts=facts)


def test_i6_a_checkpoint_the_matrix_does_not_name_can_be_approved_by_nobody() -> None:
    """I6: no rule means no approval, in automatic mode as well."""
    with pytest.raises(NoRule, match="funding"):
        asked(proposal("1.00"), checkpoint="funding")
    with pytest.raises(NoRule):
        asked(
            proposal("1.00"),
            checkpoint="funding",
            matrix=in_mode(Mode.AUTOMATIC),
            automatic=AGREED,
        )


def test_compliance_asks_a_compliance_officer_whatever_the_amount() -> None:
    for amount in ("1.00", "9000000.00", None):
        fixed = asked(proposal(amount, Severity.BLOCKING), checkpoint="compliance", facts={})
        assert fixed.needs == (Need(roles=("compliance-officer",), count=1),)


@pytest.mark.parametrize(
    "contradiction",
    [
        Proposal(amount=Decimal("-0.01")),
        Proposal(amount=Decimal("100.01"), requested=Decimal("100.00")),
    ],
    ids=["negative", "more than requested"],
)
def test_an_amount_that_contradicts_itself_is_asked_of_nobody(contradiction: Proposal) -> None:
    with pytest.raises(BadProposal):
        asked(contradiction)


# --- automatic mode -------------------------------------------------------------------------


def test_i3_automatic_mode_lets_a_clean_confirmed_small_proposal_through() -> None:
    """I3: under the limit, without a finding above info, made twice with an equal digest."""
    clean = proposal("25000.00", Severity.INFO)
    assert asked(clean, matrix=in_mode(Mode.AUTOMATIC), automatic=AGREED).needs == ()


@pytest.mark.parametrize("mode", [Mode.AUDIT, Mode.ASSIST])
def test_i3_in_every_other_mode_people_decide(mode: Mode) -> None:
    """I3: audit and assist ask people, however clean the proposal is."""
    assert asked(proposal("1.00"), matrix=in_mode(mode), automatic=AGREED).needs


NOT_ALONE = {
    "a cent over the limit": (proposal("25000.01"), AGREED),
    "nothing to pay": (proposal("0.00"), AGREED),
    "no amount": (proposal(None), AGREED),
    "a warning": (proposal("1.00", Severity.WARNING), AGREED),
    "a blocking finding": (proposal("1.00", Severity.INFO, Severity.BLOCKING), AGREED),
    "not recomputed": (proposal("1.00"), None),
    "recomputed otherwise": (
        proposal("1.00"),
        AGREED.model_copy(update={"recomputed": digest_bytes(b"another analysis")}),
    ),
    "recomputed by itself": (
        proposal("1.00"),
        AGREED.model_copy(update={"recomputed_by": "agent:draw-analyst"}),
    ),
}


@pytest.mark.parametrize(("proposed", "automatic"), NOT_ALONE.values(), ids=NOT_ALONE.keys())
def test_i3_in_every_doubt_people_decide(
    proposed: Proposal, automatic: AutomaticFacts | None
) -> None:
    """I3: automatic mode needs every one of its conditions."""
    matrix = in_mode(Mode.AUTOMATIC)
    assert asked(proposed, matrix=matrix, automatic=automatic).needs


def part(name: str, salt: str, amount: str = "100.00", total: str = "1") -> Part:
    return Part(
        name=name,
        record="loan/L-1001/draw/7",
        salt=f"{salt * 42}A",
        data={"total": total},
        proposal=proposal(amount),
    )


def test_two_agents_results_compare_without_name_and_salt() -> None:
    made = said_digest(part("analysis", "A"))
    assert made == said_digest(part("recomputed", "E"))
    assert made != said_digest(part("analysis", "A", amount="100.01"))
    assert made != said_digest(part("analysis", "A", total="2"))
    bare = part("analysis", "A").model_copy(update={"proposal": None})
    assert made != said_digest(bare)


# --- segregation ----------------------------------------------------------------------------


@given(
    opener=st.sampled_from(["operator:a", "operator:b", "operator:c"]),
    preparers=st.lists(st.sampled_from(["operator:a", "operator:b", "operator:c"])),
)
def test_i6_opener_and_preparers_are_excluded_once_each(opener: str, preparers: list[str]) -> None:
    """I6: who opened or prepared a case never decides on it."""
    people = excluded(opener, preparers)
    assert {each.person for each in people} == {opener, *preparers}
    keys = [(each.person, each.why) for each in people]
    assert keys == sorted(set(keys))


def test_i6_an_agent_counts_as_the_person_who_owns_it() -> None:
    """I6: who owns an agent that worked on the evidence had a hand in it, as its owner."""
    (owner,) = (
        each
        for each in excluded(
            "operator:a", ["agent:analyst"], owners={"agent:analyst": ("operator:b",)}
        )
        if each.person != "operator:a"
    )
    assert (owner.person, owner.why, owner.of) == ("operator:b", "owns_agent", "agent:analyst")


def test_everyone_who_had_a_hand_in_it_is_named_with_the_reason() -> None:
    found = excluded(
        "operator:a",
        ["operator:b"],
        resubmitters=["operator:c"],
        keyers=["operator:d", "operator:a"],
        approved_earlier={"operator:e": "case-1"},
    )
    assert [(each.person[-1], each.why.value) for each in found] == [
        ("a", "keyed"),
        ("a", "opened"),
        ("b", "prepared"),
        ("c", "resubmitted"),
        ("d", "keyed"),
        ("e", "approved_earlier"),
    ]


# --- by facts, by exceptions ----------------------------------------------------------------


def ruled(**more: Any) -> AuthorityMatrix:
    """The lender's matrix with more in the rule of the draw's approval."""
    rules = tuple(
        CheckpointRule.model_validate({**rule.model_dump(), **more})
        if rule.checkpoint == "draw-approval"
        else rule
        for rule in MATRIX.rules
    )
    return MATRIX.model_copy(update={"rules": rules})


IN_HAWAII = {
    "name": "islands",
    "when": [{"fact": "state", "one_of": ["HI"]}, {"fact": "draws", "at_least": 3}],
    "needs": [{"roles": ["senior-approver"], "count": 1, "stage": 2}],
}


@pytest.mark.parametrize(
    ("facts", "added"),
    [
        ({"state": "HI", "draws": 3}, ("islands",)),
        ({"state": "HI", "draws": 2}, ()),
        ({"state": "CA", "draws": 9}, ()),
    ],
)
def test_facts_add_needs_and_never_take_one_away(
    facts: dict[str, JsonValue], added: tuple[str, ...]
) -> None:
    fixed = asked(
        proposal("1.00"), matrix=ruled(additions=[IN_HAWAII]), facts={**GRANTED_BY, **facts}
    )
    assert fixed.added == added
    assert fixed.needs[0] == OFFICER
    assert len(fixed.needs) == 1 + len(added)
    assert {each.name for each in fixed.facts} == {"granted_by", "state", "draws"}


@pytest.mark.parametrize(
    "facts",
    [{"state": "HI"}, {"draws": 3}, {"state": "CA", "draws": "3"}, {"state": [], "draws": 1}],
)
def test_a_fact_that_is_missing_asks_nobody_yet(facts: dict[str, JsonValue]) -> None:
    with pytest.raises(MissingFact):
        asked(proposal("1.00"), matrix=ruled(additions=[IN_HAWAII]), facts={**GRANTED_BY, **facts})


def test_a_yes_is_no_one() -> None:
    matrix = ruled(
        additions=[{**IN_HAWAII, "when": [{"fact": "state", "one_of": [1]}]}],
    )
    assert asked(proposal("1.00"), matrix=matrix, facts={**GRANTED_BY, "state": True}).added == ()


def test_i6_whom_a_fact_names_may_not_decide() -> None:
    """I6: the lender's matrix can set people apart by what a system of record says."""
    fixed = asked(
        proposal("1.00"),
        matrix=ruled(excluded_by=["inspected_by"]),
        facts={**GRANTED_BY, "inspected_by": ["operator:ines"]},
    )
    assert fixed.barred_among(()) == {"operator:otto-lang", "operator:ines"}
    assert [each.of for each in fixed.excluded if each.why == "fact"] == ["inspected_by"]


def test_who_alone_may_accept_a_finding_is_among_those_who_are_asked() -> None:
    """Or an exception that only compliance may accept could be approved by nobody."""
    matrix = ruled(
        acceptors=[{"checks": ["sov.arithmetic"], "roles": ["compliance-officer"]}],
        exception_adds=[],
    )
    plain = asked(proposal("1.00"), matrix=matrix)
    assert (plain.added, plain.acceptors) == ((), ())
    fixed = asked(proposal("1.00", Severity.BLOCKING), matrix=matrix)
    assert fixed.needs == (OFFICER, Need(roles=("compliance-officer",), count=1))
    assert fixed.accepting(fixed.exceptions[0]) == ("compliance-officer",)
    assert fixed.acceptable_by(frozenset({"loan-officer"})) == ()
    assert fixed.acceptable_by(frozenset({"compliance-officer"})) == fixed.exceptions


def test_people_read_why_more_are_asked_in_words_of_theirs() -> None:
    """What the matrix calls an addition is the lender's own word; ours are said."""
    assert why_more("late-inspection") == "late-inspection"
    for ours in ("exceptions", "acceptors"):
        assert why_more(ours).startswith("there are blocking findings")
    assert Unusual(kind="added_by_matrix", text="").heading == "more people are asked"
    assert Unusual(kind="asked_again", text="").heading == "asked again"
