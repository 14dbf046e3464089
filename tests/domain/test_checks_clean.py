"""A correct packet passes every check, however its rows are ordered."""

from decimal import Decimal
from random import Random

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from activities.checks import analyse
from lender.model import Analysis, LoanFile, Packet
from placet.model import CheckStatus, Severity
from tests.domain import building
from tests.domain.building import Line, Lines

SOME = settings(max_examples=40, deadline=None)


def analysed(packet: Packet, loan: LoanFile) -> Analysis:
    """The analysis of a packet, with what other systems say of a clean draw."""
    return analyse(
        packet, loan, loan.next_draw, building.SCREENINGS, building.MATCHES, building.TODAY
    )


@st.composite
def draws(draw: st.DrawFn) -> Lines:
    """Rows that continue an earlier draw to the cent."""

    def part(most: Decimal) -> Decimal:
        return Decimal(draw(st.integers(0, int(most * 100)))).scaleb(-2)

    lines = []
    for _ in range(draw(st.integers(1, 5))):
        value = Decimal(draw(st.integers(1_000_00, 2_000_000_00))).scaleb(-2)
        previous = part(value)
        stored_before = part(value - previous)
        this_period = part(value - previous)
        least = max(stored_before - this_period, Decimal("0.00"))
        stored = least + part(value - previous - this_period - least)
        lines.append(Line(value, previous, stored_before, this_period, stored))
    # Rounding retainage row by row can turn a month without work into a cent owed back.
    assume(building.due(tuple(lines)) >= 0)
    return tuple(lines)


@SOME
@given(draws())
def test_a_correct_packet_has_no_finding_above_info(lines: Lines) -> None:
    analysis = analysed(building.packet(lines), building.loan(lines))
    assert [f.message for f in analysis.findings if f.severity is not Severity.INFO] == []
    assert {r.status for r in analysis.results} <= {
        CheckStatus.PASSED,
        CheckStatus.NOT_APPLICABLE,
    }
    assert analysis.recommended == analysis.requested == sum(p.amount for p in analysis.payments)


@SOME
@given(draws(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_documents_does_not_matter(lines: Lines, random: Random) -> None:
    """The same values in another order give the same analysis, byte for byte (I3)."""
    straight, loan = building.packet(lines), building.loan(lines)
    assert straight.application is not None
    assert straight.inspection is not None
    rows, seen = list(straight.application.rows), list(straight.inspection.rows)
    waivers, invoices = list(straight.waivers), list(straight.invoices)
    for each in (rows, seen, waivers, invoices):
        random.shuffle(each)
    shuffled = straight.model_copy(
        update={
            "application": straight.application.model_copy(update={"rows": tuple(rows)}),
            "inspection": straight.inspection.model_copy(update={"rows": tuple(seen)}),
            "waivers": tuple(waivers),
            "invoices": tuple(invoices),
        }
    )
    assert analysed(shuffled, loan) == analysed(straight, loan)


def test_a_check_that_finds_nothing_to_look_at_says_why() -> None:
    analysis = analysed(building.packet(), building.loan())
    reasons = {r.check: r.reason for r in analysis.results}
    assert all(reasons[r.check] for r in analysis.results if r.status is CheckStatus.NOT_APPLICABLE)


def test_a_first_draw_has_nothing_to_continue() -> None:
    lines = tuple(
        building.more(line, previous=building.ZERO, stored_before=building.ZERO)
        for line in building.DRAW
    )
    analysis = analysed(building.packet(lines), building.loan(lines))
    assert analysis.findings == ()
    assert analysis.draw == 1
