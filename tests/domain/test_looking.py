"""What is looked at again on the day of payment: title, insurance and the balance."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.checks import analyse
from lender.model import (
    Analysis,
    Aspect,
    CoverNotice,
    InsuranceKind,
    Lien,
    LoanFile,
    Packet,
    worsened,
)
from tests.domain import building

DAY = timedelta(days=1)
RISK, LIABILITY = InsuranceKind
LIEN = Lien(reference="2026-0815", recorded=building.TODAY)


def analysed(
    packet: Packet | None = None, loan: LoanFile | None = None, day: date = building.TODAY
) -> Analysis:
    """The analysis of a packet of the second draw."""
    loan = loan or building.loan()
    return analyse(
        packet or building.packet(),
        loan,
        loan.next_draw,
        building.SCREENINGS,
        building.MATCHES,
        day,
    )


def loan(**changed: Any) -> LoanFile:
    """The loan with what it has learnt since."""
    return building.loan().model_copy(update=changed)


def test_a_draw_paid_on_the_day_of_its_analysis_is_as_it_was_analysed() -> None:
    assert worsened(building.loan(), analysed(), building.TODAY) == {}


_WINDOW = building.loan().terms.title_window_days
_EFFECTIVE = date(2026, 11, 20)
_EXPIRES = date(2027, 6, 30)


@pytest.mark.parametrize(
    ("day", "worse"),
    [
        (_EFFECTIVE + _WINDOW * DAY, set()),
        (_EFFECTIVE + (_WINDOW + 1) * DAY, {Aspect.TITLE}),
        (_EFFECTIVE - DAY, {Aspect.TITLE}),
        (_EXPIRES, {Aspect.TITLE}),
        (_EXPIRES + DAY, {Aspect.TITLE, Aspect.INSURANCE}),
    ],
)
def test_the_day_of_payment_counts_not_the_day_of_the_analysis(
    day: date, worse: set[Aspect]
) -> None:
    """I5: a window or a policy that has run out in between is found on its very day."""
    assert worsened(building.loan(), analysed(), day).keys() == worse


_SOURCES = building.loan().sources
_WORSE: dict[str, tuple[dict[str, Any], Aspect, str]] = {
    "a-lien": ({"liens": (LIEN,)}, Aspect.TITLE, "lien 2026-0815 was recorded on 2026-11-24"),
    "cover-cancelled": (
        {"notices": (CoverNotice(kind=LIABILITY, ends=building.TODAY - DAY),)},
        Aspect.INSURANCE,
        "general liability was in force through 2026-11-23",
    ),
    "equity-taken-back": ({"equity_in": Decimal("0.00")}, Aspect.BALANCE, "now come to"),
}


@pytest.mark.parametrize("name", sorted(_WORSE))
def test_what_the_loan_has_learnt_since_is_named(name: str) -> None:
    """I5: each alone stops the payment, and says what it is."""
    changed, aspect, said = _WORSE[name]
    exact = analysed().basis.cost_to_complete
    assert exact is not None
    # The equity matters only where the rest does not suffice without it.
    tight = {"commitment": building.loan().commitment - (_SOURCES - exact)}
    before = loan(**tight)
    found = worsened(loan(**tight, **changed), analysed(loan=before), building.TODAY)
    assert found.keys() == {aspect}
    assert said in found[aspect]


def test_a_balance_that_still_covers_the_cost_may_fall() -> None:
    """What is left over is the borrower's."""
    loan_now = loan(deposits=Decimal("0.00"))
    before = loan(deposits=Decimal("700000.00"))
    assert worsened(loan_now, analysed(loan=before), building.TODAY) == {}


@pytest.mark.parametrize(
    "changed",
    [
        {"deposits": Decimal("0.01")},
        {"equity_in": Decimal("99999.00")},
        {"notices": (CoverNotice(kind=RISK, ends=building.TODAY),)},
    ],
)
def test_a_better_answer_changes_nothing(changed: dict[str, Any]) -> None:
    """People are not asked twice for good news, nor for cover that lasts through the day."""
    assert worsened(loan(**changed), analysed(), building.TODAY) == {}


def test_cover_that_stands_after_all_ends_when_its_certificate_says() -> None:
    """I5: a notice that was known and is withdrawn before the payment stops nothing."""
    before = analysed(loan=loan(notices=(CoverNotice(kind=RISK, ends=building.TODAY),)))
    assert worsened(building.loan(), before, building.TODAY + DAY) == {}
    assert worsened(building.loan(), before, _EXPIRES + DAY)[Aspect.INSURANCE].endswith(
        f"builders risk was in force through {_EXPIRES}"
    )


def test_what_people_accepted_stays_accepted_and_only_more_of_it_stops() -> None:
    """I5: a known lien, cover known to have ended, a known shortfall; then one thing more."""
    known = loan(
        liens=(LIEN,),
        notices=(CoverNotice(kind=RISK, ends=building.TODAY - DAY),),
        commitment=building.loan().disbursed + Decimal("60000.00"),
    )
    analysis = analysed(loan=known)
    about = {each.id for each in analysis.findings}
    assert about >= {
        "title.date_down#lien-2026-0815",
        "insurance.current#builders_risk",
        "balance.in_balance#sources",
    }
    assert worsened(known, analysis, building.TODAY) == {}
    more: dict[Aspect, dict[str, Any]] = {
        Aspect.TITLE: {"liens": (LIEN, LIEN.model_copy(update={"reference": "2026-0816"}))},
        Aspect.INSURANCE: {
            "notices": (CoverNotice(kind=RISK, ends=building.TODAY - 2 * DAY),),
        },
        Aspect.BALANCE: {"equity_in": known.equity_in - Decimal("0.01")},
    }
    for aspect, changed in more.items():
        worse = worsened(known.model_copy(update=changed), analysis, building.TODAY)
        assert worse.keys() == {aspect}
    better = known.model_copy(update={"liens": (), "notices": (), "deposits": Decimal("5.00")})
    assert worsened(better, analysis, building.TODAY) == {}


_DAYS = st.integers(-400, 400).map(lambda apart: building.TODAY + apart * DAY)
_CENTS = st.integers(0, 30_000_000).map(lambda cents: Decimal(cents) / 100)
_LIENS = st.lists(
    st.builds(Lien, reference=st.sampled_from(("a", "b", "c.1")), recorded=_DAYS),
    max_size=3,
    unique_by=lambda each: each.reference,
).map(tuple)
_NOTICES = st.lists(
    st.builds(CoverNotice, kind=st.sampled_from(InsuranceKind), ends=_DAYS),
    max_size=2,
    unique_by=lambda each: each.kind,
).map(tuple)
_LOANS = st.builds(loan, liens=_LIENS, notices=_NOTICES, equity_in=_CENTS, deposits=_CENTS)


@st.composite
def _packets(draw: st.DrawFn) -> Packet:
    """The packet with title and certificates that are there, old, unreadable or missing."""
    packet = building.packet()
    title = packet.title
    assert title is not None
    dated = draw(st.none() | _DAYS)
    certificates = []
    for each in packet.insurance:
        expires = draw(st.none() | _DAYS)
        read = None if expires is None else building.at(expires, "page 1")
        certificates.append(each.model_copy(update={"expires": read}))
    kept = draw(st.lists(st.sampled_from(certificates), max_size=3))
    read = None if dated is None else building.at(dated, "page 1", "title.pdf")
    changes: dict[str, Any] = {
        "title": draw(st.sampled_from((None, title.model_copy(update={"effective": read})))),
        "insurance": tuple(kept),
        "request": draw(st.sampled_from((None, packet.request))),
    }
    return packet.model_copy(update=changes)


@given(packet=_packets(), known=_LOANS, day=_DAYS)
def test_an_analysis_is_never_worse_than_itself(packet: Packet, known: LoanFile, day: date) -> None:
    """I5: else people would be asked for ever: what would stop the payment is a finding first."""
    assert worsened(known, analysed(packet, known, day), day) == {}


@given(packet=_packets(), known=_LOANS, now=_LOANS, day=_DAYS, later=st.integers(0, 400))
def test_whatever_stops_the_payment_is_found_by_the_checks_of_that_day(
    packet: Packet, known: LoanFile, now: LoanFile, day: date, later: int
) -> None:
    """I5: the round that follows shows people why, as a blocking finding of that check."""
    paid = day + later * DAY
    again = analysed(packet, now, paid)
    checks = {
        Aspect.TITLE: "title.date_down",
        Aspect.INSURANCE: "insurance.current",
        Aspect.BALANCE: "balance.in_balance",
    }
    blocking = {each.check for each in again.findings}
    for aspect in worsened(now, analysed(packet, known, day), paid):
        assert checks[aspect] in blocking


@given(known=_LOANS, now=_LOANS, paid=_DAYS, more=_LIENS, less=_CENTS)
def test_bad_news_never_mends_anything(
    known: LoanFile, now: LoanFile, paid: date, more: tuple[Lien, ...], less: Decimal
) -> None:
    """I5: what stops a payment still stops it with more liens and less money."""
    analysis = analysed(loan=known)
    before = worsened(now, analysis, paid).keys()
    references = {each.reference for each in now.liens}
    added = tuple(each for each in more if each.reference not in references)
    worse = now.model_copy(update={"liens": now.liens + added, "deposits": min(now.deposits, less)})
    assert worsened(worse, analysis, paid).keys() >= before
