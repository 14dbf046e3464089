"""What comes with the project: the bill of materials, licences, and no secrets."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def tool(name: str) -> ModuleType:
    """One of the tools in ``.ci``."""
    spec = importlib.util.spec_from_file_location(f"ci_{name}", ROOT / ".ci" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")
def bill() -> str:
    """The bill of materials, as `make sbom` writes it."""
    sbom = tool("sbom")
    return str(sbom.bill(sbom.locked()))


def test_the_bill_lists_what_the_lock_locks(bill: str) -> None:
    """Name, version and every hash, counted from the lock's own lines."""
    said = json.loads(bill)
    assert (said["bomFormat"], said["specVersion"]) == ("CycloneDX", "1.6")
    lock = (ROOT / "requirements.lock").read_text()
    pinned = set(re.findall(r"^([\w.-]+)==([^ ;\\\n]+)", lock, re.MULTILINE))
    assert {(each["name"], each["version"]) for each in said["components"]} == pinned
    hashes = [each["content"] for one in said["components"] for each in one.get("hashes", ())]
    assert sorted(hashes) == sorted(set(re.findall(r"sha256:([0-9a-f]{64})", lock)))
    for each in said["components"]:
        assert each["purl"] == f"pkg:pypi/{each['name'].lower()}@{each['version']}".replace(
            "_", "-"
        )


def test_the_same_lock_gives_the_same_bill(bill: str) -> None:
    sbom = tool("sbom")
    assert sbom.bill(sbom.locked()) == bill


# Whoever installs the project may use, change and sell it together with these.
_PERMISSIVE = {
    *("MIT", "MIT-0", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "ISC", "PSF-2.0"),
    *("Python-2.0", "Unlicense", "MIT-CMU", "HPND", "Zlib", "CC0-1.0", "BSL-1.0", "X11"),
    "Apache-2.0 WITH LLVM-exception",
    "MPL-2.0",  # weak copyleft, of its own files: used unchanged
}
_LINKED = {"psycopg", "psycopg-binary"}  # LGPL-3.0: used as a library, unchanged


def test_every_licence_of_the_lock_is_permissive() -> None:
    """And stated: what is not installed on this platform is looked at on the others."""
    sbom = tool("sbom")
    wrong = {}
    for name in sbom.locked():
        licence = sbom.licence_of(name)
        if licence is None and not _is_installed(name):
            continue
        parts = re.split(r"\s+(?:AND|OR)\s+", (licence or "none").strip("()"))
        if not {each.strip("() ") for each in parts} <= _PERMISSIVE and name not in _LINKED:
            wrong[name] = licence
    assert wrong == {}


def _is_installed(name: str) -> bool:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def test_no_secret_is_in_any_file() -> None:
    """I7: what looks like one is named with its reason, or is not there."""
    done = subprocess.run(
        [sys.executable, ROOT / ".ci" / "secrets.py"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    named = json.loads((ROOT / ".ci" / "secrets.json").read_text())
    assert all(each["why"] != "say why" for each in named.values())


@pytest.mark.parametrize(
    "secret",
    [
        "-----BEGIN " + "EC PRIVATE KEY-----\n" + "MHcCAQEEIIrYSSNQ" * 2,
        '"d": "' + "nWGxne9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf" + '"',
        "AKIA" + "Z" * 16,
        "ghp_" + "a1" * 18,
        "glpat-" + "a1" * 12,
        "eyJ" + "hbGciOiJFUzI1NiJ9.eyJ" + "pc3MiOiJqb2UifQ0K." + "a" * 86,
        "postgresql://" + "placet:hunter2hunter2@db.example/placet",
        "PASSWORD = '" + "tr0ub4dor-and-3-more" + "'",
        "whsec_" + "a1" * 20,
    ],
)
def test_a_secret_is_found_by_its_form(secret: str) -> None:
    """The scan can fail: each form is found in the middle of a text, with its line."""
    (found,) = list(tool("secrets").secrets_of(f"first\n x {secret}\n"))
    assert found[0] == 2
