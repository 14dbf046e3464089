"""The checks of the schedule of values: ``sov.*``, ``retainage.rate``, ``budget.reallocation``."""

from decimal import Decimal

from activities.checks._given import ZERO, Findings, Given, percent, side, total
from lender.model import Category, PayApplication, Read, Row, Summary, to_cents
from placet.model import CheckResult, Place, Severity


def _application(given: Given, findings: Findings) -> PayApplication | None:
    application = given.packet.application
    if application is None or not application.rows:
        findings.undetermined("application", "there is no pay application with G703 rows")
        return None
    return application


def arithmetic(given: Given) -> CheckResult:
    """Every row: G = D+E+F, H = C−G to the cent, % = G÷C at the precision shown."""
    findings = Findings("sov.arithmetic")
    if _application(given, findings):
        for row in given.rows:
            _row_arithmetic(row, findings)
    return findings.result()


def _row_arithmetic(row: Row, findings: Findings) -> None:
    item = row.item.value
    computed = row.previous.value + row.this_period.value + row.stored.value
    findings.equal(
        f"{item}:G",
        f"item {item}: G is not D + E + F",
        side("G, total completed and stored", row.total.value, row.total.place),
        side("D + E + F", computed, row.previous.place),
        row.total.value - computed,
    )
    if row.balance is not None:
        balance = row.scheduled_value.value - row.total.value
        findings.equal(
            f"{item}:H",
            f"item {item}: H is not C − G",
            side("H, balance to finish", row.balance.value, row.balance.place),
            side("C − G", balance, row.scheduled_value.place),
            row.balance.value - balance,
        )
    if row.percent is not None and row.scheduled_value.value:
        share = row.total.value / row.scheduled_value.value
        # Half of the last place shown, on the scale of one.
        allowed = Decimal(5) / Decimal(10) ** (row.percent_places + 3)
        if abs(share - row.percent.value) > allowed:
            findings.add(
                f"{item}:percent",
                f"item {item}: % is not G ÷ C",
                side("%", percent(row.percent.value), row.percent.place),
                side("G ÷ C", percent(share), row.total.place),
            )


def totals(given: Given) -> CheckResult:
    """The G702's lines follow from each other and from the G703; the request adds up to line 8."""
    findings = Findings("sov.totals")
    application = _application(given, findings)
    if application is None:
        return findings.result()
    if application.totals is not None:
        _totals_row(application.totals, given.rows, findings)
    _lines(application.summary, given, findings)
    _request(application.summary, given, findings)
    return findings.result()


def _totals_row(row: Row, rows: tuple[Row, ...], findings: Findings) -> None:
    for name in ("scheduled_value", "previous", "this_period", "stored", "total"):
        shown: Read[Decimal] = getattr(row, name)
        summed = total(getattr(each, name).value for each in rows)
        findings.equal(
            f"G703:{name}",
            f"the G703 total of {name.replace('_', ' ')} is not the sum of its rows",
            side("total shown", shown.value, shown.place),
            side("sum of the rows", summed, rows[0].item.place),
            shown.value - summed,
        )
    for name in ("balance", "retainage"):
        optional: Read[Decimal] | None = getattr(row, name)
        values = [getattr(each, name) for each in rows]
        if optional is not None and all(value is not None for value in values):
            summed = total(value.value for value in values)
            findings.equal(
                f"G703:{name}",
                f"the G703 total of {name} is not the sum of its rows",
                side("total shown", optional.value, optional.place),
                side("sum of the rows", summed, rows[0].item.place),
                optional.value - summed,
            )


def _lines(summary: Summary, given: Given, findings: Findings) -> None:
    rows = given.rows
    held = [row.retainage for row in rows]
    retained = total(r.value for r in held if r is not None) if any(held) else None
    parts = [r for r in (summary.retainage_work, summary.retainage_stored) if r is not None]
    last = given.loan.last_draw
    before = ZERO if last is None else last.earned_less_retainage
    checks: list[tuple[str, Read[Decimal] | None, Decimal | None, str]] = [
        (
            "3",
            summary.contract_to_date,
            _sum(summary.original_contract, summary.change_orders),
            "1 + 2",
        ),
        (
            "3:C",
            summary.contract_to_date,
            total(r.scheduled_value.value for r in rows),
            "sum of column C",
        ),
        ("4", summary.completed_and_stored, total(r.total.value for r in rows), "sum of column G"),
        ("5:I", summary.retainage, retained, "sum of column I"),
        ("5", summary.retainage, total(p.value for p in parts) if parts else None, "5a + 5b"),
        (
            "6",
            summary.earned_less_retainage,
            _less(summary.completed_and_stored, summary.retainage),
            "4 − 5",
        ),
        ("7", summary.previous_certificates, before, "line 6 of the previous certificate"),
        (
            "8",
            summary.current_payment,
            _less(summary.earned_less_retainage, summary.previous_certificates),
            "6 − 7",
        ),
        (
            "9",
            summary.balance_to_finish,
            _less(summary.contract_to_date, summary.earned_less_retainage),
            "3 − 6",
        ),
    ]
    for name, shown, computed, what in checks:
        number = name.split(":")[0]
        if shown is None:
            findings.undetermined(f"line-{number}", f"G702 line {number} could not be read")
        elif computed is not None:
            place = rows[0].item.place if name in {"3:C", "4", "5:I"} else shown.place
            if name == "7":
                place = Place(document=given.loan_place, spot="last draw, line 6")
            findings.equal(
                f"line-{name}",
                f"G702 line {number} is not {what}",
                side(f"line {number}", shown.value, shown.place),
                side(what, computed, place),
                shown.value - computed,
            )


def _request(summary: Summary, given: Given, findings: Findings) -> None:
    request = given.packet.request
    if request is None or request.total is None or not request.lines:
        findings.undetermined("request", "there is no readable draw request with lines and total")
        return
    lines = total(line.amount.value for line in request.lines)
    payees = total(payee.amount.value for payee in request.payees)
    for about, summed, what, place in (
        ("request:lines", lines, "sum of its lines", request.lines[0].amount.place),
        ("request:payees", payees, "sum of its payees", request.total.place),
    ):
        findings.equal(
            about,
            f"the total requested is not the {what}",
            side("total requested", request.total.value, request.total.place),
            side(what, summed, place),
            request.total.value - summed,
        )
    for read, what in (
        *((line.amount, f"budget line {line.line.value}") for line in request.lines),
        *((payee.amount, payee.payee.value) for payee in request.payees),
    ):
        if read.value < 0:
            findings.add(
                f"request:{what}:negative",
                f"less than nothing is requested for {what}",
                side("amount requested", read.value, read.place),
            )
    budget = {line.id: line for line in given.loan.budget}
    hard = ZERO
    for line in request.lines:
        known = budget.get(line.line.value)
        if known is None:
            findings.add(
                f"request:{line.line.value}",
                f"the loan budget has no line {line.line.value}",
                side("draw request", line.line.value, line.line.place),
                side("budget lines", len(budget), Place(document=given.loan_place, spot="budget")),
            )
        elif known.category is Category.HARD_COST:
            hard += line.amount.value
    due = summary.current_payment
    if due is not None:
        findings.equal(
            "request:hard-cost",
            "the hard cost requested is not the current payment due",
            side("hard cost requested", hard, request.lines[0].amount.place),
            side("G702 line 8", due.value, due.place),
            hard - due.value,
        )


def _sum(left: Read[Decimal] | None, right: Read[Decimal] | None) -> Decimal | None:
    return None if left is None or right is None else left.value + right.value


def _less(left: Read[Decimal] | None, right: Read[Decimal] | None) -> Decimal | None:
    return None if left is None or right is None else left.value - right.value


def continuity(given: Given) -> CheckResult:
    """D continues the last approved draw; no row vanished; stored material went into the work."""
    findings = Findings("sov.continuity")
    if not _application(given, findings):
        return findings.result()
    last = given.loan.last_draw
    before = {row.item: row for row in last.rows} if last else {}
    place = Place(document=given.loan_place, spot=f"draw {last.number}" if last else "no draw yet")
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
        findings.add(
            f"{item}:vanished",
            f"item {item} of the last draw is not on the G703",
            side("last draw", item, place),
            side("G703", "no such row", given.rows[0].item.place),
        )
    return findings.result()


def overbilled(given: Given) -> CheckResult:
    """No row with G > C; no negative E."""
    findings = Findings("sov.overbilled")
    if not _application(given, findings):
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
        if row.this_period.value < 0:
            findings.add(
                f"{item}:E",
                f"item {item}: the work of this period is negative",
                side("E", row.this_period.value, row.this_period.place),
            )
    return findings.result()


def retainage(given: Given) -> CheckResult:
    """Held retainage is what the loan agreement asks for, within the statutory cap."""
    findings = Findings("retainage.rate")
    application = _application(given, findings)
    if application is None:
        return findings.result()
    shown = application.summary.retainage
    if shown is None:
        findings.undetermined("line-5", "G702 line 5 could not be read")
        return findings.result()
    terms = given.loan.terms.retainage
    rate = work_rate(given)
    by_row, at_once = _held(given, rate, terms.stored_rate)
    if shown.value not in {by_row, at_once}:
        expected = min((by_row, at_once), key=lambda each: abs(each - shown.value))
        short = shown.value < expected
        findings.add(
            "held",
            f"retainage held is {'less' if short else 'more'} than the agreed "
            f"{percent(rate)} of work and {percent(terms.stored_rate)} of stored material",
            side("G702 line 5", shown.value, shown.place),
            side("as agreed", expected, Place(document=given.loan_place, spot="retainage terms")),
            difference=shown.value - expected,
        )
    cap = terms.statutory_cap
    # Forms round each row; the cap is not broken by the cents that rounding adds.
    most = None if cap is None else max(_held(given, cap, cap))
    if cap is not None and most is not None and shown.value > most:
        findings.add(
            "cap",
            f"retainage held is above the cap of {percent(cap)} set for {given.loan.state}",
            side("G702 line 5", shown.value, shown.place),
            side("cap", most, Place(document=given.loan_place, spot="retainage terms")),
            difference=shown.value - most,
        )
    return findings.result()


def _held(given: Given, on_work: Decimal, on_stored: Decimal) -> tuple[Decimal, Decimal]:
    """What rates hold back of work and stored material: rounded row by row, and rounded once."""
    parts = [
        (on_work * (row.previous.value + row.this_period.value), on_stored * row.stored.value)
        for row in given.rows
    ]
    by_row = total(to_cents(work) + to_cents(stored) for work, stored in parts)
    work, stored = total(part[0] for part in parts), total(part[1] for part in parts)
    return by_row, to_cents(work) + to_cents(stored)


def work_rate(given: Given) -> Decimal:
    """The agreed rate on work, after a step-down once the whole is far enough along."""
    terms = given.loan.terms.retainage
    if terms.step_down_at is None or terms.step_down_rate is None:
        return terms.work_rate
    whole = total(row.scheduled_value.value for row in given.rows)
    done = total(row.total.value for row in given.rows)
    return terms.step_down_rate if whole and done / whole >= terms.step_down_at else terms.work_rate


def reallocation(given: Given) -> CheckResult:
    """No scheduled value moved between rows without an approved reallocation or change order."""
    findings = Findings("budget.reallocation")
    if not _application(given, findings):
        return findings.result()
    loan = given.loan
    expected = loan.approved_values
    place = Place(document=given.loan_place, spot="schedule of values")
    for row in given.rows:
        item = row.item.value
        approved = expected.pop(item, None)
        if approved is None:
            findings.add(
                f"{item}:unknown",
                f"item {item} is not in the approved schedule of values",
                side("C", row.scheduled_value.value, row.scheduled_value.place),
                side("approved schedule", "no such item", place),
            )
            continue
        findings.equal(
            f"{item}:C",
            f"item {item}: the scheduled value is not the approved one",
            side("C, scheduled value", row.scheduled_value.value, row.scheduled_value.place),
            side("approved", approved, place),
            row.scheduled_value.value - approved,
        )
    for item in sorted(expected):
        findings.add(
            f"{item}:missing",
            f"item {item} of the approved schedule is not on the G703",
            side("approved", expected[item], place),
        )
    return findings.result()


def change_orders(given: Given) -> CheckResult:
    """Line 2 is the sum of approved change orders; none that is not approved is billed."""
    findings = Findings("change_orders.approved")
    application = _application(given, findings)
    if application is None:
        return findings.result()
    approved = {o.number: o for o in given.loan.change_orders if o.approved_by}
    known = total(order.amount for order in approved.values())
    place = Place(document=given.loan_place, spot="change orders")
    line = application.summary.change_orders
    if line is None:
        findings.undetermined("line-2", "G702 line 2 could not be read")
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
            findings.undetermined("log", "there is no readable change-order log")
        return findings.result()
    for order in log:
        match = approved.get(order.number.value)
        if match is None or order.approved_by is None:
            findings.add(
                f"CO-{order.number.value}",
                f"change order {order.number.value} is not approved",
                side("log", order.amount.value, order.amount.place),
                side("approved", "no such change order", place),
                severity=Severity.BLOCKING if _billed(line, known) else Severity.WARNING,
            )
        else:
            findings.equal(
                f"CO-{order.number.value}:amount",
                f"change order {order.number.value} has another amount than was approved",
                side("log", order.amount.value, order.amount.place),
                side("approved", match.amount, place),
                order.amount.value - match.amount,
            )
    return findings.result()


def _billed(line: Read[Decimal] | None, known: Decimal) -> bool:
    return line is None or line.value != known
