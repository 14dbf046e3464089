"""The checks of a schedule of values against the loan: draws before, billing, retainage, budget."""

from decimal import Decimal

from activities.checks._documents import billed_too_much
from activities.checks._given import ZERO, Findings, Given, percent, side, total
from activities.checks._sov import schedule
from lender.model import DocumentKind, LoanFile, PriorDraw, Read, Retainage, Row, to_cents
from placet.model import CheckResult, Place, Severity

Rates = tuple[Decimal, Decimal]
"""What is held back of work, and of stored material."""


def continuity(given: Given) -> CheckResult:
    """D continues the last approved draw, as does the period; no row vanished.

    Stored material that is there no more went into the work.
    """
    findings = Findings("sov.continuity")
    application = schedule(given, findings)
    if application is None:
        return findings.result()
    last = given.loan.last_draw
    before = {row.item: row for row in last.rows} if last else {}
    place = Place(document=given.loan_place, spot=f"draw {last.number}" if last else "no draw yet")
    ends = application.period_to
    if last and ends and ends.value < last.period_to:
        findings.add(
            "period",
            "the period ends before that of the last draw: the waivers would cover nothing new",
            side("period to", ends.value, ends.place),
            side("last draw, period to", last.period_to, place),
        )
    seen: set[str] = set()
    for row in given.rows:
        item = row.item.value
        if item in seen:
            findings.add(
                f"{item}:twice", f"item {item} stands twice", side("A", item, row.item.place)
            )
        seen.add(item)
        old = before.get(item)
        worked = old.previous + old.this_period if old else ZERO
        findings.equal(
            f"{item}:D",
            f"item {item}: D is not D + E of the last approved draw",
            side("D, from previous applications", row.previous.value, row.previous.place),
            side("D + E of the last draw", worked, place),
            row.previous.value - worked,
        )
        fallen = (old.stored if old else ZERO) - row.stored.value
        if fallen > 0 and fallen > row.this_period.value:
            findings.add(
                f"{item}:F",
                f"item {item}: stored material fell by more than was built in this period",
                side("fall of F", fallen, row.stored.place),
                side("E, this period", row.this_period.value, row.this_period.place),
                difference=fallen - row.this_period.value,
            )
    for item in sorted(set(before) - seen):
        if application.may_have(item):
            continue
        findings.add(
            f"{item}:vanished",
            f"item {item} of the last draw is not on the G703",
            side("last draw", item, place),
            side("G703", "no such row", given.rows[0].item.place),
        )
    return findings.result()


def overbilled(given: Given) -> CheckResult:
    """No row with G > C; no negative E, but for the credit that a deductive change order states.

    As a row of its own it is given in full; posted into its row, what was billed above is.
    """
    findings = Findings("sov.overbilled")
    if not schedule(given, findings):
        return findings.result()
    for row in given.rows:
        item, over = row.item.value, row.total.value - row.scheduled_value.value
        if over > 0:
            findings.add(
                f"{item}:G",
                f"item {item} is billed above its scheduled value",
                side("G", row.total.value, row.total.place),
                side("C", row.scheduled_value.value, row.scheduled_value.place),
                difference=over,
            )
        # A row that is worth less than nothing states the correction itself; its value is compared
        # with the approved change orders elsewhere.
        credit = row.scheduled_value.value < 0 and row.total.value == row.scheduled_value.value
        least = -_taken_back(given, row)
        if row.this_period.value < least and not credit:
            findings.add(
                f"{item}:E",
                f"item {item}: the work of this period is negative"
                + (", by more than change orders took off the row" if least else ""),
                side("E", row.this_period.value, row.this_period.place),
                side("least, by change orders", least, _orders(given)),
            )
    return findings.result()


def _taken_back(given: Given, row: Row) -> Decimal:
    """What approved change orders took off a row that had been billed by then."""
    lowered = -total(
        order.amount
        for order in given.loan.change_orders
        if order.approved_by and order.item == row.item.value and order.amount < 0
    )
    billed = given.loan.billed_to_date.get(row.item.value, ZERO)
    there = min(row.previous.value + row.stored.value, billed)
    return max(min(there - row.scheduled_value.value, lowered), ZERO)


def retainage(given: Given) -> CheckResult:
    """Held retainage is what the loan agreement asks for, at most the statutory cap of it."""
    findings = Findings("retainage.rate")
    application = schedule(given, findings)
    if application is None:
        return findings.result()
    shown = application.summary.retainage
    if shown is None:
        place = given.place_of(DocumentKind.PAY_APPLICATION)
        findings.undetermined("line-5", "G702 line 5 could not be read", place)
    if shown is None or application.lacking:
        return findings.result()
    rates = agreed_rates(given)
    if shown.value in _held(given, *rates):
        _parts(given, rates, shown, findings)
    else:
        _not_as_agreed(given, rates, shown, findings)
    return findings.result()


def _not_as_agreed(given: Given, rates: Rates, shown: Read[Decimal], findings: Findings) -> None:
    terms = given.loan.terms.retainage
    place = Place(document=given.loan_place, spot="retainage terms")
    expected = min(_held(given, *rates), key=lambda each: abs(each - shown.value))
    short = shown.value < expected
    # Who asks for the release later, in a draw of its own, asks for less than is agreed.
    before = _before_a_step_down(terms)
    later = not short and shown.value in _held(given, *before)
    agreed_on = "agreed" if rates == (work_rate(given), terms.stored_rate) else "capped"
    findings.add(
        "held",
        f"retainage held is {'less' if short else 'more'} than the {agreed_on} "
        f"{percent(rates[0])} of work and {percent(rates[1])} of stored material",
        side("G702 line 5", shown.value, shown.place),
        side("as agreed", expected, place),
        difference=shown.value - expected,
        severity=Severity.INFO if later else Severity.BLOCKING,
    )
    if later:
        _parts(given, before, shown, findings)
        return
    cap = terms.statutory_cap
    # Forms round each row; the cap is not broken by the cents that rounding adds.
    most = None if cap is None else max(_held(given, cap, cap))
    if cap is not None and most is not None and shown.value > most:
        findings.add(
            "cap",
            f"retainage held is above the cap of {percent(cap)} set for {given.loan.state}",
            side("G702 line 5", shown.value, shown.place),
            side("cap", most, place),
            difference=shown.value - most,
        )


def _parts(given: Given, rates: Rates, shown: Read[Decimal], findings: Findings) -> None:
    """5a and 5b are each held at their rate, as is column I: what one lacks, another may have.

    A form that rounds work and material together states one of them as the rest of line 5. Where
    line 5 is the total of column I, that is right already.
    """
    summary = given.packet.application.summary if given.packet.application else None
    work = summary.retainage_work if summary else None
    stored = summary.retainage_stored if summary else None
    if work is not None and stored is not None:
        of_work, of_stored = _ways(rates[0], _worked(given)), _ways(rates[1], _stored(given))
        is_rest = work.value + stored.value == shown.value
        if not is_rest or (work.value not in of_work and stored.value not in of_stored):
            _part("5a", "5a, of completed work,", work, of_work, given, findings)
            _part("5b", "5b, of stored material,", stored, of_stored, given, findings)
    column = [(row, row.retainage) for row in given.rows if row.retainage is not None]
    if total(held.value for _, held in column) == shown.value:
        return
    for row, held in column:
        built = rates[0] * (row.previous.value + row.this_period.value)
        lies = rates[1] * row.stored.value
        ways = (to_cents(built) + to_cents(lies), to_cents(built + lies))
        item = row.item.value
        _part(f"{item}:I", f"item {item}: column I", held, ways, given, findings)


def _part(
    about: str,
    what: str,
    read: Read[Decimal],
    ways: tuple[Decimal, Decimal],
    given: Given,
    findings: Findings,
) -> None:
    if read.value in ways:
        return
    expected = min(ways, key=lambda each: abs(each - read.value))
    findings.add(
        about,
        f"{what} is not the retainage that is to be held",
        side("retainage held", read.value, read.place),
        side("as agreed", expected, Place(document=given.loan_place, spot="retainage terms")),
        difference=read.value - expected,
    )


def _worked(given: Given) -> list[Decimal]:
    return [row.previous.value + row.this_period.value for row in given.rows]


def _stored(given: Given) -> list[Decimal]:
    return [row.stored.value for row in given.rows]


def _ways(rate: Decimal, amounts: list[Decimal]) -> tuple[Decimal, Decimal]:
    """What a rate holds back of rows, rounded row by row, and once."""
    parts = [rate * each for each in amounts]
    return total(map(to_cents, parts)), to_cents(total(parts))


def _held(given: Given, on_work: Decimal, on_stored: Decimal) -> tuple[Decimal, ...]:
    """What rates hold back of work and stored material, in each way in which forms round it.

    Row by row or once; the two parts each for itself (5a and 5b), or together (column I).
    """
    work, stored = _ways(on_work, _worked(given)), _ways(on_stored, _stored(given))
    both = [
        on_work * worked + on_stored * lies
        for worked, lies in zip(_worked(given), _stored(given), strict=True)
    ]
    each_for_itself = (of_work + of_stored for of_work, of_stored in zip(work, stored, strict=True))
    return (*each_for_itself, *_ways(Decimal(1), both))


def work_rate(given: Given) -> Decimal:
    """The agreed rate on work, after a step-down once the whole is far enough along.

    Work that nobody saw and material that nothing backs bring no step-down, and a change order that
    comes after one does not take it back.
    """
    terms = given.loan.terms.retainage
    if terms.step_down_at is None or terms.step_down_rate is None:
        return terms.work_rate
    whole = total(row.scheduled_value.value for row in given.rows)
    done = total(row.total.value - e.work - e.material for row, e in billed_too_much(given))
    at, loan = terms.step_down_at, given.loan
    reached = bool(whole) and done / whole >= at
    if reached or any(_reached(loan, draw, at) for draw in loan.prior_draws):
        return terms.step_down_rate
    return terms.work_rate


def agreed_rates(given: Given) -> Rates:
    """What is to be held of work and of stored material: the agreed rates, at most the cap."""
    terms = given.loan.terms.retainage
    return _at_most_the_cap(terms, work_rate(given), terms.stored_rate)


def _before_a_step_down(terms: Retainage) -> Rates:
    return _at_most_the_cap(terms, terms.work_rate, terms.stored_rate)


def _at_most_the_cap(terms: Retainage, on_work: Decimal, on_stored: Decimal) -> Rates:
    cap = terms.statutory_cap
    return (on_work, on_stored) if cap is None else (min(on_work, cap), min(on_stored, cap))


def held_rates(given: Given) -> Rates:
    """The rates at which this application holds back of work, and of stored material.

    Those agreed; those before a step-down; or in proportion, where it holds less than was agreed.
    """
    terms, application = given.loan.terms.retainage, given.packet.application
    agreed = agreed_rates(given)
    shown = application.summary.retainage if application else None
    if shown is None:
        return agreed
    for rates in (agreed, _before_a_step_down(terms)):
        if shown.value in _held(given, *rates):
            return rates
    asked = max(_held(given, *agreed))
    if asked <= 0:
        return agreed
    share = min(max(shown.value / asked, ZERO), Decimal(1))
    return agreed[0] * share, agreed[1] * share


def _reached(loan: LoanFile, draw: PriorDraw, share: Decimal) -> bool:
    """Whether an earlier draw was that far along, by what was seen, as far as that is known."""
    whole = total(row.scheduled_value for row in draw.rows)
    work = total(row.previous + row.this_period for row in draw.rows)
    if draw.inspected is not None:
        work = min(work, draw.inspected + whole * loan.terms.inspection_tolerance)
    return whole > 0 and (work + total(row.stored for row in draw.rows)) / whole >= share


def change_orders(given: Given) -> CheckResult:
    """Line 2 is the sum of approved change orders; none that is not approved is billed."""
    findings = Findings("change_orders.approved")
    application = schedule(given, findings, every_row=False)
    if application is None:
        return findings.result()
    approved: dict[str, Decimal] = {}  # one may change several rows
    for each in given.loan.change_orders:
        if each.approved_by:
            approved[each.number] = approved.get(each.number, ZERO) + each.amount
    known = total(approved.values())
    place = _orders(given)
    line = application.summary.change_orders
    if line is None:
        document = given.place_of(DocumentKind.PAY_APPLICATION)
        findings.undetermined("line-2", "G702 line 2 could not be read", document)
    else:
        findings.equal(
            "line-2",
            "G702 line 2 is not the sum of the approved change orders",
            side("line 2", line.value, line.place),
            side("approved change orders", known, place),
            line.value - known,
        )
    log = given.packet.change_orders
    if log is None:
        if line is not None and line.value:
            document = given.place_of(DocumentKind.CHANGE_ORDERS)
            findings.undetermined("log", "there is no readable change-order log", document)
        return findings.result()
    logged: dict[str, list[Read[Decimal]]] = {}
    for order in log:
        number = order.number.value
        if number in approved and order.approved_by is not None:
            logged.setdefault(number, []).append(order.amount)
            continue
        findings.add(
            f"CO-{number}",
            f"change order {number} is not approved",
            side("log", order.amount.value, order.amount.place),
            side("approved", "no such change order", place),
            severity=Severity.BLOCKING if _billed(line, known) else Severity.WARNING,
        )
    for number, amounts in sorted(logged.items()):
        if {each.value for each in amounts} == {approved[number]}:
            continue  # told once, or the same again in a copy
        summed = total(each.value for each in amounts)
        findings.equal(
            f"CO-{number}:amount",
            f"change order {number} has another amount than was approved",
            side("log", summed, amounts[0].place),
            side("approved", approved[number], place),
            summed - approved[number],
        )
    return findings.result()


def _orders(given: Given) -> Place:
    return Place(document=given.loan_place, spot="change orders")


def _billed(line: Read[Decimal] | None, known: Decimal) -> bool:
    return line is None or line.value != known
