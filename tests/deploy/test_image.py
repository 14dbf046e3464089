"""The Dockerfile's own steps, run here: what it would install is whole, and runs with nothing to write to."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from placet.tokens import SigningKey
from tests.deploy.compose import ROOT

PLACES = ("/opt/placet", "/build")
DEPENDENCIES = "--require-hashes -r requirements.lock"
"""The one step that is not run: its packages are those of this environment (test_compose.py)."""


def steps() -> list[tuple[str, str]]:
    """The instructions of the first stage."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    first = text[: text.index("\nFROM", text.index("FROM") + 1)]
    return re.findall(r"^(RUN|COPY) (.+)$", first, re.MULTILINE)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the first stage makes, read-only."""
    root = tmp_path_factory.mktemp("image")
    build = root / "build"
    build.mkdir()

    def here(text: str) -> str:
        for place in PLACES:
            text = text.replace(place, f"{root}{place}")
        return text.replace("python -m venv", f"{sys.executable} -m venv")

    left_out = 0
    for kind, step in steps():
        if kind == "COPY":
            *sources, target = step.split()
            for each in sources:
                if (ROOT / each).is_dir():
                    ignored = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(ROOT / each, build / target, ignore=ignored)
                else:
                    shutil.copy(ROOT / each, build / target)
        elif DEPENDENCIES in step:
            (packages,) = (root / "opt/placet").glob("lib/python3*/site-packages")
            (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
            left_out += 1
        else:
            done = subprocess.run(
                ["sh", "-c", here(step)], cwd=build, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, (step, done.stdout + done.stderr)
    assert left_out == 1
    made = root / "opt/placet"
    subprocess.run(["chmod", "-R", "a-w", str(made)], check=True)
    yield made
    subprocess.run(["chmod", "-R", "u+w", str(made)], check=True)


def test_all_that_git_has_of_our_packages_is_in_the_image(image: Path) -> None:
    """Policies, styles and migrations are files that no import misses until they are needed."""
    folders = [step.split()[0] for kind, step in steps() if kind == "COPY"]
    folders = [each for each in folders if (ROOT / each).is_dir()]
    listed = subprocess.run(
        ["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(listed) > 200
    (packages,) = image.glob("lib/python3*/site-packages")
    assert [each for each in listed if not (packages / each).is_file()] == []
    assert not (packages / "pip").exists()


def test_it_runs_with_nothing_to_write_to_and_no_capability(image: Path, tmp_path: Path) -> None:
    """As the compose file has it: its own tree can't be written; it makes its tables all the same."""
    bare = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
    drop = bare if os.geteuid() == 0 and shutil.which("setpriv") else []
    environment = {
        "PATH": f"{image / 'bin'}:{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PLACET_AUTHORITY_ISSUER": "http://127.0.0.1:8600",
        "PLACET_AUTHORITY_DATABASE_URL": f"sqlite:///{tmp_path / 'authority.db'}",
        "PLACET_AUTHORITY_KEY_PASSPHRASE": "twenty-four-letters-here",
    }

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*drop, *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    key = tmp_path / "ada.jwk"
    key.write_text(json.dumps(SigningKey.generate().public.jwk()))
    written = run("sh", "-c", f"echo no > {image}/bin/placet")
    assert written.returncode != 0, "the tree can be written"
    for command in (
        ("placet", "version"),
        ("placet", "authority", "init", "--admin", "ada", "--public-key", str(key)),
        ("placet", "authority", "migrate"),
        ("placet", "packet", "samples", str(tmp_path / "samples")),
        ("python", "-c", "import worker.__main__, tui.app, lender.serve"),
    ):
        done = run(*command)
        assert done.returncode == 0, (command, done.stdout + done.stderr)
    where = run("python", "-c", "import placet; print(placet.__file__)").stdout
    assert where.startswith(str(image))
    assert (tmp_path / "authority.db").stat().st_size > 0
