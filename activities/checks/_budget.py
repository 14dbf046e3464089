"""The check of a draw against the approved budget: its schedule of values, and its other lines."""

from decimal import Decimal

from activities.checks._given import ZERO, Findings, Given, side
from activities.checks._sov import schedule
from lender.model import Category, LineDrawn
from placet.model import CheckResult, Place


def reallocation(given: Given) -> CheckResult:
    """No value moved without an approved reallocation: between rows, or by overdrawing a line."""
    findings = Findings("budget.reallocation")
    _overdrawn(given, findings)
    application = schedule(given, findings)
    if application is None:
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
        if application.may_have(item):
            continue
        findings.add(
            f"{item}:missing",
            f"item {item} of the approved schedule is not on the G703",
            side("approved", expected[item], place),
        )
    return findings.result()


def _overdrawn(given: Given, findings: Findings) -> None:
    """What earlier draws and this one draw of a line that is no hard cost is within its amount.

    The hard-cost lines are drawn on by the rows that back them: none is billed above its value.
    """
    request = given.packet.request
    asked = {each.line: each.amount for each in drawn(given)}
    for line in given.loan.budget:
        left = line.amount - given.loan.drawn_of(line.id)
        over = asked.get(line.id, ZERO) - left
        if line.id not in asked or over <= 0 or request is None:
            continue
        place = next(e.amount.place for e in request.lines if e.line.value == line.id)
        what = line.category.value.replace("_", " ")
        findings.add(
            f"line-{line.id}",
            f"budget line {line.id} ({what}): more is requested than is left of it",
            side("amount requested", asked[line.id], place),
            side("left of the line", left, Place(document=given.loan_place, spot="budget")),
            difference=over,
        )


def drawn(given: Given) -> tuple[LineDrawn, ...]:
    """What the draw request asks of each budget line that is no hard cost."""
    others = {e.id for e in given.loan.budget if e.category is not Category.HARD_COST}
    asked: dict[str, Decimal] = {}
    for each in given.packet.request.lines if given.packet.request else ():
        if each.line.value in others:
            asked[each.line.value] = asked.get(each.line.value, ZERO) + each.amount.value
    return tuple(LineDrawn(line=line, amount=amount) for line, amount in sorted(asked.items()))
