"""Every command given wrong input: a plain line that says what, where and what to do (I12).

Never a traceback, never an exit code of 0, never a secret, and nothing half-written.
"""

import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lender.samples import sample_loans
from placet.cli._app import whole
from placet.tokens import SigningKey, write_key_file
from tests.cli.conftest import PASSPHRASE, PROGRAM, Ended, Placet, Served

POLICIES = Path(__file__).parents[2] / "policies" / "loan-draw"
SECRETS = (PASSPHRASE, "the passphrase of an authority", "a wrong passphrase", "s3cret")


def assert_told(ended: Ended, code: int, *words: str) -> None:
    """A few plain lines on standard error, with these words, and nothing on standard output."""
    assert ended.code == code, ended
    assert ended.out == ""
    assert ended.err.startswith("placet: "), ended.err
    assert len(ended.err.splitlines()) <= 3, ended.err
    assert "Traceback" not in ended.err
    for word in words:
        assert word in ended.err, (word, ended.err)
    for secret in SECRETS:
        assert secret not in ended.err


# --- who I am ---------------------------------------------------------------------------------

READS = (
    ("case", "list"),
    ("case", "show", "case-" + "0" * 26),
    ("checkpoint", "list"),
    ("checkpoint", "show", "ckpt-" + "0" * 26),
    ("agent", "list"),
    ("operator", "list"),
    ("system", "list"),
    ("audit", "verify"),
    ("audit", "replay", "--all"),
    ("audit", "timeline", "case-" + "0" * 26),
    ("policy", "publish", str(POLICIES)),
)
ACTS = (
    ("case", "hold", "loan/L-1", "--reason", "x"),
    ("case", "lift", "loan/L-1", "--reason", "x"),
    ("case", "admit", "case-" + "0" * 26, "--reason", "x"),
    ("checkpoint", "approve", "ckpt-" + "0" * 26, "--amount", "1.00"),
    ("checkpoint", "reject", "ckpt-" + "0" * 26),
    ("checkpoint", "return", "ckpt-" + "0" * 26),
    ("checkpoint", "withdraw", "ckpt-" + "0" * 26),
    ("checkpoint", "abstain", "ckpt-" + "0" * 26),
    ("agent", "suspend", "nobody", "--reason", "x"),
    ("agent", "resume", "nobody", "--reason", "x"),
    ("agent", "offboard", "nobody", "--reason", "x"),
    ("operator", "suspend", "nobody", "--reason", "x"),
    ("system", "suspend", "nobody", "--reason", "x"),
)


@pytest.mark.parametrize("arguments", [*READS, *ACTS], ids=" ".join)
def test_whoever_says_not_who_they_are_is_told_which_variables(
    placet: Placet, arguments: tuple[str, ...]
) -> None:
    assert_told(placet(*arguments), 2, "PLACET_OPERATOR", "PLACET_KEY_FILE")


@pytest.mark.parametrize("arguments", [*READS, *ACTS], ids=" ".join)
def test_an_authority_that_is_away_is_named(
    placet: Placet, served: Served, arguments: tuple[str, ...]
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, and not listening: nobody else can take it
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        ended = placet(*arguments, **{**served.variables, "PLACET_ISSUER": address})
    assert_told(ended, 3, address, "does not answer")


_SETTINGS = {
    "PLACET_OPERATOR": ("Ada Lovelace", "PLACET_OPERATOR"),
    "PLACET_ISSUER": ("nonsense", "PLACET_ISSUER"),
    "PLACET_KEY_FILE": ("/nowhere/ada.pem", "/nowhere/ada.pem"),
    "PLACET_PASSPHRASE": ("a wrong passphrase", "passphrase is wrong"),
}


@pytest.mark.parametrize("variable", sorted(_SETTINGS))
def test_a_wrong_setting_is_named(placet: Placet, served: Served, variable: str) -> None:
    value, said = _SETTINGS[variable]
    ended = placet("case", "list", **{**served.variables, variable: value})
    assert_told(ended, ended.code, said)
    assert ended.code in {2, 3}


@pytest.mark.parametrize(
    "issuer",
    [
        "http://",
        "http://[",
        "http://a b",
        "http://h:99999999",
        "ftp://h",
        "http://h/path",
        "http://\x00",
    ],
)
def test_an_address_that_is_none_is_named(placet: Placet, served: Served, issuer: str) -> None:
    if "\0" in issuer:
        issuer = "http://\x01"
    ended = placet("case", "list", **{**served.variables, "PLACET_ISSUER": issuer})
    assert_told(ended, 2, "PLACET_ISSUER")


def test_a_key_that_can_not_be_used_says_why(
    placet: Placet, served: Served, tmp_path: Path
) -> None:
    """I7: a private key that others can read is refused; what is no key is none."""
    write_key_file(tmp_path / "open.pem", SigningKey.generate())
    (tmp_path / "open.pem").chmod(0o644)
    (tmp_path / "text.pem").write_text("this is no key, s3cret")
    (tmp_path / "text.pem").chmod(0o600)
    for name, said in (("open.pem", "chmod 600"), ("text.pem", "no"), (".", "plain file")):
        variables = {**served.variables, "PLACET_KEY_FILE": str(tmp_path / name)}
        del variables["PLACET_PASSPHRASE"]
        assert_told(placet("case", "list", **variables), 3, str(tmp_path / name), said)
    variables = dict(served.variables)
    del variables["PLACET_PASSPHRASE"]
    assert_told(placet("case", "list", **variables), 3, "PLACET_PASSPHRASE")


def test_a_key_that_was_never_enrolled_is_refused(
    placet: Placet, served: Served, tmp_path: Path
) -> None:
    """I6: the name alone opens nothing."""
    write_key_file(tmp_path / "mole.pem", SigningKey.generate(), PASSPHRASE)
    variables = {**served.variables, "PLACET_KEY_FILE": str(tmp_path / "mole.pem")}
    mend = ("is not enrolled for operator:ada", "have an administrator enrol it")
    assert_told(placet("case", "list", **variables), 1, "refused", *mend)
    variables = {**served.variables, "PLACET_OPERATOR": "nobody"}
    assert_told(placet("case", "list", **variables), 1, "is not enrolled for operator:nobody")


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("case", "list", "--sort", "x"), "'--sort': 'x' is not one of 'opened', '-opened'"),
        (("checkpoint", "groups", "--by", "x"), "'--by': 'x' is not one of"),
        (("audit", "list", "--from", "May"), "'YYYY-MM-DD', 'YYYY-MM-DDThh:mm:ssZ'"),
        (("checkpoint", "list", "--at-least", "x"), "--at-least: money must be written like"),
        (("checkpoint", "lower", "c", "--row", "4=x=y", "--amount", "9.00"), "--row: money must"),
    ],
    ids=lambda each: each if isinstance(each, str) else " ".join(each),
)
def test_an_option_that_is_none_is_named_in_words(
    placet: Placet, served: Served, arguments: tuple[str, ...], option: str
) -> None:
    """I12: without the words of the libraries that found it."""
    ended = placet(*arguments, **served.variables)
    assert ended.code == 2
    assert option in ended.err
    assert "Value error" not in ended.err


def test_what_is_wrong_of_two_values_together_has_no_empty_place(
    placet: Placet, served: Served, tmp_path: Path
) -> None:
    """I12: neither one of a command line, nor of a row, nor of settings."""
    days = ("--review-by", "2027-01-01", "--ends", "2026-01-01", "--environment", "e")
    order = "review_by: must not be after ends_at"
    ended = placet("identity", "register", "bot:b", "--purpose", "p", *days, **served.variables)
    assert (ended.code, ended.err) == (2, f"placet: {order}\n")
    file = tmp_path / "inventory.csv"
    file.write_text("kind,name\nbot,b\n")
    ended = placet("identity", "import", str(file), "--source", "s", *days, **served.variables)
    assert f"row 2: {order}" in ended.out
    ended = placet("authority", "serve", **served.own, PLACET_TLS_KEY="/none")
    assert (ended.code, ended.err.startswith("placet: PLACET_TLS_CERTIFICATE and")) == (2, True)


def test_a_settings_file_that_is_broken_is_named(placet: Placet, tmp_path: Path) -> None:
    (tmp_path / "placet.toml").write_text("issuer = [")
    assert_told(placet("case", "list"), 2, "placet.toml")
    (tmp_path / "placet.toml").write_bytes(b"\xff\xfe")
    assert_told(placet("case", "list"), 2, "placet.toml")
    (tmp_path / "placet.toml").write_text(f"operator = {'7' * 5000}")
    assert_told(placet("case", "list"), 2, "placet.toml")
    (tmp_path / "placet.toml").write_text("operator = 7")
    assert_told(placet("case", "list"), 2, "PLACET_OPERATOR")


class _Impostor(http.server.BaseHTTPRequestHandler):
    answer = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.answer)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def impostor() -> Iterator[tuple[type[_Impostor], str]]:
    """A web server that is no authority."""
    handler = type("Handler", (_Impostor,), {})
    server = http.server.HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    "answer",
    [b"<html>hello</html>", b"", b"[]", b"{}", b"7", b'{"access_token": "x", "expires_in": "x"}'],
)
def test_a_server_that_is_no_authority_is_told_apart(
    placet: Placet, served: Served, impostor: tuple[type[_Impostor], str], answer: bytes
) -> None:
    handler, address = impostor
    handler.answer = answer
    for arguments in (("case", "list"), ("case", "hold", "loan/L-1", "--reason", "x")):
        ended = placet(*arguments, **{**served.variables, "PLACET_ISSUER": address})
        assert_told(ended, 3, address)


# --- names that nobody has --------------------------------------------------------------------

_UNKNOWN = {
    ("case", "show", "case-" + "0" * 26): "no such case",
    ("case", "show", "x\ny?z#\udcff/.."): "",
    ("checkpoint", "show", "ckpt-" + "0" * 26): "no such checkpoint",
    ("checkpoint", "approve", "ckpt-" + "0" * 26, "--amount", "1.00"): "no such checkpoint",
    ("checkpoint", "approve", "../v1/cases", "--amount", "1.00"): "",
    ("agent", "suspend", "nobody", "--reason", "x"): "no agent agent:nobody",
    ("operator", "resume", "nobody", "--reason", "x"): "no operator operator:nobody",
    ("system", "offboard", "nobody", "--reason", "x"): "no system system:nobody",
    ("operator", "suspend", "ada", "--reason", "x"): "own status",
    ("agent", "suspend", "nobody", "--reason", ""): "reason",
    ("agent", "suspend", "nobody", "--reason", "x" * 501): "reason",
    ("agent", "suspend", "nobody", "--reason", "\udcff"): "reason",
    ("agent", "suspend", "No Body", "--reason", "x"): "'No Body' is no agent's name",
    ("operator", "roles", "A B", "--role", "auditor"): "'A B' is no operator's name",
    ("operator", "invite", "A B", "--role", "auditor"): "'A B' is no operator's name",
    ("agent", "invite", "a b", "--environment", "e", "--queue", "q"): "'a b' is no agent's name",
    ("identity", "show", "a b"): "'a b' is no identity",
    ("identity", "standing", "a b"): "'a b' is no identity",
    ("identity", "left", "a b"): "'a b' is no identity",
    ("identity", "end", "a b", "--reason", "x"): "'a b' is no identity",
    ("identity", "rotate", "a b", "--reason", "x"): "'a b' is no identity",
    ("identity", "orders", "a b"): "'a b' is no identity",
    ("act", "show", "a b"): "'a b' is no act's id; see placet act list",
    ("act", "countersign", "a b"): "'a b' is no act's id",
    ("act", "withdraw", "a b", "--reason", "x"): "'a b' is no act's id",
    ("case", "hold", "loan", "--reason", "x"): "'loan' is no record, such as shop/S1",
    ("case", "hold", "lo an/../x", "--reason", "x"): "'lo an/../x' is no record",
    ("case", "lift", "a b", "--reason", "x"): "'a b' is no record",
    ("case", "hold", "loan/L-1", "--reason", "\udcff"): "reason",
    ("case", "lift", "loan/L-1", "--reason", "x"): "not on hold",
    ("case", "admit", "case-" + "0" * 26, "--reason", "x"): "no such case",
    ("audit", "timeline", "case-" + "0" * 26): "the ledger has no case",
    ("audit", "replay", "case-" + "0" * 26): "case-" + "0" * 26,
    ("audit", "replay"): "--all",
    ("policy", "publish", str(POLICIES), "--process", "none"): "no process 'none'",
}


@pytest.mark.parametrize("arguments", list(_UNKNOWN), ids=repr)
def test_what_is_not_there_is_named(
    placet: Placet, served: Served, arguments: tuple[str, ...]
) -> None:
    ended = placet(*arguments, **served.variables)
    assert_told(ended, ended.code, _UNKNOWN[arguments])
    assert ended.code in {1, 2, 3}


# --- files ------------------------------------------------------------------------------------


def _files(folder: Path) -> dict[str, str]:
    public = dict(SigningKey.generate().public.jwk())
    files = {
        "missing.json": None,
        "empty.json": b"",
        "cut.json": b"{",
        "list.json": b"[1]",
        "bytes.json": b"\xff\xfe\x00",
        "deep.json": b"[" * 100_000,
        "half.json": json.dumps({"kty": "EC", "crv": "P-256"}).encode(),
        "private.json": json.dumps({**public, "d": "s3cret" + "A" * 37}).encode(),
        "shared.json": json.dumps({"kty": "oct", "k": "s3cret"}).encode(),
    }
    for name, content in files.items():
        if content is not None:
            (folder / name).write_bytes(content)
    (folder / "folder.json").mkdir()
    return {name: str(folder / name) for name in [*files, "folder.json"]}


@pytest.mark.parametrize("kind", ["agent", "operator", "system"])
def test_a_public_key_that_is_none_is_named_and_not_sent(
    placet: Placet, served: Served, tmp_path: Path, kind: str
) -> None:
    """I7: a private key given by mistake never leaves the machine."""
    away = {**served.variables, "PLACET_ISSUER": "http://127.0.0.1:1"}
    for path in _files(tmp_path).values():
        ended = placet(kind, "enrol", "new", "--public-key", path, **away)
        assert_told(ended, ended.code, path)
        assert ended.code in {2, 3}


def test_a_wrong_enrolment_is_named(placet: Placet, served: Served, tmp_path: Path) -> None:
    jwk = tmp_path / "new.jwk"
    jwk.write_text(json.dumps(SigningKey.generate().public.jwk()))
    for arguments, said in (
        (("agent", "enrol", "new"), "owner"),
        (("agent", "enrol", "new", "--owner", "A B"), "owner"),
        (("agent", "enrol", "New One", "--owner", "ada"), "'New One' is no agent's name"),
        (("operator", "enrol", "new"), "role"),
        (("operator", "enrol", "new", "--role", "Big Boss"), "role"),
        (("system", "enrol", "new", "--url", "ftp://x"), "url"),
    ):
        ended = placet(*arguments, "--public-key", str(jwk), **served.variables)
        assert_told(ended, ended.code, said)
        assert ended.code in {1, 2}
    assert "new" not in placet("agent", "list", "--json", **served.variables).out


def test_a_key_file_is_never_written_over(placet: Placet, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    assert_told(placet("agent", "key", "mine"), 3, "mine", "exists")
    assert (tmp_path / "mine").read_text() == "precious"
    assert_told(placet("agent", "key", "nowhere/mine"), 3, "nowhere/mine")


@pytest.mark.parametrize(
    ("kind", "encrypted"), [("operator", True), ("agent", False), ("system", False)]
)
def test_a_persons_passphrase_protects_no_key_but_a_persons(
    placet: Placet, tmp_path: Path, kind: str, *, encrypted: bool
) -> None:
    """A worker that an administrator makes a key for starts by itself, and takes none."""
    assert placet(kind, "key", "new.key", PLACET_PASSPHRASE="ada's own, and long").code == 0
    assert ("ENCRYPTED" in (tmp_path / "new.key").read_text()) is encrypted


def test_policies_that_do_not_hold_are_named(placet: Placet, tmp_path: Path) -> None:
    def folder(name: str, file: str, content: bytes | None) -> str:
        made = tmp_path / name
        shutil.copytree(POLICIES, made)
        (made / file).unlink()
        if content is not None:
            (made / file).write_bytes(content)
        return str(made)

    for number, (file, content, said) in enumerate(
        (
            ("policies.cedar", None, "policies.cedar"),
            ("policies.cedar", b"permit (", "p1"),
            ("policies.cedar", b"\xff", "policies.cedar"),
            ("schema.cedarschema", None, "schema.cedarschema"),
            ("schema.cedarschema", b"entity", "p4"),
            ("schema.cedarschema", b"\xff", "schema.cedarschema"),
            ("authority-matrix.json", b"", "authority-matrix.json"),
            ("authority-matrix.json", b"{", "authority-matrix.json"),
            ("authority-matrix.json", b"[]", "authority-matrix.json"),
            ("authority-matrix.json", b"\xff", "authority-matrix.json"),
            ("authority-matrix.json", b'{"process": "loan-draw"}', "version"),
        )
    ):
        ended = placet("policy", "check", folder(f"p{number}", file, content))
        assert ended.code in {1, 2, 3}, ended
        assert ended.err.startswith("placet: ")
        assert said in ended.err
        assert "Traceback" not in ended.err
    assert_told(placet("policy", "check", "nowhere"), 3, "nowhere")


@pytest.mark.parametrize("content", ["", "x" * 1_000_000], ids=["empty", "long"])
def test_a_schema_that_is_none_is_told_in_a_few_lines(
    placet: Placet, tmp_path: Path, content: str
) -> None:
    """I12: each policy has a fault then, and the parser repeats what it can't read."""
    folder = Path(shutil.copytree(POLICIES, tmp_path / "p"))
    (folder / "schema.cedarschema").write_text(content)
    ended = placet("policy", "check", str(folder))
    assert ended.code == 1
    assert len(ended.err) < 6_000
    assert ended.err.count("\n") <= 21


@pytest.mark.parametrize("kept", ["", "[]", "{}", "null", '{"operator": 7}', "[" * 100_000])
def test_a_sign_in_that_is_not_kept_whole_is_named(
    placet: Placet, served: Served, tmp_path: Path, kept: str
) -> None:
    key = Path(shutil.copy(served.variables["PLACET_KEY_FILE"], tmp_path / "ada.pem"))
    session = tmp_path / "ada.pem.session"
    session.write_text(kept)
    given = {name: served.variables[name] for name in ("PLACET_ISSUER", "PLACET_PASSPHRASE")}
    assert_told(placet("case", "list", PLACET_KEY_FILE=str(key), **given), 2, f"{session}: ")


def test_what_does_not_belong_together_is_named_before_it_is_published(
    placet: Placet, tmp_path: Path
) -> None:
    """I3: a question that the schema does not have is denied, after people have approved."""

    def changed(name: str, file: str, old: str, new: str) -> str:
        made = tmp_path / name
        shutil.copytree(POLICIES, made)
        text = (made / file).read_text()
        assert old in text
        (made / file).write_text(text.replace(old, new))
        return str(made)

    assert placet("policy", "check", str(POLICIES), "--process", "loan-draw").code == 0
    matrix = "authority-matrix.json"
    other = changed("o", matrix, '"process": "loan-draw"', '"process": "loan-drew"')
    rule = changed("r", matrix, '"checkpoint": "draw-approval"', '"checkpoint": "draw-aproval"')
    schema = changed("s", "schema.cedarschema", "on_hold: Bool", "on_hold: Bool, weather: String")
    wanting = changed("w", "policies.cedar", '"orchestrator"', '"orchestrater"')
    for folder, said in (
        (other, "the matrix is for the process loan-drew, not loan-draw"),
        (rule, "the matrix has a rule for draw-aproval, and the process no such checkpoint"),
        (schema, "close_case: does not fit the schema: "),
    ):
        for command in ("check", "publish"):
            ended = placet("policy", command, folder, "--process", "loan-draw")
            assert ended.code == 1, ended
            assert ended.err.startswith(f"placet: {folder}: ")
            assert said in ended.err
    ended = placet("policy", "check", wanting, "--process", "loan-draw")
    assert ended.code == 1, ended
    assert "close_case: no policy permits checkpoint:open, outcome:read" in ended.err
    boxed = changed("b", "policies.cedar", 'like "loan/*/draw/*" &&', 'like "loan/*/drew/*" &&')
    ended = placet("policy", "check", boxed, "--process", "loan-draw")
    assert ended.code == 1, ended
    assert "disburse: no policy permits draw:disburse to disbursement on loan/" in ended.err
    assert_told(placet("policy", "check", wanting, "--process", "none"), 2, "no process 'none'")


def test_trust_that_is_none_is_named(placet: Placet, served: Served, tmp_path: Path) -> None:
    """I8: a trust file with a member misspelled would trust less than the examiner means."""
    trust = tmp_path / "trust.json"
    for content, said in (
        ("{", "trust.json"),
        ("[]", "trust.json"),
        ('{"administrator": []}', "administrator"),
        ('{"administrators": "ada"}', "administrators"),
        ('{"heads": [7]}', "heads"),
        ('{"heads": ["kept.note"]}', "heads.0"),
        ('{"heads": ["log.example\\nmany\\nAA==\\n\\n— log.example AAAAAAAA\\n"]}', "heads.0"),
        ('{"log_key": 7}', "log_key"),
        ('{"log_key": "no key at all"}', "log_key"),
        ('{"witnesses": ["w1"]}', "witnesses"),
        ('{"identity_provider": {"keys": [{"kty": "RSA"}]}}', "identity_provider.issuer"),
        ('{"identity_provider": {"issuer": "https://idp.example"}}', "identity_provider.keys"),
        ('{"identity_provider": {"issuer": "https://idp.example", "keys": []}}', "keys"),
        ('{"log_key": "a", "log_key": "b"}', "log_key stands twice"),
        ("[" * 100_000, "JSON"),
        ("\ufeff{}", "JSON"),
    ):
        trust.write_text(content)
        ended = placet("audit", "verify", "--trust", str(trust), **served.variables)
        assert_told(ended, 2, "trust.json", said)
    ended = placet("audit", "verify", "--trust", "nowhere.json", **served.variables)
    assert_told(ended, 3, "nowhere.json")


def test_a_file_without_an_end_is_not_read_to_it(
    placet: Placet, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I12: a device that is named by mistake would take all memory."""
    zero, pipe = tmp_path / "zero", tmp_path / "pipe"
    zero.symlink_to("/dev/zero")
    os.mkfifo(pipe)
    monkeypatch.setattr("placet.cli._output._LONGEST", 1_000_000)
    ended = placet("policy", "publish-matrix", str(zero), **served.variables)
    assert_told(ended, 2, f"{zero}: longer than 1,000,000 characters")
    for file in (zero, pipe):
        ended = placet("checkpoint", "attach", "ckpt-" + "0" * 26, str(file), **served.variables)
        assert_told(ended, 2, f"{file}: no file")


def test_a_workloads_token_that_is_none_is_named(
    placet: Placet, served: Served, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("no token")
    new = tmp_path / "new.key"
    where = ("--environment", "test", "--queue", "q", "--key-file", str(new))
    ended = placet(
        *("agent", "join", "bob", *where, "--workload-token-file", str(token)), **served.variables
    )
    assert_told(ended, 2, f"{token}: ")


def test_a_name_that_moves_the_cursor_moves_none(placet: Placet, tmp_path: Path) -> None:
    """I12: a bundle's file may have been named by somebody else."""
    ended = placet("audit", "verify", f"{tmp_path}/\x1b[2Jx\x07.zip")
    assert_told(ended, 2, "[2Jx", "there is no such file")
    assert "\x1b" not in ended.err
    assert "\x07" not in ended.err


# --- the authority's own ----------------------------------------------------------------------

_OWN = {
    "PLACET_AUTHORITY_KEY_PASSPHRASE": ("s3cret", 2, "PLACET_AUTHORITY_KEY_PASSPHRASE"),
    "PLACET_AUTHORITY_DATABASE_URL": ("mysql://u:s3cret@h/x", 2, "PLACET_AUTHORITY_DATABASE_URL"),
    "PLACET_AUTHORITY_ISSUER": ("nonsense", 2, "PLACET_AUTHORITY_ISSUER"),
    "PLACET_AUTHORITY_PORT": ("99999", 2, "PLACET_AUTHORITY_PORT"),
    "PLACET_AUTHORITY_GRANT_SECONDS": ("3600", 2, "PLACET_AUTHORITY_GRANT_SECONDS"),
}


@pytest.mark.parametrize("command", ["init", "serve", "rotate-key"])
@pytest.mark.parametrize("variable", sorted(_OWN))
def test_a_wrong_setting_stops_the_authority_by_name(
    placet: Placet, served: Served, command: str, variable: str
) -> None:
    value, code, said = _OWN[variable]
    ended = _authority(placet, served, command, **{variable: value})
    assert_told(ended, code, said)


def _authority(placet: Placet, served: Served, command: str, **changed: str) -> Ended:
    more = (
        ("--admin", "ada", "--public-key", str(served.folder / "ada.jwk"))
        if command == "init"
        else ()
    )
    return placet("authority", command, *more, **{**served.own, **changed})


@pytest.mark.parametrize("command", ["init", "serve", "rotate-key"])
def test_a_missing_passphrase_is_asked_for_by_name(
    placet: Placet, served: Served, command: str
) -> None:
    own = {**served.own}
    del own["PLACET_AUTHORITY_KEY_PASSPHRASE"]
    ended = _authority(placet, Served(served.folder, {}, own), command)
    assert_told(ended, 2, "PLACET_AUTHORITY_KEY_PASSPHRASE")


@pytest.mark.parametrize("command", ["init", "serve", "rotate-key"])
@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:////nowhere/authority.db",
        "sqlite:///text.db",
        "postgresql://u:s3cret@127.0.0.1:1/x",
    ],
)
def test_a_database_that_can_not_be_opened_is_named(
    placet: Placet, served: Served, tmp_path: Path, command: str, url: str
) -> None:
    """I7: without the password that its address may carry."""
    (tmp_path / "text.db").write_text("this is no database, " * 100)
    ended = _authority(placet, served, command, PLACET_AUTHORITY_DATABASE_URL=url)
    assert_told(ended, ended.code)
    assert ended.code in {2, 3}


def test_an_authority_is_created_once_and_under_its_own_passphrase(
    placet: Placet, served: Served, tmp_path: Path
) -> None:
    assert_told(_authority(placet, served, "init"), 1, "has a log already")
    another = {"PLACET_AUTHORITY_KEY_PASSPHRASE": "a wrong passphrase"}
    for command in ("serve", "rotate-key"):
        ended = _authority(placet, served, command, **another)
        assert_told(ended, 3, "PLACET_AUTHORITY_KEY_PASSPHRASE")
        empty = {"PLACET_AUTHORITY_DATABASE_URL": f"sqlite:///{tmp_path}/{command}.db"}
        ended = _authority(placet, served, command, **empty)
        assert_told(ended, 3, "placet authority init")
    elsewhere = {"PLACET_AUTHORITY_ISSUER": "http://elsewhere.example"}
    assert_told(_authority(placet, served, "serve", **elsewhere), 3, "elsewhere.example/ledger")


def test_an_administrator_with_no_name_or_key_creates_nothing(
    placet: Placet, served: Served, tmp_path: Path
) -> None:
    """I12: nothing half-written: the log can be created afterwards."""
    own = {**served.own, "PLACET_AUTHORITY_DATABASE_URL": f"sqlite:///{tmp_path}/new.db"}
    good = str(served.folder / "ada.jwk")
    for name in ("Ada Lovelace", "", "ada:x", "a" * 200):
        ended = placet("authority", "init", "--admin", name, "--public-key", good, **own)
        assert_told(ended, 2, "--admin")
    for path in _files(tmp_path).values():
        ended = placet("authority", "init", "--admin", "ada", "--public-key", path, **own)
        assert_told(ended, ended.code, path)
    assert placet("authority", "init", "--admin", "ada", "--public-key", good, **own).code == 0


def test_an_address_that_is_taken_is_said(placet: Placet, served: Served) -> None:
    address = served.variables["PLACET_ISSUER"].removeprefix("http://")
    assert_told(_authority(placet, served, "serve"), 3, address, "in use")
    nowhere = {"PLACET_AUTHORITY_HOST": "192.0.2.1"}  # RFC 5737: nobody's
    assert_told(_authority(placet, served, "serve", **nowhere), 3, "192.0.2.1")


def test_a_codec_servers_address_that_is_taken_is_said(placet: Placet, served: Served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = placet("codec", "--port", port, **served.variables)
    assert_told(ended, 3, f"127.0.0.1:{port}", "in use")


# --- what the deployment brings ---------------------------------------------------------------


def test_a_wrong_loan_or_packet_is_named(placet: Placet, tmp_path: Path) -> None:
    """Nothing is taken in, and no check is run on what can't be read."""
    (tmp_path / "packet").mkdir()
    (tmp_path / "book.xlsx").write_bytes(b"PK\x03\x04 s3cret")
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    (tmp_path / "text.txt").write_text("a")
    paths = [*_files(tmp_path).values(), "book.xlsx", "table.csv", "text.txt", "packet"]
    for path in paths:
        for arguments in (("loan", "import", path), ("packet", "check", "packet", "--loan", path)):
            ended = placet(*arguments)
            assert_told(ended, ended.code, Path(path).name)
            assert ended.code in {2, 3}
    assert not (tmp_path / "var").exists()
    for folder in ("nowhere", "text.txt"):
        assert_told(placet("packet", "check", folder, "--loan", "table.csv"), 2, folder)
    ended = placet("packet", "check", "packet", "--loan", "table.csv", "--funding", "tomorrow")
    assert_told(ended, 2, "--funding", "tomorrow")
    assert_told(placet("packet", "samples", "text.txt"), 3, "text.txt")


def test_a_wrong_setting_stops_the_systems_of_record_by_name(
    placet: Placet, tmp_path: Path
) -> None:
    assert_told(placet("lender", "serve"), 3, "loan-servicing.key")
    for variable, value in (
        ("PLACET_LENDER_ISSUER", "nonsense"),
        ("PLACET_LENDER_SERVICING_PORT", "99999"),
        ("PLACET_LENDER_DATABASE_URL", "mysql://u:s3cret@h/x"),
    ):
        assert_told(placet("lender", "serve", **{variable: value}), 2, variable)
    for system in ("loan-servicing", "document-storage", "compliance"):
        assert placet("system", "key", str(tmp_path / f"{system}.key")).code == 0
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        variables = {"PLACET_LENDER_FOLDER": str(tmp_path), "PLACET_LENDER_SERVICING_PORT": port}
        assert_told(placet("lender", "serve", **variables), 3, f"127.0.0.1:{port}", "in use")


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_folder_that_can_not_be_made_is_named(
    placet: Placet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    (tmp_path / "file").write_text("precious")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    assert_told(placet(command, PLACET_HOME=str(tmp_path / "file")), 3, "file")
    assert (tmp_path / "file").read_text() == "precious"


def test_a_worker_says_what_it_lacks(tmp_path: Path) -> None:
    """``python -m worker``, as a supervisor starts it."""
    ended = subprocess.run(
        [sys.executable, "-m", "worker", "--agent", "draw-analyst"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode != 0
    assert "PLACET_WORKER_KEY_FILE" in ended.stderr
    assert "Traceback" not in ended.stderr


# --- usage ------------------------------------------------------------------------------------


def every_command(
    command: object, path: tuple[str, ...] = ()
) -> list[tuple[tuple[str, ...], object]]:
    """Every command below one, with those that installed packages bring."""
    below = getattr(command, "commands", None)
    if not below:
        return [(path, command)]
    return [each for name in below for each in every_command(below[name], (*path, name))]


_OF_THE_PROCESS = {("case", "open"), ("case", "resubmit")}  # they take the options of theirs


@pytest.mark.parametrize(
    "command",
    [path for path, _ in every_command(whole()) if path not in _OF_THE_PROCESS],
    ids=" ".join,
)
def test_wrong_usage_is_told_with_the_right_one(placet: Placet, command: tuple[str, ...]) -> None:
    """Exit 2 and the usage, for an option or an argument that there is not."""
    for extra in (("--no-such-option",), ("too", "many", "arguments", "by", "far")):
        ended = placet(*command, *extra)
        assert ended.code == 2
        assert re.search(r"Usage: .*" + command[-1], ended.err), ended.err
        assert "Traceback" not in ended.err


def test_an_unknown_command_is_told(placet: Placet) -> None:
    for arguments in (("nonsense",), ("case", "nonsense"), ("--nonsense",)):
        ended = placet(*arguments)
        assert ended.code == 2
        assert "nonsense" in ended.err


def test_the_installed_command_does_the_same(tmp_path: Path) -> None:
    """As a process of its own, as people run it."""
    ended = subprocess.run(
        [*PROGRAM, "case", "list"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert_told(Ended(ended.returncode, ended.stdout, ended.stderr), 2, "PLACET_OPERATOR")


_NOTES = {
    "--lien=2026-0815": "--lien: '2026-0815' is not REFERENCE=DATE\n",
    "--lien=2026-0815=": "is not REFERENCE=DATE\n",
    "--lien=2026-0815=1": "is not REFERENCE=DATE: ",
    "--cover-ends=hail": "--cover-ends: 'hail' is not KIND=DATE\n",
    "--came-back=pay-1": "--came-back: 'pay-1' is not PAYMENT=REASON\n",
    "--came-back=pay-1 [b]=R02": "--came-back: 'pay-1 [b]=R02' is not PAYMENT=REASON: ",
    "--lien=a b=2026-11-24": "pattern",
    "--lien=2026-0815=yesterday": "date",
    "--cover-ends=hail=2026-11-24": "'builders_risk' or 'general_liability'",
    "--deposits=much": "is no amount like",
    "--equity-in=-1.00": "less than nothing",
    "--released=2026-0815": "no lien 2026-0815",
}


@pytest.mark.parametrize("option", sorted(_NOTES))
def test_a_note_of_a_loan_that_can_not_be_taken_says_why(
    placet: Placet, tmp_path: Path, option: str
) -> None:
    """And what can be is there the next time, without a new version of the loan."""
    loan = sample_loans()[0]
    (tmp_path / "loan.json").write_text(loan.model_dump_json())
    assert placet("loan", "import", str(tmp_path / "loan.json")).code == 0
    ended = placet("loan", "note", loan.loan_id, option)
    assert_told(ended, 1 if "released" in option else 2, _NOTES[option])
    noted = placet("loan", "note", loan.loan_id, "--lien=2026-0815=2026-11-20", "--json")
    assert noted.code == 0, noted
    said = json.loads(noted.out)
    assert said["liens"] == [{"reference": "2026-0815", "recorded": "2026-11-20"}]
    assert said["version"] == loan.version
    gone = placet("loan", "note", loan.loan_id, "--released=2026-0815", "--json")
    assert json.loads(gone.out)["liens"] == []
