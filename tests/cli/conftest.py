"""The command as people run it, and an authority of its own process."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from placet.cli import main
from placet.tokens import SigningKey, write_key_file
from tests.harness.world import free_port

PASSPHRASE = "the passphrase of a test key"
PROGRAM = [sys.executable, "-m", "placet.cli"]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Placet = Callable[..., Ended]


@pytest.fixture
def placet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Placet:
    """Run the command in this process, in an empty folder, with these variables alone."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("PLACET_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str, **variables: str) -> Ended:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["placet", *arguments])
            patch.setattr(sys, "stdin", Path(os.devnull).open())  # noqa: SIM115 - closed below
            for name, value in variables.items():
                patch.setenv(name, value)
            try:
                main()
                code: object = 0
            except SystemExit as stopped:
                code = stopped.code or 0
            finally:
                sys.stdin.close()
        said = capsys.readouterr()
        assert isinstance(code, int), code
        return Ended(code, said.out, said.err)

    return run


@dataclass(frozen=True)
class Served:
    """An authority that runs, its administrator, and the variables that say so."""

    folder: Path
    variables: Mapping[str, str]
    own: Mapping[str, str]


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One for all: no test may rely on what another one has left in it."""
    with serving(tmp_path_factory.mktemp("served")) as made:
        yield made


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """``placet authority init`` and ``serve``, each a process; Temporal is away."""
    key = SigningKey.generate()
    write_key_file(folder / "ada.pem", key, PASSPHRASE)
    (folder / "ada.jwk").write_text(json.dumps(key.public.jwk()))
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    own = {
        "PLACET_AUTHORITY_ISSUER": issuer,
        "PLACET_AUTHORITY_PORT": str(port),
        "PLACET_AUTHORITY_DATABASE_URL": f"sqlite:///{folder / 'authority.db'}",
        "PLACET_AUTHORITY_KEY_PASSPHRASE": "the passphrase of an authority",
        "PLACET_AUTHORITY_TEMPORAL_ADDRESS": f"127.0.0.1:{free_port()}",
        "PLACET_AUTHORITY_READY_FILE": str(folder / "ready"),
    }
    init = ["authority", "init", "--admin", "ada", "--public-key", str(folder / "ada.jwk")]
    subprocess.run([*PROGRAM, *init], env={**os.environ, **own}, check=True, capture_output=True)
    variables = {
        "PLACET_ISSUER": issuer,
        "PLACET_OPERATOR": "ada",
        "PLACET_KEY_FILE": str(folder / "ada.pem"),
        "PLACET_PASSPHRASE": PASSPHRASE,
    }
    with started(Served(folder, variables, own)) as made:
        yield made


@contextlib.contextmanager
def started(served: Served) -> Iterator[Served]:
    """``placet authority serve``, on what is there, until the end of the block."""
    folder, issuer = served.folder, served.variables["PLACET_ISSUER"]
    (folder / "ready").unlink(missing_ok=True)
    with (folder / "log").open("ab") as log:
        serving = subprocess.Popen(
            [*PROGRAM, "authority", "serve"],
            env={**os.environ, **served.own},
            stdout=log,
            stderr=log,
        )
    try:
        give_up = time.monotonic() + 30
        while not (folder / "ready").exists():
            assert serving.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < give_up
            time.sleep(0.02)
        while httpx.get(f"{issuer}/ledger/checkpoint").status_code != 200:  # its first head
            assert time.monotonic() < give_up
            time.sleep(0.02)
        yield served
    finally:
        serving.terminate()
        assert serving.wait(20) == 0, (folder / "log").read_text()
