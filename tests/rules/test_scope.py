"""A case reaches its own records and no other (I2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from placet.model import ProcessDefinition, Relation, Step
from placet.rules import (
    MissingFact,
    OutOfScope,
    needed_fact,
    require_in_scope,
    subject_variables,
)

SUBJECT = "loan/L-1001/draw/7"
PAYEES: dict[str, JsonValue] = {"payees": ["P-100", "P-200"]}
RELATIONS = {
    relation.name: relation
    for relation in (
        Relation(name="draw", template="loan/{loan}/draw/{draw}"),
        Relation(name="loan", template="loan/{loan}"),
        Relation(name="packet", template="loan/{loan}/draw/{draw}/packet"),
        Relation(name="earlier-draw", template="loan/{loan}/draw/{earlier}", earlier_than="draw"),
        Relation(name="payee", template="payee/{payee}", member_of="payees"),
    )
}
PROCESS = ProcessDefinition(
    name="loan-draw",
    version=1,
    workflow_type="LoanDrawReview",
    subject="loan/{loan}/draw/{draw}",
    relations=tuple(RELATIONS.values()),
    steps=(
        Step(
            activity_type="read_loan",
            agent="draw-analyst",
            action="loan:read",
            system="loan-servicing",
            relation="loan",
        ),
    ),
)

IN_SCOPE = [
    ("draw", "loan/L-1001/draw/7"),
    ("loan", "loan/L-1001"),
    ("packet", "loan/L-1001/draw/7/packet"),
    ("earlier-draw", "loan/L-1001/draw/6"),
    ("earlier-draw", "loan/L-1001/draw/1"),
    ("payee", "payee/P-100"),
    ("payee", "payee/P-200"),
]

OUT_OF_SCOPE = {
    "another loan": ("loan", "loan/L-1002"),
    "the loan in another case of letters": ("loan", "loan/l-1001"),
    "the loan as a prefix": ("loan", "loan/L-10011"),
    "a record below the loan": ("loan", "loan/L-1001/draw/7"),
    "the subject of another loan": ("draw", "loan/L-1002/draw/7"),
    "another draw": ("draw", "loan/L-1001/draw/6"),
    "another draw's packet": ("packet", "loan/L-1001/draw/6/packet"),
    "the same draw as an earlier one": ("earlier-draw", "loan/L-1001/draw/7"),
    "a later draw": ("earlier-draw", "loan/L-1001/draw/8"),
    "a later draw that sorts before": ("earlier-draw", "loan/L-1001/draw/10"),
    "another loan's earlier draw": ("earlier-draw", "loan/L-1002/draw/3"),
    "draw zero": ("earlier-draw", "loan/L-1001/draw/0"),
    "a leading zero": ("earlier-draw", "loan/L-1001/draw/06"),
    "a negative draw": ("earlier-draw", "loan/L-1001/draw/-1"),
    "a signed draw": ("earlier-draw", "loan/L-1001/draw/+1"),
    "an exponent": ("earlier-draw", "loan/L-1001/draw/1e0"),
    "a fraction": ("earlier-draw", "loan/L-1001/draw/1.5"),
    "an underscore": ("earlier-draw", "loan/L-1001/draw/1_0"),
    "a name for a number": ("earlier-draw", "loan/L-1001/draw/six"),
    "arabic digits": ("earlier-draw", "loan/L-1001/draw/\u0663"),
    "a superscript": ("earlier-draw", "loan/L-1001/draw/\u00b2"),
    "full-width digits": ("earlier-draw", "loan/L-1001/draw/\uff16"),
    "another payee": ("payee", "payee/P-300"),
    "a payee by prefix": ("payee", "payee/P-1000"),
    "a payee with its list's separator": ("payee", "payee/P-100,P-200"),
    "another kind": ("payee", "loan/P-100"),
    "dot segments": ("loan", "loan/L-1002/../L-1001"),
    "a bare dot segment": ("loan", "loan/.."),
    "a current-directory segment": ("loan", "loan/./L-1001"),
    "an encoded slash": ("loan", "loan%2fL-1001"),
    "an encoded slash within": ("draw", "loan/L-1001%2fdraw/7"),
    "an encoded letter": ("loan", "loan/%4c-1001"),
    "a backslash": ("loan", "loan\\L-1001"),
    "a trailing slash": ("loan", "loan/L-1001/"),
    "a leading slash": ("loan", "/loan/L-1001"),
    "an empty segment": ("loan", "loan//L-1001"),
    "a trailing newline": ("loan", "loan/L-1001\n"),
    "a trailing space": ("loan", "loan/L-1001 "),
    "a null byte": ("loan", "loan/L-1001\0"),
    "a query": ("loan", "loan/L-1001?x=1"),
    "a fragment": ("loan", "loan/L-1001#x"),
    "a look-alike letter": ("loan", "l\u043ean/L-1001"),
    "a soft hyphen": ("loan", "loan/L\u00ad-1001"),
    "a zero-width space": ("loan", "loan/L-1001\u200b"),
    "a wildcard": ("loan", "loan/*"),
    "the template itself": ("loan", "loan/{loan}"),
    "nothing": ("loan", ""),
    "an endless path": ("loan", "loan/" + "L" * 10_000),
}


@pytest.mark.parametrize(("relation", "record"), IN_SCOPE)
def test_i2_the_cases_own_records_are_in_scope(relation: str, record: str) -> None:
    """I2: what the signed process derives from the subject is within reach."""
    require_in_scope(PROCESS, SUBJECT, RELATIONS[relation], record, PAYEES)


@pytest.mark.parametrize(("relation", "record"), OUT_OF_SCOPE.values(), ids=OUT_OF_SCOPE.keys())
def test_i2_every_other_record_is_out_of_scope(relation: str, record: str) -> None:
    """I2: another record, or another spelling of the right one, is refused."""
    with pytest.raises(OutOfScope):
        require_in_scope(PROCESS, SUBJECT, RELATIONS[relation], record, PAYEES)


@given(
    relation=st.sampled_from(sorted(RELATIONS)),
    record=st.one_of(
        st.text(max_size=40),
        st.from_regex(r"\Aloan/L-100[0-9]/draw/[0-9]{1,2}\Z"),
        st.from_regex(r"\A(loan|payee)/(L-1001|P-[12]00|\.\.|%2f)(/draw/[0-9]{1,2})?\Z"),
    ),
)
def test_i2_only_enumerated_records_pass(relation: str, record: str) -> None:
    """I2: whatever is asked for, only the records one can list beforehand pass."""
    reachable = {
        "draw": {SUBJECT},
        "loan": {"loan/L-1001"},
        "packet": {f"{SUBJECT}/packet"},
        "earlier-draw": {f"loan/L-1001/draw/{number}" for number in range(1, 7)},
        "payee": {"payee/P-100", "payee/P-200"},
    }
    try:
        require_in_scope(PROCESS, SUBJECT, RELATIONS[relation], record, PAYEES)
    except OutOfScope:
        assert record not in reachable[relation]
    else:
        assert record in reachable[relation]


@given(subject=st.integers(min_value=1, max_value=10**6), asked=st.integers(0, 10**6))
def test_i2_earlier_means_a_smaller_number(subject: int, asked: int) -> None:
    """I2: earlier draws are compared as numbers, not as text."""
    record = f"loan/L-1001/draw/{asked}"
    relation = RELATIONS["earlier-draw"]
    if 0 < asked < subject:
        require_in_scope(PROCESS, f"loan/L-1001/draw/{subject}", relation, record, {})
    else:
        with pytest.raises(OutOfScope):
            require_in_scope(PROCESS, f"loan/L-1001/draw/{subject}", relation, record, {})


def test_i2_a_subject_without_a_number_has_no_earlier_draws() -> None:
    """I2: what can't be compared is out of scope."""
    with pytest.raises(OutOfScope, match="decimal number"):
        require_in_scope(
            PROCESS,
            "loan/L-1001/draw/final",
            RELATIONS["earlier-draw"],
            "loan/L-1001/draw/6",
            {},
        )


@pytest.mark.parametrize("record", ["loan/L-1002", "payee/P-300", "loan/L-2002/draw/3"])
def test_i2_a_refusal_tells_of_no_other_record(record: str) -> None:
    """I2: the text names the relation, never another record, a value or the list's members."""
    for relation in RELATIONS.values():
        with pytest.raises(OutOfScope) as refused:
            require_in_scope(PROCESS, SUBJECT, relation, record, PAYEES)
        told = str(refused.value)
        assert not any(secret in told for secret in ("L-1", "L-2", "P-100", "P-200", "P-300"))


@pytest.mark.parametrize(
    "facts",
    [{}, {"payees": None}, {"payees": "P-100"}, {"payees": {"P-100": True}}, {"payees": [100]}],
)
def test_a_list_that_is_not_there_is_not_an_empty_one(facts: dict[str, JsonValue]) -> None:
    """I2: without the list nothing can be judged; that is neither yes nor the asker's fault."""
    with pytest.raises(MissingFact, match="payees"):
        require_in_scope(PROCESS, SUBJECT, RELATIONS["payee"], "payee/P-100", facts)


def test_no_payees_means_no_payee() -> None:
    with pytest.raises(OutOfScope):
        require_in_scope(PROCESS, SUBJECT, RELATIONS["payee"], "payee/P-100", {"payees": []})


def test_a_variable_that_occurs_twice_has_one_value() -> None:
    relation = Relation(name="mirror", template="loan/{loan}/copy/{loan}")
    require_in_scope(PROCESS, SUBJECT, relation, "loan/L-1001/copy/L-1001", {})
    with pytest.raises(OutOfScope):
        require_in_scope(PROCESS, SUBJECT, relation, "loan/L-1001/copy/L-1002", {})


def test_a_relation_built_without_its_rule_reaches_nothing() -> None:
    """The process model refuses it; should one come by another way, it is no way in."""
    unruled = Relation(name="any", template="loan/{any}")
    with pytest.raises(OutOfScope):
        require_in_scope(PROCESS, SUBJECT, unruled, "loan/L-1002", {})


def test_the_subject_binds_the_variables() -> None:
    assert subject_variables(PROCESS, SUBJECT) == {"loan": "L-1001", "draw": "7"}


@pytest.mark.parametrize(
    "subject", ["loan/L-1001", "loan/L-1001/draw/7/packet", "payee/P-100", "loan/../draw/7", ""]
)
def test_a_subject_of_another_form_is_refused(subject: str) -> None:
    with pytest.raises(OutOfScope):
        subject_variables(PROCESS, subject)


def test_the_needed_fact_is_the_list_of_the_relation() -> None:
    assert needed_fact(RELATIONS["payee"]) == "payees"
    assert needed_fact(RELATIONS["loan"]) is None
