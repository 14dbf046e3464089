"""The checks of a schedule of values by itself: its rows, its totals, its summary, the request."""

from decimal import Decimal

from activities.checks._given import ZERO, Findings, Given, percent, side, total
from lender.model import Category, DocumentKind, PayApplication, Read, Row, Summary
from placet.model import CENT, CheckResult, Place


def schedule(given: Given, findings: Findings, *, every_row: bool = True) -> PayApplication | None:
    """The pay application with its rows; without them the check can't tell."""
    application = given.packet.application
    if application is None or not application.rows:
        what = "there is no pay application with G703 rows"
        findings.undetermined("application", what, given.place_of(DocumentKind.PAY_APPLICATION))
        return None
    if application.lacking and every_row:
        place = Place(document=application.rows[0].item.place.document)
        items = ", ".join(application.lacking[:20])
        findings.undetermined("rows", f"G703 rows could not be read: item {items}", place)
    return application


def arithmetic(given: Given) -> CheckResult:
    """Every row: G = D+E+F, H = C−G to the cent, % = G÷C at the precision shown."""
    findings = Findings("sov.arithmetic")
    if schedule(given, findings):
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
    application = schedule(given, findings)
    if application is None:
        return findings.result()
    if application.totals is not None and not application.lacking:
        _totals_row(application.totals, given.rows, findings)
    _lines(application, given, findings)
    _line_5(application, given.rows, findings)
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


_OF_ROWS = frozenset({"3:C", "4"})
"""What of the G702 is a sum of the G703's rows."""


def _lines(application: PayApplication, given: Given, findings: Findings) -> None:
    rows, summary = given.rows, application.summary
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
        (
            "6",
            summary.earned_less_retainage,
            _less(summary.completed_and_stored, summary.retainage),
            "4 − 5",
        ),
        ("7", summary.previous_certificates, before, "line 6 of the previous certificate as paid"),
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
            said = f"G702 line {number} could not be read"
            document = given.place_of(DocumentKind.PAY_APPLICATION)
            findings.undetermined(f"line-{number}", said, document)
        elif computed is not None and not (application.lacking and name in _OF_ROWS):
            place = rows[0].item.place if name in _OF_ROWS else shown.place
            if name == "7":
                place = Place(document=given.loan_place, spot="last draw, line 6")
            findings.equal(
                f"line-{name}",
                f"G702 line {number} is not {what}",
                side(f"line {number}", shown.value, shown.place),
                side(what, computed, place),
                shown.value - computed,
            )


def _line_5(application: PayApplication, rows: tuple[Row, ...], findings: Findings) -> None:
    """Line 5 is 5a + 5b or the total of column I: the other one is off by what rounding adds."""
    summary, shown = application.summary, application.summary.retainage
    if shown is None:
        place = Place(document=rows[0].item.place.document)
        findings.undetermined("line-5", "G702 line 5 could not be read", place)
        return
    held = [row.retainage for row in rows if row.retainage is not None]
    parts = [r for r in (summary.retainage_work, summary.retainage_stored) if r is not None]
    sums = []
    if held and not application.lacking:
        sums.append((":I", "sum of column I", total(each.value for each in held), held[0].place))
    if parts:
        sums.append(("", "5a + 5b", total(each.value for each in parts), parts[0].place))
    is_one = any(summed == shown.value for _, _, summed, _ in sums)
    allowed = CENT * len(rows) if is_one else ZERO
    for name, what, summed, place in sums:
        difference = shown.value - summed
        if abs(difference) > allowed:
            findings.add(
                f"line-5{name}",
                f"G702 line 5 is not {what}",
                side("line 5", shown.value, shown.place),
                side(what, summed, place),
                difference=difference,
            )


def _request(summary: Summary, given: Given, findings: Findings) -> None:
    request = given.packet.request
    if request is None or request.total is None or not request.lines:
        what = "there is no readable draw request with lines and total"
        findings.undetermined("request", what, given.place_of(DocumentKind.DRAW_REQUEST))
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
