"""The letter to the borrower and the worksheet, of a packet with planted trouble."""

import io
import json
from datetime import date

import openpyxl
import pytest

from activities.loan_file import check_folder
from activities.packet import read_folder
from activities.packet._keyed import _FORMS
from lender.model import Analysis, LoanFile, Packet
from lender.papers import NOT_FOR_THE_BORROWER, worksheet, write_letter
from lender.samples import plan_for, sample_loans
from lender.samples._defects import PACKET_DEFECTS
from lender.samples._write import write_packet
from placet.model import CheckpointView, InputPart, Model, Part, salted_digest
from tests.tui.simulator import SALT, Simulator, identifier
from workflows.presentation import PRESENTATION

DAY = date(2026, 11, 24)
Shown = tuple[CheckpointView, list[InputPart]]


def part(name: str, said: Model) -> InputPart:
    data = json.loads(said.model_dump_json(exclude_none=True))
    made = Part(name=name, record="loan/L-1003", salt=SALT, data=data)
    digest = salted_digest(SALT, made.content())
    agent, grant = "agent:draw-analyst", identifier("grant", 1)
    return InputPart(part=made, digest=digest, grant=grant, agent=agent)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[LoanFile, Packet, Analysis]:
    folder = tmp_path_factory.mktemp("packet")
    loan = next(each for each in sample_loans() if each.loan_id == "L-1003")
    plan = plan_for(loan)
    PACKET_DEFECTS["sov.arithmetic"](plan)
    write_packet(plan, folder)
    return loan, read_folder(folder), check_folder(folder, loan, DAY)


@pytest.fixture(scope="module")
def shown(found: tuple[LoanFile, Packet, Analysis]) -> Shown:
    loan, packet, analysis = found
    view = Simulator().add(7)
    proposal = view.evidence.proposal.model_copy(update={"findings": analysis.findings})
    evidence = view.evidence.model_copy(update={"proposal": proposal})
    parts = [part("loan", loan), part("packet", packet), part("analysis", analysis)]
    return view.model_copy(update={"evidence": evidence}), parts


def test_the_letter_asks_for_what_the_borrower_can_mend(shown: Shown) -> None:
    view, parts = shown
    letter = write_letter(view, parts, DAY)
    text = letter.content.decode()
    assert letter.name == "letter-L-1003-draw-1.txt"
    assert text.startswith("November 24, 2026\n")
    assert "can't go on until the following is mended" in text
    arithmetic = next(
        each for each in view.evidence.proposal.findings if each.check == "sov.arithmetic"
    )
    assert arithmetic.message in text
    assert arithmetic.compared[0].place.spot in text


def test_the_letter_tips_nobody_off(shown: Shown) -> None:
    """I12: what a list or another loan said is not told, whatever its weight."""
    view, parts = shown
    hidden = [
        each for each in view.evidence.proposal.findings if each.check in NOT_FOR_THE_BORROWER
    ]
    assert hidden  # nobody screened the payees here, and that alone would be told
    text = write_letter(view, parts, DAY).content.decode()
    assert not any(each.message in text for each in hidden)


def test_the_worksheet_has_every_row_and_no_formula(shown: Shown) -> None:
    """I12: what a document says is text, also if it begins as a formula does."""
    view, parts = shown
    packet = Packet.model_validate(parts[1].part.data)
    assert packet.application is not None
    first, *rest = packet.application.rows
    said = first.description.model_copy(update={"value": '=HYPERLINK("x")\x07'})
    rows = (first.model_copy(update={"description": said}), *rest)
    application = packet.application.model_copy(update={"rows": rows})
    changed = part("packet", packet.model_copy(update={"application": application}))
    book = openpyxl.load_workbook(
        io.BytesIO(worksheet(view, [parts[0], changed, parts[2]]).content)
    )
    assert book.sheetnames == ["Draw", "Findings", "G703", "Payments", "Adjustments"]
    sheet = book["G703"]
    assert sheet.max_row == len(rows) + 1
    assert (sheet["B2"].value, sheet["B2"].data_type) == ('=HYPERLINK("x")', "s")
    assert sheet["C2"].value == pytest.approx(float(first.scheduled_value.value))


def test_a_checkpoint_without_a_draw_writes_nothing(shown: Shown) -> None:
    view, _ = shown
    with pytest.raises(ValueError, match="shows no loan"):
        write_letter(view, [], DAY)


def test_people_are_offered_every_field_that_the_readers_take() -> None:
    offered = {each.path for each in PRESENTATION.keyed}
    taken = {f"{form}.{name}" for form, (*_, fields) in _FORMS.items() for name in fields}
    assert offered == taken
