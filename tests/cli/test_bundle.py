"""``audit export``, ``audit verify BUNDLE`` and ``policy backtest``, given what people give them."""

import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from placet.cli._output import write_bytes
from tests.cli.conftest import Placet, Served

NO_CASE = "case-" + "0" * 26
POLICIES = Path(__file__).parents[2] / "policies" / "loan-draw"


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", b"[" * 20_000_000)
    return out.getvalue()


def stored(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize("command", ["verify", "replay"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x05\x06",
        b"\xff\xfe not a bundle",
        bomb(),
        stored("manifest.json", b"[" * 100_000),
        stored("manifest.json", b'{"v":1}'),
        stored("../manifest.json", b"{}"),
        stored("a\nb", b"{}"),
    ],
    ids=["empty", "end-alone", "text", "bomb", "deep", "manifest", "traversal", "line-break"],
)
def test_a_file_that_is_no_bundle_is_told_in_one_line(
    placet: Placet, tmp_path: Path, command: str, content: bytes
) -> None:
    """I12: exit 1, one line that names the file, no traceback, and no setting needed."""
    file = tmp_path / "evidence.zip"
    file.write_bytes(content)
    ended = placet("audit", command, str(file))
    assert ended.code == 1
    assert ended.out == ""
    assert ended.err.startswith(f"placet: {file}: ")
    assert len(ended.err.splitlines()) == 1


def test_a_bundle_or_trust_that_is_not_there_is_told(placet: Placet, tmp_path: Path) -> None:
    for command in ("verify", "replay"):
        ended = placet("audit", command, str(tmp_path / "none.zip"))
        assert (ended.code, ended.out) == (2, "")
        assert "none.zip" in ended.err
    (tmp_path / "case.zip").write_bytes(b"")
    (tmp_path / "trust.json").write_text('{"log_key": 1}')
    ended = placet("audit", "verify", "case.zip", "--trust", "trust.json")
    assert ended.code == 2
    assert "trust.json: log_key" in ended.err


def test_where_memory_is_short_nothing_is_said_to_be_wrong(
    placet: Placet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I12: exit 3 and one line, as of whatever could not be judged."""

    def short(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("placet.cli._audited.read_bundle", short)
    (tmp_path / "case.zip").write_bytes(b"PK")
    for command in ("verify", "replay", "flight"):
        ended = placet("audit", command, "case.zip")
        assert (ended.code, ended.out) == (3, "")
        assert ended.err == "placet: there is not memory enough here for this; nothing was judged\n"


def test_what_is_no_file_is_told_in_one_line_and_not_waited_for(
    placet: Placet, tmp_path: Path
) -> None:
    """I12: a pipe into which nobody writes, a device, a folder, a socket; and nothing piped in."""
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
        for command, what in (
            ("verify", "a bundle or a proof"),
            ("replay", "a bundle"),
            ("flight", "a bundle"),
        ):
            for name, kind in (
                ("pipe", "pipe"),
                ("/dev/zero", "device"),
                ("/dev/null", "device"),
                ("socket", "device"),
                (str(tmp_path), "folder"),
            ):
                ended = placet("audit", command, name)
                said = f"placet: {name}: a {kind}, and no file; {what} can be piped in as -\n"
                assert (ended.code, ended.out, ended.err) == (2, "", said)
    ended = placet("audit", "verify", "-")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("placet: -: it is no ZIP")
    assert len(ended.err.splitlines()) == 1


def test_a_bundle_is_read_from_a_pipe(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "placet.cli", "audit", "verify", "-")
    ended = subprocess.run(command, input=b"PK", capture_output=True, check=False, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (1, b"")
    assert ended.stderr.startswith(b"placet: -: it is no ZIP that can be read")
    outer, inner = os.openpty()
    try:
        ended = subprocess.run(command, stdin=inner, capture_output=True, check=False, cwd=tmp_path)
    finally:
        os.close(outer)
        os.close(inner)
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert ended.stderr == b"placet: -: pipe a bundle or a proof in; standard input is a terminal\n"


def test_a_case_that_is_none_is_not_exported(
    placet: Placet, served: Served, tmp_path: Path
) -> None:
    """Nothing is written, and the message says why."""
    for arguments, said in (
        (("nonsense",), "no case's id"),
        ((NO_CASE,), f"the ledger has no case {NO_CASE}"),
        ((NO_CASE, "--size", "999999"), "no head of 999999 entries"),
        ((NO_CASE, "--size", "0"), "--size"),
    ):
        ended = placet("audit", "export", *arguments, **served.variables)
        assert ended.code == 2
        assert said in ended.err
        assert "Traceback" not in ended.err
    assert list(tmp_path.iterdir()) == []


def test_an_entry_of_a_running_log_is_proven(
    placet: Placet, served: Served, tmp_path: Path
) -> None:
    """I8: under its newest head or one of before; what there is not is told in one line."""
    trust = placet("authority", "trust", **served.own)
    (tmp_path / "trust.json").write_text(trust.out)
    first = httpx.get(served.variables["PLACET_ISSUER"] + "/v1/ledger/heads?limit=1").json()
    size = str(first["heads"][0]["size"])
    for more in ((), ("--size", size), ("--out", "first.tlog-proof")):
        (tmp_path / "entry-0.tlog-proof").unlink(missing_ok=True)
        made = placet("audit", "prove", "0", *more, "--json", **served.variables)
        assert (made.code, made.err) == (0, "")
        file = json.loads(made.out)["file"]
        held = placet("audit", "verify", file, "--trust", "trust.json")
        assert held.code == 0
        assert '"type": "log.created"' in held.out
    for arguments, said in (
        (("999999",), "has no entry 999999"),
        (("0", "--size", "999999"), "no head of 999999 entries"),
    ):
        ended = placet("audit", "prove", *arguments, **served.variables)
        assert (ended.code, ended.out) == (2, "")
        assert said in ended.err


def test_a_log_without_decisions_has_none_to_change(placet: Placet, served: Served) -> None:
    ended = placet("policy", "backtest", "--policies", str(POLICIES), "--json", **served.variables)
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out) == {
        "recorded": 0,
        "proposed": 0,
        "troubles": [],
        "changes": [],
        "other_reasons": 0,
        "approvals": {"recorded": 0, "erased": 0, "otherwise": [], "changes": []},
    }


def test_policies_that_do_not_hold_together_are_not_tried(
    placet: Placet, served: Served, tmp_path: Path
) -> None:
    (tmp_path / "policies.cedar").write_text("permit (principal, action, resource);")
    (tmp_path / "schema.cedarschema").write_text("namespace Placet {}")
    for arguments, code in (
        (("--policies", str(tmp_path)), 1),
        (("--policies", str(tmp_path / "none")), 3),
        (("--policies", str(POLICIES), "--since", "yesterday"), 2),
        (("--policies", str(POLICIES), "--process", "payment-resend"), 2),
        ((), 2),
    ):
        ended = placet("policy", "backtest", *arguments, **served.variables)
        assert ended.code == code, ended
        assert ended.out == ""
        assert "Traceback" not in ended.err


def test_which_folder_policies_are_tried_from_is_said(placet: Placet, served: Served) -> None:
    """A process's name is no folder, one may have a matrix alone, or another process's."""
    resend = POLICIES.with_name("payment-resend")
    both = "name one that has both policies.cedar and schema.cedarschema"
    for arguments, said in (
        (("loan-draw",), f"loan-draw is no folder; {both}"),
        ((str(resend),), f"{resend} has no policies.cedar and no schema.cedarschema; {both}"),
        (
            (str(POLICIES), "--process", "payment-resend"),
            "leave --process out, or give a folder with the matrix of payment-resend or none",
        ),
    ):
        ended = placet("policy", "backtest", "--policies", *arguments, **served.variables)
        assert said in ended.err


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """What an export writes, whatever the authority has."""

    def give(data: bytes) -> None:
        manifest = SimpleNamespace(manifest=SimpleNamespace(size=7))
        monkeypatch.setattr("placet.cli._exporting.write_bundle", lambda *_: data)
        monkeypatch.setattr("placet.cli._exporting.read_bundle", lambda _: manifest)

    give(b"a bundle")
    return give


def test_a_bundle_is_written_to_a_file_or_into_a_folder(
    placet: Placet, served: Served, tmp_path: Path, exported: Callable[[bytes], None]
) -> None:
    """Under the case's name where none is said; twice is once."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.zip").symlink_to("folder/other.zip")
    for more, told in (
        ((), f"{NO_CASE}.zip"),
        ((), f"{NO_CASE}.zip"),
        (("--out", "folder"), f"folder/{NO_CASE}.zip"),
        (("--out", "a.zip"), "a.zip"),
        (("--out", "link.zip"), "link.zip"),
    ):
        ended = placet("audit", "export", NO_CASE, *more, "--json", **served.variables)
        assert (ended.code, ended.err) == (0, "")
        assert json.loads(ended.out)["file"] == told
        assert (tmp_path / told).read_bytes() == b"a bundle"
    assert (tmp_path / "link.zip").is_symlink()
    assert (tmp_path / "folder/other.zip").is_file()
    assert len(list(tmp_path.rglob("*"))) == 6


def test_evidence_is_not_written_over(
    placet: Placet, served: Served, tmp_path: Path, exported: Callable[[bytes], None]
) -> None:
    """What was exported yesterday may be the one proof that the log of today is another."""
    assert placet("audit", "export", NO_CASE, **served.variables).code == 0
    exported(b"another bundle")
    ended = placet("audit", "export", NO_CASE, **served.variables)
    assert (ended.code, ended.out) == (2, "")
    assert f"{NO_CASE}.zip: is there already, and is another" in ended.err
    assert (tmp_path / f"{NO_CASE}.zip").read_bytes() == b"a bundle"


def test_where_no_bundle_can_be_written_is_named(
    placet: Placet, served: Served, tmp_path: Path, exported: Callable[[bytes], None]
) -> None:
    """I12: by the name that was given, and nothing is left or replaced."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"")
    for out, code, said in (
        ("-", 2, "-: no file"),
        ("pipe", 2, "pipe: no file"),
        ("/dev/null", 2, "/dev/null: no file"),
        ("nowhere/a.zip", 3, "nowhere/a.zip: No such file"),
        ("file/a.zip", 3, "file/a.zip: Not a directory"),
    ):
        ended = placet("audit", "export", NO_CASE, "--out", out, **served.variables)
        assert (ended.code, ended.out) == (code, "")
        assert said in ended.err
        assert len(ended.err.splitlines()) == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "pipe"]
    assert Path("/dev/null").is_char_device()


FULL = """
import resource, sys
from placet.cli._output import write_bytes
from placet.cli._spool import Pieces
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    if sys.argv[1] == "bundle":
        write_bytes(Path("case.zip"), bytes(20_000))
    kept = Pieces()
    kept.append(bytes(8_000))
    kept.append(bytes(8_000))
except OSError as error:
    print(error.filename, error.strerror)
"""


@pytest.mark.parametrize("what", ["bundle", "log"])
def test_a_disk_that_is_full_is_named_and_no_finding(tmp_path: Path, what: str) -> None:
    """I12: what there was no room for is an error of its place; a log is not called forged for it,
    and no half of a bundle is left."""
    ran = subprocess.run(
        [sys.executable, "-c", FULL, what],
        capture_output=True,
        check=False,
        cwd=tmp_path,
        text=True,
    )
    where = "case.zip" if what == "bundle" else tempfile.gettempdir()
    assert (ran.stdout.strip(), ran.stderr) == (f"{Path(where)} File too large", "")
    assert list(tmp_path.iterdir()) == []


def test_two_exports_of_a_case_at_once_both_leave_it_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I12: one is done between the other's writing and its putting in place."""
    path, plain = tmp_path / "case.zip", Path.write_bytes

    def slow(self: Path, data: bytes) -> int:
        written = plain(self, data)
        if data == b"one":
            write_bytes(path, b"another")
            assert path.read_bytes() == b"another"
        return written

    monkeypatch.setattr(Path, "write_bytes", slow)
    write_bytes(path, b"one")
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]
