"""What people change in a draw: amounts taken off rows, values keyed from a page."""

import io
from decimal import Decimal
from pathlib import Path

import openpyxl
import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.checks import analyse
from activities.packet import apply_keyed, read_files
from lender.model import Analysis, Cut, Keyed, Packet
from lender.samples import plan_for, sample_loans, write_packet
from placet.model import AT_SPOT, CheckStatus, Severity
from tests.domain import building

BY = "operator:sofia"
ACT = "0123456789abcdef"


def cut(item: str, amount: str, number: int = 0) -> Cut:
    return Cut(item=item, amount=Decimal(amount), reason="left out", by=BY, act=f"{ACT}{number}")


def lowered(*cuts: Cut, packet: Packet | None = None) -> Analysis:
    loan = building.loan()
    return analyse(
        packet or building.packet(),
        loan,
        loan.next_draw,
        building.SCREENINGS,
        building.MATCHES,
        building.TODAY,
        cuts,
    )


@given(st.lists(st.integers(1, 40_000), min_size=1, max_size=4))
def test_the_cuts_add_up_to_the_cent_and_the_payments_follow(cents: list[int]) -> None:
    item = building.packet().application.rows[0].item.value  # type: ignore[union-attr]  # it has one
    plain = lowered()
    cuts = [cut(item, f"{Decimal(each) / 100:.2f}", n) for n, each in enumerate(cents)]
    less = lowered(*cuts)
    taken = sum((each.amount for each in cuts), Decimal(0))
    assert less.recommended == plain.recommended - taken
    assert sum(each.amount for each in less.payments) == less.recommended
    assert [each.by for each in less.adjustments] == [BY] * len(cuts)
    told = [each for each in less.findings if each.check == "people.lowered"]
    assert {each.severity for each in told} == {Severity.INFO}
    assert len({each.id for each in told}) == len(cuts)


def test_a_cut_of_no_row_blocks() -> None:
    (finding,) = (e for e in lowered(cut("no-such", "1.00")).findings if e.check[:6] == "people")
    assert finding.severity is Severity.BLOCKING


def test_more_than_the_contractor_gets_recommends_nothing() -> None:
    item = building.packet().application.rows[0].item.value  # type: ignore[union-attr]  # it has one
    analysis = lowered(cut(item, "9999999.00"))
    assert (analysis.recommended, analysis.payments) == (Decimal("0.00"), ())


# --- keyed ----------------------------------------------------------------------------------


def scan() -> bytes:
    """A page without text, as a scanner leaves it."""
    writer = pypdf.PdfWriter()
    writer.add_blank_page(width=300, height=300)
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()


def keyed(field: str, value: str, document: str = "title.pdf", spot: str = "") -> Keyed:
    return Keyed(document=document, spot=spot, field=field, value=value, by=BY, act=ACT)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = write_packet(plan_for(sample_loans()[0]), tmp_path_factory.mktemp("packet"))
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def test_a_scan_is_keyed_and_marked(files: dict[str, bytes]) -> None:
    """I12: what could not be read is named; keyed, it is there, with a place that says so."""
    whole = read_files(files)
    assert whole.title is not None
    assert whole.title.effective is not None
    (name,) = (each.name for each in whole.files if each.kind == "title")
    packet = read_files({**files, name: scan()})
    assert packet.title is None
    assert [each.place.document for each in packet.unreadable] == [name]
    effective = whole.title.effective.value
    done = apply_keyed(packet, [keyed("title.effective", effective.isoformat(), name)])
    assert done.unreadable == ()
    assert done.title is not None
    assert done.title.effective is not None
    assert done.title.effective.value == effective
    assert done.title.effective.place.spot.endswith("keyed")
    assert [(each.field, each.by) for each in done.keyed] == [("title.effective", BY)]


BAD: dict[str, tuple[str, str]] = {
    "no date": ("title.effective", "yesterday"),
    "no such field": ("title.colour", "blue"),
    "no such form": ("loan.commitment", "1.00"),
    "not the form itself": ("title", "2026-11-20"),
    "another document's form, not whole": ("waiver.amount", "100.00"),
    "no such kind": ("waiver.kind", "8888"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_keyed_wrong_is_named_and_changes_nothing(
    name: str, files: dict[str, bytes]
) -> None:
    """I12: never a guess and never a crash; the scan stays unreadable, and so does what was keyed."""
    (title,) = (each.name for each in read_files(files).files if each.kind == "title")
    packet = read_files({**files, title: scan()})
    field, value = BAD[name]
    done = apply_keyed(packet, [keyed(field, value, title)])
    changed = done.model_copy(update={"unreadable": packet.unreadable})
    assert changed == packet
    assert len(done.unreadable) == 2


def test_what_was_read_is_not_keyed(files: dict[str, bytes]) -> None:
    """A person may not talk a document out of what it says."""
    packet = read_files(files)
    (title,) = (each.name for each in packet.files if each.kind == "title")
    done = apply_keyed(packet, [keyed("title.effective", "2030-01-01", title)])
    assert done.title == packet.title
    assert "what can be read is not keyed" in done.unreadable[0].what


def test_keyed_values_are_told_to_whoever_decides(files: dict[str, bytes]) -> None:
    loan = sample_loans()[0]
    (title,) = (each.name for each in read_files(files).files if each.kind == "title")
    packet = read_files({**files, title: scan()})

    def look(values: list[Keyed]) -> Analysis:
        done = apply_keyed(packet, values)
        return analyse(done, loan, loan.next_draw, (), (), building.TODAY)

    blind = {each.check: each for each in look([]).results}
    seen = {
        each.check: each for each in look([keyed("title.effective", "2026-11-20", title)]).results
    }
    assert blind["packet.readable"].status is CheckStatus.CANNOT_DETERMINE
    assert seen["packet.readable"].status is CheckStatus.PASSED
    assert blind["people.keyed"].status is CheckStatus.NOT_APPLICABLE
    (told,) = seen["people.keyed"].findings
    assert told.severity is Severity.WARNING
    assert "sofia keyed title.effective: 2026-11-20" in told.message


# --- keyed at the spot ----------------------------------------------------------------------

APPLICATION, REQUEST, LIST = "pay-application.xlsx", "draw-request.xlsx", "subcontractors.csv"
SPOTS = {
    "a G703 amount": (APPLICATION, "G703!E2"),
    "a G703 item": (APPLICATION, "G703!A3"),
    "a G702 line": (APPLICATION, "G702!B14"),
    "a line asked for": (REQUEST, "Draw request!B7"),
    "what a payee gets": (REQUEST, "Payees!B2"),
    "a subcontract": (LIST, "row 2, column 2"),
}


def smudged(files: dict[str, bytes], document: str, spot: str) -> tuple[dict[str, bytes], str]:
    """The files with one cell that can't be read, and what stood in it."""
    if document.endswith(".csv"):
        lines = [line.split(",") for line in files[document].decode().splitlines()]
        row, column = (int(each.split()[1]) - 1 for each in spot.split(", "))
        stood, lines[row][column] = lines[row][column], "§§"
        text = "\n".join(",".join(line) for line in lines)
        return {**files, document: text.encode()}, stood
    book = openpyxl.load_workbook(io.BytesIO(files[document]))
    sheet, _, at = spot.partition("!")
    cell = book[sheet][at]
    stood, cell.value = str(cell.value), "§§"
    made = io.BytesIO()
    book.save(made)
    return {**files, document: made.getvalue()}, stood


def alike(packet: Packet) -> str:
    """What a packet says, whatever its files' bytes are and whoever keyed a value of it."""
    bare = packet.model_copy(update={"files": (), "keyed": ()})
    return bare.model_dump_json().replace(", keyed", "")


@pytest.mark.parametrize("name", SPOTS)
def test_any_cell_that_can_not_be_read_is_keyed_at_its_spot(
    name: str, files: dict[str, bytes]
) -> None:
    """I12: parsed as its reader parses, marked, and everything that hung on it is there again."""
    document, spot = SPOTS[name]
    bad, stood = smudged(files, document, spot)
    blind = read_files(bad)
    assert (document, spot) in {(e.place.document, e.place.spot) for e in blind.unreadable}
    value = keyed(AT_SPOT, stood, document, spot)
    seen = read_files(bad, [value])
    assert alike(seen) == alike(read_files(files))
    assert f"{spot}, keyed" in seen.model_dump_json()
    assert [(each.field, each.by) for each in seen.keyed] == [(spot, BY)]
    assert apply_keyed(seen, [value]) == seen
    late = apply_keyed(blind, [value]).unreadable
    assert "the packet was read without it" in late[-1].what


@pytest.mark.parametrize(
    ("spot", "value"),
    [("G703!E2", "1.00"), ("G703!ZZ999", "1.00"), ("nowhere", "1.00"), ("G703!E2", "a lot")],
)
def test_what_is_keyed_at_another_spot_is_named_and_changes_nothing(
    spot: str, value: str, files: dict[str, bytes]
) -> None:
    """I12: what was read is not keyed, and what stands nowhere is not taken."""
    whole = read_files(files)
    seen = read_files(files, [keyed(AT_SPOT, value, APPLICATION, spot)])
    assert seen.model_copy(update={"unreadable": ()}) == whole
    assert [each.place.spot for each in seen.unreadable] == [spot]


def test_a_scanned_inspection_is_keyed_row_by_row(files: dict[str, bytes]) -> None:
    """I12: a report without any text is there once someone has keyed all of it."""
    whole = read_files(files).inspection
    assert whole is not None
    assert whole.inspector is not None
    assert whole.visited is not None
    packet = read_files({**files, "inspection.pdf": scan()})
    said = {
        "inspection.inspector": whole.inspector.value,
        "inspection.visited": whole.visited.value.isoformat(),
        **{f"inspected.{e.item.value}.complete": f"{e.complete.value * 100}%" for e in whole.rows},
    }
    done = apply_keyed(packet, [keyed(f, v, "inspection.pdf") for f, v in said.items()])
    assert done.unreadable == ()
    assert done.inspection is not None
    assert {(e.item.value, e.complete.value) for e in done.inspection.rows} == {
        (e.item.value, e.complete.value) for e in whole.rows
    }
    assert done.inspection.inspector is not None
    loan = sample_loans()[0]
    analysis = analyse(done, loan, loan.next_draw, (), (), building.TODAY)
    assert analysis.inspected_by == whole.inspector.value
    assert len(done.keyed) == len(said)


def test_a_scanned_application_is_keyed_line_by_line_and_row_by_row(
    files: dict[str, bytes],
) -> None:
    whole = read_files(files).application
    assert whole is not None
    rest = {name: data for name, data in files.items() if name != APPLICATION}
    packet = read_files({**rest, "scan.pdf": scan()})
    said = {
        f"summary.{name}": str(read.value)
        for name in type(whole.summary).model_fields
        if (read := getattr(whole.summary, name)) is not None
    }
    for row in whole.rows:
        for column in ("scheduled_value", "previous", "this_period", "stored", "total"):
            said[f"row.{row.item.value}.{column}"] = str(getattr(row, column).value)
    done = apply_keyed(packet, [keyed(f, v, "scan.pdf") for f, v in said.items()])
    assert done.application is not None
    assert done.unreadable == ()
    assert {n: r.value for n, r in done.application.summary if r} == {
        n: r.value for n, r in whole.summary if r
    }
    assert [
        each.total.value for each in sorted(done.application.rows, key=lambda e: e.item.value)
    ] == [each.total.value for each in sorted(whole.rows, key=lambda e: e.item.value)]


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("row.01.total", "1.00", "another application"),
        ("row.total", "1.00", "another application"),
        ("inspected.01.complete", "7%", "another inspection"),
        ("change_order.CO-1.amount", "5.00", "the row was read"),
        ("change_order.CO-9.amount", "much", "no amount"),
        ("change_order.CO-9.colour", "5.00", "there is no"),
        ("subcontractor.1.name", "Acme", "needs as well: contract"),
    ],
)
def test_a_row_that_does_not_fit_is_named_and_changes_nothing(
    field: str, value: str, why: str, files: dict[str, bytes]
) -> None:
    """I12: a keyed row replaces none that was read, and half a row is none."""
    packet = read_files({**files, "scan.pdf": scan()})
    done = apply_keyed(packet, [keyed(field, value, "scan.pdf")])
    assert done.model_copy(update={"unreadable": packet.unreadable}) == packet
    assert why in done.unreadable[-1].what
