"""Documents, attached files and papers at the command line: what the console shows, in plain text."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from placet.client import OperatorClient
from placet.model import format_time
from placet.process import Paper, Process
from placet.tokens import SigningKey, write_key_file
from tests.cli.conftest import Ended, Placet
from tests.tui.simulator import ISSUER, PARCELS, Simulator

Say = Callable[..., Ended]


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Simulator:
    made = Simulator()
    made.document = b"Label\nkg: 2\n"
    process = Process(
        definition=PARCELS,
        workflow=object,
        document=lambda subject, name, digest: made.document,
        papers={
            "note": lambda view, parts: Paper("note.txt", f"about {view.subject}\x1b".encode()),
            "sheet": lambda view, parts: Paper("sheet.xlsx", b"PK"),
        },
    )
    client = functools.partial(OperatorClient, transport=made.transport())
    monkeypatch.setattr("placet.cli._base.OperatorClient", client)
    for module in ("_documents", "_papers"):
        monkeypatch.setattr(f"placet.cli.{module}.processes", lambda: {"parcels": process})
    return made


@pytest.fixture
def say(simulator: Simulator, placet: Placet, tmp_path: Path) -> Say:
    key = SigningKey.generate()
    write_key_file(tmp_path / "omar.key", key)
    simulator.enrol("omar", ("officer",), key.public)
    told = {"PLACET_ISSUER": ISSUER, "PLACET_OPERATOR": "omar", "PLACET_KEY_FILE": "omar.key"}

    def say(*words: str, code: int = 0) -> Ended:
        ended = placet("checkpoint", *words, **told)
        assert ended.code == code, ended
        return ended

    return say


def test_a_document_is_printed_with_its_cited_place_marked_or_kept(
    simulator: Simulator, say: Say, tmp_path: Path
) -> None:
    """I13: it is the very document that the evidence names, or nothing is printed."""
    view = simulator.add(7)
    assert "label.pdf" in say("documents", view.id).out
    ended = say("document", view.id, "label.pdf", code=3)
    assert "it can't be read as text" in ended.err  # what is here is no PDF
    say("document", view.id, "label.pdf", "--save", "kept.pdf")
    assert (tmp_path / "kept.pdf").read_bytes() == simulator.document
    ended = say("document", view.id, "label.pdf", "--save", "kept.pdf", code=2)
    assert "is there already" in ended.err
    ended = say("document", view.id, "lable.pdf", code=2)
    assert "there are: label.pdf" in ended.err
    simulator.document = b"another"
    ended = say("document", view.id, "label.pdf", code=1)
    assert "is not the document that was read" in ended.err


def test_what_a_finding_quotes_gives_the_terminal_no_orders(simulator: Simulator, say: Say) -> None:
    """I12: a document's words could write another amount over the one that is approved."""
    view = simulator.add(
        7, comment="\x1b[2A\x9b2K\u202e[bold]amount 1.00", sender="\x1b]0;owned\x07"
    )
    shown = say("show", view.id).out
    assert "amount 184200.00 of 184200.00 requested" in shown
    assert "[bold]amount 1.00" in shown
    assert f"open until {format_time(view.deadline.replace(microsecond=0))}\n" in shown
    assert not set(shown) & set("\x1b\x9b\x07\u202e")


@pytest.mark.parametrize(
    "shown_as",
    [{"subject": "depot/D-1/parcel/8"}, {"case": "case-" + "0" * 26}, {"name": "return"}],
)
def test_evidence_that_is_shown_as_anothers_is_not_signed(
    simulator: Simulator, say: Say, shown_as: dict[str, str]
) -> None:
    """I13: whoever writes the database could have people approve one record, and show another."""
    view = simulator.add(7)
    simulator.change(view.id, **shown_as)
    for words in (
        ("show",),
        ("approve", "--amount", "184200.00"),
        ("reject", "--reason-code", "x"),
    ):
        ended = say(words[0], view.id, *words[1:], code=1)
        assert f"the evidence is of dispatch of depot/D-1/parcel/7 in {view.case}" in ended.err
    assert simulator.checkpoints[view.id].decisions == ()


def test_an_attached_file_is_printed_or_kept(
    simulator: Simulator, say: Say, tmp_path: Path
) -> None:
    view = simulator.add(7)
    act = simulator.attach(view.id, "note.txt", b"seen \x1b[2J twice\n")
    ended = say("file", view.id, act)
    assert "seen" in ended.out
    assert "\x1b" not in ended.out
    say("file", view.id, act, "--save", "note.txt")
    assert (tmp_path / "note.txt").read_bytes() == b"seen \x1b[2J twice\n"
    ended = say("file", view.id, "x" * 24, code=2)
    assert "there are: note.txt" in ended.err


def test_papers_are_listed_printed_and_kept(simulator: Simulator, say: Say, tmp_path: Path) -> None:
    view = simulator.add(7)
    assert say("write", view.id).out.splitlines() == [
        "note  note.txt  25 bytes",
        "sheet  sheet.xlsx  2 bytes",
    ]
    ended = say("write", view.id, "note")
    assert ended.out == "about depot/D-1/parcel/7\ufffd\n"
    say("write", view.id, "sheet", "--save", "s.xlsx")
    assert (tmp_path / "s.xlsx").read_bytes() == b"PK"
    assert "it writes note, sheet" in say("write", view.id, "letter", code=2).err


def test_a_cited_place_is_marked(simulator: Simulator, say: Say, label_pdf: bytes) -> None:
    simulator.document = label_pdf
    view = simulator.add(7)
    ended = say("document", view.id, "label.pdf", "--spot", "page 1, kg")
    assert ended.out == "== page 1\n   Parcel label\n▶  kg: 2\n"
    for spot in ("page 9", "row 0", "page 1!A0", f"page {'9' * 5000}", f"row {'9' * 5000}"):
        ended = say("document", view.id, "label.pdf", "--spot", spot)
        assert f"{spot}: not found" in ended.err
        assert "▶" not in ended.out


@pytest.fixture
def label_pdf() -> bytes:
    import io  # noqa: PLC0415 - for this one document

    from reportlab.pdfgen.canvas import Canvas  # noqa: PLC0415 - the same

    out = io.BytesIO()
    canvas = Canvas(out)
    for number, line in enumerate(["Parcel label", "kg: 2"]):
        canvas.drawString(72, 720 - 20 * number, line)
    canvas.save()
    return out.getvalue()
