"""Reallocating a budget: once, exactly what was approved, on the loan as it was approved."""

import asyncio
from decimal import Decimal
from typing import Any

import httpx
import pytest

from lender._service import Failure
from lender.model import LoanStatus, Move, Moves
from lender.servicing import change_request, import_loan, place_hold, request_reallocation
from tests.lender.lending import APPROVED, LOAN, Lending, loan_file, require_problem

SYSTEMS = ("loan-servicing",)
RECORD = f"loan/{LOAN}/reallocation/1"
ROWS = [row.item for row in loan_file().schedule]
BEFORE = loan_file()


def moves_of(amount: str, *, back: bool = False) -> Moves:
    """A move between the loan's first two rows."""
    there = (ROWS[1], ROWS[0]) if back else (ROWS[0], ROWS[1])
    move = Move(from_item=there[0], to_item=there[1], amount=Decimal(amount), reason="the slab")
    return Moves(moves=(move,))


MOVES = moves_of("250.00")


def ask(bank: Lending, moves: Moves = MOVES, number: str = "1") -> None:
    """Staff ask for moves."""
    request_reallocation(bank.databases["loan-servicing"], LOAN, number, moves)


async def approved(bank: Lending, moves: Moves = MOVES, **changed: Any) -> dict[str, Any]:
    """What a grant carries once people approved these moves on the loan as it is now."""
    return {
        "max_amount": moves.amount,
        "payments_digest": moves.digest,
        "approvals": ("decision-0123456789",),
        "evidence_digest": APPROVED,
        "record_version": (await bank.facts(RECORD))["version"],
    } | changed


async def apply(bank: Lending, fixed: dict[str, Any], moves: Moves = MOVES) -> httpx.Response:
    """Ask for it to be done under a grant that fixes this."""
    how: dict[str, Any] = {"action": "budget:reallocate", "record": RECORD, "agent": "disbursement"}
    return await bank.call(
        "POST",
        f"/loans/{LOAN}/reallocations/1/application",
        **how | fixed,
        content=moves.model_dump_json().encode(),
    )


async def test_asked_twice_done_once(either: Lending) -> None:
    """I5, I11: asking changes nothing; two workers at once change it once, and are answered alike."""
    ask(either)
    ask(either)
    assert either.loan() == BEFORE
    fixed = await approved(either)
    answers = await asyncio.gather(*(apply(either, fixed) for _ in range(2)))
    assert [each.status_code for each in answers] == [200] * 2, [each.text for each in answers]
    assert len({each.text for each in answers}) == 1
    after = either.loan()
    assert (after.version, len(after.reallocations)) == (2, 1)
    assert sum(after.approved_values.values()) == sum(BEFORE.approved_values.values())
    assert after.hard_cost_budget == BEFORE.hard_cost_budget
    assert after.approved_values[ROWS[1]] - BEFORE.approved_values[ROWS[1]] == Decimal("250.00")
    assert (await either.facts(RECORD))["version"] == fixed["record_version"]
    assert len({each["grant"] for each in either.authority.told("intent")}) >= 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"payments_digest": moves_of("250.01").digest}, "not those that were approved"),
        ({"payments_digest": None}, "not those that were approved"),
        ({"max_amount": Decimal("249.99")}, "approved amount"),
        ({"max_amount": None}, "approved amount"),
        ({"record_version": "2." + MOVES.digest}, "changed since the approval"),
        ({"record_version": None}, "changed since the approval"),
    ],
)
async def test_only_what_people_fixed_is_done(
    bank: Lending, changed: dict[str, Any], said: str
) -> None:
    """I5: a grant without an approval, or with another one, changes no budget."""
    ask(bank)
    fixed = {name: value for name, value in (await approved(bank) | changed).items() if value}
    require_problem(await apply(bank, fixed), 409, "conflict", said)
    assert bank.loan() == BEFORE


async def test_other_moves_than_were_asked_for_are_refused(bank: Lending) -> None:
    """I5: not even with a grant that fixes them; and a request is never rewritten."""
    ask(bank)
    other = moves_of("250.00", back=True)
    answer = await apply(bank, await approved(bank, other), other)
    require_problem(answer, 409, "conflict", "not those that were asked for")
    with pytest.raises(Failure, match="asks for other moves"):
        ask(bank, other)
    fixed = await approved(bank)
    assert (await apply(bank, fixed)).status_code == 200
    answer = await apply(bank, await approved(bank, other), other)
    require_problem(answer, 409, "conflict", "done with other moves")
    assert len(bank.loan().reallocations) == 1


async def test_a_request_that_was_changed_is_done_as_it_is_now_and_only_so(bank: Lending) -> None:
    """I5: what people approved before the change names a state that is no more."""
    database = bank.databases["loan-servicing"]
    with pytest.raises(Failure, match="no such reallocation"):
        change_request(database, LOAN, "1", MOVES)
    ask(bank)
    before, other = await approved(bank), moves_of("99.00")
    assert change_request(database, LOAN, "1", other) == (await bank.facts(RECORD))["version"]
    assert change_request(database, LOAN, "1", other) == (await bank.facts(RECORD))["version"]
    require_problem(await apply(bank, before), 409, "conflict", "not those that were")
    assert bank.loan() == BEFORE
    assert (await apply(bank, await approved(bank, other), other)).status_code == 200
    with pytest.raises(Failure, match="was done"):
        change_request(database, LOAN, "1", MOVES)


async def test_a_loan_that_changed_is_not_reallocated(bank: Lending) -> None:
    """I5: looked at under the loan's lock, whatever the authority was told before."""
    ask(bank)
    fixed = await approved(bank)
    import_loan(bank.databases["loan-servicing"], BEFORE)
    require_problem(await apply(bank, fixed), 409, "conflict", "changed since the approval")
    place_hold(bank.databases["loan-servicing"], LOAN, 1)
    require_problem(await apply(bank, await approved(bank)), 409, "conflict", "on hold")
    place_hold(bank.databases["loan-servicing"], LOAN, 0)
    closed = BEFORE.model_copy(update={"status": LoanStatus.DEFAULT})
    import_loan(bank.databases["loan-servicing"], closed)
    require_problem(await apply(bank, await approved(bank)), 409, "conflict", "not open")
    assert bank.loan().reallocations == ()


async def test_no_row_falls_below_nothing_even_with_an_approval(bank: Lending) -> None:
    """I5: loan servicing trusts no caller's checks."""
    value = BEFORE.approved_values[ROWS[0]]
    moves = moves_of(f"{value + Decimal('0.01'):.2f}")
    ask(bank, moves)
    answer = await apply(bank, await approved(bank, moves), moves)
    require_problem(answer, 409, "conflict", "would fall below what was billed")
    assert bank.loan() == BEFORE


async def test_a_reallocation_is_the_only_way_a_budget_changes(bank: Lending) -> None:
    """I5: a file of the loan that says another budget is not taken in, before or after one."""
    database = bank.databases["loan-servicing"]
    line = BEFORE.budget[0].model_copy(update={"amount": Decimal("1.00")})
    other = BEFORE.model_copy(update={"budget": (line, *BEFORE.budget[1:])})
    with pytest.raises(Failure, match="another approved budget"):
        import_loan(database, other)
    ask(bank)
    assert (await apply(bank, await approved(bank))).status_code == 200
    with pytest.raises(Failure, match="another approved budget"):
        import_loan(database, BEFORE)


async def test_only_the_grants_own_record_and_action_open_it(bank: Lending) -> None:
    """I2: no other reallocation, and no grant for reading does it."""
    ask(bank)
    fixed = await approved(bank)
    answer = await apply(bank, fixed | {"record": f"loan/{LOAN}/reallocation/2"})
    assert answer.status_code == 403
    answer = await apply(bank, fixed | {"action": "reallocation:read"})
    assert answer.status_code == 403
    assert bank.loan() == BEFORE
