"""I8: a witness cosigns what extends the head that it kept, and nothing else, whoever asks."""

import asyncio
import base64
import fcntl
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from placet.authority._store import LedgerEntry, Tx
from placet.ledger import (
    Checkpoint,
    NoteSigner,
    WitnessSigner,
    WitnessVerifier,
    cosign,
    leaf_hash,
    open_checkpoint,
    open_cosigned,
    sign_checkpoint,
    sign_note,
)
from placet.tokens import SigningKey, read_key_file, write_key_file
from placet.transport import TlsSettings, Transport
from tests.audit.test_imports import audit_alone
from tests.cli.conftest import Placet
from tests.ledger.mirror import coordinates, cosigned_at, mth
from tests.ledger.served import served_log
from tests.transport.certificates import Authority

NAME = "witness.example/w1"
_LOG = NoteSigner("log.example/ledger", Ed25519PrivateKey.from_private_bytes(b"l" * 32))
_LEAVES = [leaf_hash(str(number).encode()) for number in range(800)]
_FORGED = [*_LEAVES[:20], leaf_hash(b"forged"), *_LEAVES[21:]]


def publish(folder: Path, leaves: list[bytes], note: str | None = None) -> None:
    """Write a log as files, beside those of its smaller sizes."""
    head = Checkpoint(_LOG.name, len(leaves), mth(leaves))
    level, row = 0, leaves
    while row:
        for number in range(-(-len(row) // 256)):
            hashes = row[number * 256 : number * 256 + 256]
            file = folder / "tile" / str(level) / coordinates(number, len(hashes))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"".join(hashes))
        full = range(len(row) // 256)
        row = [mth(row[number * 256 : number * 256 + 256]) for number in full]
        level += 1
    folder.mkdir(exist_ok=True)
    (folder / "checkpoint").write_text(note or sign_checkpoint(head, [_LOG]), "utf-8")


@dataclass
class Witness:
    """A witness with its key, and the log that it looks at."""

    placet: Callable[..., Any]
    folder: Path
    vkey: str = ""
    log: str = ""
    log_key: str = field(default=_LOG.verifier.vkey)

    @property
    def kept(self) -> Path:
        """The file with the last head."""
        return self.folder / "kept"

    def look(self, *more: str, **changed: str) -> Any:
        """Run the command once."""
        options = {
            "log-key": self.log_key,
            "key": str(self.folder / "witness.pem"),
            "name": NAME,
            "keep": str(self.kept),
            **{name.replace("_", "-"): value for name, value in changed.items()},
        }
        spelled = [each for name, value in options.items() for each in (f"--{name}", value)]
        return self.placet("audit", "witness", self.log, *spelled, *more)

    def expect(self, size: int, *more: str) -> None:
        """It cosigns a head of that size, as a stranger verifies it."""
        before = int(time.time())
        ended = self.look("--json", *more)
        assert (ended.code, ended.err) == (0, "")
        note = self.kept.read_bytes()
        said = json.loads(ended.out)
        assert (said["size"], said["head"].encode()) == (size, note)
        assert before <= cosigned_at(note, self.vkey) <= time.time()
        assert note.split(b"\n")[1] == str(size).encode()

    def expect_refusal(self, *said: str) -> None:
        """It refuses, says why, and keeps what it had."""
        kept = self.kept.read_bytes() if self.kept.exists() else None
        ended = self.look("--json", *(() if kept else ("--new",)))
        assert (ended.code, ended.out) == (1, ""), ended
        for each in said:
            assert each in ended.err
        assert (self.kept.read_bytes() if self.kept.exists() else None) == kept


@pytest.fixture
def witness(placet: Placet, tmp_path: Path) -> Witness:
    """A witness with a key of its own, that has seen nothing yet."""
    made = Witness(placet, tmp_path, log=str(tmp_path / "log"))
    ended = placet("audit", "witness-key", str(tmp_path / "witness.pem"), "--name", NAME)
    assert ended.code == 0
    made.vkey = ended.out.strip()
    return made


def test_a_witness_follows_a_log_as_it_grows(witness: Witness) -> None:
    """I8: from its first head through full and partial tiles; a head seen twice is cosigned again."""
    folder = witness.folder / "log"
    publish(folder, _LEAVES[:1])
    witness.expect(1, "--new")
    for size in (1, 255, 256, 257, 800):
        publish(folder, _LEAVES[:size])
        witness.expect(size)
    (folder / "tile/0/003.p/32").unlink()
    (folder / "tile/0/003").write_bytes(b"".join(_LEAVES[768:]) + bytes(256 * 32 - 32 * 32))
    witness.kept.write_text(_cosigned(witness, _LEAVES[:700]), "utf-8")
    witness.expect(800)  # from the full tile, since the partial one was dropped


def _cosigned(witness: Witness, leaves: list[bytes], signer: WitnessSigner | None = None) -> str:
    key = read_key_file(witness.folder / "witness.pem").crypto
    assert isinstance(key, Ed25519PrivateKey)
    note = sign_checkpoint(Checkpoint(_LOG.name, len(leaves), mth(leaves)), [_LOG])
    return cosign(note, _LOG.verifier, signer or WitnessSigner(NAME, key), datetime.now(UTC))


def _root(leaves: list[bytes]) -> str:
    return base64.b64encode(mth(leaves)).decode()


_FORKS: dict[str, tuple[list[bytes], str]] = {
    "fork-at-the-same-size": (_FORGED[:300], "two trees of one size"),
    "fork-and-growth": (_FORGED[:700], "past was changed"),
    "shrunk": (_LEAVES[:299], "shrunk"),
    "emptied": ([], "shrunk"),
}


@pytest.mark.parametrize("name", sorted(_FORKS))
def test_a_head_that_does_not_extend_the_last_is_refused(witness: Witness, name: str) -> None:
    """I8: both heads are named, and the witness keeps the one that it had."""
    publish(witness.folder / "log", _LEAVES[:300])
    witness.expect(300, "--new")
    leaves, why = _FORKS[name]
    publish(witness.folder / "log", leaves)
    old = f"kept: {_LOG.name}, 300 entries, root {_root(_LEAVES[:300])}"
    new = f"found: {_LOG.name}, {len(leaves)} entries, root {_root(leaves)}"
    witness.expect_refusal(why, old, new)
    (evidence,) = witness.folder.glob("kept.refused-*")
    assert open_checkpoint(evidence.read_text("utf-8"), [_LOG.verifier]).size == len(leaves)


_HEAD = sign_checkpoint(Checkpoint(_LOG.name, 40, mth(_LEAVES[:40])), [_LOG])
_STRANGER = NoteSigner(_LOG.name, Ed25519PrivateKey.from_private_bytes(b"s" * 32))
_DAMAGED: dict[str, tuple[str, str]] = {
    "truncated": (_HEAD[:-9], "signature"),
    "other-size": (_HEAD.replace("\n40\n", "\n41\n"), "does not hold"),
    "stranger": (
        _HEAD.partition("\u2014")[0] + _STRANGER.line(_HEAD[: _HEAD.index("\u2014") - 1]),
        "key that is known",
    ),
    "empty": ("\n", "a note is"),
    "too-large": ("x" * 300_000, "more than 262144 bytes"),
    "no-head": (sign_note("hello\n", [_LOG]), "three lines"),
    "other-origin": (
        sign_checkpoint(Checkpoint("log.example/other", 40, mth(_LEAVES[:40])), [_LOG]),
        "another log's",
    ),
    "hostile-origin": (
        sign_note(f"log\u202e\x9b31m\n40\n{_root(_LEAVES[:40])}\n", [_LOG]),
        "another log's",
    ),
    "no-room": (_HEAD + "\u2014 x AAAAAAAA\n" * 99, "more than 100"),
    "root-of-nothing": (sign_note(f"{_LOG.name}\n0\n{_root(_LEAVES[:1])}\n", [_LOG]), "no entries"),
}


@pytest.mark.parametrize("name", sorted(_DAMAGED))
def test_a_damaged_or_foreign_head_is_refused(witness: Witness, name: str) -> None:
    """I8, I12: at the first look and at any later one; and nothing of it reaches the terminal."""
    folder = witness.folder / "log"
    note, why = _DAMAGED[name]
    publish(folder, _LEAVES[:40], note)
    witness.expect_refusal(why)
    publish(folder, _LEAVES[:30])
    witness.expect(30, "--new")
    publish(folder, _LEAVES[:40], note)
    witness.expect_refusal(why)
    assert all(each.isprintable() or each == "\n" for each in witness.look().err)


_SPOILT: dict[str, Callable[[Path], object]] = {
    "cut": lambda tile: tile.write_bytes(tile.read_bytes()[:-1]),
    "longer": lambda tile: tile.write_bytes(tile.read_bytes() + bytes(32)),
    "changed": lambda tile: tile.write_bytes(bytes(32) + tile.read_bytes()[32:]),
}


@pytest.mark.parametrize("name", sorted(_SPOILT))
def test_tiles_that_are_not_the_heads_prove_nothing(witness: Witness, name: str) -> None:
    """I8: a proof comes from tiles that nobody signed; it holds, or the head is refused."""
    folder = witness.folder / "log"
    publish(folder, _LEAVES[:30])
    witness.expect(30, "--new")
    publish(folder, _LEAVES[:40])
    _SPOILT[name](folder / "tile/0/000.p/40")
    witness.expect_refusal("tile")


def test_what_can_not_be_judged_is_no_refusal(witness: Witness) -> None:
    """Exit 3: the log, a tile or the last head is not there or not to be read; nothing changes."""
    folder = witness.folder / "log"
    nothing = witness.look("--new")
    assert nothing.code == 3
    assert "no log has its checkpoint there; an authority's is at …/ledger" in nothing.err
    publish(folder, _LEAVES[:30])
    witness.expect(30, "--new")
    publish(folder, _LEAVES[:40])
    (folder / "tile/0/000.p/40").unlink()
    ended = witness.look()
    assert ended.code == 3
    assert "tile/0/000.p/40" in ended.err
    publish(folder, _LEAVES[:40])
    other = WitnessSigner(NAME, Ed25519PrivateKey.from_private_bytes(b"o" * 32))
    kept = witness.kept.read_text("utf-8")
    for spoilt in (kept[:-5], "", _cosigned(witness, _LEAVES[:30], other), "\x00"):
        witness.kept.write_text(spoilt, "utf-8")
        ended = witness.look()
        assert ended.code == 3, spoilt
        assert "not the last head" in ended.err
        assert witness.kept.read_text("utf-8") == spoilt
    witness.log = "http://127.0.0.1:1/ledger"
    witness.kept.write_text(kept, "utf-8")
    assert witness.look().code == 3


def test_a_witness_needs_no_more_than_the_audit(witness: Witness) -> None:
    """It runs on a machine of its own, with ``placet[audit]`` alone."""
    publish(witness.folder / "log", _LEAVES[:30])
    witness.placet = lambda *arguments: audit_alone(arguments)[0]
    assert (witness.look("--new").code, witness.look().code) == (0, 0)
    publish(witness.folder / "log", _FORGED[:300])
    assert witness.look().code == 1
    cosigned_at(witness.kept.read_bytes(), witness.vkey)
    witness.log = "http://127.0.0.1:1/ledger"
    ended = witness.look()
    assert (ended.code, "can't be read" in ended.err) == (3, True), ended


@pytest.mark.parametrize("shown", [True, False])
def test_a_witness_speaks_tls_by_setting(witness: Witness, placet: Placet, *, shown: bool) -> None:
    """It believes the lender's own authority of certificates, and shows a certificate where asked."""
    publish(witness.folder / "log", _LEAVES[:30])
    ca = Authority(witness.folder)
    server, own = ca.issue("balancer"), ca.issue("witness")
    by = Transport(
        TlsSettings(certificate=server.certificate, key=server.key, client_ca=ca.file)
    ).server
    assert by is not None
    files = partial(SimpleHTTPRequestHandler, directory=str(witness.folder / "log"))
    told = {"PLACET_TLS_CA": str(ca.file)}
    if shown:
        told |= {"PLACET_TLS_CERTIFICATE": str(own.certificate), "PLACET_TLS_KEY": str(own.key)}
    witness.placet = partial(placet, **told)
    with ThreadingHTTPServer(("127.0.0.1", 0), files) as serving, ThreadPoolExecutor(1) as running:
        serving.socket = by.wrap_socket(serving.socket, server_side=True)
        running.submit(serving.serve_forever, 0.01)
        witness.log = f"https://127.0.0.1:{serving.server_port}"
        ended = witness.look("--new")
        serving.shutdown()
    assert ended.code == (0 if shown else 3), ended


def test_a_setting_of_tls_that_a_witness_cant_use_is_named(
    witness: Witness, placet: Placet
) -> None:
    witness.log = "https://127.0.0.1:1"
    for told, said in (
        ({"PLACET_TLS_CA": "nowhere.pem"}, "PLACET_TLS_CA: nowhere.pem"),
        ({"PLACET_TLS_KEY": "own.key"}, "go together"),
    ):
        witness.placet = partial(placet, **told)
        ended = witness.look("--new")
        assert (ended.code, said in ended.err) == (3, True), ended


def test_nobody_cuts_in_between_the_look_and_the_cosignature(witness: Witness) -> None:
    """I8: two at once could cosign two heads that don't fit; C2SP tlog-witness asks for one."""
    publish(witness.folder / "log", _LEAVES[:30])
    witness.expect(30, "--new")
    publish(witness.folder / "log", _LEAVES[:300])
    head = witness.folder / "log/checkpoint"
    note = head.read_bytes()
    head.unlink()
    os.mkfifo(head)
    folder = os.open(witness.folder, os.O_RDONLY)
    with ThreadPoolExecutor(1) as looking:
        ended = looking.submit(witness.look)
        with head.open("wb") as answer:  # opens when the witness has begun to read
            with pytest.raises(BlockingIOError):
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            answer.write(note)
        assert ended.result().code == 0
    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(folder)


def test_wrong_usage_is_told(witness: Witness) -> None:
    """Exit 2, before the log is asked: a witness never begins anew by itself."""
    publish(witness.folder / "log", _LEAVES[:30])
    assert "--new" in witness.look().err
    assert witness.look().code == 2
    witness.expect(30, "--new")
    assert witness.look("--new").code == 2
    write_key_file(witness.folder / "p256.pem", SigningKey.generate())
    for option, value in (
        ("log_key", "no key"),
        ("log_key", witness.vkey),
        ("key", str(witness.folder / "p256.pem")),
        ("name", "two words"),
    ):
        ended = witness.look(**{option: value})
        assert ended.code == 2, ended
    witness.log = "ftp://log.example/ledger"
    assert witness.look().code == 2


async def test_a_witness_catches_the_owner_of_the_database(
    witness: Witness, tmp_path: Path
) -> None:
    """I8: over real HTTP: growth is cosigned; a past made anew under the log's own key is not."""
    async with served_log(tmp_path) as log:
        witness.log, witness.log_key = log.prefix + "/", log.vkey
        await log.grow_to(30)
        await asyncio.to_thread(witness.expect, 30, "--new")
        await log.grow_to(300)
        await asyncio.to_thread(witness.expect, 300)

        def forge(tx: Tx) -> None:
            for index in (20, 290):
                entry = tx.get(LedgerEntry, index)
                assert entry is not None
                forged = entry.content.replace(b'"number":', b'"number":1')
                tx.change(LedgerEntry, index, content=forged, leaf_hash=leaf_hash(forged))

        await log.store.write(forge)
        await log.grow_to(310)
        await asyncio.to_thread(witness.expect_refusal, "tiles are not those of the head")


def test_cosignatures_of_several_witnesses_stand_side_by_side() -> None:
    """Each is verified by its own key; its own earlier one makes way, and others' stay."""
    one, two = (
        WitnessSigner(name, Ed25519PrivateKey.from_private_bytes(name[:1].encode() * 32))
        for name in ("a.example", "b.example")
    )
    at = datetime(2026, 11, 24, 12, tzinfo=UTC)
    note = cosign(cosign(_HEAD, _LOG.verifier, one, at), _LOG.verifier, two, at)
    later = at.replace(hour=13)
    note = cosign(note, _LOG.verifier, one, later)
    head, held = open_cosigned(note, _LOG.verifier, [one.verifier, two.verifier])
    assert head.size == 40
    assert {each.name: each.time for each in held} == {"a.example": later, "b.example": at}
    assert open_checkpoint(note, [_LOG.verifier]) == head
    assert WitnessVerifier.from_vkey(one.verifier.vkey) == one.verifier
    assert open_cosigned(_HEAD, _LOG.verifier, [one.verifier])[1] == ()
