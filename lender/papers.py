"""What is written for people from a draw's checkpoint: the letter to the borrower, the worksheet.

1. The letter says what the borrower can mend, in the findings' own words with their places. It
   tells nobody that a payee hit a list, that an account is being called back on, nor what another
   loan was billed: that is the lender's own affair.
2. What documents said is text in a worksheet, never a formula (I12).
"""

import io
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font

from lender.model import Analysis, LoanFile, Packet
from placet.model import CheckpointView, Finding, InputPart, Model, Severity
from placet.process import Paper

NOT_FOR_THE_BORROWER = frozenset(
    {
        "balance.in_balance",
        "invoice.duplicate",
        "loan.open",
        "payee.bank_changed",
        "payee.screened",
        "people.keyed",
        "people.lowered",
    }
)
"""Checks whose findings the lender keeps to itself: nobody is told that they hit a list."""

_M = TypeVar("_M", bound=Model)
_MONEY_FORMAT = "#,##0.00"
_HEAD = Font(bold=True)
_COLUMNS = (
    *("A Item", "B Description", "C Scheduled", "D Previous", "E This period", "F Stored"),
    *("G To date", "G÷C", "H Balance", "I Retainage", "Inspected", "Taken off"),
)


def deficiency_letter(view: CheckpointView, parts: Sequence[InputPart]) -> Paper:
    """The letter, dated today."""
    return write_letter(view, parts, datetime.now(UTC).date())


def write_letter(view: CheckpointView, parts: Sequence[InputPart], day: date) -> Paper:
    """The letter to the borrower about what is missing or does not agree.

    Raises:
        ValueError: the checkpoint shows no loan and no analysis.
    """
    loan, analysis = _part(parts, "loan", LoanFile), _part(parts, "analysis", Analysis)
    draw = f"draw {analysis.draw} of loan {loan.loan_id}"
    findings = [
        each
        for each in view.evidence.proposal.findings
        if each.severity is not Severity.INFO and each.check not in NOT_FOR_THE_BORROWER
    ]
    findings.sort(key=lambda each: each.severity is not Severity.BLOCKING)
    # Several checks may lack one and the same thing.
    once = dict.fromkeys(_asked(each) for each in findings)
    asked = "".join(f"{number}. {each}" for number, each in enumerate(once, 1))
    opening = (
        "The draw can't go on until the following is mended. Please send the whole packet again\n"
        "with the corrected documents; the checks then run anew.\n"
        if any(each.severity is Severity.BLOCKING for each in findings)
        else "Nothing stops the draw. Please see to the following with the next packet.\n"
        if findings
        else "We found nothing in the packet that you would have to mend.\n"
    )
    address = f"{loan.borrower}\n{loan.project}\n{loan.job_location}"
    text = (
        f"{day:%B} {day.day}, {day.year}\n\n{address}\n\n"
        f"Re: {draw}, requested {_money(analysis.requested)}\n\n"
        f"{opening}\n{asked}"
        "Your draw administrator\n"
    )
    return Paper(f"letter-{loan.loan_id}-draw-{analysis.draw}.txt", text.encode())


def _asked(finding: Finding) -> str:
    lines = [_plain(finding.message)]
    for side in finding.compared:
        place = ", ".join(each for each in (side.place.document, side.place.spot) if each)
        lines.append(f"   {_plain(side.label)}: {_plain(side.value)} ({_plain(place)})")
    if finding.difference:
        lines.append(f"   difference: {_plain(finding.difference)}")
    return "\n".join(lines) + "\n\n"


def worksheet(view: CheckpointView, parts: Sequence[InputPart]) -> Paper:
    """The draw as a workbook: summary, findings, the continuation sheet, payments, adjustments.

    Raises:
        ValueError: the checkpoint shows no loan, packet or analysis.
    """
    loan, packet = _part(parts, "loan", LoanFile), _part(parts, "packet", Packet)
    analysis = _part(parts, "analysis", Analysis)
    book = Workbook()
    book.remove(book.worksheets[0])
    _sheet(book, "Draw", ("", ""), _summary(view, loan, analysis))
    _sheet(
        book,
        "Findings",
        ("Weight", "Check", "What was found", "Compared", "Value", "Document", "Place", "Diff."),
        _findings(view.evidence.proposal.findings),
    )
    _sheet(book, "G703", _COLUMNS, _rows(packet, analysis))
    _sheet(
        book,
        "Payments",
        ("Payment", "Payee", "Amount"),
        ((each.id, each.payee, each.amount) for each in analysis.payments),
    )
    _sheet(
        book,
        "Adjustments",
        ("Item", "Taken off", "Reason", "By"),
        ((each.item, each.amount, each.reason, each.by or "") for each in analysis.adjustments),
    )
    out = io.BytesIO()
    book.save(out)
    return Paper(f"worksheet-{loan.loan_id}-draw-{analysis.draw}.xlsx", out.getvalue())


def _summary(
    view: CheckpointView, loan: LoanFile, analysis: Analysis
) -> Iterable[tuple[object, ...]]:
    yield "Loan", loan.loan_id
    yield "Borrower", loan.borrower
    yield "Project", loan.project
    yield "Draw", analysis.draw
    yield "Requested", analysis.requested
    yield "Recommended", analysis.recommended
    yield "Commitment", loan.commitment
    yield "Disbursed before", loan.disbursed
    yield "Checked as of", analysis.as_of.isoformat()
    yield "Checkpoint", f"{view.title}, {view.status.value}"
    yield "Evidence", view.evidence_digest


def _findings(findings: Sequence[Finding]) -> Iterable[tuple[object, ...]]:
    for each in findings:
        lead = (each.severity.value, each.check, each.message)
        if not each.compared:
            yield (*lead, "", "", "", "", each.difference or "")
        for side in each.compared:
            place = (side.place.document, side.place.spot)
            yield (*lead, side.label, side.value, *place, each.difference or "")


def _rows(packet: Packet, analysis: Analysis) -> Iterable[tuple[object, ...]]:
    seen = {each.item.value: each.complete.value for each in _inspected(packet)}
    off: dict[str, Decimal] = {}
    for cut in analysis.adjustments:
        off[cut.item] = off.get(cut.item, Decimal(0)) + cut.amount
    for row in packet.application.rows if packet.application else ():
        item = row.item.value
        yield (
            item,
            row.description.value,
            row.scheduled_value.value,
            row.previous.value,
            row.this_period.value,
            row.stored.value,
            row.total.value,
            f"{row.percent.value:f}" if row.percent else "",
            row.balance.value if row.balance else "",
            row.retainage.value if row.retainage else "",
            f"{seen[item] * 100:.1f}%" if item in seen else "",
            off.get(item, ""),
        )


def _inspected(packet: Packet) -> Iterable[Any]:
    return packet.inspection.rows if packet.inspection else ()


def _sheet(
    book: Workbook, title: str, labels: Sequence[str], rows: Iterable[tuple[object, ...]]
) -> None:
    sheet = book.create_sheet(title)
    widths = [len(each) for each in labels]
    first = 1
    if any(labels):
        for column, label in enumerate(labels, 1):
            sheet.cell(1, column, label).font = _HEAD
        sheet.freeze_panes = "A2"
        first = 2
    for number, row in enumerate(rows, first):
        for column, value in enumerate(row, 1):
            cell = sheet.cell(number, column)
            if isinstance(value, Decimal):
                cell.value, cell.number_format = value, _MONEY_FORMAT
            elif isinstance(value, int):
                cell.value = value
            else:
                cell.value, cell.data_type = _plain(str(value)), "s"
            widths[column - 1] = max(widths[column - 1], len(str(value)))
    for column, width in enumerate(widths, 1):
        letter = sheet.cell(1, column).column_letter
        sheet.column_dimensions[letter].width = min(60, width + 2)


def _plain(text: str) -> str:
    """A text without what no file of text should have: control characters and line ends."""
    return " ".join(ILLEGAL_CHARACTERS_RE.sub("", text).split())


def _money(amount: Decimal) -> str:
    return f"${amount:,.2f}"


def _part(parts: Sequence[InputPart], name: str, model: type[_M]) -> _M:
    found = [each.part.data for each in parts if each.part.name == name]
    if not found:
        raise ValueError(f"this checkpoint shows no {name}: there is nothing to write from")
    return model.model_validate(found[-1])
