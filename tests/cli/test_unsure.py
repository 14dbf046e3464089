"""An authority that can't say now, as while its database is away, says neither yes nor no."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from placet.tokens import SigningKey, write_key_file
from tests.cli.conftest import PASSPHRASE, Placet


class _Unsure(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        said = b'{"error": "temporarily_unavailable", "error_description": "ask again later"}'
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(503)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST

    def log_message(self, *_: object) -> None:
        """Say nothing of requests."""


@pytest.fixture
def unsure() -> Iterator[dict[str, str]]:
    """One that answers 503 to whatever it is asked, and the variables that say so."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Unsure) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield {
            "PLACET_ISSUER": f"http://127.0.0.1:{server.server_port}",
            "PLACET_OPERATOR": "kit",
            "PLACET_PASSPHRASE": PASSPHRASE,
        }
        server.shutdown()
        serving.join()


def test_a_key_stays_that_may_have_been_enrolled(
    placet: Placet, unsure: dict[str, str], tmp_path: Path
) -> None:
    """I11: a database did not say whether it committed; the code would be used, the key gone."""
    file = tmp_path / "kit.key"
    own = {**unsure, "PLACET_KEY_FILE": str(file)}
    enrol = ("operator", "enrol", "kit", "--code", "AAAAA-BBBBB-CCCCC-DDDDD")
    first = placet(*enrol, **own)
    assert (first.code, "kit.key stays" in first.err) == (3, True), first
    made = file.read_bytes()
    again = placet(*enrol, **own)
    assert (again.code, "kit.key is there already; " in again.err) == (2, True), again
    assert file.read_bytes() == made


@pytest.mark.parametrize(
    "command",
    [
        ("audit", "verify"),
        ("audit", "list"),
        ("case", "list"),
        ("agent", "suspend", "scale", "--reason", "it is late"),
    ],
)
def test_what_can_not_be_said_now_is_not_taken_for_a_no(
    placet: Placet, unsure: dict[str, str], tmp_path: Path, command: tuple[str, ...]
) -> None:
    """I12: 1 would say that the ledger does not hold, or that nobody may do it."""
    file = tmp_path / "kit.key"
    write_key_file(file, SigningKey.generate(), PASSPHRASE)
    ended = placet(*command, **unsure, PLACET_KEY_FILE=str(file))
    assert (ended.code, ended.out) == (3, "")
    assert ended.err == "placet: the authority can't answer now: ask again later\n"
