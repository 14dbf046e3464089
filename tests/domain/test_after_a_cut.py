"""The draw after one that was paid in part: what was taken off is asked for again, and taken off once."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from activities.loan_file import check_packet
from activities.packet import read_folder
from lender.model import Analysis, LoanFile
from lender.samples import sample_loans, write_packet
from lender.samples._plan import DrawPlan, plan_draw
from tests.domain.drawing import after_draw

Play = Callable[[LoanFile, DrawPlan], Analysis]
FIRST, SECOND = date(2026, 9, 30), date(2026, 10, 31)
CLEAR = {"payee.screened"}
"""Whom only another system knows."""


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """What is said of a planned packet."""

    def look(loan: LoanFile, plan: DrawPlan) -> Analysis:
        folder = write_packet(plan, tmp_path / f"draw-{plan.draw}-{len(list(tmp_path.iterdir()))}")
        return check_packet(read_folder(folder), loan, date(2026, 11, 20))

    return look


def plan(loan: LoanFile, ends: date, seen: str | None = None) -> DrawPlan:
    """A draw's packet; of its fifth row the inspector saw so much."""
    made = plan_draw(loan, ends, Decimal("0.05"), Decimal("0.00"), stored_items=0)
    if seen is not None:
        made.rows[4].inspected = Decimal(seen)
    return made


def checks(analysis: Analysis) -> set[str]:
    return {each.check for each in analysis.findings} - CLEAR


def to_date(loan: LoanFile, analysis: Analysis) -> Decimal:
    """What all draws come to with this one."""
    return loan.disbursed + analysis.recommended


def test_work_that_was_not_seen_is_taken_off_once_and_paid_when_it_is(play: Play) -> None:
    """It was taken off each draw anew, and paid by none."""
    loan = sample_loans()[0]
    first = play(loan, plan(loan, FIRST, "0.02"))
    (off,) = first.adjustments
    assert first.recommended == first.requested - off.amount
    after = after_draw(loan, first)
    half = play(after, plan(after, SECOND, "0.04"))
    (still,) = half.adjustments
    assert half.earned_less_retainage is not None
    assert to_date(after, half) == half.earned_less_retainage - still.amount
    whole = play(after, plan(after, SECOND))
    assert (checks(whole), whole.adjustments) == (set(), ())
    assert to_date(after, whole) == whole.earned_less_retainage


def test_what_a_person_took_off_is_asked_for_again(play: Play) -> None:
    loan = sample_loans()[0]
    made = plan(loan, FIRST)
    asked = play(loan, made)
    taken_off = Decimal("500.00")
    off = asked.model_copy(update={"recommended": asked.recommended - taken_off})
    after = after_draw(loan, off)
    assert after.last_draw is not None
    assert (
        after.last_draw.earned_less_retainage == made.summary["earned_less_retainage"] - taken_off
    )
    again = play(after, plan(after, SECOND))
    assert checks(again) == set()
    assert to_date(after, again) == again.earned_less_retainage


def test_a_line_7_that_counts_what_was_never_paid_is_found(play: Play) -> None:
    """Both amounts stand beside each other, so that the borrower sees what to ask for."""
    loan = sample_loans()[0]
    first = play(loan, plan(loan, FIRST, "0.02"))
    after = after_draw(loan, first)
    made = plan(after, SECOND)
    off = first.requested - first.recommended
    made.summary["previous_certificates"] += off
    made.summary["current_payment"] -= off
    found = {each.id: each for each in play(after, made).findings}
    seven = found["sov.totals#line-7"]
    assert seven.difference == f"{off:,.2f}"
    assert seven.compared[1].value == f"{first.recommended:,.2f}"
