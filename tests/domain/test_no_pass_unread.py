"""What a draw administrator sees at once on a page, and what must never pass for having been read.

Each is a packet in order but for one document, written as other people write theirs.
"""

import csv
import io
from collections.abc import Callable
from datetime import date
from pathlib import Path

import openpyxl
import pytest
from PIL import Image
from reportlab.pdfgen import canvas

from activities.loan_file import check_packet
from activities.packet import apply_keyed, read_files
from lender.model import Analysis, Keyed, Packet
from lender.samples import flat_pdf, form_pdf, plan_for, sample_loans, write_packet
from placet.model import AT_SPOT, CheckStatus

DAY = date(2026, 11, 24)
Files = dict[str, bytes]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    folder = write_packet(plan_for(sample_loans()[0]), tmp_path / "packet")
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def looked(files: Files) -> tuple[Packet, Analysis]:
    packet = read_files(files)
    return packet, check_packet(packet, sample_loans()[0], DAY)


def status(analysis: Analysis, check: str) -> CheckStatus:
    (found,) = (each.status for each in analysis.results if each.check == check)
    return found


# --- the inspection report --------------------------------------------------------------------


def sheet(complete: list[object]) -> bytes:
    book = openpyxl.Workbook()
    page = book.worksheets[0]
    for row in (["Date of visit", "2026-09-01"], ["Inspector", "West"], ["Item", "% complete"]):
        page.append(row)
    for number, value in enumerate(complete, 1):
        page.append([f"{number:02d}", value])
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def page(complete: list[object]) -> bytes:
    lines = [f"Item {number:02d}: {value}" for number, value in enumerate(complete, 1)]
    return flat_pdf("INSPECTION REPORT", ["Date of visit: 2026-09-01", "Inspector: West", *lines])


FORMS: dict[str, Callable[[list[object]], bytes]] = {"r.xlsx": sheet, "r.pdf": page}


@pytest.mark.parametrize("name", FORMS)
def test_a_percentage_without_its_sign_is_not_taken_for_a_multiple(name: str, files: Files) -> None:
    """I12: 45 of a hundred was read as 45 times the whole, and covered whatever was billed."""
    del files["inspection.pdf"]
    packet, analysis = looked({**files, name: FORMS[name]([45] * 25)})
    assert packet.inspection is not None
    assert packet.inspection.rows == ()
    assert "is not between 0% and 100%" in packet.unreadable[0].what
    assert status(analysis, "progress.inspected") is CheckStatus.CANNOT_DETERMINE


@pytest.mark.parametrize("name", FORMS)
def test_a_one_beside_percentages_without_a_sign_is_not_the_whole(name: str, files: Files) -> None:
    """I12: 1 may be one per cent there, or all; 0 and what has its sign are what they are."""
    del files["inspection.pdf"]
    packet, _ = looked({**files, name: FORMS[name]([45, 1, 0, "5%", 0.5])})
    assert packet.inspection is not None
    assert {r.item.value: str(r.complete.value) for r in packet.inspection.rows} == {
        "03": "0",
        "04": "0.05",
    }
    assert sum("share or a percentage" in each.what for each in packet.unreadable) == 2


def test_nothing_is_more_than_whole_or_less_than_nothing(files: Files) -> None:
    """I12: neither 110% nor -5% of a row can have been seen."""
    packet, _ = looked({**files, "inspection.pdf": page(["110%", "-5%", "100%"])})
    assert packet.inspection is not None
    assert [row.item.value for row in packet.inspection.rows] == ["03"]


# --- the title date-down ----------------------------------------------------------------------

LIEN = "Mechanic's lien of Quarry Concrete, recorded 10/15/2026, $48,000.00"
SILENT = {
    "below its heading": ["Exceptions:", "1. Deed of trust of Harbor Bank, recorded 10/15/2026"],
    "a heading alone": ["Intervening liens", "Volt Electric, recorded 10/15/2026, $48,000.00"],
    "a space": ["Liens:\u00a0", "Volt Electric"],
    "one of two headings": ["Exceptions: None", "Liens:", "Volt Electric, $48,000.00"],
    "not a word": [],
}


def date_down(*lines: str) -> Files:
    said = ["Effective Date: 11/04/2026", *lines]
    return {"title.pdf": flat_pdf("TITLE DATE-DOWN", said)}


def date_down_form(*fields: tuple[str, str]) -> Files:
    said = [("Effective Date", "11/04/2026"), *fields]
    return {"title.pdf": form_pdf("TITLE DATE-DOWN", said)}


@pytest.mark.parametrize("how", SILENT)
def test_a_date_down_without_a_word_on_exceptions_is_not_clear(how: str) -> None:
    """I12: a lien stands on the page, where no reader looks; that is not 'none'."""
    packet, analysis = looked(date_down(*SILENT[how]))
    assert ["title, exceptions" in each.what for each in packet.unreadable] == [True]
    assert status(analysis, "title.date_down") is CheckStatus.CANNOT_DETERMINE


@pytest.mark.parametrize("how", SILENT)
@pytest.mark.parametrize("word", ["none", "None.", LIEN])
def test_the_word_on_exceptions_is_keyed(word: str, how: str) -> None:
    """A person who looks at the page says whether there are any; a lien stays a finding."""
    packet, _ = looked(date_down(*SILENT[how]))
    key = Keyed(
        document="title.pdf",
        spot=packet.unreadable[0].place.spot,
        field="title.on_exceptions",
        value=word,
        by="operator:dana",
        act="a" * 16,
    )
    done = apply_keyed(packet, [key])
    assert done.unreadable == ()
    found = status(check_packet(done, sample_loans()[0], DAY), "title.date_down")
    assert found is (CheckStatus.FINDINGS if word == LIEN else CheckStatus.PASSED)


LABELS = (
    *("Liens", "Mechanic's lien", "Liens or exceptions", "Intervening liens", "Liens found"),
    *("Exception 2", "Encumbrances", "Mechanics' liens of record", "New exceptions"),
)
TOLD = {
    **{label: [f"{label}: {LIEN}"] for label in LABELS},
    "no label": [LIEN],
    "a label of something else": [f"Remark: {LIEN}"],
    "below its heading": ["Liens", f"1. {LIEN}"],
    "a number": ["Liens found: 1"],
    "elsewhere": ["Liens: see Schedule B"],
}


@pytest.mark.parametrize("beside", [[], ["Exceptions: None"], ["Exception 1: None", "Liens: none"]])
@pytest.mark.parametrize("how", TOLD)
def test_whatever_is_said_of_a_lien_reaches_the_check(how: str, beside: list[str]) -> None:
    """I12: beside 'Exceptions: None' a lien under its own label passed."""
    for lines in ([*TOLD[how], *beside], [*beside, *TOLD[how]]):
        packet, analysis = looked(date_down(*lines))
        assert packet.unreadable == ()
        assert packet.title is not None
        (shown,) = packet.title.exceptions
        assert shown.value in TOLD[how][-1]
        assert status(analysis, "title.date_down") is CheckStatus.FINDINGS


@pytest.mark.parametrize("label", LABELS)
def test_a_lien_in_a_form_reaches_the_check_too(label: str) -> None:
    packet, _ = looked(date_down_form(("Exceptions", "None"), (label, LIEN)))
    assert packet.unreadable == ()
    assert packet.title is not None
    assert [each.value for each in packet.title.exceptions] == [LIEN]


NONE = {
    "each label": [f"{label}: None" for label in LABELS],
    "below a heading": ["LIENS AND EXCEPTIONS", "None."],
    "headings over labels": ["Liens and exceptions:", "Liens: none", "Exception 1: None"],
    "a sentence": ["No liens or exceptions found."],
    "behind its label": ["Exceptions: no liens or exceptions of record"],
    "without a colon": ["Exceptions None"],
    "a client": ["Client: Alder Street Homes", "Exceptions: None"],
}


@pytest.mark.parametrize("how", NONE)
def test_a_date_down_that_says_none_is_clear(how: str) -> None:
    packet, analysis = looked(date_down(*NONE[how]))
    assert packet.unreadable == ()
    assert status(analysis, "title.date_down") is CheckStatus.PASSED


def test_a_form_that_says_none_is_clear() -> None:
    packet, analysis = looked(date_down_form(*((label, "None") for label in LABELS)))
    assert packet.unreadable == ()
    assert status(analysis, "title.date_down") is CheckStatus.PASSED


# --- pages ------------------------------------------------------------------------------------


def two_pages(second: Callable[[canvas.Canvas], None]) -> bytes:
    made = io.BytesIO()
    pages = canvas.Canvas(made, invariant=True)
    for at, line in enumerate(("TITLE DATE-DOWN", "Effective Date: 11/04/2026", "Exception: None")):
        pages.drawString(72, 740 - 20 * at, line)
    pages.showPage()
    second(pages)
    pages.showPage()
    pages.save()
    return made.getvalue()


def picture(pages: canvas.Canvas) -> None:
    pages.drawInlineImage(Image.new("RGB", (1, 1), "white"), 0, 0, 600, 800)


def strokes(pages: canvas.Canvas) -> None:
    pages.line(72, 72, 200, 200)


def nothing(pages: canvas.Canvas) -> None:
    pages.setFont("Helvetica", 10)


@pytest.mark.parametrize(("second", "named"), [(picture, True), (strokes, True), (nothing, False)])
def test_a_scanned_page_behind_one_with_text_is_named(
    second: Callable[[canvas.Canvas], None], named: bool, files: Files
) -> None:
    """I12: the schedule of liens on the second page was never looked at, and nobody was told."""
    packet, _ = looked({**files, "title.pdf": two_pages(second)})
    told = [(each.place.spot, each.what) for each in packet.unreadable]
    assert told == ([("page 2", "the page has no text; it may be a scan")] if named else [])


# --- rows of sums -----------------------------------------------------------------------------


def with_subcontractor(files: Files, name: str) -> Files:
    made = io.StringIO(files["subcontractors.csv"].decode())
    rows = [*csv.reader(made), [name, "40000.00", "0.00", "9000.00"]]
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return {**files, "subcontractors.csv": out.getvalue().encode()}


@pytest.mark.parametrize("name", ["Total Plumbing LLC", "Subtotal Roofing", "Bay Total Glass"])
def test_a_subcontractor_called_total_gives_a_waiver_like_any(name: str, files: Files) -> None:
    """A company of that name was taken for the row of sums, and nobody asked for its waiver."""
    _, analysis = looked(with_subcontractor(files, name))
    assert status(analysis, "waivers.current") is CheckStatus.FINDINGS
    assert name in {claim.claimant for claim in analysis.claims}


@pytest.mark.parametrize("name", ["Total", "TOTALS:", "Grand total", "Sub-total", "Total due"])
def test_a_row_of_sums_is_no_subcontractor(name: str, files: Files) -> None:
    packet, _ = looked(with_subcontractor(files, name))
    assert name not in {each.name.value for each in packet.subcontractors}


# --- rows without their name ------------------------------------------------------------------

LISTS = {
    "subcontractors.csv": "Subcontractor,Contract,Paid to date,Due\nVolt,9.00,0.00,1.00\n",
    "change-orders.csv": "Change order,Amount,Approved by\nCO-1,5.00,the owner\n",
    "draw-request.csv": "Draw number,1\n\nBudget line,Amount requested\nH1,5.00\n",
    "payees.csv": "Budget line,Amount requested,,Payee,Amount\nH1,5.00,,Volt,5.00\n",
}
NAMELESS = {
    "subcontractors.csv": (",250000.00,0.00,90000.00", ",,,90000.00", ",9O00.00,,", ",-1.00,,"),
    "change-orders.csv": (",250000.00,,", ",-250000.00,the owner", ",2.5e5,"),
    "draw-request.csv": (",90000.00", ",1,23"),
    "payees.csv": (",,,,90000.00", "H2,1.00,,,90000.00"),
}


@pytest.mark.parametrize(
    ("name", "row"), [(name, row) for name, rows in NAMELESS.items() for row in rows]
)
def test_a_row_of_amounts_without_its_name_is_named(name: str, row: str) -> None:
    """I12: what a nameless row asks for was left out, and nobody was told."""
    table = LISTS[name]
    packet = read_files({name: (table + row).encode()})
    named = packet.unreadable[0]
    column = 4 if name == "payees.csv" else 1
    assert named.place.spot == f"row {len(table.splitlines()) + 1}, column {column}"
    assert read_files({name: table.encode()}).unreadable == ()


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    "row", [",,,,", ",0.00,0.00,0.00,0.00", ",-,-,-,-", "Total,9.00,,Total,9.00"]
)
def test_a_row_of_nothing_or_of_sums_needs_no_name(name: str, row: str) -> None:
    assert read_files({name: (LISTS[name] + row).encode()}).unreadable == ()


def test_the_name_of_a_row_is_keyed(files: Files) -> None:
    data = files["subcontractors.csv"].decode().rstrip() + "\n,250000.00,0.00,90000.00\n"
    spot = f"row {len(data.splitlines())}, column 1"
    key = Keyed(
        document="subcontractors.csv",
        spot=spot,
        field=AT_SPOT,
        value="Volt Electric Co",
        by="operator:dana",
        act="a" * 16,
    )
    changed = {**files, "subcontractors.csv": data.encode()}
    _, analysis = looked(changed)
    assert status(analysis, "packet.readable") is CheckStatus.CANNOT_DETERMINE
    packet = read_files(changed, [key])
    assert packet.unreadable == ()
    assert packet.subcontractors[-1].name.value == "Volt Electric Co"


# --- amounts beside their sign ----------------------------------------------------------------


def with_cells(files: Files, name: str, **cells: object) -> Files:
    """The packet with some cells of a workbook's first sheet changed."""
    book = openpyxl.load_workbook(io.BytesIO(files[name]))
    for spot, value in cells.items():
        book.worksheets[0][spot] = value
    made = io.BytesIO()
    book.save(made)
    return {**files, name: made.getvalue()}


def test_a_sign_in_a_cell_of_its_own_is_no_zero(files: Files) -> None:
    """I12: under a heading over two columns, '$' was read as nothing due, and no waiver was asked."""
    rows = list(csv.reader(io.StringIO(files["subcontractors.csv"].decode())))
    out = io.StringIO()
    csv.writer(out).writerows([rows[0], *([*row[:3], "$", row[3]] for row in rows[1:])])
    packet, analysis = looked({**files, "subcontractors.csv": out.getvalue().encode()})
    assert packet.subcontractors == ()
    assert "'$' is no amount" in packet.unreadable[0].what
    assert status(analysis, "waivers.current") is CheckStatus.CANNOT_DETERMINE


def test_an_amount_that_stands_behind_its_sign_is_found(files: Files) -> None:
    """Many forms give the sign of a currency a cell of its own; one of spaces is an empty one."""
    before, _ = looked(files)
    book = openpyxl.load_workbook(io.BytesIO(files["pay-application.xlsx"]))
    lines = {f"B{n}": "$" for n in range(5, 16)}
    amounts = {f"C{n}": book["G702"][f"B{n}"].value for n in range(5, 16)}
    packet, _ = looked(with_cells(files, "pay-application.xlsx", **lines, **amounts, A3="  "))
    assert packet.unreadable == ()
    assert before.application is not None
    assert packet.application is not None
    for name in type(before.application.summary).model_fields:
        was, found = (getattr(p.application.summary, name) for p in (before, packet))
        assert found.value == was.value


def test_a_second_continuation_sheet_is_named(files: Files) -> None:
    """I12: one sheet of rows was read, and of another, perhaps last month's, nobody was told."""
    book = openpyxl.load_workbook(io.BytesIO(files["pay-application.xlsx"]))
    book.copy_worksheet(book["G703"]).title = "page 2"
    made = io.BytesIO()
    book.save(made)
    packet, _ = looked({**files, "pay-application.xlsx": made.getvalue()})
    (named,) = packet.unreadable
    assert (named.place.spot, "a second sheet" in named.what) == ("page 2", True)
