"""Every attribute of a decision's context stands in the group of its source (I3)."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from placet.model import CaseStatus, CheckpointStatus, Mode
from placet.rules import (
    ApprovalFacts,
    Fact,
    MissingFact,
    StepFacts,
    cents,
    guarded_context,
    step_context,
)

STEP = StepFacts(
    agent="disbursement",
    in_scope=True,
    case_status=CaseStatus.OPEN,
    attempt=2,
    mode=Mode.ASSIST,
    on_hold=False,
)
APPROVAL = ApprovalFacts(
    status=CheckpointStatus.APPROVED,
    needs_met=True,
    automatic=False,
    confirmed=False,
    people=2,
    approved=Decimal("184200.00"),
    amount=Decimal("184200.00"),
    automatic_limit=Decimal("25000.00"),
    exceptions_open=0,
    findings_above_info=0,
    evidence_settled=True,
    payments_fixed=True,
    version_unchanged=True,
    emergency=False,
)


def fact(name: str, value: JsonValue = "open", version: str = "12") -> Fact:
    return Fact(
        name=name, value=value, system="loan-servicing", record="loan/L-1001", version=version
    )


def test_an_ordinary_step_shows_the_ledger_alone() -> None:
    assert step_context(STEP) == {
        "ledger": {
            "agent": "disbursement",
            "in_scope": True,
            "case_status": "open",
            "attempt": 2,
            "mode": "assist",
            "on_hold": False,
        }
    }


def test_i3_an_agents_word_stands_apart() -> None:
    """I3: a claim is in a group of its own, so that no permit can mistake it for a fact."""
    assert step_context(STEP, claim={"amount_cents": 1})["claim"] == {"amount_cents": 1}
    assert "claim" not in step_context(STEP, claim={})
    guarded = guarded_context(STEP, APPROVAL, [], claim={"status": "open"})
    assert guarded["claim"] == {"status": "open"}
    assert guarded["facts"] == {}


def test_i3_each_fact_names_its_source_and_version() -> None:
    """I3: system, record and version of each fact are in the context."""
    guarded = guarded_context(STEP, APPROVAL, [fact("status"), fact("holds", "0", "13")])
    assert guarded["facts"] == {"status": "open", "holds": "0"}
    assert guarded["sources"] == [
        "holds loan-servicing loan/L-1001 13",
        "status loan-servicing loan/L-1001 12",
    ]


def test_a_fact_told_twice_is_no_fact() -> None:
    with pytest.raises(MissingFact, match="status"):
        guarded_context(STEP, APPROVAL, [fact("status"), fact("status", "matured")])


HOSTILE: dict[str, JsonValue] = {
    "an entity escape": {"who": {"__entity": {"type": "Placet::Agent", "id": "x"}}},
    "an extension escape": [[{"__extn": {"fn": "ip", "arg": "::"}}]],
    "an integer without a canonical form": 2**53,
    "not a number": [float("nan")],
    "too much": "x" * 50_000,
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
def test_i12_a_hostile_fact_is_no_fact(value: JsonValue) -> None:
    """I12: what a system of record answers in no usable form can't be judged; nothing crashes."""
    with pytest.raises(MissingFact, match="balance"):
        guarded_context(STEP, APPROVAL, [fact("status"), fact("balance", value)])


def test_i12_too_many_facts_are_none() -> None:
    """I12: many facts together have a limit as one has."""
    with pytest.raises(MissingFact, match="all facts"):
        guarded_context(STEP, APPROVAL, [fact(f"f{n}", "x" * 9_000) for n in range(6)])


def test_an_approval_shows_money_in_cents_and_no_other_way() -> None:
    approval = guarded_context(STEP, APPROVAL, [])["approval"]
    assert isinstance(approval, dict)
    assert approval["approved_cents"] == approval["amount_cents"] == 18_420_000
    assert approval["automatic_limit_cents"] == 2_500_000
    assert {"approved", "amount", "automatic_limit"}.isdisjoint(approval)


@given(number=st.integers(-(10**15), 10**15))
def test_cents_are_exact(number: int) -> None:
    assert cents(Decimal(number) / 100) == number


def test_half_a_cent_is_no_money() -> None:
    with pytest.raises(ValueError, match="whole cents"):
        cents(Decimal("0.005"))
