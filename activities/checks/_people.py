"""What people changed: told to everybody who decides after them."""

from activities.checks._given import Findings, Given, money, side
from lender.model import Row
from placet.model import CheckResult, Place, Severity


def lowered(given: Given) -> CheckResult:
    """Each amount that a person took off a row; the row must be one of the application's."""
    findings = Findings("people.lowered")
    rows = {row.item.value: row for row in given.rows}
    for cut in given.cuts:
        row: Row | None = rows.get(cut.item)
        who = cut.by.partition(":")[2]
        place = Place(document="decision", spot=cut.act[:40]) if row is None else row.total.place
        findings.add(
            f"{cut.item}-{cut.act[:20]}",
            f"{who} took {money(cut.amount)} off row {cut.item}: {cut.reason}"
            if row is not None
            else f"{who} took {money(cut.amount)} off row {cut.item}, which is no row",
            side("taken off", cut.amount, place),
            severity=Severity.BLOCKING if row is None else Severity.INFO,
        )
    return findings.result(otherwise="nobody has lowered the amount")


def keyed(given: Given) -> CheckResult:
    """Each value that a person keyed: whoever decides looks at its page as well."""
    findings = Findings("people.keyed")
    for note in given.packet.keyed:
        findings.add(
            f"{note.document}-{note.field}",
            f"{note.by.partition(':')[2]} keyed {note.field}: {note.value}",
            side("keyed", note.value, Place(document=note.document, spot="keyed")),
            severity=Severity.WARNING,
        )
    return findings.result(otherwise="every value was read")
