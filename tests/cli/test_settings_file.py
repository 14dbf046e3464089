"""``placet.toml``: read by every program, a variable before it, and nothing in it dropped in silence.

The numbers are those of ``placet/settings.py``.
"""

import subprocess
import sys
from pathlib import Path

import pytest

import placet.settings
from lender.serve import LenderSettings
from placet.authority import AuthoritySettings, SignerSettings
from placet.cli import OperatorSettings
from placet.cli._mcp import McpSettings
from placet.gateway import GatewaySettings
from placet.settings import BadSettingsFile, Settings
from placet.telemetry import TelemetrySettings
from placet.transport import TemporalTlsSettings, TlsSettings
from tests.cli.conftest import Placet
from tests.cli.test_wrong_input import assert_told
from tui.settings import ConsoleSettings
from worker.__main__ import WorkerSettings

KINDS: tuple[type[Settings], ...] = (
    AuthoritySettings,
    ConsoleSettings,
    GatewaySettings,
    LenderSettings,
    McpSettings,
    OperatorSettings,
    SignerSettings,
    TelemetrySettings,
    TemporalTlsSettings,
    TlsSettings,
    WorkerSettings,
)
WHOLE = """
issuer = "https://placet.example"

[authority]
issuer = "https://placet.example"
port = 9100
webhooks = [{ name = "desk", url = "https://desk.example/", secret = "whsec_%s" }]
[console]
theme = "textual-light"
[gateway]
system = "core-banking"
upstream = "http://10.0.0.7:8080"
routes = "routes.toml"
key_file = "core-banking.key"
[lender]
systems = ["compliance"]
urls = { compliance = "https://compliance.example" }
[signer]
socket = "signer.sock"
folder = "keys"
passphrase = "a passphrase of a signer"
[telemetry]
log_form = "json"
[temporal_tls]
enabled = true
[tls]
ca = "ca.crt"
[worker]
key_file = "agent.key"
systems = { crm = "https://crm.example" }
model_price = ["0.15", 0.6]
mcp_token = "twenty-four-letters-here"
""" % ("c2VjcmV0" * 4)


@pytest.fixture
def file(placet: Placet, tmp_path: Path) -> Path:
    """The file in the folder that programs are started in; no variable says anything."""
    del placet
    path = tmp_path / "placet.toml"
    path.touch(mode=0o600)
    return path


def test_each_program_reads_its_table(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1: one file serves all programs of one machine."""
    file.write_text(WHOLE)
    monkeypatch.setenv("PLACET_AUTHORITY_KEY_PASSPHRASE", "a passphrase for tests")
    made = {kind: kind() for kind in KINDS}
    authority = made[AuthoritySettings]
    assert isinstance(authority, AuthoritySettings)
    assert (authority.port, authority.webhooks[0].name) == (9100, "desk")
    assert made[LenderSettings].model_dump()["systems"] == ("compliance",)
    worker = made[WorkerSettings].model_dump()
    assert worker["key_file"] == Path("agent.key")
    assert worker["systems"] == {"crm": "https://crm.example"}
    for kind, name, value in (
        (ConsoleSettings, "theme", "textual-light"),
        (GatewaySettings, "system", "core-banking"),
        (McpSettings, "systems", {"crm": "https://crm.example"}),
        (OperatorSettings, "issuer", "https://placet.example"),
        (SignerSettings, "folder", Path("keys")),
        (TelemetrySettings, "log_form", "json"),
        (TemporalTlsSettings, "enabled", True),
        (TlsSettings, "ca", Path("ca.crt")),
    ):
        assert getattr(made[kind], name) == value


def test_a_variable_wins_over_the_file_whole(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """2: a system that the variable does not name is none of the worker's."""
    file.write_text(WHOLE)
    monkeypatch.setenv("PLACET_WORKER_SYSTEMS", '{"erp": "https://erp.example"}')
    settings = WorkerSettings()
    assert settings.systems == {"erp": "https://erp.example"}
    assert settings.key_file == Path("agent.key")


def test_the_tables_and_what_stands_above_them_are_the_programs_own() -> None:
    """3: the names that are known are those that someone reads, one table for one prefix."""
    assert {kind.table() for kind in KINDS} == placet.settings.TABLES | {""}
    assert set(OperatorSettings.model_fields) == placet.settings.PEOPLE
    for kind in KINDS:
        same = [each for each in KINDS if each.table() == kind.table()]
        names = set[str]().union(*(each.model_fields for each in same))
        assert kind.model_fields.keys() | kind.beside == names, kind


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("isuer = 'http://127.0.0.1:8600'", "isuer: there is no such setting; is issuer meant?"),
        ("[consol]\ntheme = 'ansi-dark'", "consol: there is no such setting; is console meant?"),
        ("console = 3", "console is a table"),
        ("authority_port = 1", "authority_port: there is no such setting"),
    ],
)
def test_a_name_that_is_nobodys_stops_everyone(
    file: Path, placet: Placet, text: str, said: str
) -> None:
    """3."""
    file.write_text(text)
    for command in (("case", "list"), ("authority", "serve"), ("lender", "serve"), ("console",)):
        assert_told(placet(*command), 2, "placet.toml: ", said)


@pytest.mark.parametrize(
    ("table", "command"),
    [
        ("authority", ("authority", "serve")),
        ("console", ("console",)),
        ("gateway", ("gateway", "--check")),
        ("lender", ("lender", "serve")),
        ("signer", ("authority", "signer")),
        ("telemetry", ("authority", "serve")),
        ("worker", ("agent", "mcp", "--case", "case-" + "0" * 26, "--agent", "draw-reader")),
    ],
)
def test_a_name_that_its_program_does_not_know_stops_it(
    file: Path, placet: Placet, table: str, command: tuple[str, ...]
) -> None:
    """3: and not who has nothing to do with it."""
    file.write_text(f"[{table}]\nisuer = 1\n")
    assert_told(placet(*command), 2, f"placet.toml: [{table}] isuer: there is no such setting")
    assert "placet.toml" not in placet("policy", "check", str(file.parent)).err


def test_a_wrong_value_is_named_as_its_variable_is(file: Path, placet: Placet) -> None:
    file.write_text("[lender]\nservicing_port = 99999\n")
    assert_told(placet("lender", "serve"), 2, "PLACET_LENDER_SERVICING_PORT")
    file.write_text("[console]\ntheme = 'textual-lite'\n")
    assert_told(placet("console"), 2, "PLACET_CONSOLE_THEME", "textual-lite", "textual-light")
    file.write_text("[console.keys]\n'case.aprove' = 'f7'\n")
    assert_told(placet("console"), 2, "PLACET_CONSOLE_KEYS", "there is no act 'case.aprove'")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[worker]\nisuer = 1\n", "[worker] isuer: there is no such setting; is issuer meant?"),
        ("[tls]\ncert = 1\n", "[tls] cert: there is no such setting"),
        ("[worker\n", "placet.toml: "),
    ],
)
def test_a_worker_reads_it_too(file: Path, text: str, said: str) -> None:
    """3: ``python -m worker``, as a supervisor starts it."""
    command = [sys.executable, "-m", "worker", "--agent", "draw-analyst"]
    file.write_text(text)
    ended = subprocess.run(
        command,
        cwd=file.parent,
        env={"PATH": "/usr/bin:/bin", "PLACET_WORKER_KEY_FILE": "none.key"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 3
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("kind", "text", "name"),
    [
        (OperatorSettings, "passphrase = 's3cret'", "passphrase"),
        (AuthoritySettings, "[authority]\nkey_passphrase = 's3cret s3cret'", "key_passphrase"),
        (AuthoritySettings, "[authority]\nnotice_urls = ['slack://s3cret']", "notice_urls"),
        (
            AuthoritySettings,
            "[authority]\nwebhooks = [{ name = 'a', url = 'https://a/', secret = 's3cret' }]",
            "webhooks",
        ),
        (
            LenderSettings,
            "[lender]\ndatabase_url = 'postgresql://lender:s3cret@db/lender'",
            "database_url",
        ),
        (McpSettings, "[worker]\nmcp_token = 's3cret s3cret s3cret s3cret'", "mcp_token"),
    ],
)
def test_a_secret_in_a_file_that_is_open_to_others_stops_who_reads_it(
    file: Path, kind: type[Settings], text: str, name: str
) -> None:
    """4: as a key's file does; what it is, is not said."""
    file.write_text(text)
    file.chmod(0o640)
    with pytest.raises(
        BadSettingsFile, match=f"open to others .mode 640. and holds .*{name}"
    ) as no:
        kind()
    assert "s3cret" not in str(no.value)


def test_a_file_without_secrets_may_be_open_to_others(file: Path, placet: Placet) -> None:
    """4."""
    file.write_text("[lender]\nservicing_port = 99999\ndatabase_url = 'postgresql://db/lender'\n")
    file.chmod(0o644)
    assert_told(placet("lender", "serve"), 2, "PLACET_LENDER_SERVICING_PORT")


def test_a_file_that_can_not_be_read_is_named(file: Path, placet: Placet) -> None:
    file.unlink()
    file.mkdir()
    assert_told(placet("case", "list"), 2, "placet.toml can't be read: Is a directory")
