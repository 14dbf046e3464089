"""All checks in one run, and what follows from them: adjustments, recommendation, payments."""

from datetime import date, timedelta
from decimal import Decimal

from activities.checks import (
    _budget,
    _claims,
    _cuts,
    _documents,
    _loan,
    _people,
    _progress,
    _reading,
    _sov,
    _waivers,
)
from activities.checks._given import ZERO, Check, Given, total
from lender.model import (
    Analysis,
    Basis,
    BilledInvoice,
    Cut,
    InsuranceKind,
    InvoiceMatch,
    LoanFile,
    Packet,
    PayeeStanding,
    Payment,
    Reading,
    Row,
    ScheduleRow,
    Screening,
    packet_digest,
)
from placet.model import CheckResult, CheckStatus

CHECKS: tuple[Check, ...] = (
    _loan.readable,
    _sov.arithmetic,
    _sov.totals,
    _progress.continuity,
    _progress.overbilled,
    _progress.retainage,
    _budget.reallocation,
    _progress.change_orders,
    _documents.inspected,
    _documents.inspection_current,
    _documents.stored,
    _documents.certified,
    _waivers.waivers_current,
    _waivers.waivers_previous,
    _documents.title,
    _documents.insurance,
    _loan.loan_open,
    _loan.in_balance,
    _loan.duplicate,
    _loan.screened,
    _loan.bank_changed,
    _people.lowered,
    _people.keyed,
)
"""Every check, in the order in which results are shown."""


def analyse(
    packet: Packet,
    loan: LoanFile,
    draw: int,
    screenings: tuple[Screening, ...],
    matches: tuple[InvoiceMatch, ...],
    today: date,
    cuts: tuple[Cut, ...] = (),
    reading: Reading | None = None,
) -> Analysis:
    """Run all checks and work out what is recommended. Pure: the same inputs, the same bytes.

    ``cuts`` is what people took off rows: they lower what is recommended by just that much. A
    ``reading`` adds findings, and changes nothing else.
    """
    given = Given(packet, loan, draw, screenings, matches, today, cuts)
    results = tuple(check(given) for check in CHECKS)
    files = packet_digest(packet)
    if reading is not None:
        results = (*results, *_reading.results(reading, files))
    requested = _cuts.requested(given)
    payments, recommended = _pay(given, results, requested)
    earned = packet.application.summary.earned_less_retainage if packet.application else None
    return Analysis(
        as_of=today,
        loan=loan.loan_id,
        draw=draw,
        loan_version=loan.version,
        packet=files,
        results=results,
        requested=requested,
        recommended=recommended,
        adjustments=(*_cuts.by_checks(given), *_cuts.by_people(given)),
        payments=payments,
        invoices=_invoices(packet),
        claims=_claims.claims(given),
        period_to=_period(packet),
        rows=tuple(_schedule_row(row) for row in given.rows),
        earned_less_retainage=earned.value if earned else None,
        basis=_basis(given, payments),
        inspected_by=_inspector(packet),
        inspected=_documents.inspected_worth(given),
        drawn=_budget.drawn(given),
        bills=_documents.bills_of_sale(given),
    )


def _inspector(packet: Packet) -> str | None:
    read = packet.inspection.inspector if packet.inspection else None
    return read.value if read else None


def _basis(given: Given, payments: tuple[Payment, ...]) -> Basis:
    paid = {each.payee for each in payments}
    title = given.packet.title
    return Basis(
        title_effective=title.effective.value if title and title.effective else None,
        cover=tuple(_documents.cover(given, kind) for kind in InsuranceKind),
        cost_to_complete=_loan.cost_to_complete(given),
        sources=given.loan.sources,
        screened=tuple(
            PayeeStanding(payee=each.payee, standing=each.standing)
            for each in sorted(given.screenings, key=lambda each: each.payee)
            if each.payee in paid
        ),
    )


def day_to_confirm(said: date, own: date) -> date:
    """The day to make an analysis again for: the one it says, if that may be true by one's clock.

    A day apart is allowed, as midnight may lie between the two; otherwise it is one's own day, so
    that an analysis of another day is not confirmed.
    """
    return said if abs(said - own) <= timedelta(days=1) else own


def _period(packet: Packet) -> date | None:
    read = packet.application.period_to if packet.application else None
    return read.value if read else None


def _invoices(packet: Packet) -> tuple[BilledInvoice, ...]:
    found = {
        (i.vendor.value, i.number.value, i.amount.value)
        for i in packet.invoices
        if not i.bill_of_sale
    }
    return tuple(BilledInvoice(vendor=v, number=n, amount=a) for v, n, a in sorted(found))


def _schedule_row(row: Row) -> ScheduleRow:
    return ScheduleRow(
        item=row.item.value,
        scheduled_value=row.scheduled_value.value,
        previous=row.previous.value,
        this_period=row.this_period.value,
        stored=row.stored.value,
        total=row.total.value,
        retainage=row.retainage.value if row.retainage else ZERO,
    )


def _pay(
    given: Given,
    results: tuple[CheckResult, ...],
    requested: Decimal,
) -> tuple[tuple[Payment, ...], Decimal]:
    """The payments, adding up to what is recommended; none if the payees can't be told."""
    request = given.packet.request
    if request is None or requested <= 0 or _contradictory(results):
        return (), ZERO
    asked: dict[str, Decimal] = {}
    for payee in request.payees:
        registered = _loan.find_payee(given, payee)
        if registered is None or payee.amount.value < 0:
            return (), ZERO
        asked[registered.id] = asked.get(registered.id, ZERO) + payee.amount.value
    if total(asked.values()) != requested:
        return (), ZERO
    contractor, cut = given.loan.contractor, _cuts.taken_off(given)
    if cut > asked.get(contractor, ZERO):
        return (), ZERO
    if cut > 0:
        asked[contractor] -= cut
    payments = tuple(
        Payment(
            id=f"pay-{given.loan.loan_id}-{given.draw}-{payee}",
            payee=payee,
            account=_account(given, payee),
            amount=amount,
        )
        for payee, amount in sorted(asked.items())
        if amount > 0
    )
    return payments, total(payment.amount for payment in payments)


def _contradictory(results: tuple[CheckResult, ...]) -> bool:
    """Whether the arithmetic does not hold: then no amount can be recommended."""
    return any(
        result.check in {"sov.arithmetic", "sov.totals"} and result.status != CheckStatus.PASSED
        for result in results
    )


def _account(given: Given, payee: str) -> str:
    found = given.loan.payee(payee)
    return found.account if found else ""
