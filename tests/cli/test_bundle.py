"""``audit export``, ``audit verify BUNDLE`` and ``policy backtest``, given what people give them."""

import io
import json
import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from placet.cli._audit import _write
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


def test_what_is_no_file_is_told_in_one_line_and_not_waited_for(
    placet: Placet, tmp_path: Path
) -> None:
    """I12: a pipe into which nobody writes, a device, a folder, a socket; and nothing piped in."""
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
        for command in ("verify", "replay", "flight"):
            for name, kind in (
                ("pipe", "pipe"),
                ("/dev/zero", "device"),
                ("/dev/null", "device"),
                ("socket", "device"),
                (str(tmp_path), "folder"),
            ):
                ended = placet("audit", command, name)
                said = f"placet: {name}: a {kind}, and no file; a bundle can be piped in as -\n"
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
    assert ended.stderr == b"placet: -: pipe a bundle in; standard input is a terminal\n"


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


def test_a_log_without_decisions_has_none_to_change(placet: Placet, served: Served) -> None:
    ended = placet("policy", "backtest", "--policies", str(POLICIES), "--json", **served.variables)
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out) == {
        "recorded": 0,
        "proposed": 0,
        "troubles": [],
        "changes": [],
        "other_reasons": 0,
        "approvals": {"recorded": 0, "otherwise": [], "changes": []},
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
        ((), 2),
    ):
        ended = placet("policy", "backtest", *arguments, **served.variables)
        assert ended.code == code, ended
        assert ended.out == ""
        assert "Traceback" not in ended.err


def test_two_exports_of_a_case_at_once_both_leave_it_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I12: one is done between the other's writing and its putting in place."""
    path, plain = tmp_path / "case.zip", Path.write_bytes

    def slow(self: Path, data: bytes) -> int:
        written = plain(self, data)
        if data == b"one":
            _write(path, b"another")
            assert path.read_bytes() == b"another"
        return written

    monkeypatch.setattr(Path, "write_bytes", slow)
    _write(path, b"one")
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]
