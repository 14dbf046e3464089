"""Cedar is asked so that doubt denies (I3)."""

import cedarpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, ValidationError

from placet.rules import (
    BadPolicies,
    DenialCause,
    Denied,
    Permitted,
    PolicyRequest,
    decide,
    load_policies,
)

SCHEMA = """
namespace Placet {
  entity Agent = { name: String };
  entity Team;
  entity Record = { path: String };
  type Facts = { holds?: Long, status?: String };
  type Context = { ledger: { n: Long, open?: Bool }, facts?: Facts, claim?: { small: Bool } };
  action "draw:read", "draw:pay", "draw:look"
    appliesTo { principal: [Agent], resource: [Record], context: Context };
}
"""
READ = '@id("reads") permit (principal, action == Placet::Action::"draw:read", resource);'
SALT = "A" * 43


def ask(
    policies: str, context: dict[str, JsonValue] | None = None, action: str = "draw:read"
) -> Permitted | Denied:
    request = PolicyRequest(
        principal="agent:draw-analyst",
        action=action,
        record="loan/L-1001/draw/7",
        context={"ledger": {"n": 1}} if context is None else context,
        salt=SALT,
    )
    return decide(load_policies(policies, SCHEMA), request)


def cause_of(answer: Permitted | Denied) -> DenialCause:
    assert isinstance(answer, Denied)
    return answer.cause


def test_i3_what_a_policy_permits_is_permitted_by_its_id() -> None:
    """I3: the decision names its policies, their digest and that of the whole context."""
    answer = ask(READ)
    assert isinstance(answer, Permitted)
    assert answer.policies == ("reads",)
    assert answer.policy_digest == load_policies(READ, SCHEMA).digest


def test_i3_a_default_deny_names_the_nearest_permit() -> None:
    """I3: deny by default, and say which policy one might have expected."""
    policies = (
        READ
        + '@id("looks") permit (principal, action in [Placet::Action::"draw:look"], resource)'
        + " when { context.ledger.n > 5 };"
        + '@id("own") permit (principal == Placet::Agent::"other", action, resource);'
    )
    answer = ask(policies, action="draw:look")
    assert isinstance(answer, Denied)
    assert answer.cause is DenialCause.NOT_PERMITTED
    assert answer.policies == ("looks", "own")
    assert answer.reasons == ("I3", "not_permitted", "policy:looks", "policy:own")
    assert answer.explanation == "no policy permits it; the conditions of looks, own did not hold"


def test_i3_an_action_no_permit_names_is_denied() -> None:
    """I3: deny by default."""
    answer = ask(READ, action="draw:pay")
    assert isinstance(answer, Denied)
    assert answer.reasons == ("I3", "not_permitted")
    assert answer.explanation == "no policy permits this action to anyone"


def test_i3_a_forbid_outweighs_every_permit() -> None:
    """I3: the law stands above the lender's will."""
    answer = ask(READ + '@id("law.never") forbid (principal, action, resource);')
    assert isinstance(answer, Denied)
    assert answer.reasons == ("I3", "forbidden", "policy:law.never")
    assert answer.explanation == "forbidden by policy law.never"


def test_i3_a_forbid_that_errors_denies() -> None:
    """I3: Cedar skips a forbid that errors and would allow; an error is a denial here."""
    overflows = (
        '@id("law.broken") forbid (principal, action, resource)'
        " when { context.ledger.n * 9223372036854775807 > 0 };"
    )
    plain = cedarpy.is_authorized(
        {
            "principal": 'Placet::Agent::"a"',
            "action": 'Placet::Action::"draw:read"',
            "resource": 'Placet::Record::"r"',
            "context": {"ledger": {"n": 2}},
        },
        READ + overflows,
        [],
    )
    assert plain.allowed, "Cedar no longer skips a forbid that errors"
    assert cause_of(ask(READ + overflows)) is DenialCause.FORBIDDEN
    answer = ask(READ + overflows, {"ledger": {"n": 2}})
    assert isinstance(answer, Denied)
    assert answer.cause is DenialCause.EVALUATION_ERROR
    assert "overflow" in answer.errors[0]
    assert answer.explanation == "a policy could not be evaluated, and doubt denies"


UNFIT: dict[str, dict[str, JsonValue]] = {
    "a group missing": {},
    "an attribute missing": {"ledger": {}},
    "an attribute too many": {"ledger": {"n": 1, "admin": True}},
    "a group too many": {"ledger": {"n": 1}, "claim": {"ok": True}},
    "another type": {"ledger": {"n": "1"}},
    "a fraction": {"ledger": {"n": 1.5}},
    "nothing": {"ledger": {"n": None}},
    "a list for a record": {"ledger": []},
}


@pytest.mark.parametrize("context", UNFIT.values(), ids=UNFIT.keys())
def test_i3_a_request_that_does_not_fit_the_schema_is_denied(
    context: dict[str, JsonValue],
) -> None:
    """I3: doubt about what was asked denies, even where everything is permitted."""
    answer = ask('@id("all") permit (principal, action, resource);', context)
    assert isinstance(answer, Denied)
    assert answer.cause is DenialCause.UNFIT_REQUEST
    assert answer.reasons == ("I3", "unfit_request")
    assert answer.explanation == "the request does not fit the policies' schema"


def test_i3_an_action_or_principal_the_schema_does_not_know_is_denied() -> None:
    """I3: likewise for action, principal and their attributes."""
    everything = '@id("all") permit (principal, action, resource);'
    assert cause_of(ask(everything, action="draw:erase")) is DenialCause.UNFIT_REQUEST
    loaded = load_policies(everything, SCHEMA)
    good = PolicyRequest(
        principal="agent:draw-analyst",
        action="draw:read",
        record="loan/L-1001/draw/7",
        context={"ledger": {"n": 1}},
        salt=SALT,
    )
    assert isinstance(decide(loaded, good), Permitted)
    for changes in (
        {"principal": "operator:ana"},
        {"principal": "system:authority"},
        {"principal_attributes": {"admin": True}},
        {"record_attributes": {"relation": "draw"}},
    ):
        changed = good.model_copy(update=changes)
        assert cause_of(decide(loaded, changed)) is DenialCause.UNFIT_REQUEST


def test_nobody_can_give_an_entity_another_name() -> None:
    """The name and path that policies see are the principal's and the record's own."""
    loaded = load_policies(
        '@id("one") permit (principal, action, resource) when { principal.name == "boss" };',
        SCHEMA,
    )
    request = PolicyRequest(
        principal="agent:draw-analyst",
        principal_attributes={"name": "boss"},
        action="draw:read",
        record="loan/L-1001/draw/7",
        context={"ledger": {"n": 1}},
        salt=SALT,
    )
    assert cause_of(decide(loaded, request)) is DenialCause.NOT_PERMITTED


BAD: dict[str, tuple[str, str, str]] = {
    "no policy": ("", SCHEMA, "no policy"),
    "not Cedar": ("permit all;", SCHEMA, "the policies can't be read, in what begins on line 1: "),
    "no semicolon": (
        READ
        + '\n// with one; and "another;"\n@id("x;") permit (principal, action, resource)\n'
        + READ,
        SCHEMA,
        f"in what begins on line {READ.count(chr(10)) + 2}: unexpected token `@`",
    ),
    "no schema": (READ, "namespace {", "the schema can't be read"),
    "no id": ("permit (principal, action, resource);", SCHEMA, "policy 1: needs an @id"),
    "an empty id": ('@id("") permit (principal, action, resource);', SCHEMA, "needs an @id"),
    "an id with a space": (
        '@id("a b") permit (principal, action, resource);',
        SCHEMA,
        "needs an @id",
    ),
    "an id taken twice": (READ + READ, SCHEMA, "policy 2 (reads): the @id reads is taken"),
    "an unknown action": (
        '@id("x") permit (principal, action == Placet::Action::"draw:erase", resource);',
        SCHEMA,
        "policy 1 (x) does not fit the schema: unrecognized action",
    ),
    "an unknown attribute": (
        '@id("x") permit (principal, action, resource) when { context.ledger.admin };',
        SCHEMA,
        "policy 1 (x) does not fit the schema: attribute `ledger.admin` in context for",
    ),
    "an optional attribute unguarded": (
        '@id("x") forbid (principal, action, resource) when { context.ledger.open };',
        SCHEMA,
        "does not fit the schema",
    ),
    "a template": (
        READ + '@id("t") permit (principal == ?principal, action, resource);',
        SCHEMA,
        "nothing links them",
    ),
    "a group never loaded": (
        READ + '@id("t") forbid (principal in Placet::Team::"a", action, resource);',
        SCHEMA,
        'policy 2 (t): names Placet::Team::"a", which is never loaded',
    ),
    "an entity in a condition": (
        (
            '@id("t") forbid (principal, action, resource)'
            ' when { Placet::Agent::"other".name == "other" };'
        ),
        SCHEMA,
        'names Placet::Agent::"other", which is never loaded',
    ),
}


@pytest.mark.parametrize(("head", "name"), [("", "policy 2"), ('@id("x y")', "policy 2 (x y)")])
def test_a_policy_with_several_faults_has_one_name(head: str, name: str) -> None:
    """Its place in the text, counted from one, and its @id, whatever is wrong with it."""
    wrong = f"{head} permit (principal, action, resource) when {{ context.ledger.admin }};"
    with pytest.raises(BadPolicies) as refused:
        load_policies(READ + wrong, SCHEMA)
    assert len(refused.value.problems) > 1
    assert all(each.startswith((f"{name}: ", f"{name} ")) for each in refused.value.problems)
    assert not [each for each in refused.value.problems if "policy1" in each]


def test_a_fault_is_told_once_for_all_actions() -> None:
    """The validator tells it of every action that the policy could be for, in any order."""
    wrong = '@id("x") forbid (principal, action, resource) when { context.ledger.admin };'
    more = SCHEMA.replace('"draw:look"', '"draw:look", "draw:sign", "draw:tear"')
    actions = [f'Placet::Action::"draw:{each}"' for each in ("look", "pay", "read")]
    said = (
        "policy 2 (x) does not fit the schema: attribute `ledger.admin` in context for {} not found"
    )
    for schema, named in ((SCHEMA, actions), (more, [*actions, "and 2 more"])):
        with pytest.raises(BadPolicies) as refused:
            load_policies(READ + wrong, schema)
        assert refused.value.problems == (said.format(", ".join(named)),)


WHOLE = {
    "compared": "context.facts == {holds: 1}",
    "chosen": "(if context.ledger.n > 1 then context.facts else context.facts) has holds",
    "put into a record": "{a: context.facts}.a has holds",
    "the whole context": "{a: context} == {a: context}",
}


@pytest.mark.parametrize("condition", WHOLE.values(), ids=WHOLE.keys())
def test_i3_a_policy_names_the_facts_it_reads(condition: str) -> None:
    """I3: else a fact it reads could be left out, and a forbid be blind to it."""
    policy = READ + '@id("law") forbid (principal, action, resource) when { %s };'
    with pytest.raises(BadPolicies) as refused:
        load_policies(policy % f"context has facts && {condition}", SCHEMA)
    assert "policy 2 (law): takes the context as a whole; name the attributes" in (
        refused.value.problems
    )


CLAIM = "context has claim && context.claim.small"


@pytest.mark.parametrize(
    "policy",
    [
        f'@id("x") permit (principal, action, resource) when {{ {CLAIM} }};',
        f'@id("x") permit (principal, action, resource) unless {{ {CLAIM} }};',
        '@id("x") permit (principal, action, resource) when { context has claim };',
        f'@id("x") forbid (principal, action, resource) unless {{ {CLAIM} }};',
    ],
)
def test_i3_a_claim_never_permits(policy: str) -> None:
    """I3: no permit rests on what the agent says, and no forbid is lifted by it."""
    with pytest.raises(BadPolicies, match="rests on a claim, which may only forbid"):
        load_policies(policy, SCHEMA)


def test_i3_a_claim_may_tighten() -> None:
    """I3: what the agent says of itself may forbid."""
    law = f'@id("law") forbid (principal, action, resource) when {{ {CLAIM} }};'
    told: dict[str, JsonValue] = {"ledger": {"n": 1}, "claim": {"small": True}}
    assert cause_of(ask(READ + law, told)) is DenialCause.FORBIDDEN
    assert isinstance(ask(READ + law), Permitted)


READS = {
    "an attribute": "context.facts has holds && context.facts.holds > 0",
    "has alone": "context.facts has holds",
    "has from the context": "context has facts.holds",
    "within a set": "context.facts has holds && [1, context.facts.holds].contains(3)",
    "within a record": "context.facts has holds && {a: context.facts.holds}.a > 0",
    "within if": "(if context.facts has holds then true else false)",
    "negated": "!(!(context.facts has holds))",
}


@pytest.mark.parametrize("condition", READS.values(), ids=READS.keys())
@pytest.mark.parametrize("clause", ["when { %s }", "unless { !(%s) }"])
def test_i3_a_fact_that_a_forbid_reads_reaches_it(condition: str, clause: str) -> None:
    """I3: only facts that no policy reads are left out, however they are read."""
    law = '@id("law") forbid (principal, action, resource) ' + clause % (
        f"context has facts && {condition}"
    )
    told: dict[str, JsonValue] = {"holds": 3, "colour": "red", "status": 7}
    assert cause_of(ask(READ + law + ";", {"ledger": {"n": 1}, "facts": told})) is (
        DenialCause.FORBIDDEN
    )
    silent: dict[str, JsonValue] = {"colour": "red"}
    assert isinstance(ask(READ + law + ";", {"ledger": {"n": 1}, "facts": silent}), Permitted)


@pytest.mark.parametrize(("policies", "schema", "problem"), BAD.values(), ids=BAD.keys())
def test_i3_policies_that_could_not_decide_safely_are_not_loaded(
    policies: str, schema: str, problem: str
) -> None:
    """I3: what Cedar would skip or never match is found before it decides anything."""
    with pytest.raises(BadPolicies) as refused:
        load_policies(policies, schema)
    assert any(problem in each for each in refused.value.problems), refused.value.problems


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(BadPolicies) as refused:
        load_policies("permit (principal, action, resource);" + READ + READ, SCHEMA)
    assert len(refused.value.problems) == 2


def test_i3_the_digest_fixes_both_texts() -> None:
    """I3: another text of policies or schema has another digest."""
    one = load_policies(READ, SCHEMA).digest
    assert one == load_policies(READ, SCHEMA).digest
    assert len({one, load_policies(READ + "\n", SCHEMA).digest}) == 2
    assert len({one, load_policies(READ, SCHEMA + "\n").digest}) == 2


# --- the context that is kept ---------------------------------------------------------------


def test_i3_the_kept_bytes_are_the_question() -> None:
    """I3: from the bytes beside the ledger the decision can be evaluated again."""
    request = PolicyRequest(
        principal="agent:draw-analyst",
        action="draw:read",
        record="loan/L-1001/draw/7",
        context={"ledger": {"n": 1}},
        salt=SALT,
    )
    kept = b'{"salt":"%s",' % SALT.encode() + request.context_bytes()[1:]
    again = PolicyRequest.model_validate_json(kept)
    assert again == request
    loaded = load_policies(READ, SCHEMA)
    assert decide(loaded, again) == decide(loaded, request)


def test_i7_the_digest_of_a_context_can_not_be_guessed() -> None:
    """I7: the same context under another salt has another digest."""
    request = PolicyRequest(
        principal="agent:draw-analyst",
        action="draw:read",
        record="loan/L-1001/draw/7",
        context={"ledger": {"n": 1}},
        salt=SALT,
    )
    other = request.model_copy(update={"salt": "E" * 43})
    assert request.context_bytes() == other.context_bytes()
    assert request.context_digest() != other.context_digest()


HOSTILE: dict[str, dict[str, JsonValue]] = {
    "an unknown group": {"admin": True},
    "an entity escape": {"facts": {"who": {"__entity": {"type": "Placet::Agent", "id": "x"}}}},
    "an extension escape": {"facts": {"at": [{"__extn": {"fn": "ip", "arg": "::"}}]}},
    "an integer without a canonical form": {"facts": {"n": 2**53}},
    "not a number": {"facts": {"n": float("nan")}},
    "too much": {"facts": {"text": "x" * 70_000}},
}


@pytest.mark.parametrize("context", HOSTILE.values(), ids=HOSTILE.keys())
def test_i12_a_hostile_context_is_an_error_with_a_name(context: dict[str, JsonValue]) -> None:
    """I12: what a system of record says can't smuggle entities or exhaust the evaluator."""
    with pytest.raises(ValidationError):
        PolicyRequest(
            principal="agent:draw-analyst",
            action="draw:read",
            record="loan/L-1001",
            context=context,
            salt=SALT,
        )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**52), 2**52) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=6).filter(lambda name: name[:2] != "__"), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(ledger=JSON)
def test_i3_no_context_but_the_schemas_is_ever_permitted(ledger: JsonValue) -> None:
    """I3: anything else in the ledger's place is denied, and nothing crashes."""
    answer = ask('@id("all") permit (principal, action, resource);', {"ledger": ledger})
    fits = (
        isinstance(ledger, dict)
        and isinstance(ledger.get("n"), int)
        and not isinstance(ledger.get("n"), bool)
        and isinstance(ledger.get("open", True), bool)
        and ledger.keys() <= {"n", "open"}
    )
    assert isinstance(answer, Permitted) is fits
