"""What somebody meets first: the version, an own process, and what auditors are given."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from importlib.metadata import EntryPoint, version
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from placet.cli import CommandFailed, _processes
from placet.cli._app import _OURS, whole
from placet.cli._deciding import require_named
from placet.ledger import NoteSigner
from placet.model import CheckpointView
from tests.cli.conftest import PROGRAM, Ended, Placet, Served, serving
from tests.cli.test_wrong_input import POLICIES, assert_told

DIGEST = "sha-256:" + "A" * 43


def test_the_version_says_what_a_report_needs_and_loads_no_command() -> None:
    code = (
        "import sys; from placet.cli import main; sys.argv = ['placet', '--version']; main();"
        "print('placet.cli._output' in sys.modules, 'placet.cli._app' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said, loaded = ran.stdout.splitlines()
    assert said.startswith(f"placet {version('placet')}, Python {platform.python_version()}, ")
    assert platform.machine() in said
    assert loaded == "True False"


def test_a_command_loads_what_it_needs_alone() -> None:
    code = (
        "import sys; from placet.cli import main; sys.argv = ['placet', 'case', 'list', '--help'];"
        "\ntry: main()\nexcept SystemExit: pass\n"
        "print([each for each in ('placet.authority', 'placet.audit', 'lender', 'sqlalchemy')"
        " if each in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage: placet case list" in ran.stdout
    assert ran.stdout.splitlines()[-1] == "[]"


def test_every_command_is_named_in_the_help(placet: Placet) -> None:
    said = placet("--help").out
    for name in (*_OURS, "console", "demo", "lender", "loan", "packet", "up", "version"):
        assert f"│ {name} " in said


def test_the_version_is_an_option_and_a_command(placet: Placet) -> None:
    assert "--version" in placet("--help").out
    for said in (("--help",), ("case", "list", "--help"), ("audit", "verify", "--help")):
        assert "<bool>" not in placet(*said).out  # no flag takes a value
    assert placet("--version").out == placet("version").out != ""


def test_the_help_of_opening_a_case_lists_what_its_process_takes(placet: Placet) -> None:
    """Wherever in the line it is asked for; without a process it says how to ask."""
    taken = ("--loan", "--draw", "--packet", "loan/{loan}/draw/{draw}", "into document storage")
    for asked in (("--process", "loan-draw", "--help"), ("--help", "--process=loan-draw")):
        said = placet("case", "open", *asked).out
        assert [each for each in taken if each not in said] == []
    plain = placet("case", "open", "--help").out
    assert "--process NAME --help" in plain and "--packet" not in plain
    unknown = placet("case", "open", "--process", "nope", "--help")
    assert (unknown.code, unknown.out) == (2, "")
    assert "there is no process 'nope'; there are [" in unknown.err


def test_a_help_ends_its_lines_where_the_screen_does_and_asks_for_days_in_words(
    placet: Placet,
) -> None:
    told = placet("policy", "backtest", "--help", COLUMNS="80").out
    assert "\n decisions in its process as well: as it was asked, then as that matrix would" in told
    assert "YYYY-MM-DD" in told and "%" not in told


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Beside a sound process: one whose code is wrong, one that lacks something, one misspelt."""
    (tmp_path / "wrong_process.py").write_text("raise ValueError('no step named pay\\nmore')\n")
    (tmp_path / "lacking_process.py").write_text("import not_there_at_all\n")
    (tmp_path / "misspelt_process.py").write_text(
        "from placet.model import Relation\nRelation(name='claim', templat='shop/{shop}')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = [
        EntryPoint("loan-draw", "lender.commands:PROCESS", "placet.processes"),
        EntryPoint("wrong", "wrong_process:PROCESS", "placet.processes"),
        EntryPoint("lacking", "lacking_process:PROCESS", "placet.processes"),
        EntryPoint("misspelt", "misspelt_process:PROCESS", "placet.processes"),
        EntryPoint("renamed", "lender.commands:PROCESS", "placet.processes"),
        EntryPoint("module", "lender.commands", "placet.processes"),
    ]
    monkeypatch.setattr(_processes, "entry_points", lambda **_: found)


@pytest.mark.usefixtures("broken")
def test_a_process_that_does_not_load_is_named_with_why(placet: Placet) -> None:
    ended = placet("policy", "publish", ".", "--process", "wrong")
    assert_told(ended, 2, "'wrong'", "ValueError: no step named pay;", "import wrong_process'")
    ended = placet("policy", "publish", ".", "--process", "lacking")
    assert_told(ended, 2, "'lacking'", "there is no not_there_at_all")
    ended = placet("policy", "publish", ".", "--process", "misspelt")
    assert_told(ended, 2, "'misspelt'", "Relation: template: Field required;", "misspelt_process'")
    ended = placet("policy", "publish", ".", "--process", "renamed")
    assert_told(ended, 2, "'renamed'", "its definition calls it 'loan-draw'")
    ended = placet("policy", "publish", ".", "--process", "module")
    assert_told(ended, 2, "'module'", "no placet.process.Process, but a module")


@pytest.mark.usefixtures("broken")
def test_a_process_that_does_not_load_stands_in_no_others_way(placet: Placet) -> None:
    ended = placet("case", "open", "--process", "loan-draw")
    assert_told(ended, 2, "--loan")
    for command in (("case", "open"), ("policy", "publish", ".")):
        assert_told(placet(*command, "--process", "none"), 2, "'none'", "'wrong'", "'lacking'")


def test_whatever_a_processes_own_code_raises_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """I12: as it attaches, reads and writes; the console ended with it, and with its traceback."""
    (tmp_path / "careless_process.py").write_text(
        "from dataclasses import replace\n"
        "from lender.commands import PROCESS\n"
        "def breaks(*given): return {}['x']\n"
        "def other(*given): return ('a', b'b')\n"
        "def refuses(*given): raise ValueError('no such draw')\n"
        "PROCESS = replace(PROCESS, attach={'packet': breaks, 'more': refuses}, document=other,\n"
        "    papers={'letter': breaks, 'sheet': other})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = [EntryPoint("loan-draw", "careless_process:PROCESS", "placet.processes")]
    monkeypatch.setattr(_processes, "entry_points", lambda **_: found)
    process = _processes.processes()["loan-draw"]
    assert process.document is not None
    calls: dict[str, Callable[[], object]] = {
        "the package of loan-draw failed: KeyError: 'x'": lambda: process.attach["packet"](
            "loan/L-1", tmp_path
        ),
        "no such draw": lambda: process.attaching(again=True)["more"]("loan/L-1", tmp_path),
        "the package of loan-draw gives no Paper, but a tuple": lambda: process.papers["sheet"](
            cast("CheckpointView", None), ()
        ),
        "the package of loan-draw gives no bytes, but a tuple": partial(
            process.document, "loan/L-1", "a.pdf", DIGEST
        ),
    }
    for said, call in calls.items():
        with pytest.raises(ValueError, match=f"^{said}$"):
            call()


def test_a_command_that_does_not_load_is_named_with_why_and_stands_in_no_others_way(
    placet: Placet, tmp_path: Path
) -> None:
    """Another package's: in the help of all, and where it is asked for."""
    (tmp_path / "wrong_command.py").write_text("raise ValueError('no such option\\nmore')\n")
    (tmp_path / "lacking_command.py").write_text("import not_there_at_all\n")
    (tmp_path / "right_command.py").write_text("def main() -> None:\n    print('done')\n")
    brought = {
        "wrong": "wrong_command:app",
        "lacking": "lacking_command:app",
        "module": "right_command",
        "right": "right_command:main",
    }
    (tmp_path / "own-1.dist-info").mkdir()
    (tmp_path / "own-1.dist-info" / "METADATA").write_text("Name: own\nVersion: 1\n")
    (tmp_path / "own-1.dist-info" / "entry_points.txt").write_text(
        "[placet.commands]\n" + "".join(f"{name} = {at}\n" for name, at in brought.items())
    )

    def ended(*arguments: str) -> Ended:
        ran = subprocess.run(
            [*PROGRAM, *arguments],
            env={**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )
        return Ended(ran.returncode, ran.stdout, ran.stderr)

    why = {
        "wrong": ("ValueError: no such option;", "import wrong_command'"),
        "lacking": ("there is no not_there_at_all", "install what brings the command"),
        "module": ("neither a typer.Typer nor a function, but a module",),
    }
    for name, words in why.items():
        assert_told(ended(name, "--of-its-own", "7"), 2, f"'{name}'", *words)
    said = ended("--help")
    assert (said.code, said.err) == (0, "")
    shown = re.sub(r"[\s│]+", " ", said.out)
    for word in ("case", "console", *(word for words in why.values() for word in words)):
        assert word in shown, (word, shown)
    assert ended("right") == Ended(0, "done\n", "")


def test_a_process_is_named_or_follows_from_what_was_given(placet: Placet, tmp_path: Path) -> None:
    """A case is of none by default, and policies are published for the process of their matrix."""
    assert_told(placet("case", "open", "--loan", "L-1001"), 2, "--process", "loan-draw")
    shutil.copytree(POLICIES, tmp_path / "own")
    file = tmp_path / "own" / "authority-matrix.json"
    file.write_text(file.read_text().replace('"process": "loan-draw"', '"process": "refund"'))
    assert_told(placet("policy", "publish", "own"), 2, "no process 'refund'")


def test_the_engines_own_commands_know_nothing_of_loans() -> None:
    lenders = re.compile(r"\b(loan|lender|borrower|packet|draw-|disburs)", re.IGNORECASE)
    root = whole()

    def said(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
        yield path, command.help or ""
        for each in command.params:
            yield path, f"{each.name}: {getattr(each, 'help', None) or ''} {each.default}"
        for name, each in getattr(command, "commands", {}).items():
            yield from said(each, (*path, name))

    for name in _OURS:
        for path, words in said(root.commands[name], (name,)):
            assert not lenders.search(words), (path, words)


def test_what_auditors_are_given_is_what_the_ledger_holds_under(
    placet: Placet, served: Served, tmp_path: Path
) -> None:
    """I8: who keeps it needs to believe nobody else about whose log it is."""
    given = placet("authority", "trust", **served.own)
    assert given.code == 0, given
    trust = tmp_path / "trust.json"
    trust.write_text(given.out)
    assert placet("audit", "verify", **served.variables).code == 3
    verified = placet("audit", "verify", "--trust", str(trust), **served.variables)
    assert verified.code == 0, verified
    right = json.loads(given.out)
    origin = right["log_key"].partition("+")[0]
    others = {
        "log_key": NoteSigner(origin, Ed25519PrivateKey.generate()).verifier.vkey,
        "administrators": [json.loads(placet("operator", "key", "other.key").out)["kid"]],
    }
    for member, other in others.items():
        trust.write_text(json.dumps({**right, member: other}))
        refused = placet("audit", "verify", "--trust", str(trust), **served.variables)
        assert refused.code == 1, (member, refused)


def test_a_running_log_is_held_to_what_a_witness_of_it_saw(placet: Placet, tmp_path: Path) -> None:
    """I8: over HTTP, with the files that the commands print and write: no head, and then its own."""
    (tmp_path / "served").mkdir()
    with serving(tmp_path / "served") as served:
        told = json.loads(placet("authority", "trust", **served.own).out)
        name = "witness.example/w1"
        vkey = placet("audit", "witness-key", "witness.pem", "--name", name).out.strip()
        trust = tmp_path / "trust.json"

        def verified(*heads: str) -> Ended:
            trust.write_text(json.dumps({**told, "witnesses": [vkey], "heads": heads}))
            asked = ("audit", "verify", "--trust", str(trust))
            return placet(*asked, **served.variables)

        unseen = verified()
        assert unseen.code == 3
        assert "not checked: witnesses: no witness that you trust" in unseen.out
        log = (f"{served.variables['PLACET_ISSUER']}/ledger", "--log-key", told["log_key"])
        own = ("--key", "witness.pem", "--name", name, "--keep", "last-head", "--new")
        assert placet("audit", "witness", *log, *own).code == 0
        seen = verified(Path("last-head").read_text("utf-8"))
        assert seen.code == 0, seen
        assert f"checked cosignatures of {name}: 1" in seen.out


def test_without_a_log_there_is_nothing_to_trust(
    placet: Placet, served: Served, tmp_path: Path
) -> None:
    empty = {**served.own, "PLACET_AUTHORITY_DATABASE_URL": f"sqlite:///{tmp_path}/none.db"}
    assert_told(placet("authority", "trust", **empty), 3, "placet authority init")


def test_an_approval_names_the_amount_that_is_proposed_and_none_where_none_is() -> None:
    require_named(Decimal("5.00"), Decimal("5.00"))
    require_named(None, None)
    with pytest.raises(CommandFailed, match="--amount 5.00"):
        require_named(None, Decimal("5.00"))
    with pytest.raises(CommandFailed, match="leave --amount out"):
        require_named(Decimal("5.00"), None)
