"""Loan files that people bring: JSON, XLSX and CSV, and errors that name the place."""

import csv
import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from activities.loan_file import LoanFileError, check_packet, load_loan_file
from lender.model import BilledInvoice, LoanFile
from placet.model import CheckStatus
from tests.domain import building
from tests.domain.building import Lines

FIRST: Lines = tuple(
    building.more(line, previous=building.ZERO, stored_before=building.ZERO)
    for line in building.DRAW
)
Sheets = dict[str, list[list[Any]]]


def sheets() -> Sheets:
    """The loan as a workbook's sheets, in the words of a lender's own template."""
    loan = building.loan(FIRST)
    return {
        "Loan summary": [
            ["Construction loan set-up"],
            [],
            ["Loan No.", loan.loan_id, None, "Borrower", loan.borrower],
            ["Project", loan.project, None, "Project address", loan.job_location],
            ["Owner", loan.owner, None, "State", "CA"],
            ["General contractor", "P-100", None, "Granted by", "operator:ana-ruiz"],
            ["Commitment", f"${loan.commitment:,.2f}", None, "Status", "Open"],
            ["Required equity", float(loan.required_equity), None, "Equity in", "10,000.00"],
            [
                "Maturity",
                loan.maturity,
                None,
                "Stored materials cap",
                loan.terms.stored_material_cap,
            ],
            ["Retainage on work", "10%", None, "Retainage on stored materials", "10%"],
            ["Retainage cap", 0.1],
        ],
        "Budget": [
            ["Description", "Category", "Budget line", "Amount"],
            *[[b.description, b.category.value, b.id, b.amount] for b in loan.budget],
            [None, None, "Total", sum(b.amount for b in loan.budget)],
        ],
        "Schedule": [
            ["Item No.", "Description of work", "Scheduled value", "Budget line"],
            *[[r.item, r.description, r.scheduled_value, r.budget_line] for r in loan.schedule],
        ],
        "Payees": [
            ["Payee", "Name", "Role", "Account", "Licence"],
            *[[p.id, p.name, p.role.title(), p.account, None] for p in loan.payees],
        ],
    }


def as_xlsx(path: Path, content: Sheets) -> Path:
    """Write sheets as a workbook."""
    book = openpyxl.Workbook()
    book.remove(book.active)  # type: ignore[arg-type]  # a new workbook has one sheet
    for name, rows in content.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def as_csv(path: Path, content: Sheets) -> Path:
    """Write sheets one under the other, with an empty line between them."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for rows in content.values():
            writer.writerows(rows)
            writer.writerow([])
    return path


def as_json(path: Path, content: object) -> Path:
    """Write JSON."""
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("write", [as_xlsx, as_csv])
def test_a_loan_in_sheets_is_read_by_its_labels(
    write: Callable[[Path, Sheets], Path], tmp_path: Path
) -> None:
    path = write(tmp_path / f"loan.{write.__name__[3:]}", sheets())
    assert load_loan_file(path) == building.loan(FIRST)


def test_a_payee_called_total_is_no_row_of_sums(tmp_path: Path) -> None:
    """A company of that name was left out of its loan, and nobody was told."""
    content = sheets()
    content["Payees"].append(["P-400", "Total Glass Inc", "Supplier", "acct-400", None])
    found = load_loan_file(as_xlsx(tmp_path / "loan.xlsx", content))
    assert [payee.name for payee in found.payees][-1] == "Total Glass Inc"


def test_a_loan_with_its_earlier_draws_comes_back_from_json(tmp_path: Path) -> None:
    loan = building.loan()
    path = as_json(tmp_path / "loan.json", loan.model_dump(mode="json"))
    assert load_loan_file(path) == loan


def _wrong_cell(content: Sheets) -> None:
    content["Budget"][1][3] = "12.345"


def _no_borrower(content: Sheets) -> None:
    content["Loan summary"][2][3:] = [None, None]


def _unknown_category(content: Sheets) -> None:
    content["Budget"][1][1] = "cars"


def _no_schedule(content: Sheets) -> None:
    del content["Schedule"]


def _formula(content: Sheets) -> None:
    content["Schedule"][1][2] = "=1+1"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_wrong_cell, "Budget!D2: budget, amount: '12.345' is no amount"),
        (_no_borrower, "borrower is not there"),
        (_unknown_category, "Budget!B2: budget.0.category"),
        (_no_schedule, "no table of the schedule"),
        (_formula, "Schedule!C2: schedule, scheduled value: a formula whose value"),
    ],
)
def test_an_error_names_the_cell(
    spoil: Callable[[Sheets], None], said: str, tmp_path: Path
) -> None:
    """I12: bad input is a clear error that names the place."""
    content = sheets()
    spoil(content)
    with pytest.raises(LoanFileError) as caught:
        load_loan_file(as_xlsx(tmp_path / "loan.xlsx", content))
    assert said in str(caught.value)


def test_an_error_in_csv_names_the_row(tmp_path: Path) -> None:
    content = sheets()
    _wrong_cell(content)
    with pytest.raises(LoanFileError, match=r"row 14, column 4: budget, amount"):
        load_loan_file(as_csv(tmp_path / "loan.csv", content))


def test_an_error_in_json_names_the_member(tmp_path: Path) -> None:
    content = building.loan().model_dump(mode="json")
    content["budget"][0]["amount"] = "1e3"
    with pytest.raises(LoanFileError, match=r"budget\.0\.amount"):
        load_loan_file(as_json(tmp_path / "loan.json", content))


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("loan.json", b"{", "no JSON"),
        ("loan.json", b"\xff\xfe\x00", "no JSON"),
        ("loan.json", b'{"a": 1, "a": 2}', "stands twice"),
        ("loan.json", b"[" * 100_000, "no JSON"),
        ("loan.json", b"[]", "should be an object"),
        ("loan.json", b'{"version": NaN}', "version"),
        ("loan.xlsx", b"PK\x03\x04", "damaged or truncated"),
        ("loan.xlsx", b"\xd0\xcf\x11\xe0", "encrypted"),
        ("loan.csv", b"", "is not there"),
        ("loan.csv", b"\xff", "not UTF-8"),
        ("loan.doc", b"", "JSON, XLSX or CSV"),
    ],
)
def test_what_is_no_loan_file_is_an_error(
    name: str, data: bytes, said: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(LoanFileError, match=said):
        load_loan_file(path)


def test_control_characters_of_a_file_reach_no_message(tmp_path: Path) -> None:
    content = building.loan().model_dump(mode="json")
    content["\x1b[2Jborrower\u202e"] = "x"
    with pytest.raises(LoanFileError) as caught:
        load_loan_file(as_json(tmp_path / "loan.json", content))
    assert not {"\x1b", "\u202e"} & set(str(caught.value))


def test_a_packet_alone_is_checked_without_asking_anyone() -> None:
    """Only what other systems know stays open."""
    loan: LoanFile = building.loan()
    analysis = check_packet(building.packet(), loan, date(2026, 11, 24))
    open_checks = {r.check for r in analysis.results if r.status is CheckStatus.CANNOT_DETERMINE}
    assert open_checks == {"payee.screened"}
    assert [f.check for f in analysis.findings if f.check not in open_checks] == []


def test_an_invoice_of_an_earlier_draw_is_found_without_asking_anyone() -> None:
    loan = building.loan()
    packet = building.packet()
    number = packet.invoices[0].number.model_copy(update={"value": "A-70"})
    amount = packet.invoices[0].amount.model_copy(update={"value": Decimal("900.00")})
    again = packet.invoices[0].model_copy(update={"number": number, "amount": amount})
    packet = packet.model_copy(update={"invoices": (again, *packet.invoices[1:])})
    found = [f.check for f in check_packet(packet, loan, building.TODAY).findings]
    assert "invoice.duplicate" in found


@pytest.mark.parametrize("spelled", ["PLUMB LINE  Architects", "Plumb Line Architects"])
def test_an_invoice_in_another_spelling_is_the_same(spelled: str) -> None:
    """Capitals and gaps made another invoice of it: billed again, or twice in one packet."""
    packet = building.packet()
    first = packet.invoices[0]
    vendor = first.vendor.model_copy(update={"value": spelled})
    again = first.model_copy(update={"vendor": vendor})
    twice = packet.model_copy(update={"invoices": (*packet.invoices, again)})
    loan = building.loan()
    said = {each.message for each in check_packet(twice, loan, building.TODAY).findings}
    assert "invoice A-77 is in this packet twice" in said
    (before,) = loan.prior_draws
    billed = BilledInvoice(vendor=spelled, number="a-77", amount=first.amount.value)
    loan = loan.model_copy(
        update={"prior_draws": (before.model_copy(update={"invoices": (billed,)}),)}
    )
    said = {each.message for each in check_packet(packet, loan, building.TODAY).findings}
    assert "invoice A-77 of Plumb Line Architects was billed before" in said
