"""A lower amount and a keyed value, from the person who signs them to what is paid."""

import io
import re
from decimal import Decimal
from pathlib import Path

import openpyxl
import pypdf
import pytest

from activities.packet import read_folder
from placet.client import AuthorityError
from placet.model import Verdict
from tests.workflows.desk import Desk

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_the_loan_system_pays_the_lower_amount(desk: Desk) -> None:
    """I5: rows left out add up to the cent; the next person approves exactly that, and it is paid."""
    loan = desk.take_in_loan()
    case = await desk.open(loan)
    first = await desk.people["omar"].checkpoint((await desk.asked(case)).id)
    proposed = first.evidence.proposal.amount
    assert proposed is not None
    lead = await desk.people["omar"].part(case, first.evidence.items[0].digest)
    rows = lead.part.data["rows"]
    assert isinstance(rows, list)
    item = str(rows[0]["item"]) if isinstance(rows[0], dict) else ""
    left = proposed - Decimal("100.01")
    wrong = await desk.command(
        "omar",
        *("checkpoint", "lower", first.id, "--row", f"{item}=100.01=not built yet"),
        *("--amount", str(left + 1)),
    )
    assert (wrong.code, f"the rows leave {left}" in wrong.err) == (1, True), wrong
    said = await desk.command(
        "omar",
        *("checkpoint", "lower", first.id, "--row", f"{item}=100.01=not built yet"),
        *("--amount", str(left)),
    )
    assert said.code == 0, said.err
    second = await desk.asked(case)
    assert second.id != first.id
    shown = await desk.command("omar", "checkpoint", "show", second.id)
    assert f"changed: amount: {proposed} → {left}" in shown.out
    assert re.search(r"changed: payments pay-\S+: amount [0-9.]+ → [0-9.]+\n", shown.out)
    assert "changed: adjustments" in shown.out
    assert "{" not in shown.out
    assert "None" not in shown.out
    assert f"omar took 100.01 off row {item}: not built yet" in shown.out
    with pytest.raises(AuthorityError, match="needed: exactly"):
        await desk.people["omar"].decide(second, Verdict.APPROVE, amount=proposed)
    await desk.decide("omar", second)
    assert (await desk.ended(case)).result == "disbursed"
    assert desk.paid(loan) == left


async def test_a_scan_is_keyed_and_the_checks_run_again(desk: Desk) -> None:
    """I6, I12: who keyed does not approve; what was keyed is marked, and the draw is paid."""
    loan = desk.take_in_loan()
    folder = desk.packet(loan, "first")
    packet = read_folder(folder)
    (name,) = (each.name for each in packet.files if each.kind == "title")
    assert packet.title is not None
    assert packet.title.effective is not None
    writer, made = pypdf.PdfWriter(), io.BytesIO()
    writer.add_blank_page(width=300, height=300)
    writer.write(made)
    (folder / name).write_bytes(made.getvalue())
    stood = _smudge(folder / "pay-application.xlsx", "E2")
    desk.store(loan, folder)
    opened = await desk.people["dana"].open_case(
        "loan-draw", f"loan/{loan.loan_id}/draw/{loan.next_draw}"
    )
    case = str(opened.case)
    async with desk.enrolled("kim", "loan-officer") as kim:
        first = await kim.checkpoint((await desk.asked(case)).id)
        assert any("packet.readable" in each for each in first.requirement.exceptions)
        said = await desk.command(
            "dana",
            *("checkpoint", "key", first.id, "--document", name),
            *("--field", "title.effective"),
            *("--value", packet.title.effective.value.isoformat()),
            *("--field", "title.on_exceptions", "--value", "none"),
        )
        assert said.code == 0, said.err
        half = await desk.asked(case)
        assert any("packet.readable" in each for each in half.requirement.exceptions)
        said = await desk.command(
            "dana",
            *("checkpoint", "key", half.id, "--document", "pay-application.xlsx"),
            *("--spot", "G703!E2", "--value", stood),
        )
        assert said.code == 0, said.err
        second = await desk.asked(case)
        assert second.requirement.exceptions == ()
        assert "people.keyed" in {each.check for each in second.evidence.proposal.findings}
        assert ("operator:dana", "keyed") in {
            (each.person, each.why.value) for each in second.requirement.excluded
        }
        await kim.decide(second, Verdict.RETURN, reason_code="questions")
        clean = str(desk.packet(loan, "clean"))
        said = await desk.command("dana", "case", "resubmit", case, "--packet", clean)
        assert said.code == 0, said.err
        # What was keyed was read on a page that has been replaced.
        third = await desk.asked(case)
        assert third.requirement.exceptions == ()
        assert "people.keyed" not in {each.check for each in third.evidence.proposal.findings}
        await kim.decide(third, Verdict.APPROVE, amount=third.requirement.amount)
    assert (await desk.ended(case)).result == "disbursed"
    proof = await desk.command("una", "checkpoint", "proof", third.id)
    assert "place  loan-officer: operator:kim" in proof.out
    assert "excluded operator:dana: keyed" in proof.out


def _smudge(workbook: Path, cell: str) -> str:
    """Make a cell of the G703 unreadable; what stood in it."""
    book = openpyxl.load_workbook(workbook)
    found = book["G703"][cell]
    stood, found.value = str(found.value), "§§"
    book.save(workbook)
    return stood
