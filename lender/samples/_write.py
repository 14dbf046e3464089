"""Writing a planned packet as files: spreadsheets, flat PDFs, fillable PDFs."""

import csv
import html
import io
import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import openpyxl
from openpyxl.styles import Font
from reportlab.lib.pagesizes import letter
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfbase.pdfdoc import PDFDictionary, PDFName, PDFString
from reportlab.pdfgen import canvas
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from lender.model import WaiverKind
from lender.samples._plan import DrawPlan, PlannedBill, PlannedWaiver

_TITLES = {
    WaiverKind.CONDITIONAL_PROGRESS: "CONDITIONAL WAIVER AND RELEASE ON PROGRESS PAYMENT",
    WaiverKind.UNCONDITIONAL_PROGRESS: "UNCONDITIONAL WAIVER AND RELEASE ON PROGRESS PAYMENT",
    WaiverKind.CONDITIONAL_FINAL: "CONDITIONAL WAIVER AND RELEASE ON FINAL PAYMENT",
    WaiverKind.UNCONDITIONAL_FINAL: "UNCONDITIONAL WAIVER AND RELEASE ON FINAL PAYMENT",
}
_ACCOUNTING = '_($* #,##0.00_);_($* (#,##0.00);_($* "-"??_);_(@_)'


def write_packet(
    plan: DrawPlan, folder: Path, *, as_csv: bool = False, lists_as_pdf: bool = False
) -> Path:
    """Write a packet's files into a folder, which is made if need be.

    The draw request and the subcontractor list are PDFs with tables, if asked for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if as_csv:
        (folder / "pay-application.csv").write_text(_csv([*_g702(plan), [], *_g703(plan)]))
    else:
        _workbook(plan, folder / "pay-application.xlsx")
    rows: list[list[object]] = [["Subcontractor", "Contract", "Paid to date", "Due"]]
    rows += [list(each) for each in plan.subcontractors]
    if lists_as_pdf:
        (folder / "draw-request.pdf").write_bytes(_request_pdf(plan))
        (folder / "subcontractors.pdf").write_bytes(table_pdf("SWORN STATEMENT", [], rows))
    else:
        _request(plan, folder / "draw-request.xlsx")
        (folder / "subcontractors.csv").write_text(_csv(rows))
    if plan.change_orders:
        log: list[list[object]] = [["Change order", "Amount", "Approved by"]]
        log += [list(each) for each in plan.change_orders]
        (folder / "change-orders.csv").write_text(_csv(log))
    for number, waiver in enumerate(plan.waivers):
        name = f"waiver-{waiver.kind.value}-{_slug(waiver.claimant)}.pdf"
        (folder / name).write_bytes(_waiver(plan, waiver, fillable=number % 2 == 1))
    inspection = [f"Item {row.item}: {row.inspected * 100:.2f}%" for row in plan.rows]
    (folder / "inspection.pdf").write_bytes(
        flat_pdf(
            "INSPECTION REPORT",
            [
                f"Project: {plan.loan.project}",
                f"Date of Visit: {plan.visited.isoformat()}",
                "Inspector: West Coast Construction Inspections",
                *inspection,
                *plan.remarks,
            ],
        )
    )
    exceptions = plan.title_exceptions or ["None"]
    (folder / "title.pdf").write_bytes(
        flat_pdf(
            "TITLE DATE-DOWN ENDORSEMENT",
            [
                f"Effective Date: {plan.title_effective:%m/%d/%Y}",
                *(f"Exception {number}: {text}" for number, text in enumerate(exceptions, 1)),
            ],
        )
    )
    for kind, expires in plan.insurance.items():
        fields = [
            ("Kind of Insurance", kind),
            ("Carrier", "Pacific Surety Mutual"),
            ("Expiration Date", expires.isoformat()),
        ]
        name = f"insurance-{_slug(kind)}.pdf"
        (folder / name).write_bytes(form_pdf("CERTIFICATE OF LIABILITY INSURANCE", fields))
    for number, bill in enumerate(plan.bills, 1):
        (folder / f"bill-{number:02d}-{_slug(bill.number)}.pdf").write_bytes(_bill(bill))
    return folder


def _g702(plan: DrawPlan) -> list[list[object]]:
    s = plan.summary
    rows: list[list[object]] = [
        ["APPLICATION AND CERTIFICATE FOR PAYMENT"],
        ["Project", plan.loan.project],
        ["Application No", plan.draw],
        ["Period to", plan.period_to.isoformat()],
        ["1. Original contract sum", s["original_contract"]],
        ["2. Net change by change orders", s["change_orders"]],
        ["3. Contract sum to date (line 1 + 2)", s["contract_to_date"]],
        ["4. Total completed and stored to date", s["completed_and_stored"]],
        ["5a. Retainage of completed work", s["retainage_work"]],
        ["5b. Retainage of stored material", s["retainage_stored"]],
        ["Total retainage (5a + 5b)", s["retainage"]],
        ["6. Total earned less retainage", s["earned_less_retainage"]],
        ["7. Less previous certificates for payment", s["previous_certificates"]],
        ["8. Current payment due", s["current_payment"]],
        ["9. Balance to finish, including retainage", s["balance_to_finish"]],
        ["Amount certified", plan.certified],
    ]
    if plan.contractor_signed:
        rows.append(["Contractor signed", plan.contractor_signed.isoformat()])
    if plan.architect_signed:
        rows.append(["Architect signed", plan.architect_signed.isoformat()])
    return rows


def _g703(plan: DrawPlan) -> list[list[object]]:
    rows: list[list[object]] = [
        [
            "Item No",
            "Description of Work",
            "Scheduled Value",
            "From Previous Application",
            "This Period",
            "Materials Presently Stored",
            "Total Completed and Stored to Date",
            "% (G / C)",
            "Balance to Finish",
            "Retainage",
        ]
    ]
    for row in plan.rows:
        share = row.total / row.scheduled_value * 100 if row.scheduled_value else Decimal(0)
        rows.append(
            [
                row.item,
                row.description,
                row.scheduled_value,
                row.previous,
                row.this_period,
                row.stored,
                row.total,
                f"{share:.2f}%",
                row.scheduled_value - row.total,
                row.retainage,
            ]
        )
    sums = [
        sum((getattr(row, name) for row in plan.rows), Decimal("0.00"))
        for name in ("scheduled_value", "previous", "this_period", "stored", "total")
    ]
    held = sum((row.retainage for row in plan.rows), Decimal("0.00"))
    rows.append(["", "GRAND TOTAL", *sums, "", sums[0] - sums[4], held])
    return rows


def _workbook(plan: DrawPlan, path: Path) -> None:
    book = openpyxl.Workbook()
    first = book.active
    assert first is not None
    first.title = "G702"
    for row in _g702(plan):
        first.append(row)
    second = book.create_sheet("G703")
    for row in _g703(plan):
        second.append(row)
    for sheet in (first, second):
        for cells in sheet.iter_rows():
            for cell in cells:
                if isinstance(cell.value, Decimal):
                    cell.number_format = _ACCOUNTING
        for cell in sheet[1]:
            cell.font = Font(bold=True)
    book.save(path)


def _request(plan: DrawPlan, path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Draw request"
    rows: list[list[object]] = [
        ["BORROWER'S DRAW REQUEST"],
        ["Draw Number", plan.request_draw],
        ["Total requested", plan.request_total],
        ["Signed on", plan.period_to.isoformat()],
        [],
        ["Budget line", "Amount requested"],
        *([line, amount] for line, amount in plan.request_lines),
    ]
    for row in rows:
        sheet.append(row)
    payees = book.create_sheet("Payees")
    payees.append(["Payee", "Amount"])
    for name, amount in plan.request_payees:
        payees.append([name, amount])
    book.save(path)


def _request_pdf(plan: DrawPlan) -> bytes:
    return table_pdf(
        "BORROWER'S DRAW REQUEST",
        [
            f"Draw Number: {plan.request_draw}",
            f"Total requested: ${plan.request_total:,.2f}",
            f"Signed on: {plan.period_to.isoformat()}",
        ],
        [["Budget line", "Amount requested"], *map(list, plan.request_lines)],
        [["Payee", "Amount"], *map(list, plan.request_payees)],
    )


def _waiver(plan: DrawPlan, waiver: PlannedWaiver, *, fillable: bool) -> bytes:
    fields = [
        ("Name of Claimant", waiver.claimant),
        ("Name of Customer", plan.loan.borrower),
        ("Job Location", waiver.job_location),
        ("Owner", waiver.owner),
        ("Through Date", waiver.through.isoformat()),
        ("Amount of Check", f"${waiver.amount:,.2f}"),
        ("Exceptions", waiver.exceptions),
    ]
    if waiver.signed:
        fields.append(("Date of Signature", f"{waiver.signed:%m/%d/%Y}"))
    title = _TITLES[waiver.kind]
    if fillable:
        return form_pdf(title, fields)
    return flat_pdf(title, [f"{name}: {value}" for name, value in fields])


def _bill(bill: PlannedBill) -> bytes:
    return flat_pdf(
        "BILL OF SALE" if bill.bill_of_sale else "INVOICE",
        [
            f"Vendor: {bill.vendor}",
            f"Number: {bill.number}",
            f"Date: {bill.dated.isoformat()}",
            f"Item: {bill.item}",
            f"Amount: ${bill.amount:,.2f}",
        ],
    )


def flat_pdf(title: str, lines: Sequence[str], *, script: str | None = None) -> bytes:
    """A PDF of plain text."""
    buffer = io.BytesIO()
    page = canvas.Canvas(buffer, pagesize=letter, invariant=True)
    page.drawString(72, 740, title)
    height = 710
    for line in lines:
        if height < 60:
            page.showPage()
            height = 740
        page.drawString(72, height, line)
        height -= 16
    page.showPage()
    if script is not None:
        page._doc.Catalog.OpenAction = _action(script)
    page.save()
    return buffer.getvalue()


def table_pdf(title: str, lines: Sequence[str], *tables: Sequence[Sequence[object]]) -> bytes:
    """A PDF of text and of tables with lines around their cells, which go on over pages."""
    buffer = io.BytesIO()
    plain = getSampleStyleSheet()["Normal"]
    parts: list[Flowable] = [Paragraph(html.escape(each), plain) for each in (title, *lines)]
    for rows in tables:
        shown = [[_amount(value) for value in row] for row in rows]
        style = TableStyle([("GRID", (0, 0), (-1, -1), 0.5, "black")])
        parts += [Spacer(1, 12), Table(shown, style=style, repeatRows=1)]
    SimpleDocTemplate(buffer, pagesize=letter, invariant=1).build(parts)
    return buffer.getvalue()


def _amount(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, Decimal) else str(value)


def _action(script: str) -> object:
    return PDFDictionary(
        {"Type": PDFName("Action"), "S": PDFName("JavaScript"), "JS": PDFString(script)}
    )


def form_pdf(
    title: str, fields: Sequence[tuple[str, str]], lines: Sequence[str] | None = None
) -> bytes:
    """A fillable PDF: the values stand in AcroForm fields, not in the text.

    The text is the fields' labels, or lines of one's own.
    """
    buffer = io.BytesIO()
    page = canvas.Canvas(buffer, pagesize=letter, invariant=True)
    page.drawString(72, 740, title)
    height = 720
    for line in lines or ():
        page.drawString(72, height, line)
        height -= 12
    for name, value in fields:
        height -= 28
        if lines is None:
            page.drawString(72, height, name)
        page.acroForm.textfield(
            name=name.replace(" ", "_"), value=value, x=220, y=height - 6, width=300, height=18
        )
    page.showPage()
    page.save()
    return buffer.getvalue()


def _csv(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "x"
