"""What must hold for the repository as a whole."""

import importlib.metadata
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOP_LEVEL = ("placet", "workflows", "activities", "worker", "lender", "policies")

# Written so that the patterns do not find themselves.
FOREIGN = re.compile(
    r"(py[p]i\.org|pythonh[o]sted|registry\.npm[j]s|deb\.debia[n]|crates\.i[o]/"
    r"|/f[a]rm/[a-z]|/w[o]rk/[a-z.]|/r[o]ot/|/h[o]me/[a-z])"
)


def tracked() -> list[str]:
    """Every file that git knows and that is there."""
    found = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in found.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_other_distribution_owns_our_names() -> None:
    """A bare name like `worker` is ours alone, or an import would find someone else's code."""
    owners = importlib.metadata.packages_distributions()
    for name in TOP_LEVEL:
        assert set(owners.get(name, [])) <= {"placet"}, name


def test_an_upload_is_refused() -> None:
    """The names are an application's: a public registry must refuse the package."""
    assert '"Private :: Do Not Upload"' in (ROOT / "pyproject.toml").read_text()


def test_no_file_names_a_registry_or_a_machine() -> None:
    """Where packages come from, and where the tree lies, is the reader's own affair."""
    found = []
    for name in tracked():
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a document for the readers, not text
        for number, line in enumerate(text.splitlines(), 1):
            if FOREIGN.search(line):
                found.append(f"{name}:{number}: {line.strip()[:100]}")
    assert found == []


def test_one_lock() -> None:
    """The tool that makes the lock must leave no second one."""
    assert [name for name in tracked() if Path(name).name in {"uv.lock", "poetry.lock"}] == []


def requirements() -> list[str]:
    text = (ROOT / "requirements.lock").read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]


def test_every_locked_package_is_pinned_and_hashed() -> None:
    """What is installed is what was looked at."""
    assert requirements()
    for line in requirements():
        assert re.match(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==\S+ ", line), line[:80]
        assert "--hash=sha256:" in line, line[:80]


def test_every_dependency_is_locked() -> None:
    """A dependency that was added without the lock would be missing on a fresh machine."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]
    names = {re.match(r"[A-Za-z0-9._-]+", line).group().lower() for line in requirements()}
    for each in wanted:
        assert re.match(r"[A-Za-z0-9._-]+", each).group().lower() in names, each


def test_every_folder_of_tests_is_a_package() -> None:
    """Without `__init__.py`, `tests/workflows` would hide `workflows`."""
    folders = {
        (ROOT / name).parent
        for name in tracked()
        if name.startswith("tests/") and name.endswith(".py")
    }
    assert [str(each) for each in sorted(folders) if not (each / "__init__.py").is_file()] == []


TEST_ID = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def named_tests() -> dict[int, list[tuple[str, str]]]:
    text = (ROOT / "docs" / "invariants.md").read_text()
    parts = re.split(r"^## I(\d+) ", text, flags=re.MULTILINE)[1:]
    return {
        int(number): TEST_ID.findall(body)
        for number, body in zip(parts[::2], parts[1::2], strict=True)
    }


def test_every_invariant_is_written_down() -> None:
    assert sorted(named_tests()) == list(range(1, 14))


@pytest.mark.parametrize("number", range(1, 14))
def test_an_invariant_names_tests_that_exist(number: int) -> None:
    """A claim without its proof, or a proof that was renamed away, is found here."""
    tests = named_tests()[number]
    assert tests, f"I{number} has no test"
    for path, name in tests:
        code = (ROOT / path).read_text()
        assert re.search(rf"^\s*(async )?def {name}\(", code, re.MULTILINE), f"{path}::{name}"
        assert re.search(rf"\bI{number}\b", code), f"{path} does not name I{number}"


def test_each_owasp_risk_has_its_attack_and_its_control() -> None:
    """The page names the attack that is there, and code that is there."""
    page = (ROOT / "docs" / "explanation" / "owasp-nhi.md").read_text()
    attacks = {Path(name).name for name in tracked() if "tests/owasp/test_nhi" in name}
    assert len(attacks) == 10
    assert set(re.findall(r"`(test_nhi\d\d_\w+\.py)`", page)) == attacks
    for name in re.findall(r"`(placet/[\w/]+\.py)`", page):
        assert (ROOT / name).is_file(), name
