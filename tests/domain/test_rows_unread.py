"""A row of the G703 that can't be read: it is there, and nothing is said of sums without it."""

import io
from pathlib import Path

import openpyxl
import pytest

from activities.loan_file import check_packet
from activities.packet import read_files
from lender.model import Analysis, Keyed, LoanFile
from lender.samples import plan_for, sample_loans, write_packet
from placet.model import AT_SPOT, CheckStatus
from tests.domain.drawing import after_draw
from tests.domain.test_no_pass_unread import DAY

ROWS = ("sov.arithmetic", "sov.totals", "sov.continuity", "sov.overbilled", "retainage.rate")
CHECKS = {*ROWS, "budget.reallocation", "balance.in_balance", "packet.readable"}
KEPT = {"payee.screened", "waivers.previous"}
"""What has nothing to do with the row."""


def looked(loan: LoanFile, folder: Path, keyed: tuple[Keyed, ...] = ()) -> Analysis:
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    return check_packet(read_files(files, keyed), loan, DAY)


def smudge(folder: Path, **cells: object) -> None:
    path = folder / "pay-application.xlsx"
    book = openpyxl.load_workbook(io.BytesIO(path.read_bytes()))
    for spot, value in cells.items():
        book["G703"][spot] = value
    book.save(path)


@pytest.fixture
def second(tmp_path: Path) -> tuple[LoanFile, Path]:
    """A loan that was drawn on once, and the packet of its second draw."""
    loan = sample_loans()[0]
    first = write_packet(plan_for(loan), tmp_path / "first")
    loan = after_draw(loan, looked(loan, first))
    return loan, write_packet(plan_for(loan), tmp_path / "second")


@pytest.mark.parametrize("item", ["05", "fifth, of all"])
def test_a_row_that_can_not_be_read_is_not_said_to_be_missing(
    item: str, second: tuple[LoanFile, Path]
) -> None:
    """I12: the borrower was told that no row 05 was there, and that twelve sums were wrong."""
    loan, folder = second
    smudge(folder, A6=item, E6="1.866,67")
    analysis = looked(loan, folder)
    ended = {each.check for each in analysis.results if each.findings} - KEPT
    assert ended == CHECKS
    undetermined = [e.check for e in analysis.results if e.status is CheckStatus.CANNOT_DETERMINE]
    assert set(undetermined) >= CHECKS
    said = {each.message for each in analysis.findings if each.check in CHECKS}
    assert all(each.startswith("cannot determine") for each in said)
    assert analysis.recommended == 0


def test_a_row_that_was_keyed_lacks_no_more(second: tuple[LoanFile, Path]) -> None:
    loan, folder = second
    before = looked(loan, folder)
    book = openpyxl.load_workbook(folder / "pay-application.xlsx")
    value = f"{book['G703']['E6'].value:.2f}"
    smudge(folder, E6="1.866,67")
    key = Keyed(
        document="pay-application.xlsx",
        spot="G703!E6",
        field=AT_SPOT,
        value=value,
        by="operator:dana",
        act="a" * 16,
    )
    after = looked(loan, folder, (key,))
    assert after.recommended == before.recommended > 0
    assert {e.check for e in after.findings} - {"people.keyed"} == {
        each.check for each in before.findings
    }


def test_a_row_that_is_not_there_is_still_missing(second: tuple[LoanFile, Path]) -> None:
    loan, folder = second
    path = folder / "pay-application.xlsx"
    book = openpyxl.load_workbook(path)
    book["G703"].delete_rows(6)
    book.save(path)
    said = {each.message for each in looked(loan, folder).findings}
    assert "item 05 of the approved schedule is not on the G703" in said
    assert "item 05 of the last draw is not on the G703" in said
