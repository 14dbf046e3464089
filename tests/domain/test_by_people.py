"""What people change in a draw: amounts taken off rows, values keyed from a page."""

import io
from decimal import Decimal
from pathlib import Path

import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.checks import analyse
from activities.packet import apply_keyed, read_files
from lender.model import Analysis, Cut, Keyed
from lender.samples import plan_for, sample_loans, write_packet
from placet.model import CheckStatus, Severity
from tests.domain import building

BY = "operator:sofia"
ACT = "0123456789abcdef"


def cut(item: str, amount: str, number: int = 0) -> Cut:
    return Cut(item=item, amount=Decimal(amount), reason="left out", by=BY, act=f"{ACT}{number}")


def lowered(*cuts: Cut) -> Analysis:
    loan = building.loan()
    return analyse(
        building.packet(),
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
