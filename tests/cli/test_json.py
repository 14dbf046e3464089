"""``--json`` on every command that prints data: the whole tree of commands is walked."""

import json
from pathlib import Path

import pytest

from placet.cli._app import whole
from tests.cli.conftest import Placet
from tests.cli.test_papers import Say, label_pdf, say, simulator
from tests.cli.test_wrong_input import POLICIES, every_command
from tests.tui.simulator import Simulator

__all__ = ["label_pdf", "say", "simulator"]

NO_DATA = {
    ("agent", "mcp"): "serves until stopped",
    ("authority", "init"): "says what was done, and what to do next",
    ("authority", "make-log-key"): "says what was done, and what to do next",
    ("authority", "serve"): "serves until stopped",
    ("authority", "signer"): "serves until stopped",
    ("codec",): "serves until stopped",
    ("console",): "a screen",
    ("demo",): "a screen, or tells a story line by line",
    ("gateway",): "serves until stopped",
    ("lender", "serve"): "serves until stopped",
    ("packet", "samples"): "writes files",
    ("up",): "serves until stopped",
}
JSON_ALREADY = {
    ("agent", "key"),  # a JWK
    ("authority", "trust"),  # the file of --trust
    ("checkpoint", "part"),  # evidence is JSON
    ("operator", "key"),
    ("system", "key"),
}


def test_every_command_that_prints_data_prints_it_as_json() -> None:
    """A new command has ``--json``, or stands above with the reason why it has no data."""
    without = {path for path, command in every_command(whole()) if not _has_json(command)}
    assert without == NO_DATA.keys() | JSON_ALREADY


def _has_json(command: object) -> bool:
    return any("--json" in each.opts for each in command.params)  # type: ignore[attr-defined]  # it is one


def test_policies_that_are_checked(placet: Placet) -> None:
    told = json.loads(placet("policy", "check", str(POLICIES), "--json").out)
    assert told["digest"] in placet("policy", "check", str(POLICIES)).out
    assert len(told["policies"]) > 5


def test_a_witness_key_that_is_made(placet: Placet, tmp_path: Path) -> None:
    made = placet("audit", "witness-key", "w.pem", "--name", "witness.example/w1", "--json")
    assert json.loads(made.out)["witness"].startswith("witness.example/w1+")
    assert (tmp_path / "w.pem").exists()


def test_the_version(placet: Placet) -> None:
    told = json.loads(placet("version", "--json").out)
    assert all(value in placet("version").out for value in told.values())


def test_papers_listed_written_and_kept(simulator: Simulator, say: Say, tmp_path: Path) -> None:
    view = simulator.add(7)
    assert json.loads(say("write", view.id, "--json").out) == [
        {"name": "note", "file": "note.txt", "bytes": 25},
        {"name": "sheet", "file": "sheet.xlsx", "bytes": 2},
    ]
    assert json.loads(say("write", view.id, "note", "--json").out) == {
        "name": "note",
        "file": "note.txt",
        "text": "about depot/D-1/parcel/7\x1b",
    }
    kept = json.loads(say("write", view.id, "sheet", "--json").out)
    assert kept == {"kept": str(tmp_path / "sheet.xlsx"), "bytes": 2}


@pytest.mark.parametrize(
    ("spot", "found"),
    [("page 1, kg", {"page": 0, "row": 1, "column": None}), ("page 9", None)],
)
def test_a_documents_text_and_the_place_in_it(
    simulator: Simulator, say: Say, label_pdf: bytes, spot: str, found: object
) -> None:
    simulator.document = label_pdf
    view = simulator.add(7)
    told = json.loads(say("document", view.id, "label.pdf", "--spot", spot, "--json").out)
    assert told["pages"] == [
        {"title": "page 1", "labels": [""], "rows": [["Parcel label"], ["kg: 2"]]}
    ]
    assert told["spot"] == found


def test_an_attached_files_text(simulator: Simulator, say: Say) -> None:
    view = simulator.add(7)
    act = simulator.attach(view.id, "note.txt", b"seen \x1b[2J twice\n")
    told = json.loads(say("file", view.id, act, "--json").out)
    assert "seen" in told["pages"][0]["rows"][0][0]
