"""A change of one cent anywhere in a packet's arithmetic is found, unless it rounds as well."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lender.model import LoanFile, Packet, to_cents
from placet.model import Severity
from tests.domain import building
from tests.domain.building import Lines
from tests.domain.test_checks_clean import analysed, draws

CENT = Decimal("0.01")
Path = tuple[str | int, ...]

ROW = ("scheduled_value", "previous", "this_period", "stored", "total", "balance", "retainage")
SUMMARY = (
    "original_contract",
    "change_orders",
    "contract_to_date",
    "completed_and_stored",
    "retainage_work",
    "retainage_stored",
    "retainage",
    "earned_less_retainage",
    "previous_certificates",
    "current_payment",
    "balance_to_finish",
)


def amounts(packet: Packet) -> list[Path]:
    """Where every amount of the packet's arithmetic stands."""
    assert packet.application is not None
    assert packet.request is not None
    rows = range(len(packet.application.rows))
    lines = range(len(packet.request.lines))
    payees = range(len(packet.request.payees))
    return [
        ("application", "amount_certified"),
        *(("application", "summary", name) for name in SUMMARY),
        *(("application", "totals", name) for name in ROW),
        *(("application", "rows", row, name) for row in rows for name in ROW),
        ("request", "total"),
        *(("request", "lines", line, "amount") for line in lines),
        *(("request", "payees", payee, "amount") for payee in payees),
        *(("waivers", number, "amount") for number in range(len(packet.waivers))),
    ]


def changed(packet: Packet, path: Path, change: Callable[[Decimal], Decimal]) -> Packet:
    """The packet with one amount changed."""
    dumped: dict[str, Any] = packet.model_dump()
    at: Any = dumped
    for step in path:
        at = at[step]
    at["value"] = change(Decimal(at["value"]))
    return Packet.model_validate(dumped)


def findings(packet: Packet, loan: LoanFile) -> list[str]:
    """The ids of what was found above info."""
    found = analysed(packet, loan).findings
    return [each.id for each in found if each.severity is not Severity.INFO]


def found_unless_rounded_once(lines: Lines, path: Path, cent: Decimal) -> bool:
    """Whether that cent is found; 5a and 5b, here rounded by row, are right if rounded once, too."""
    held = {
        "retainage_work": sum((e.previous + e.this_period for e in lines), Decimal(0)),
        "retainage_stored": sum((e.stored for e in lines), Decimal(0)),
    }
    packet = changed(building.packet(lines), path, lambda value: value + cent)
    assert packet.application is not None
    if path[-1] in held and path[1] == "summary":
        now = getattr(packet.application.summary, str(path[-1])).value
        if now == to_cents(building.RATE * held[str(path[-1])]):
            return not findings(packet, building.loan(lines))
    return bool(findings(packet, building.loan(lines)))


@pytest.mark.parametrize("cent", [CENT, -CENT], ids=["more", "less"])
@pytest.mark.parametrize("path", amounts(building.packet()), ids=lambda p: ".".join(map(str, p)))
def test_a_cent_anywhere_is_found(path: Path, cent: Decimal) -> None:
    assert found_unless_rounded_once(building.DRAW, path, cent)


@settings(max_examples=60, deadline=None)
@given(draws(), st.data())
def test_a_cent_anywhere_in_any_draw_is_found(lines: Lines, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(amounts(building.packet(lines))))
    cent = data.draw(st.sampled_from([CENT, -CENT]))
    assert found_unless_rounded_once(lines, path, cent)


@settings(max_examples=40, deadline=None)
@given(draws(), st.data())
def test_the_recommendation_never_passes_a_limit(lines: Lines, data: st.DataObject) -> None:
    """Whatever one amount says, no more is paid than was asked, certified or is left."""
    packet, loan = building.packet(lines), building.loan(lines)
    path = data.draw(st.sampled_from(amounts(packet)))
    amount = Decimal(data.draw(st.integers(-(10**9), 10**9))).scaleb(-2)
    packet = changed(packet, path, lambda _: amount)
    analysis = analysed(packet, loan)
    assert packet.application is not None
    assert packet.application.amount_certified is not None
    contractor = sum((p.amount for p in analysis.payments if p.payee == "P-100"), Decimal(0))
    assert 0 <= analysis.recommended <= max(analysis.requested, Decimal(0))
    assert analysis.recommended <= loan.undisbursed
    assert contractor <= max(packet.application.amount_certified.value, Decimal(0))
    assert analysis.recommended == sum(payment.amount for payment in analysis.payments)
    assert all(payment.amount > 0 for payment in analysis.payments)
    if not findings(packet, loan):
        assert analysis.recommended == analysis.requested
