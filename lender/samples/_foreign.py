"""A pay application in another company's template: other names, order, headings and formats."""

from pathlib import Path

import openpyxl
from openpyxl.styles import Alignment

from lender.samples._plan import DrawPlan


def write_foreign(plan: DrawPlan, path: Path) -> None:
    """Write the workbook: one sheet, title rows, merged cells, subtotals, other column order."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "SOV Billing #1"
    sheet.append(["RIDGELINE BUILDERS, INC."])
    sheet.merge_cells("A1:J1")
    sheet["A1"].alignment = Alignment(horizontal="center")
    sheet.append([])
    s = plan.summary
    for left, right in (
        ("Application Number:", plan.draw),
        ("Period Ending:", plan.period_to),
        ("Original Contract Amount", f"${s['original_contract']:,.2f}"),
        ("Net Change from Change Orders", f"{s['change_orders']:,.2f}"),
        ("Contract Amount to Date", f"$ {s['contract_to_date']:,.2f}"),
        ("Total Completed & Stored to Date", f"{s['completed_and_stored']:,.2f}"),
        ("Total Retainage", f"{s['retainage']:,.2f}"),
        ("Total Earned Less Retainage", f"{s['earned_less_retainage']:,.2f}"),
        (
            "Less Previous Certificates for Payment",
            f"{s['previous_certificates']:,.2f}" if s["previous_certificates"] else "-",
        ),
        ("CURRENT PAYMENT DUE", f"{s['current_payment']:,.2f}"),
        ("Balance to Finish, Including Retainage", f"{s['balance_to_finish']:,.2f}"),
        ("Amount Certified", float(plan.certified)),
        ("Contractor Signature Date", plan.contractor_signed),
        ("Architect Signature Date", plan.architect_signed),
    ):
        sheet.append([None, left, None, right])
    sheet.append([])
    sheet.append([None, None, None, "WORK COMPLETED", None, None, None, None, None])
    sheet.merge_cells(start_row=sheet.max_row, start_column=4, end_row=sheet.max_row, end_column=5)
    sheet.append(
        [
            "Description of Work",
            "Item",
            "Scheduled Value",
            "Previous",
            "This Period",
            "Stored Materials",
            "Total Completed and Stored",
            "Retainage Held",
        ]
    )
    half = len(plan.rows) // 2
    for number, row in enumerate(plan.rows):
        if number == half:
            sheet.append(["Subtotal", None, 0])
            sheet.append([])
        sheet.append(
            [
                row.description,
                row.item,
                float(row.scheduled_value),
                float(row.previous) or None,
                float(row.this_period),
                float(row.stored) or None,
                float(row.total),
                float(row.retainage),
            ]
        )
    book.save(path)
