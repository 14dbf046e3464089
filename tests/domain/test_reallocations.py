"""What speaks against a reallocation, and that one that fits moves value and makes none."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lender.model import LoanFile, LoanStatus, Move, Moves, check_moves
from lender.reallocations import ReallocationRefused, after_reallocation, read_moves
from lender.samples import make_loan
from tests.domain import building
from tests.domain.drawing import after_draw
from tests.domain.test_checks_clean import analysed

TODAY = date(2026, 11, 24)
LOAN = make_loan("L-1", "Row", "Row LLC", "1 Row Road", Decimal("120000.00"), 8)
ITEMS = [row.item for row in LOAN.schedule]


def one(amount: str, source: str = ITEMS[0], target: str = ITEMS[1]) -> Moves:
    return Moves(
        moves=(Move(from_item=source, to_item=target, amount=Decimal(amount), reason="why"),)
    )


def found(loan: LoanFile, moves: Moves, today: date = TODAY) -> list[str]:
    return [each.id for each in check_moves(loan, 1, moves, today).findings]


MONEY = st.integers(-100_00, 30_000_00).map(lambda cents: Decimal(cents).scaleb(-2))
MOVE = st.builds(
    Move,
    from_item=st.sampled_from([*ITEMS, "nowhere"]),
    to_item=st.sampled_from(ITEMS),
    amount=MONEY,
    reason=st.just("why"),
)


@given(st.lists(MOVE, min_size=1, max_size=6).map(lambda each: Moves(moves=tuple(each))))
def test_what_fits_moves_value_and_makes_none(moves: Moves) -> None:
    """I5: the check and the loan agree on every list; no sum changes, no row falls below zero."""
    check = check_moves(LOAN, 1, moves, TODAY)
    if check.findings:
        with pytest.raises(ReallocationRefused):
            after_reallocation(LOAN, 1, moves, "case", TODAY)
        return
    after = after_reallocation(LOAN, 1, moves, "case", TODAY)
    assert LoanFile.model_validate(after.model_dump()) == after
    assert sum(after.approved_values.values()) == sum(LOAN.approved_values.values())
    assert after.hard_cost_budget == LOAN.hard_cost_budget
    assert min(after.approved_values.values()) >= 0
    assert all(after.approved_values[row.item] == row.after for row in check.rows)
    for line in after.budget:
        backed = [row.item for row in after.schedule if row.budget_line == line.id]
        if backed:
            assert line.amount == sum(after.approved_values[item] for item in backed)


@pytest.mark.parametrize(
    ("moves", "finding"),
    [
        (one("0.00"), "moves.amounts#1"),
        (one("-1.00"), "moves.amounts#1"),
        (one("1.00", ITEMS[0], ITEMS[0]), "moves.amounts#1:same"),
        (one("1.00", "99.9"), "moves.rows#99.9"),
    ],
)
def test_each_thing_that_is_wrong_is_found_by_name(moves: Moves, finding: str) -> None:
    assert found(LOAN, moves) == [finding]


def test_a_row_never_falls_below_nothing() -> None:
    moves = one(f"{LOAN.schedule[0].scheduled_value + 1:.2f}")
    assert f"moves.billed#{ITEMS[0]}" in found(LOAN, moves)


def test_a_row_keeps_what_was_billed_of_it_to_the_cent() -> None:
    """I5: work completed and material stored through the last draw stay covered."""
    loan = building.loan()
    drawn = after_draw(loan, analysed(building.packet(), loan))
    assert drawn.last_draw is not None
    row = next(each for each in drawn.last_draw.rows if each.scheduled_value > each.total > 0)
    other = next(each.item for each in drawn.schedule if each.item != row.item)
    rest = drawn.approved_values[row.item] - row.total
    assert found(drawn, one(f"{rest:.2f}", row.item, other)) == []
    assert found(drawn, one(f"{rest + Decimal('0.01'):.2f}", row.item, other)) == [
        f"moves.billed#{row.item}"
    ]


def test_a_budget_line_does_not_fall_below_nothing() -> None:
    """A loan taken in from elsewhere may have rows of more value than the line that they back."""
    line = LOAN.schedule[0].budget_line
    budget = tuple(
        each.model_copy(update={"amount": Decimal("1.00")}) if each.id == line else each
        for each in LOAN.budget
    )
    loan = LOAN.model_copy(update={"budget": budget})
    assert found(loan, one("1.00")) == []
    assert found(loan, one("1.01")) == [f"moves.lines#{line}"]


def test_a_loan_that_is_not_open_is_not_reallocated() -> None:
    closed = LOAN.model_copy(update={"status": LoanStatus.DEFAULT})
    assert found(closed, one("1.00")) == ["moves.loan#status"]
    assert found(LOAN, one("1.00"), date(2199, 1, 1)) == ["moves.loan#status"]


GOOD = f"From item,To item,Amount,Reason\n{ITEMS[0]},{ITEMS[1]},1.00,why\n"


def test_csv_and_json_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(GOOD)
    (tmp_path / "a.json").write_text(one("1.00").model_dump_json())
    assert read_moves(tmp_path / "a.csv") == read_moves(tmp_path / "a.json") == one("1.00")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"", "the first row must name"),
        ("a.csv", b"From item,To item,Amount\n", "the first row must name"),
        ("a.csv", GOOD.split("\n", maxsplit=1)[0].encode(), "moves: "),
        ("a.csv", GOOD.encode() + b"1,2\n", "cells"),
        ("a.csv", GOOD.replace("1.00", "1.001").encode(), "moves.0.amount"),
        ("a.csv", GOOD.replace("1.00", "1e3").encode(), "moves.0.amount"),
        ("a.csv", b'"', "unexpected end"),
        ("a.csv", b"\xff\xfe", "not UTF-8"),
        ("a.json", b"[]", "the document"),
        ("a.json", b'{"moves": [], "approved": true}', "moves"),
        ("a.json", b"x" * 300_000, "larger than"),
    ],
)
def test_a_document_that_is_none_is_refused_with_the_place(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=said):
        read_moves(tmp_path / name)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No such file"):
        read_moves(tmp_path / "none.csv")
