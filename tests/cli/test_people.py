"""Inviting, enrolling with a code, and signing by two, as people do it."""

import json
import stat
from pathlib import Path

import keyring
import keyring.backend
import pytest

from tests.cli.conftest import PASSPHRASE, Placet, Served
from tests.harness.world import free_port


def test_a_code_enrols_a_key_that_never_leaves_the_device(
    placet: Placet, served: Served, tmp_path: Path
) -> None:
    """I6: from the invitation to the first command under the new key."""
    invited = placet("operator", "invite", "kit", "--role", "clerk", "--json", **served.variables)
    assert invited.code == 0, invited
    code = json.loads(invited.out)["code"]
    own = {
        **served.variables,
        "PLACET_OPERATOR": "kit",
        "PLACET_KEY_FILE": str(tmp_path / "kit.key"),
        "PLACET_PASSPHRASE": PASSPHRASE,
    }
    wrong = placet("operator", "enrol", "kit", "--code", "AAAAA-BBBBB-CCCCC-DDDDD", **own)
    assert (wrong.code, "not good" in wrong.err) == (1, True), wrong
    assert not (tmp_path / "kit.key").exists()
    gone = own | {"PLACET_ISSUER": f"http://127.0.0.1:{free_port()}"}
    gone["PLACET_KEY_FILE"] = str(tmp_path / "unheard.key")
    unheard = placet("operator", "enrol", "kit", "--code", code, **gone)
    assert (unheard.code, "unheard.key stays" in unheard.err) == (3, True), unheard
    assert (tmp_path / "unheard.key").exists()
    enrolled = placet("operator", "enrol", "kit", "--code", code.lower(), "--json", **own)
    assert enrolled.code == 0, enrolled
    assert stat.S_IMODE((tmp_path / "kit.key").stat().st_mode) == 0o600
    assert placet("case", "list", **own).code == 0


class _Memory(keyring.backend.KeyringBackend):
    priority = 1  # type: ignore[assignment]  # the library's own way to say it

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


def test_the_systems_keyring_keeps_the_passphrase(
    placet: Placet, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I7: nobody types it, and it stands in no file."""
    memory = _Memory()
    monkeypatch.setattr(keyring, "set_password", memory.set_password)
    monkeypatch.setattr(keyring, "get_password", memory.get_password)
    invited = placet("operator", "invite", "cid", "--role", "clerk", "--json", **served.variables)
    own = {
        "PLACET_ISSUER": served.variables["PLACET_ISSUER"],
        "PLACET_OPERATOR": "cid",
        "PLACET_KEY_FILE": str(tmp_path / "cid.key"),
    }
    code = json.loads(invited.out)["code"]
    enrolled = placet("operator", "enrol", "cid", "--code", code, "--keyring", **own)
    assert enrolled.code == 0, enrolled
    (passphrase,) = memory.kept.values()
    assert passphrase not in (tmp_path / "cid.key").read_text()
    assert placet("case", "list", **own).code == 0
