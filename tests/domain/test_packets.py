"""Packets on disk, read back and checked: correct ones pass, each planted defect is found."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from activities.checks import CHECKS, analyse
from activities.packet import read_files, read_folder
from lender.model import Analysis, InvoiceMatch, LoanFile, Packet, Screening, to_cents
from lender.samples import (
    LOAN_DEFECTS,
    ORDER,
    PACKET_DEFECTS,
    DrawPlan,
    plan_for,
    sample_loans,
    write_foreign,
    write_hostile,
    write_packet,
)
from placet.model import Severity, canonical_json
from tests.domain.drawing import after_draw

TODAY = date(2026, 11, 20)


def look(packet: Packet, loan: LoanFile, draw: int | None = None) -> Analysis:
    """Analyse with every payee clear and no invoice billed before."""
    screenings = tuple(
        Screening(payee=each.id, status="clear", licensed=True, list_version="1")
        for each in loan.payees
    )
    matches = tuple(
        InvoiceMatch(
            vendor=each.vendor.value,
            number=each.number.value,
            amount=each.amount.value,
            billed_before=False,
        )
        for each in packet.invoices
    )
    return analyse(packet, loan, draw or loan.next_draw, screenings, matches, TODAY)


def troubles(analysis: Analysis) -> dict[str, list[str]]:
    """Findings above info, by check."""
    found: dict[str, list[str]] = {}
    for finding in analysis.findings:
        if finding.severity is not Severity.INFO:
            found.setdefault(finding.check, []).append(finding.message)
    return found


FORMATS: dict[str, dict[str, bool]] = {
    "XLSX": {},
    "CSV": {"as_csv": True},
    "lists as PDF": {"lists_as_pdf": True},
}


@pytest.mark.parametrize("how", FORMATS)
@pytest.mark.parametrize("loan", sample_loans(), ids=lambda loan: loan.loan_id)
def test_a_correct_packet_has_no_finding(loan: LoanFile, how: str, tmp_path: Path) -> None:
    """Three draws in sequence continue each other to the cent, in each format."""
    for number in range(1, 4):
        plan = plan_for(loan)
        folder = write_packet(plan, tmp_path / str(number), **FORMATS[how])
        analysis = look(read_folder(folder), loan)
        assert troubles(analysis) == {}
        assert analysis.recommended == analysis.requested == plan.request_total
        assert sum(each.amount for each in analysis.payments) == analysis.recommended
        loan = after_draw(loan, analysis)


@pytest.mark.parametrize("check", sorted(PACKET_DEFECTS))
def test_each_planted_defect_is_found_by_its_check(check: str, tmp_path: Path) -> None:
    """One defect for each check of a packet, found with both sides cited."""
    loan = sample_loans()[2]
    if check == "waivers.previous":
        loan = after_draw(
            loan, look(read_folder(write_packet(plan_for(loan), tmp_path / "1")), loan)
        )
    plan = plan_for(loan)
    PACKET_DEFECTS[check](plan)
    analysis = look(read_folder(write_packet(plan, tmp_path / "2")), loan)
    assert check in troubles(analysis)
    for finding in analysis.findings:
        if finding.check == check and not finding.message.startswith("cannot determine"):
            assert finding.compared
            assert all(side.place.document for side in finding.compared)


@pytest.mark.parametrize("check", sorted(LOAN_DEFECTS))
def test_what_is_wrong_with_the_loan_is_found(check: str, tmp_path: Path) -> None:
    """The packet may be right and the loan not."""
    loan = sample_loans()[0]
    folder = write_packet(plan_for(loan), tmp_path)
    assert check in troubles(look(read_folder(folder), LOAN_DEFECTS[check](loan)))


def test_screening_and_matching_answers_count(tmp_path: Path) -> None:
    """A sanctions hit, an unscreened payee, a billed invoice: each is a finding."""
    loan = sample_loans()[0]
    packet = read_folder(write_packet(plan_for(loan), tmp_path))
    hit = tuple(
        Screening(payee=each.id, status="hit", licensed=True, list_version="1")
        for each in loan.payees
    )
    billed = tuple(
        InvoiceMatch(
            vendor=each.vendor.value,
            number=each.number.value,
            amount=each.amount.value,
            billed_before=True,
        )
        for each in packet.invoices
    )
    found = troubles(analyse(packet, loan, 1, hit, billed, TODAY))
    assert {"payee.screened", "invoice.duplicate"} <= found.keys()
    unknown = troubles(analyse(packet, loan, 1, (), (), TODAY))
    assert any(text.startswith("cannot determine") for text in unknown["payee.screened"])
    assert any(text.startswith("cannot determine") for text in unknown["invoice.duplicate"])


_AMOUNTS = [
    *("scheduled_value", "previous", "this_period", "stored", "total"),
    "retainage",
]


@settings(max_examples=25, deadline=None)
@given(row=st.integers(0, 20), name=st.sampled_from(_AMOUNTS), sign=st.sampled_from([1, -1]))
def test_a_change_of_one_cent_in_a_row_is_found(
    tmp_path_factory: pytest.TempPathFactory, row: int, name: str, sign: int
) -> None:
    """Anywhere in the arithmetic, one cent is enough for a finding; but for a right rounding."""
    loan = sample_loans()[2]
    plan = plan_for(loan)
    changed = plan.rows[row]
    setattr(changed, name, getattr(changed, name) + sign * Decimal("0.01"))
    rate = loan.terms.retainage.work_rate
    assume(name != "retainage" or changed.retainage != to_cents(rate * changed.total))
    folder = write_packet(plan, tmp_path_factory.mktemp("cent"), as_csv=True)
    assert troubles(look(read_folder(folder), loan))


@settings(max_examples=11, deadline=None)
@given(name=st.sampled_from(sorted(plan_for(sample_loans()[0]).summary)))
def test_a_change_of_one_cent_in_the_summary_is_found(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    """Each of the G702's lines."""
    loan = sample_loans()[0]
    plan = plan_for(loan)
    plan.summary[name] += Decimal("0.01")
    folder = write_packet(plan, tmp_path_factory.mktemp("line"), as_csv=True)
    assert troubles(look(read_folder(folder), loan))


@settings(max_examples=8, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, random: object
) -> None:
    """The same rows in another order give the same results."""
    loan = sample_loans()[0]

    def written(plan: DrawPlan) -> Analysis:
        folder = write_packet(plan, tmp_path_factory.mktemp("order"), as_csv=True)
        return look(read_folder(folder), loan)

    shuffled = plan_for(loan)
    random.shuffle(shuffled.rows)  # type: ignore[attr-defined]
    one, other = written(plan_for(loan)), written(shuffled)
    assert [each.status for each in one.results] == [each.status for each in other.results]
    assert (one.rows, one.payments) == (other.rows, other.payments)


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    """Two agents come to the very same analysis, or automatic mode would be worth nothing (I3)."""
    loan = sample_loans()[0]
    folder = write_packet(plan_for(loan), tmp_path)
    first, second = (canonical_json(look(read_folder(folder), loan)) for _ in range(2))
    assert first == second


def test_another_companys_template_is_read_by_its_labels(tmp_path: Path) -> None:
    """Other sheet names, title rows, column order, merged cells, subtotals and formats."""
    loan = sample_loans()[0]
    plan = plan_for(loan)
    folder = write_packet(plan, tmp_path)
    (folder / "pay-application.xlsx").unlink()
    write_foreign(plan, folder / "billing.xlsx")
    packet = read_folder(folder)
    assert packet.unreadable == ()
    assert packet.application is not None
    assert [row.item.value for row in packet.application.rows] == [row.item for row in plan.rows]
    assert troubles(look(packet, loan)) == {}


def with_percents(folder: Path, write: Callable[[Decimal], object]) -> Packet:
    """The packet with its column of percentages written in another way."""
    path = folder / "pay-application.xlsx"
    book = openpyxl.load_workbook(path)
    for row in book["G703"].iter_rows(min_row=2):
        if row[0].value:
            row[7].value = write(Decimal(str(row[6].value)) / Decimal(str(row[2].value)))
    book.save(path)
    return read_folder(folder)


WRITTEN: dict[str, Callable[[Decimal], object]] = {
    "a share": float,
    "hundredths": lambda share: float(share * 100),
    "hundredths, rounded": lambda share: float(round(share * 100, 1)),
    "hundredths, as text": lambda share: f"{share * 100:.2f}",
}


@pytest.mark.parametrize("how", WRITTEN)
def test_a_percentage_of_the_g703_needs_no_sign(how: str, tmp_path: Path) -> None:
    """43.5 in a column called % is what most sheets have: each row was wrong, and nothing paid."""
    loan = sample_loans()[0]
    folder = write_packet(plan_for(loan), tmp_path)
    assert troubles(look(with_percents(folder, WRITTEN[how]), loan)) == {}


@pytest.mark.parametrize("how", WRITTEN)
def test_a_percentage_that_is_wrong_is_found_however_it_is_written(
    how: str, tmp_path: Path
) -> None:
    loan = sample_loans()[0]
    folder = write_packet(plan_for(loan), tmp_path)
    wrong = WRITTEN[how]
    found = troubles(
        look(with_percents(folder, lambda share: wrong(share + Decimal("0.01"))), loan)
    )
    assert found == {"sov.arithmetic": [f"item {n:02d}: % is not G ÷ C" for n in range(1, 26)]}


def test_a_label_that_is_missing_is_named(tmp_path: Path) -> None:
    """I12: what could not be found is said, not guessed."""
    plan = plan_for(sample_loans()[0])
    folder = write_packet(plan, tmp_path, as_csv=True)
    path = folder / "pay-application.csv"
    path.write_text(path.read_text().replace("8. Current payment due", "8. Pay this"))
    packet = read_folder(folder)
    assert ["the G702 line current payment is not there"] == [u.what for u in packet.unreadable]
    assert "packet.readable" in troubles(look(packet, sample_loans()[0]))


def test_the_hostile_packet_changes_nothing_but_findings(tmp_path: Path) -> None:
    """I12: orders, markup, scripts, bombs: named, with a place; the money stays what it was."""
    loan = sample_loans()[2]
    clean = look(read_folder(write_packet(plan_for(loan), tmp_path / "clean")), loan)
    packet = read_folder(write_hostile(plan_for(loan), tmp_path / "hostile"))
    hostile = look(packet, loan)
    assert (hostile.recommended, hostile.payments) == (clean.recommended, clean.payments)
    assert "packet.readable" in troubles(hostile)
    named = {each.place.document for each in packet.unreadable}
    assert named >= {
        "note-to-the-reader.pdf",
        "formula.xlsx",
        "wide.xlsx",
        "bomb.xlsx",
        "encrypted.pdf",
        "truncated.pdf",
        "macro.docm",
    }
    text = canonical_json(hostile).decode() + canonical_json(packet).decode()
    assert "\\u001b" not in text
    assert "\u202e" not in text
    assert ORDER[:20] not in canonical_json(hostile).decode()


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(["a.pdf", "a.xlsx", "a.csv", "a.txt", "\x1b.pdf", ""]),
    data=st.one_of(
        st.binary(max_size=2000),
        st.binary(max_size=500).map(lambda data: b"%PDF-1.7\n" + data + b"\n%%EOF"),
        st.text(max_size=500).map(str.encode),
    ),
)
def test_no_bytes_crash_the_readers(name: str, data: bytes) -> None:
    """I12: any bytes under any name end in a packet, with what was wrong in it."""
    packet = read_files({name: data})
    assert packet.files
    assert packet.unreadable or packet.files[0].kind != "unknown"


def test_every_check_of_the_field_is_there() -> None:
    """The table's twenty checks by id, and the readers' own, and what people changed."""
    loan = sample_loans()[0]
    results = look(read_files({}), loan).results
    assert len(results) == len(CHECKS) == len({each.check for each in results}) == 23
    assert set(PACKET_DEFECTS) | set(LOAN_DEFECTS) | {
        "packet.readable",
        "people.lowered",
        "people.keyed",
    } == {each.check for each in results}
