"""An auditor's laptop has no server, no database driver and no console."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.audit.recording import Recorded

FOREIGN = (
    "aiohttp",
    "asyncpg",
    "fastapi",
    "httpx",
    "psycopg",
    "sqlalchemy",
    "sqlmodel",
    "starlette",
    "textual",
    "uvicorn",
)
OURS = ("activities", "lender", "placet.agent", "placet.authority", "tui", "worker", "workflows")


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after a statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    ran = subprocess.run(  # noqa: S603  # this interpreter, on our own words
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )
    return set(json.loads(ran.stdout))


def test_the_audit_loads_no_server_and_no_database() -> None:
    """I9: verifying and replaying need neither a service nor its libraries."""
    loaded = loaded_by("import placet.audit")
    assert "placet.audit" in loaded
    found = {each.partition(".")[0] for each in loaded} & set(FOREIGN)
    assert found == set()
    assert [each for each in OURS if each in loaded] == []


AUDIT_ALONE = """
import sys
from importlib import metadata
from packaging.requirements import Requirement

def spelled(name):
    return name.lower().replace("-", "_")

def closure(name, extra, seen):
    for text in metadata.requires(name) or ():
        need = Requirement(text)
        if need.marker is None or need.marker.evaluate({"extra": extra}):
            if need.marker is None and name == "placet":
                continue  # what the whole installation needs
            if spelled(need.name) not in seen:
                seen.add(spelled(need.name))
                closure(need.name, "", seen)

allowed = set()
closure("placet", "audit", allowed)
FOREIGN = {
    top
    for top, names in metadata.packages_distributions().items()
    if not set(map(spelled, names)) & (allowed | {"placet"})
}

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in FOREIGN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for name in [each for each in sys.modules if each.partition(".")[0] in FOREIGN]:
    del sys.modules[name]
sys.meta_path.insert(0, Absent())

import contextlib, io, json
asked, ended = json.loads(sys.argv[1]), []
for arguments in asked:
    sys.argv = ["placet", *arguments]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            from placet.cli import main
            main()
        except SystemExit as end:
            code = end.code or 0
    ended.append((code, out.getvalue(), err.getvalue()))
print(json.dumps(ended))
"""


class Ended(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


def audit_alone(*commands: Sequence[str]) -> list[Ended]:
    """Commands where only what ``placet[audit]`` asks for can be imported, one after the other."""
    ran = subprocess.run(  # noqa: S603  # this interpreter, on our own words
        [sys.executable, "-c", AUDIT_ALONE, json.dumps(commands)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PLACET_ISSUER": "nonsense"},  # no setting is read
    )
    return [Ended(*each) for each in json.loads(ran.stdout)]


def test_a_bundle_is_verified_where_only_the_audit_is_installed(
    recorded: Recorded, tmp_path: Path
) -> None:
    """I9: no FastAPI, database driver, client or setting: the command and its exit codes."""
    bundle, trust = tmp_path / "case.zip", tmp_path / "trust.json"
    bundle.write_bytes(recorded.exported)
    trust.write_text(json.dumps({"log_key": recorded.files.trusted_log_key}))
    proof = tmp_path / "entry.tlog-proof"
    alone, trusted, proven, shown, *ran = audit_alone(
        ("audit", "verify", str(bundle)),
        ("audit", "verify", str(bundle), "--trust", str(trust), "--json"),
        ("audit", "prove", "0", "--bundle", str(bundle), "--out", str(proof)),
        ("audit", "verify", str(proof), "--trust", str(trust)),
        ("audit", "replay", str(bundle)),
        ("audit", "flight", str(bundle)),
    )
    assert (alone.code, alone.err) == (3, "")
    assert "everything that was checked holds" in alone.out
    assert (trusted.code, trusted.err) == (0, "")
    assert json.loads(trusted.out)["troubles"] == []
    assert [(each.code, each.err) for each in (proven, shown)] == [(0, ""), (0, "")]
    for ended in ran:
        assert ended.code == 2  # 3 would say that it holds, under nobody's key
        assert "parcel-check" in ended.err or "can't be loaded here" in ended.err
        assert "Traceback" not in ended.err


def test_what_needs_more_than_the_audit_says_so() -> None:
    """I12: also where the command itself is there, and what it was asked for is an authority's."""
    case = "case-" + "0" * 26
    of_a_log = (
        ("verify",),
        ("replay", case),
        ("replay", "--all"),
        ("flight", case),
        ("prove", "0"),
    )
    commands = (("case", "list"), ("audit", "timeline", case), ("--help",))
    for ended in audit_alone(*commands, *(("audit", *each) for each in of_a_log)):
        assert ended.code == 3
        assert "needs the whole installation" in ended.err
        assert len(ended.err.splitlines()) == 1
