"""What forms do that is right, and what looks like it: rounded retainage, credits, released retainage."""

from dataclasses import replace
from decimal import Decimal

import pytest

from lender.model import (
    Analysis,
    ChangeOrder,
    LoanFile,
    Packet,
    PayApplication,
    Read,
    Retainage,
    to_cents,
)
from placet.model import Finding, Severity
from tests.domain import building
from tests.domain.building import DRAW, RATE, Line, Lines
from tests.domain.test_checks_clean import analysed

ROUGH: Lines = tuple(
    Line(Decimal("40000.00"), this_period=Decimal(work), stored=Decimal(stored))
    for work, stored in (
        ("1000.06", "100.06"),
        ("2000.08", "300.05"),
        ("3000.03", "500.09"),
        ("4000.08", "700.06"),
    )
)
"""Rows on which each way of rounding a tenth comes to another sum."""


WAYS = ("each part of each row", "each row", "each part", "once")


def held(way: str) -> Decimal:
    """Line 5 of these rows, rounded in one way."""
    work = [RATE * each.this_period for each in ROUGH]
    stored = [RATE * each.stored for each in ROUGH]
    both = [w + s for w, s in zip(work, stored, strict=True)]
    ways = {
        "each part of each row": sum(map(to_cents, (*work, *stored)), Decimal(0)),
        "each row": sum(map(to_cents, both), Decimal(0)),
        "each part": to_cents(sum(work, Decimal(0))) + to_cents(sum(stored, Decimal(0))),
        "once": to_cents(sum(both, Decimal(0))),
    }
    return ways[way]


def of(analysis: Analysis, *checks: str) -> list[Finding]:
    return [each for each in analysis.findings if each.check in checks]


def retained(amount: Decimal) -> Packet:
    """The packet of these rows, holding so much."""
    packet = building.packet(ROUGH)
    assert packet.application is not None
    line: Read[Decimal] = building.at(amount, "G702!5")
    summary = packet.application.summary.model_copy(update={"retainage": line})
    application = packet.application.model_copy(update={"summary": summary})
    return packet.model_copy(update={"application": application})


@pytest.mark.parametrize("way", WAYS)
def test_retainage_is_what_was_agreed_however_the_form_rounds_it(way: str) -> None:
    """A column I of a tenth of G was a cent or two off what was asked for, and blocked the draw."""
    assert of(analysed(retained(held(way)), building.loan(ROUGH)), "retainage.rate") == []


def test_each_way_of_rounding_is_another_and_what_is_none_is_found() -> None:
    ways = {held(way) for way in WAYS}
    assert len(ways) == len(WAYS)
    for amount in (min(ways) - Decimal("0.01"), max(ways) + Decimal("0.01")):
        loan = building.loan(ROUGH)
        assert of(analysed(retained(amount), loan), "retainage.rate") != []


def stating(line_5: str, work: str, stored: str) -> Packet:
    """The packet of these rows with this line 5, 5a and 5b; all that follows from line 5 does."""
    packet = building.packet(ROUGH)
    assert packet.application is not None
    assert packet.request is not None
    summary, held = packet.application.summary, Decimal(line_5)
    assert summary.completed_and_stored is not None
    assert summary.contract_to_date is not None
    earned = summary.completed_and_stored.value - held
    amounts = {
        "retainage_work": Decimal(work),
        "retainage_stored": Decimal(stored),
        "retainage": held,
        "earned_less_retainage": earned,
        "current_payment": earned,
        "balance_to_finish": summary.contract_to_date.value - earned,
    }
    lines = {name: building.at(amount, f"G702!{name}") for name, amount in amounts.items()}
    asked = building.at(earned, "Request!B")
    (line, *soft), (payee, *others) = packet.request.lines, packet.request.payees
    request = {
        "total": building.at(earned + building.SOFT, "Request!B3"),
        "lines": (line.model_copy(update={"amount": asked}), *soft),
        "payees": (payee.model_copy(update={"amount": asked}), *others),
    }
    application = {"summary": summary.model_copy(update=lines), "amount_certified": asked}
    own, *waivers = packet.waivers
    return packet.model_copy(
        update={
            "application": packet.application.model_copy(update=application),
            "request": packet.request.model_copy(update=request),
            "waivers": (own.model_copy(update={"amount": asked}), *waivers),
        }
    )


@pytest.mark.parametrize(
    ("line_5", "work", "stored", "found"),
    [
        ("1160.07", "1000.03", "160.04", []),  # both
        ("1160.07", "1000.03", "160.03", []),  # the total of column I
        ("1160.06", "1000.03", "160.03", []),  # 5a + 5b
        ("1160.07", "1000.02", "160.00", ["line-5"]),  # further apart than four rows' cents
        ("1160.06", "1000.03", "160.04", ["line-5", "line-5:I"]),  # neither
        ("1160.02", "1000.00", "160.02", ["line-5:I"]),
    ],
)
def test_line_5_is_the_sum_of_its_parts_or_of_column_i(
    line_5: str, work: str, stored: str, found: list[str]
) -> None:
    """Rounded by row and rounded once they are a cent apart: both were asked for, and nobody was paid."""
    analysis = analysed(stating(line_5, work, stored), building.loan(ROUGH))
    assert [each.id.partition("#")[2] for each in of(analysis, "sov.totals")] == found
    assert bool(analysis.recommended) is not bool(found)


def in_parts(work: str, stored: str) -> list[tuple[str, str | None]]:
    """What is found of these rows' 5a and 5b, whose sum line 5 is."""
    parts = {
        "retainage_work": building.at(Decimal(work), "G702!5a"),
        "retainage_stored": building.at(Decimal(stored), "G702!5b"),
    }
    packet = retained(Decimal(work) + Decimal(stored))
    assert packet.application is not None
    summary = packet.application.summary.model_copy(update=parts)
    application = packet.application.model_copy(update={"summary": summary})
    analysis = analysed(
        packet.model_copy(update={"application": application}), building.loan(ROUGH)
    )
    found = of(analysis, "retainage.rate")
    return [(each.id.partition("#")[2], each.difference) for each in found]


@pytest.mark.parametrize(
    ("work", "stored", "found"),
    [
        ("1000.03", "160.04", []),
        ("1000.03", "160.03", []),
        ("1000.02", "160.03", []),
        ("0.00", "1160.06", [("5a", "-1,000.03"), ("5b", "1,000.02")]),
        ("1160.06", "0.00", [("5a", "160.03"), ("5b", "-160.03")]),
        ("1000.01", "160.05", [("5a", "-0.02"), ("5b", "0.01")]),
    ],
)
def test_work_and_stored_material_are_each_retained_at_their_rate(
    work: str, stored: str, found: list[tuple[str, str]]
) -> None:
    """Nothing held of work and all of it of material passed: the sum alone was looked at."""
    assert in_parts(work, stored) == found


@pytest.mark.parametrize(
    ("held", "found"), [("110.02", []), ("110.01", []), ("110.03", ["01:I"]), ("0.00", ["01:I"])]
)
def test_a_row_of_column_i_that_is_not_line_5_is_held_at_its_rate(
    held: str, found: list[str]
) -> None:
    """Of 1,000.06 and 100.06 a tenth is 110.02, part by part, or 110.01."""
    packet = stating("1160.06", "1000.03", "160.03")
    assert packet.application is not None
    first, *rows = packet.application.rows
    off = first.model_copy(update={"retainage": building.at(Decimal(held), "G703!I1")})
    changes = {"rows": (off, *rows), "totals": None}
    application = packet.application.model_copy(update=changes)
    packet = packet.model_copy(update={"application": application})
    said = of(analysed(packet, building.loan(ROUGH)), "retainage.rate")
    assert [each.id.partition("#")[2] for each in said] == found


# --- credits ----------------------------------------------------------------------------------

CREDIT = Line(Decimal("-1500.00"), this_period=Decimal("-1500.00"))


def looked(credit: Line, *, inspected: bool = True) -> list[Finding]:
    """What is found of a draw with a deductive change order as a row of its own."""
    lines = (*DRAW, credit)
    packet, loan = building.packet(lines), building.loan(lines)
    inspection = packet.inspection
    assert inspection is not None
    if not inspected:
        less = inspection.model_copy(update={"rows": inspection.rows[:-1]})
        packet = packet.model_copy(update={"inspection": less})
    return of(analysed(packet, loan), "sov.overbilled", "progress.inspected", "sov.continuity")


@pytest.mark.parametrize("inspected", [True, False])
@pytest.mark.parametrize(
    "credit",
    [CREDIT, Line(Decimal("-1500.00"), previous=Decimal("-1500.00"))],
    ids=["in this draw", "in an earlier one"],
)
def test_a_credit_that_is_given_in_full_is_its_own_correction(
    credit: Line, inspected: bool
) -> None:
    """It was told as negative work, and an inspector was asked how much of it was built."""
    assert looked(credit, inspected=inspected) == []


@pytest.mark.parametrize(
    "given", [Decimal("0.00"), Decimal("-700.00"), Decimal("-1500.01")], ids=str
)
def test_a_credit_that_is_given_in_part_or_twice_is_found(given: Decimal) -> None:
    """Not given, it is billed as much too high; and no more may be taken back than was agreed."""
    assert looked(replace(CREDIT, this_period=given)) != []


def test_negative_work_on_any_other_row_is_found() -> None:
    less = replace(DRAW[1], this_period=Decimal("-10.00"), stored=DRAW[1].stored_before)
    assert looked(less) != []


def posted(line: Line, *off: str, approved: bool = True) -> list[str]:
    """What is found of a first row into which deductive change orders are posted, by what it was."""
    lines = (line, *DRAW[1:])
    loan = building.loan(lines)
    change = sum(map(Decimal, off), Decimal(0))
    schedule = tuple(
        e.model_copy(update={"scheduled_value": e.scheduled_value - change})
        if e.item == "01"
        else e
        for e in loan.schedule
    )
    orders = tuple(
        ChangeOrder(
            number=f"CO-{number}",
            item="01",
            amount=Decimal(amount),
            approved_by="the owner" if approved else None,
        )
        for number, amount in enumerate(off)
    )
    loan = loan.model_copy(update={"schedule": schedule, "change_orders": orders})
    found = of(analysed(building.packet(lines), loan), "sov.overbilled")
    return [each.id.partition("#")[2] for each in found]


NINE, TEN = Decimal("9000.00"), Decimal("10000.00")
POSTED: dict[str, tuple[Line, list[str], list[str]]] = {
    "given": (Line(NINE, TEN, this_period=Decimal("-1000.00")), ["-1000.00"], []),
    "given for two": (Line(NINE, TEN, this_period=Decimal("-1000.00")), ["-400.00", "-600.00"], []),
    "not given": (Line(NINE, TEN), ["-1000.00"], ["01:G"]),
    "given in part": (Line(NINE, TEN, this_period=Decimal("-999.99")), ["-1000.00"], ["01:G"]),
    "a cent too much": (Line(NINE, TEN, this_period=Decimal("-1000.01")), ["-1000.00"], ["01:E"]),
    "of another row": (Line(NINE, TEN, this_period=Decimal("-1000.00")), [], ["01:E"]),
    "of less": (Line(NINE, TEN, this_period=Decimal("-1000.00")), ["-900.00"], ["01:E"]),
    "not billed by then": (Line(NINE, NINE, this_period=Decimal("-0.01")), ["-1000.00"], ["01:E"]),
    "billed in part by then": (
        Line(NINE, Decimal("9300.00"), this_period=Decimal("-300.00")),
        ["-1000.00"],
        [],
    ),
    "of what was stored": (
        Line(NINE, NINE, Decimal("1000.00"), Decimal("-1000.00"), Decimal("1000.00")),
        ["-1000.00"],
        [],
    ),
    "for what is stored now": (
        Line(NINE, NINE, this_period=Decimal("-500.00"), stored=Decimal("500.00")),
        ["-1000.00"],
        ["01:E"],
    ),
}


@pytest.mark.parametrize("name", POSTED)
def test_a_credit_that_is_posted_into_its_row_takes_back_what_was_billed_above_it(
    name: str,
) -> None:
    """Given, it was negative work; not given, the row was billed too much: neither was right."""
    line, off, found = POSTED[name]
    assert posted(line, *off) == found


def test_a_credit_that_nobody_approved_takes_nothing_back() -> None:
    line = Line(NINE, TEN, this_period=Decimal("-1000.00"))
    assert posted(line, "-1000.00", approved=False) == ["01:E"]


def stated(application: PayApplication, lines: dict[str, Read[Decimal]]) -> PayApplication:
    """The application with these lines, on a form without a column I."""
    rows = tuple(row.model_copy(update={"retainage": None}) for row in application.rows)
    summary = application.summary.model_copy(update=lines)
    return application.model_copy(update={"summary": summary, "rows": rows, "totals": None})


# --- what is released at the end ----------------------------------------------------------------


@pytest.mark.parametrize(("agreed", "found"), [(True, False), (False, True)])
def test_what_is_retained_is_released_at_the_end_as_was_agreed(agreed: bool, found: bool) -> None:
    """An agreement says so as a step-down to nothing once all is built; else people decide."""
    done = tuple(
        Line(each.value, each.previous, this_period=each.value - each.previous) for each in DRAW
    )
    loan: LoanFile = building.loan(done)
    if agreed:
        ends = Retainage(
            work_rate=RATE,
            stored_rate=RATE,
            step_down_at=Decimal(1),
            step_down_rate=Decimal(0),
            statutory_cap=RATE,
        )
        terms = loan.terms.model_copy(update={"retainage": ends})
        loan = loan.model_copy(update={"terms": terms})
    packet = building.packet(done)
    assert packet.application is not None
    nothing: Read[Decimal] = building.at(Decimal("0.00"), "G702!5")
    lines = {"retainage": nothing, "retainage_work": nothing}
    application = stated(packet.application, lines)
    analysis = analysed(packet.model_copy(update={"application": application}), loan)
    assert bool(of(analysis, "retainage.rate")) is found


def agreed_at(share: str, rate: str) -> LoanFile:
    """A loan whose rate on work falls to this one once so much is complete."""
    terms = Retainage(
        work_rate=RATE,
        stored_rate=RATE,
        step_down_at=Decimal(share),
        step_down_rate=Decimal(rate),
        statutory_cap=RATE,
    )
    loan = building.loan(HALF)
    return loan.model_copy(update={"terms": loan.terms.model_copy(update={"retainage": terms})})


HALF: Lines = (
    Line(Decimal("40000.00"), Decimal("20000.00")),
    Line(Decimal("60000.00"), Decimal("20000.00"), this_period=Decimal("10000.00")),
)


def holding(amount: str, lines: Lines = HALF, seen: str | None = None) -> Packet:
    """The packet of these rows that holds so much; of the last one the inspector saw so much."""
    packet = building.packet(lines)
    assert packet.application is not None
    assert packet.inspection is not None
    line: Read[Decimal] = building.at(Decimal(amount), "G702!5")
    application = stated(packet.application, {"retainage": line, "retainage_work": line})
    rows = packet.inspection.rows
    if seen is not None:
        last = rows[-1].model_copy(update={"complete": building.at(Decimal(seen), "page 1")})
        rows = (*rows[:-1], last)
    inspection = packet.inspection.model_copy(update={"rows": rows})
    return packet.model_copy(update={"application": application, "inspection": inspection})


def rate(packet: Packet, loan: LoanFile) -> list[tuple[Severity, str | None]]:
    found = of(analysed(packet, loan), "retainage.rate")
    return [(each.severity, each.difference) for each in found]


def test_what_is_held_longer_than_is_agreed_is_told_and_blocks_nothing() -> None:
    """A contractor asks for what was retained in a draw of its own, once all else is settled."""
    loan = agreed_at("0.50", "0.05")
    assert rate(holding("2500.00"), loan) == []
    assert rate(holding("5000.00"), loan) == [(Severity.INFO, "2,500.00")]
    assert rate(holding("4000.00"), loan) == [(Severity.BLOCKING, "1,500.00")]


def test_work_that_nobody_saw_brings_no_step_down() -> None:
    """Claimed to the end, it released what was retained of all other work, and only its own row was cut."""
    loan = agreed_at("0.50", "0.05")
    assert rate(holding("2500.00", seen="0.48"), loan) == []  # within the tolerance
    assert rate(holding("2500.00", seen="0.45"), loan) == [(Severity.BLOCKING, "-2,500.00")]


def test_a_change_order_takes_no_step_down_back() -> None:
    """What was released at the half was to be held again, and the next application was below nothing."""
    loan = agreed_at("0.40", "0.05")
    more = (*HALF, Line(Decimal("50000.00")))
    order = ChangeOrder(number="CO-1", item="03", amount=Decimal("50000.00"), approved_by="-")
    later = loan.model_copy(update={"change_orders": (order,)})
    assert rate(holding("2500.00", more), later) == []
    last = later.prior_draws[-1].model_copy(update={"inspected": Decimal("30000.00")})
    unseen = later.model_copy(update={"prior_draws": (last,)})
    assert rate(holding("2500.00", more), unseen) == [(Severity.BLOCKING, "-2,500.00")]


@pytest.mark.parametrize(
    ("held", "off"), [("5000.00", "4770.00"), ("2500.00", "5035.00"), ("0.00", "5300.00")]
)
def test_work_that_was_not_seen_is_taken_off_less_what_is_held_of_it(held: str, off: str) -> None:
    """Where nothing is held, a tenth of the work that nobody saw was paid, once people had accepted both findings."""
    packet = holding(held, seen="0.39166667")
    (cut,) = analysed(packet, building.loan(HALF)).adjustments
    assert cut.amount == Decimal(off)


# --- a cap below what was agreed ----------------------------------------------------------------


def capped(cap: str, agreed: str = "0.10") -> LoanFile:
    """A loan that agrees on more than its state lets it hold."""
    rates = Decimal(agreed)
    terms = Retainage(work_rate=rates, stored_rate=rates, statutory_cap=Decimal(cap))
    loan = building.loan(HALF)
    return loan.model_copy(update={"terms": loan.terms.model_copy(update={"retainage": terms})})


@pytest.mark.parametrize(
    ("held", "found"),
    [
        ("2500.00", []),
        ("2499.99", ["held"]),
        ("2500.01", ["cap", "held"]),
        ("5000.00", ["cap", "held"]),
    ],
)
def test_what_is_to_be_held_is_the_agreed_rate_and_at_most_the_cap(
    held: str, found: list[str]
) -> None:
    """The agreed rate was above the cap, and the cap was less than agreed: no application was clean."""
    said = of(analysed(holding(held), capped("0.05")), "retainage.rate")
    assert [each.id.partition("#")[2] for each in said] == found
    assert all("capped 5.00% of work" in each.message for each in said if each.id.endswith("held"))
    assert of(analysed(holding("5000.00"), capped("0.10")), "retainage.rate") == []


def test_what_is_taken_off_is_net_of_what_the_cap_lets_be_held() -> None:
    packet = holding("2500.00", seen="0.39166667")
    (cut,) = analysed(packet, capped("0.05")).adjustments
    assert cut.amount == Decimal("5035.00")
