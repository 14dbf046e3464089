"""A process, its matrix and its policies, held against each other before a case is."""

import re

import pytest
from pydantic import ValidationError

from placet.model import CheckpointRule, Mode, Need, ProcessDefinition, Relation, Tier
from placet.rules import dead_ends, load_policies, misfits
from tests.harness.processes import DEFINITION, POLICIES, SCHEMA, matrix
from tests.reasoning.process import DEFINITION as ROOM
from tests.reasoning.process import POLICIES as ROOM_POLICIES
from tests.reasoning.process import SCHEMA as ROOM_SCHEMA

MATRIX = matrix()


def test_what_belongs_together_has_no_misfit() -> None:
    loaded = load_policies(POLICIES, SCHEMA)
    assert misfits(DEFINITION, MATRIX, loaded) == ()
    assert dead_ends(DEFINITION, MATRIX, loaded) == (
        "customs: nobody can approve it, the matrix has no rule for it",
    )


def test_a_matrix_of_another_process_is_named() -> None:
    other = MATRIX.model_copy(update={"process": "parcel-chek"})
    assert misfits(DEFINITION, other, load_policies(POLICIES, SCHEMA)) == (
        "the matrix is for the process parcel-chek, not parcel-check",
    )


def test_a_rule_of_no_checkpoint_is_named() -> None:
    rule = CheckpointRule(
        checkpoint="releas", tiers=(Tier(up_to=None, needs=(Need(roles=("chief",), count=1),)),)
    )
    misspelt = MATRIX.model_copy(update={"rules": (rule,)})
    loaded = load_policies(POLICIES, SCHEMA)
    assert misfits(DEFINITION, misspelt, loaded) == (
        "the matrix has a rule for releas, and the process no such checkpoint",
    )
    assert "release: nobody can approve it, the matrix has no rule for it" in dead_ends(
        DEFINITION, misspelt, loaded
    )


UNFIT = {
    "an ordinary action that is missing": (
        ('"outcome:read", ', ""),
        'read_outcome: does not fit the schema: .*Action::"outcome:read"` does not exist',
    ),
    "an ordinary question with a member too few": (
        ("attempt: Long, ", ""),
        "weigh, .*: does not fit the schema: .*attribute `attempt` should not exist",
    ),
    "an ordinary question with a member too many": (
        ("attempt: Long, ", "attempt: Long, weather: String, "),
        "weigh, .*: does not fit the schema: .*expected the record to have an attribute `weather`",
    ),
    "a guarded action that is missing": (
        ('"parcel:dispatch"', '"parcel:send"'),
        "dispatch: does not fit the schema: there is no action parcel:dispatch",
    ),
    "a guarded question with a member too few": (
        ("payments_fixed: Bool,", ""),
        "dispatch: does not fit the schema: approval.payments_fixed is asked, and not in it",
    ),
    "a guarded question with a member of another kind": (
        ("people: Long", "people: String"),
        "dispatch: does not fit the schema: approval.people is asked, and not in it",
    ),
    "a guarded question without sources": (
        (", sources: Set<String> }", " }"),
        "dispatch: does not fit the schema: sources is asked, and not in it",
    ),
}
ANYTHING = '@id("any") permit (principal, action, resource);'


@pytest.mark.parametrize(("change", "said"), UNFIT.values(), ids=UNFIT.keys())
def test_a_question_that_the_schema_does_not_have_is_named(
    change: tuple[str, str], said: str
) -> None:
    """I3: it would be denied in every case, for a guarded step after people have approved."""
    assert change[0] in SCHEMA
    loaded = load_policies(ANYTHING, SCHEMA.replace(*change))
    found = misfits(DEFINITION, MATRIX, loaded)
    assert [each for each in found if re.search(said, each)], found


def test_what_keeps_several_questions_from_the_schema_is_told_once() -> None:
    loaded = load_policies(ANYTHING, SCHEMA.replace("attempt: Long, ", ""))
    steps = "weigh, reweigh, open_checkpoint, read_outcome, stop_case, close_case"
    ordinary, guarded = misfits(DEFINITION, MATRIX, loaded)
    assert ordinary.startswith(f"{steps}: does not fit the schema: ")
    assert guarded == "dispatch: does not fit the schema: ledger.attempt is asked, and not in it"


def test_what_the_schema_leaves_open_is_no_misfit() -> None:
    loaded = load_policies(ANYTHING, SCHEMA.replace("emergency: Bool", "emergency?: Bool"))
    assert misfits(DEFINITION, MATRIX, loaded) == ()


def test_the_amount_of_a_tool_is_part_of_its_question() -> None:
    loaded = load_policies(ROOM_POLICIES, ROOM_SCHEMA)
    room = MATRIX.model_copy(update={"process": ROOM.name, "rules": ()})
    assert misfits(ROOM, room, loaded) == ()


def changed(step: str, **how: object) -> ProcessDefinition:
    """The process with one step that is otherwise."""
    steps = tuple(
        each.model_copy(update=how) if each.activity_type == step else each
        for each in DEFINITION.steps
    )
    return DEFINITION.model_copy(update={"steps": steps})


def test_a_matrix_that_rests_on_facts_which_nobody_asks_for_is_named() -> None:
    """I5: its checkpoint would ask nobody, in any case."""
    loaded = load_policies(POLICIES, SCHEMA)
    (rule,) = MATRIX.rules
    resting = MATRIX.model_copy(
        update={"rules": (rule.model_copy(update={"excluded_by": ("relatives",)}),)}
    )
    said = "release: the matrix rests on the fact relatives, and open_checkpoint names no facts"
    assert misfits(DEFINITION, resting, loaded) == (said,)
    assert misfits(changed("open_checkpoint", facts=("depot",)), resting, loaded) == ()


def test_a_matrix_under_which_nobody_can_open_a_case_is_a_dead_end() -> None:
    closed = MATRIX.model_copy(update={"openers": ()})
    found = dead_ends(DEFINITION, closed, load_policies(POLICIES, SCHEMA))
    assert "nobody can open a case: the matrix names no openers" in found


def test_evidence_that_nobody_would_be_shown_is_named() -> None:
    """I5: people are shown what the proposal was made from, and no other part that is named."""
    loaded = load_policies(POLICIES, SCHEMA)
    customs, release = DEFINITION.checkpoints
    named = release.model_copy(update={"evidence": (*release.evidence, "second_weight")})
    definition = DEFINITION.model_copy(update={"checkpoints": (customs, named)})
    assert misfits(definition, MATRIX, loaded) == (
        "release: people would not be shown second_weight: weigh, which leaves weight, does not "
        "have it among its inputs",
    )


def test_a_step_that_no_record_would_be_the_cases_for_is_named() -> None:
    """I2: every request for it would be out of scope."""
    loaded = load_policies(POLICIES, SCHEMA)
    listed = Relation(name="label", template="depot/{depot}/label/{label}", member_of="labels")
    relations = (*DEFINITION.relations, listed)
    for step, said in (
        ("weigh", "weigh: label is in the list fact labels, and the step names no facts"),
        ("close_case", "close_case: it is about the case's subject, and label is depot/"),
    ):
        definition = changed(step, relation="label").model_copy(update={"relations": relations})
        found = misfits(definition, MATRIX, loaded)
        assert [each for each in found if each.startswith(said)], found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"agent": "scale"}, "reweigh: it confirms weight, which its own agent leaves"),
        (
            {"relation": "crate"},
            "reweigh: it confirms weight, which is of parcel, and is itself taken on crate",
        ),
    ],
)
def test_what_no_second_agent_could_confirm_is_named(change: dict[str, str], said: str) -> None:
    """I3: or each case would come to its checkpoint, and stop there."""
    crate = Relation(name="crate", template="depot/{depot}/crate/{parcel}")
    steps = [
        each.model_copy(update=change) if each.activity_type == "reweigh" else each
        for each in DEFINITION.steps
    ]
    changed = DEFINITION.model_copy(
        update={"steps": tuple(steps), "relations": (*DEFINITION.relations, crate)}
    )
    assert said in misfits(changed, MATRIX, load_policies(POLICIES, SCHEMA))


def test_a_fact_is_asked_about_one_record() -> None:
    """I12: of a relation with a variable that the subject does not have there is none."""
    told = DEFINITION.model_dump()
    told["relations"] = (
        *told["relations"],
        {"name": "label", "template": "depot/{depot}/label/{label}", "member_of": "labels"},
    )
    told["facts"] = ({"name": "stuck", "system": "crm", "relation": "label"},)
    with pytest.raises(ValidationError, match="fact stuck is asked about one record"):
        ProcessDefinition.model_validate(told)


def test_a_step_that_no_policy_permits_is_a_dead_end() -> None:
    """I3: told with the permits that come nearest, as the authority would."""
    policies = POLICIES.replace('Agent::"carrier"', 'Agent::"porter"').replace(
        'Placet::Action::"outcome:read",', ""
    )
    loaded = load_policies(policies, SCHEMA)
    assert "read_outcome: no policy permits outcome:read to anyone" in dead_ends(
        DEFINITION, MATRIX, loaded
    )
    without = policies[: policies.index('@id("dispatches")')]
    found = dead_ends(DEFINITION, MATRIX, load_policies(without, SCHEMA))
    steps = "dispatch, open_checkpoint, read_outcome, stop_case, close_case"
    actions = "parcel:dispatch, checkpoint:open, outcome:read, case:stop, case:close"
    assert f"{steps}: no policy permits {actions} to anyone" in found


@pytest.mark.parametrize("head", ['== Placet::Agent::"cerrier"', "is Placet::Operator"])
def test_a_guarded_step_that_policies_permit_to_others_alone_is_a_dead_end(head: str) -> None:
    """I3: a misspelt agent is found before people have approved what it was to do."""
    begin = POLICIES.index('@id("dispatches")')
    rest = POLICIES[begin:].replace('== Placet::Agent::"carrier"', head, 1)
    schema = SCHEMA.replace("principal: [Agent]", "principal: [Agent, Operator]").replace(
        "entity Agent", "entity Operator = { name: String };\n  entity Agent", 1
    )
    found = dead_ends(DEFINITION, MATRIX, load_policies(POLICIES[:begin] + rest, schema))
    said = (
        "dispatch: no policy permits parcel:dispatch to carrier; dispatches permits that to others"
    )
    assert said in found


@pytest.mark.parametrize("head", ["", "is Placet::Agent"])
def test_a_guarded_step_that_a_policy_permits_to_any_agent_is_no_dead_end(head: str) -> None:
    """I3: whose it is stands in the conditions then, which rest on what is not known yet."""
    begin = POLICIES.index('@id("dispatches")')
    rest = POLICIES[begin:].replace('== Placet::Agent::"carrier"', head, 1)
    found = dead_ends(DEFINITION, MATRIX, load_policies(POLICIES[:begin] + rest, SCHEMA))
    assert not [each for each in found if each.startswith("dispatch")]


def with_conditions(step: str, conditions: str) -> str:
    """The policies, of which the permit for a step has conditions."""
    begin = POLICIES.index(f'@id("{step}")')
    end = POLICIES.index(";", begin)
    return f"{POLICIES[:end]} {conditions}{POLICIES[end:]}"


NEVER_MET = {
    "a pattern of other records": 'when { resource.path like "depot/*/box/*" }',
    "a pattern with a segment too many": 'when { resource.path like "depot/*/parcel/*/label" }',
    "a pattern that a record is longer than": 'when { resource.path like "depot/*l" && false }',
    "every record taken out": 'unless { resource.path like "depot/*" }',
    "taken out by a second clause": (
        'when { resource.path like "depot/*" } unless { resource.path like "*/parcel/*" }'
    ),
    "another record by its name": 'when { resource.path == "depot/1/box/7" }',
    "neither of two": 'when { resource.path like "box/*" || resource.path like "depot/*/box*/*" }',
    "never whatever else is so": (
        'when { context.ledger.attempt < 3 && resource.path like "box/*" }'
    ),
    "a case that is closed": 'when { context.ledger.case_status == "closed" }',
    "another agent by its name": "when { principal.name != context.ledger.agent }",
}
"""Conditions of a permit that no record of a step's relation meets."""


@pytest.mark.parametrize("conditions", NEVER_MET.values(), ids=NEVER_MET.keys())
@pytest.mark.parametrize(
    ("permit", "said"),
    [
        ("dispatches", "dispatch: no policy permits parcel:dispatch to carrier on "),
        ("weighs", "weigh: no policy permits parcel:weigh to scale on "),
    ],
)
def test_a_permit_that_no_record_of_the_step_meets_is_a_dead_end(
    permit: str, said: str, conditions: str
) -> None:
    """I3: of a guarded step too, or people would approve first, and the step be denied then."""
    loaded = load_policies(with_conditions(permit, conditions), SCHEMA)
    found = dead_ends(DEFINITION, MATRIX, loaded)
    assert (
        f"{said}depot/{{depot}}/parcel/{{parcel}}: the conditions of {permit} never hold" in found
    )


PERHAPS_MET = {
    "its form": 'when { resource.path like "depot/*/parcel/*" }',
    "its form and no longer": (
        'when { resource.path like "depot/*/parcel/*" } '
        'unless { resource.path like "depot/*/parcel/*/*" }'
    ),
    "some depots": 'when { resource.path like "depot/D-*/parcel/*-2" }',
    "one record": 'when { resource.path == "depot/1/parcel/7" }',
    "none of some depots": 'unless { resource.path like "depot/D-*" }',
    "one of two forms": (
        'when { resource.path like "box/*" || resource.path like "depot/*/parcel/7*" }'
    ),
    "what only a case will tell": "when { context.ledger.attempt < 3 }",
    "a mode of several": 'when { ["assist", "automatic"].contains(context.ledger.mode) }',
    "asterisks side by side": 'when { resource.path like "d*p*t/**/parcel/*" }',
}
"""Conditions of a permit that a record of a step's relation may meet."""


@pytest.mark.parametrize("conditions", PERHAPS_MET.values(), ids=PERHAPS_MET.keys())
@pytest.mark.parametrize("permit", ["dispatches", "weighs"])
def test_a_permit_that_a_record_of_the_step_may_meet_is_no_dead_end(
    permit: str, conditions: str
) -> None:
    loaded = load_policies(with_conditions(permit, conditions), SCHEMA)
    found = dead_ends(DEFINITION, MATRIX, loaded)
    assert found == ("customs: nobody can approve it, the matrix has no rule for it",)


def test_a_policy_that_keeps_several_steps_from_going_on_is_told_once() -> None:
    policies = POLICIES.replace('Agent::"orchestrator"', 'Agent::"orchestrater"')
    found = dead_ends(DEFINITION, MATRIX, load_policies(policies, SCHEMA))
    steps = "open_checkpoint, read_outcome, stop_case, close_case"
    actions = "checkpoint:open, outcome:read, case:stop, case:close"
    said = f"no policy permits {actions} to orchestrator; orchestrates permits that to others"
    assert f"{steps}: {said}" in found
    assert len(found) == len(("of the matrix", said))


def test_a_permit_of_a_group_of_actions_is_no_dead_end() -> None:
    """I3: which actions are in a group says the schema."""
    schema = SCHEMA.replace(
        '  action "parcel:dispatch"', '  action "sends";\n  action "parcel:dispatch" in ["sends"]'
    )
    policies = POLICIES.replace(
        'action == Placet::Action::"parcel:dispatch", resource\n',
        'action in Placet::Action::"sends", resource\n',
    )
    assert policies != POLICIES
    found = dead_ends(DEFINITION, MATRIX, load_policies(policies, schema))
    assert found == ("customs: nobody can approve it, the matrix has no rule for it",)


@pytest.mark.parametrize(
    ("conditions", "always"),
    [
        ('unless { resource.path like "depot/*/box/*" }', True),
        ('when { resource.path like "depot/*" && context.ledger.in_scope }', True),
        ('unless { resource.path like "depot/D-*" }', False),
        ("when { context.ledger.on_hold }", False),
        ("when { context.approval.people < 2 }", False),
        ('when { context.ledger.mode == "assist" }', False),
    ],
)
def test_a_forbid_that_every_record_of_a_guarded_step_meets_is_a_dead_end(
    conditions: str, always: bool
) -> None:
    """I3: in a mode in which nothing is to be done, it is meant."""
    law = f"""@id("law") forbid (
      principal, action == Placet::Action::"parcel:dispatch", resource is Placet::Record
    ) {conditions};"""
    found = dead_ends(DEFINITION, MATRIX, load_policies(POLICIES + law, SCHEMA))
    said = "dispatch: law always forbids parcel:dispatch"
    assert (said in found) is always


def test_the_mode_of_the_matrix_is_asked() -> None:
    law = '@id("m") forbid (principal, action, resource) when { context.ledger.mode == "audit" };'
    loaded = load_policies(POLICIES + law, SCHEMA)
    assert not [each for each in dead_ends(DEFINITION, MATRIX, loaded) if " m " in each]
    found = dead_ends(DEFINITION, matrix(mode=Mode.AUDIT), loaded)
    steps = "weigh, reweigh, open_checkpoint, read_outcome, stop_case, close_case"
    actions = "parcel:weigh, checkpoint:open, outcome:read, case:stop, case:close"
    assert f"{steps}: m always forbids {actions}" in found
