"""What the lender's policies for loan draws permit, and nothing else (I2, I3, I5)."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from placet.model import AuthorityMatrix, CaseStatus, CheckpointStatus, Mode
from placet.rules import (
    ApprovalFacts,
    DenialCause,
    Denied,
    Fact,
    Permitted,
    PolicyRequest,
    StepFacts,
    decide,
    guarded_context,
    load_policies,
    step_context,
)

FOLDER = Path(__file__).parents[2] / "policies/loan-draw"
POLICIES = load_policies(
    (FOLDER / "policies.cedar").read_text(), (FOLDER / "schema.cedarschema").read_text()
)
PAYS, MOVES, SENDS = "draw:disburse", "budget:reallocate", "payment:resend"

LOAN, DRAW, PACKET, PAYEE, BUDGET, PAYMENT = (
    "loan/L-1001",
    "loan/L-1001/draw/7",
    "loan/L-1001/draw/7/packet",
    "payee/P-100",
    "loan/L-1001/reallocation/2",
    "loan/L-1001/draw/7/payment/pay-L-1001-7-P-100",
)
INTENDED = {
    "packet:read": ("draw-intake", PACKET),
    "loan:read": ("draw-analyst", LOAN),
    "draw:read": ("draw-analyst", DRAW),
    "invoices:match": ("draw-analyst", DRAW),
    "analysis:write": ("draw-analyst", DRAW),
    "analysis:recompute": ("draw-verifier", DRAW),
    "payee:screen": ("compliance-checker", PAYEE),
    "checkpoint:open": ("orchestrator", DRAW),
    "outcome:read": ("orchestrator", DRAW),
    "case:stop": ("orchestrator", DRAW),
    "case:close": ("orchestrator", DRAW),
    "draw:think": ("draw-reader", DRAW),
    PAYS: ("disbursement", DRAW),
    "reallocation:read": ("draw-analyst", BUDGET),
    "reallocation:check": ("draw-analyst", BUDGET),
    "reallocation:recompute": ("draw-verifier", BUDGET),
    MOVES: ("disbursement", BUDGET),
    "payment:read": ("draw-analyst", PAYMENT),
    "resend:propose": ("draw-analyst", PAYMENT),
    "resend:recompute": ("draw-verifier", PAYMENT),
    SENDS: ("disbursement", PAYMENT),
}
SHARED = {action for action, (agent, _) in INTENDED.items() if agent == "orchestrator"}
"""What the orchestrator does in every process."""

ALSO: dict[str, set[str]] = {
    "draw:think": {"draw-second-reader"},
    "packet:read": {"draw-reader", "draw-second-reader", "draw-verifier"},
    "loan:read": {"draw-reader", "draw-second-reader", "draw-verifier"},
    "draw:read": {"draw-reader", "draw-second-reader"},
    "reallocation:read": {"draw-verifier"},
    "payment:read": {"draw-verifier"},
}
"""Who else may do it, where models read and where two read alike: each in a step of its own."""

AGENTS = sorted(
    {agent for agent, _ in INTENDED.values()} | {"stranger"} | set().union(*ALSO.values())
)
STEP = StepFacts(
    agent="disbursement",
    in_scope=True,
    case_status=CaseStatus.OPEN,
    attempt=1,
    mode=Mode.ASSIST,
    on_hold=False,
)
APPROVAL = ApprovalFacts(
    status=CheckpointStatus.APPROVED,
    needs_met=True,
    automatic=False,
    confirmed=False,
    people=1,
    approved=Decimal("20000.00"),
    amount=Decimal("20000.00"),
    automatic_limit=Decimal("25000.00"),
    exceptions_open=0,
    findings_above_info=0,
    evidence_settled=True,
    payments_fixed=True,
    version_unchanged=True,
    emergency=False,
)
FACTS: dict[str, JsonValue] = {
    "balance": "as_analysed",
    "granted_by": ["operator:greta-holm"],
    "holds": 0,
    "insurance": "as_analysed",
    "screened": ["P-1:clear", "P-2:unlicensed"],
    "standings": ["P-1:hit", "P-1:unlicensed", "P-1:clear", "P-2:hit", "P-2:unlicensed"],
    "status": "open",
    "title": "as_analysed",
    "undisbursed_cents": 2_000_001,
}


BUDGET_FACTS: dict[str, JsonValue] = {
    name: FACTS[name] for name in ("granted_by", "holds", "status")
}
RESEND_FACTS: dict[str, JsonValue] = {
    "came_back": "noted",
    **{name: FACTS[name] for name in ("granted_by", "holds", "screened", "standings", "status")},
}
GUARDED = {PAYS: FACTS, MOVES: BUDGET_FACTS, SENDS: RESEND_FACTS}
"""What systems of record say before each guarded action."""

APPROVED_BY_THREE = APPROVAL.model_copy(update={"people": 3})


def ask(
    action: str,
    *,
    agent: str | None = None,
    step: dict[str, Any] | None = None,
    approval: dict[str, Any] | None = None,
    facts: dict[str, JsonValue] | None = None,
    record: str | None = None,
) -> Permitted | Denied:
    """Ask for an intended pair, with these members changed."""
    who, intended = INTENDED[action]
    stepping = STEP.model_copy(update={"agent": who, **(step or {})})
    if action in GUARDED:
        known = GUARDED[action]
        signed = APPROVED_BY_THREE if action == MOVES else APPROVAL
        context = guarded_context(
            stepping,
            signed.model_copy(update=approval or {}),
            [
                Fact(
                    name=name,
                    value=value,
                    system="loan-servicing",
                    record="loan/L-1001",
                    version="12",
                )
                for name, value in {**known, **(facts or {})}.items()
            ],
        )
    else:
        context = step_context(stepping)
    return decide(
        POLICIES,
        PolicyRequest(
            principal=f"agent:{agent or who}",
            action=action,
            record=record or intended,
            context=context,
            salt="A" * 43,
        ),
    )


def forbidden_by(answer: Permitted | Denied) -> tuple[str, ...]:
    assert isinstance(answer, Denied)
    assert answer.cause is DenialCause.FORBIDDEN
    return answer.policies


@pytest.mark.parametrize("action", INTENDED)
@pytest.mark.parametrize("agent", AGENTS)
def test_i3_only_the_intended_pairs_are_permitted(agent: str, action: str) -> None:
    """I3: the whole matrix of agents and actions, even where the process would name the agent."""
    answer = ask(action, agent=agent, step={"agent": agent})
    may = {INTENDED[action][0], *ALSO.get(action, ())}
    assert isinstance(answer, Permitted) is (agent in may)


def test_the_matrix_covers_every_action_of_the_schema() -> None:
    schema = (FOLDER / "schema.cedarschema").read_text()
    named = {word for word in schema.split('"') if ":" in word and " " not in word}
    assert {action for action in named if "\n" not in action} == set(INTENDED)


@pytest.mark.parametrize("action", INTENDED)
@pytest.mark.parametrize("agent", AGENTS)
def test_i1_nobody_takes_another_agents_step(agent: str, action: str) -> None:
    """I1: which agent takes a step follows from the signed process."""
    answer = ask(action, agent=agent)
    if agent == INTENDED[action][0]:
        assert isinstance(answer, Permitted)
    else:
        assert forbidden_by(answer) == ("law.own-steps",)


@pytest.mark.parametrize("action", INTENDED)
def test_i2_nothing_out_of_scope_is_permitted(action: str) -> None:
    """I2: not for any agent's own action either."""
    assert forbidden_by(ask(action, step={"in_scope": False})) == ("law.own-records",)


@pytest.mark.parametrize("action", INTENDED)
@pytest.mark.parametrize("status", [each for each in CaseStatus if each is not CaseStatus.OPEN])
def test_i1_only_an_open_case_gets_grants(action: str, status: CaseStatus) -> None:
    """I1: opening, stopped and closed cases get none."""
    assert forbidden_by(ask(action, step={"case_status": status})) == ("law.open-case",)


@pytest.mark.parametrize("action", INTENDED)
@pytest.mark.parametrize(
    "record",
    [
        LOAN,
        DRAW,
        PACKET,
        PAYEE,
        BUDGET,
        PAYMENT,
        f"{PAYMENT}/again",
        f"{BUDGET}/move",
        f"{PACKET}/page",
        f"{PAYEE}/account",
        "budget/L-1001",
    ],
)
def test_i3_an_action_fits_one_kind_of_record(action: str, record: str) -> None:
    """I3: the right agent and action on another kind of record is denied."""
    answer = ask(action, record=record)
    shared = action in SHARED and record in {BUDGET, PAYMENT}
    if record == INTENDED[action][1] or shared:
        assert isinstance(answer, Permitted)
    else:
        assert isinstance(answer, Denied)
        assert answer.cause is DenialCause.NOT_PERMITTED
        assert len(answer.policies) == 1 + len(ALSO.get(action, ()))


# --- paying ---------------------------------------------------------------------------------


def test_i5_an_approved_draw_is_paid() -> None:
    """I5: the request that every test below changes in one thing."""
    answer = ask(PAYS)
    assert isinstance(answer, Permitted)
    assert answer.policies == ("disbursement.pays-approved-draw",)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    **{
        f"outcome {status}": ({"approval": {"status": status}}, "law.approved")
        for status in CheckpointStatus
        if status is not CheckpointStatus.APPROVED
    },
    "needs no longer met": ({"approval": {"needs_met": False}}, "law.approved"),
    "nobody decided": ({"approval": {"people": 0}}, "law.people-decide"),
    "nothing to pay": ({"approval": {"amount": Decimal("0.00")}}, "law.approved-amount"),
    "less than nothing": ({"approval": {"amount": Decimal("-1.00")}}, "law.approved-amount"),
    "a cent too much": ({"approval": {"amount": Decimal("20000.01")}}, "law.approved-amount"),
    "more than is left": ({"facts": {"undisbursed_cents": 1_999_999}}, "law.within-commitment"),
    "an exception open": ({"approval": {"exceptions_open": 1}}, "law.exceptions-accepted"),
    "evidence not settled": ({"approval": {"evidence_settled": False}}, "law.evidence-chain"),
    "payments not fixed": ({"approval": {"payments_fixed": False}}, "law.evidence-chain"),
    "the draw changed": ({"approval": {"version_unchanged": False}}, "law.evidence-chain"),
    "a signed hold": ({"step": {"on_hold": True}}, "law.no-hold"),
    "a hold at loan servicing": ({"facts": {"holds": 1}}, "law.no-hold"),
    "audit mode": ({"step": {"mode": Mode.AUDIT}}, "law.audit-mode-pays-nothing"),
    "a matured loan": ({"facts": {"status": "matured"}}, "law.loan-open"),
    "a loan in default": ({"facts": {"status": "default"}}, "law.loan-open"),
    "a payee with a hit": (
        {"facts": {"standings": ["P-1:hit", "P-2:hit", "P-2:unlicensed"]}},
        "law.payees-no-worse",
    ),
    "a payee unknown": ({"facts": {"standings": ["P-1:clear"]}}, "law.payees-no-worse"),
    "no payee known": ({"facts": {"standings": []}}, "law.payees-no-worse"),
    "a lien recorded since": ({"facts": {"title": "worse"}}, "law.title-no-worse"),
    "cover that ended": ({"facts": {"insurance": "worse"}}, "law.insurance-no-worse"),
    "money taken back": ({"facts": {"balance": "worse"}}, "law.balance-no-worse"),
    "a word for it that nobody knows": ({"facts": {"title": ""}}, "law.title-no-worse"),
    "granters unknown": ({"facts": {"granted_by": []}}, "law.granters-known"),
}


@pytest.mark.parametrize(("changes", "law"), REFUSED.values(), ids=REFUSED.keys())
def test_i5_nothing_is_paid_when_one_thing_is_wrong(changes: dict[str, Any], law: str) -> None:
    """I5: each condition alone stops the money, and the denial names the law."""
    assert forbidden_by(ask(PAYS, **changes)) == (law,)


# --- reallocating ---------------------------------------------------------------------------


def test_i5_an_approved_reallocation_is_done() -> None:
    """I5: the request that every test below changes in one thing."""
    answer = ask(MOVES)
    assert isinstance(answer, Permitted)
    assert answer.policies == ("disbursement.applies-approved-reallocation",)


_OF_A_BUDGET = {
    name: case
    for name, case in REFUSED.items()
    if set(case[0].get("facts", {})) <= set(BUDGET_FACTS) and name != "nobody decided"
}


@pytest.mark.parametrize(
    ("changes", "law"),
    [
        *_OF_A_BUDGET.values(),
        ({"approval": {"people": 1}}, "law.budget-takes-people"),
        ({"approval": {"automatic": True}}, "law.budget-takes-people"),
    ],
    ids=[*_OF_A_BUDGET, "one person alone", "no need asked for"],
)
def test_i5_no_budget_changes_when_one_thing_is_wrong(changes: dict[str, Any], law: str) -> None:
    """I5: what stops a payment stops a reallocation as well, and one person is never enough."""
    assert forbidden_by(ask(MOVES, **changes)) == (law,)


def test_i3_no_mode_changes_a_budget_without_people() -> None:
    """I3: what automatic mode pays alone, it does not reallocate."""
    answer = ask(MOVES, step=ALONE["step"], approval={**ALONE["approval"]})
    assert forbidden_by(answer) == ("law.budget-takes-people",)


# --- sending again --------------------------------------------------------------------------


def test_i5_an_approved_payment_that_came_back_is_sent_again() -> None:
    """I5: the request that every test below changes in one thing."""
    answer = ask(SENDS)
    assert isinstance(answer, Permitted)
    assert answer.policies == ("disbursement.sends-approved-payment-again",)


_OF_A_PAYMENT = {
    name: case
    for name, case in REFUSED.items()
    if set(case[0].get("facts", {})) <= set(RESEND_FACTS) and name != "nobody decided"
}


@pytest.mark.parametrize(
    ("changes", "law"),
    [
        *_OF_A_PAYMENT.values(),
        ({"facts": {"came_back": "no"}}, "law.came-back"),
        ({"facts": {"came_back": ""}}, "law.came-back"),
        ({"approval": {"automatic": True}}, "law.resend-takes-people"),
    ],
    ids=[*_OF_A_PAYMENT, "not noted", "a word that nobody knows", "no need asked for"],
)
def test_i5_nothing_is_sent_again_when_one_thing_is_wrong(
    changes: dict[str, Any], law: str
) -> None:
    """I5: what stops a payment stops it the second time as well, and only what came back goes."""
    assert forbidden_by(ask(SENDS, **changes)) == (law,)


def test_i3_no_mode_sends_a_payment_again_without_people() -> None:
    """I3: what automatic mode pays alone, it does not send again."""
    answer = ask(SENDS, step=ALONE["step"], approval=ALONE["approval"])
    assert forbidden_by(answer) == ("law.resend-takes-people",)
    nobody = forbidden_by(ask(SENDS, approval={"people": 0}))
    assert set(nobody) == {"law.people-decide", "law.resend-takes-people"}


@pytest.mark.parametrize("fact", sorted(FACTS))
def test_i3_a_fact_that_is_missing_permits_nothing(fact: str) -> None:
    """I3: a system of record that leaves something out is no yes."""
    answer = ask(PAYS)
    assert isinstance(answer, Permitted)
    unknown = {name: value for name, value in FACTS.items() if name != fact}
    context = guarded_context(
        STEP,
        APPROVAL,
        [
            Fact(name=n, value=v, system="loan-servicing", record="loan/L-1001", version="12")
            for n, v in unknown.items()
        ],
    )
    request = PolicyRequest(
        principal="agent:disbursement",
        action=PAYS,
        record=DRAW,
        context=context,
        salt="A" * 43,
    )
    denied = decide(POLICIES, request)
    assert isinstance(denied, Denied)
    assert denied.cause is DenialCause.UNFIT_REQUEST


ALONE: dict[str, Any] = {
    "step": {"mode": Mode.AUTOMATIC},
    "approval": {"people": 0, "automatic": True, "confirmed": True},
}


def test_a_fact_that_no_policy_reads_does_not_matter() -> None:
    """A system of record may tell more than is asked for."""
    assert isinstance(ask(PAYS, facts={"payees": ["P-100"], "matures": "2027-01-31"}), Permitted)


def alone(**approval: object) -> Permitted | Denied:
    return ask(PAYS, step=ALONE["step"], approval={**ALONE["approval"], **approval})


def test_i3_automatic_mode_pays_what_it_was_made_for() -> None:
    """I3: confirmed by a second agent, without a finding, within the limit."""
    assert isinstance(alone(), Permitted)


@pytest.mark.parametrize(
    "approval",
    [
        {"automatic": False},
        {"confirmed": False},
        {"findings_above_info": 1},
        {"automatic_limit": Decimal("19999.99")},
    ],
)
def test_i3_automatic_mode_needs_each_of_its_conditions(approval: dict[str, object]) -> None:
    """I3: without a person, every doubt denies."""
    assert forbidden_by(alone(**approval)) == ("law.people-decide",)


def test_i3_today_counts_too() -> None:
    """I3: what was let through in automatic mode is not paid once people took the mode back."""
    answer = ask(PAYS, step={"mode": Mode.ASSIST}, approval=ALONE["approval"])
    assert forbidden_by(answer) == ("law.people-decide",)


# --- the files ------------------------------------------------------------------------------


def test_every_policy_says_why() -> None:
    lines = (FOLDER / "policies.cedar").read_text().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("@id"):
            assert lines[number - 1].startswith("// "), line


def test_the_authority_matrix_is_the_lenders_delegation() -> None:
    matrix = AuthorityMatrix.model_validate_json((FOLDER / "authority-matrix.json").read_bytes())
    assert matrix.process == "loan-draw"
    assert matrix.mode is Mode.ASSIST
    assert matrix.automatic_limit == Decimal("25000.00")
    assert [rule.checkpoint for rule in matrix.rules] == ["draw-approval", "compliance"]
    assert matrix.openers == ("draw-administrator",)


def test_a_payment_is_sent_again_by_those_who_pay_as_much_of_a_draw() -> None:
    """And only after a compliance officer, whatever the amount; no mode lets one through alone."""
    ours, draws = (
        AuthorityMatrix.model_validate_json(
            (FOLDER.parent / name / "authority-matrix.json").read_bytes()
        )
        for name in ("payment-resend", "loan-draw")
    )
    call_back, approval = ours.rules
    assert (call_back.checkpoint, approval.checkpoint) == ("call-back", "resend-approval")
    (tier,) = call_back.tiers
    assert [(need.roles, need.count) for need in tier.needs] == [(("compliance-officer",), 1)]
    draw = draws.rule("draw-approval")
    assert draw is not None
    assert approval == draw.model_copy(update={"checkpoint": "resend-approval"})
    assert ours.automatic_limit == 0
