"""Key files: made for their owner alone, and refused when anybody else could read them."""

import json
import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from placet.tokens import (
    Algorithm,
    KeyFileError,
    SigningKey,
    read_key_file,
    write_key_file,
)
from tests.tokens.samples import AGENT_KEY, OPERATOR_KEY, RSA_KEY
from tests.tokens.test_keys import private_jwk

PASSPHRASE = "correct horse Straße"  # noqa: S105 - of keys made in these tests


@pytest.mark.parametrize("key", [AGENT_KEY, OPERATOR_KEY, RSA_KEY], ids=list(Algorithm))
@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_a_key_survives_its_file(tmp_path: Path, key: SigningKey, passphrase: str | None) -> None:
    path = tmp_path / "agent.key"
    write_key_file(path, key, passphrase)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (b"ENCRYPTED" in path.read_bytes()) == (passphrase is not None)
    again = read_key_file(path, passphrase)
    assert again.public == key.public
    key.public.verify(b"message", again.sign(b"message"))


def test_a_passphrase_is_the_same_however_it_is_typed(tmp_path: Path) -> None:
    """``é`` may be one character or two, by keyboard and system (RFC 8265 section 4.2)."""
    write_key_file(tmp_path / "key", AGENT_KEY, "caf\u00e9")
    assert read_key_file(tmp_path / "key", "cafe\u0301") == AGENT_KEY


def test_an_existing_file_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("something")
    with pytest.raises(KeyFileError, match="exists"):
        write_key_file(path, AGENT_KEY)
    assert path.read_text() == "something"


def test_a_link_is_not_followed_when_writing(tmp_path: Path) -> None:
    (tmp_path / "key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyFileError, match="exists"):
        write_key_file(tmp_path / "key", AGENT_KEY)
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="nowhere"):
        write_key_file(tmp_path / "nowhere" / "key", AGENT_KEY)
    with pytest.raises(KeyFileError, match="nowhere"):
        read_key_file(tmp_path / "nowhere")


def test_nobody_meets_half_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """I11: killed before the file is durable, there is none: whoever needs a key makes another."""
    path, fsync = tmp_path / "agent.pem", os.fsync

    def look(descriptor: int) -> None:
        assert list(tmp_path.glob("*.pem")) == []
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    write_key_file(path, AGENT_KEY)
    assert list(tmp_path.iterdir()) == [path]
    assert read_key_file(path) == AGENT_KEY


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeyFileError, match="No space left"):
        write_key_file(tmp_path / "key", AGENT_KEY)
    assert not (tmp_path / "key").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o777])
def test_a_file_open_to_others_is_refused_with_advice(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    write_key_file(path, AGENT_KEY)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"chmod 600 {path}"):
        read_key_file(path)


@pytest.mark.parametrize(
    ("written", "given", "says"),
    [
        (PASSPHRASE, "wrong", "passphrase is wrong"),
        (PASSPHRASE, None, "give its passphrase"),
        (None, PASSPHRASE, "not encrypted"),
    ],
)
def test_a_passphrase_that_does_not_fit(
    tmp_path: Path, written: str | None, given: str | None, says: str
) -> None:
    path = tmp_path / "key"
    write_key_file(path, AGENT_KEY, written)
    with pytest.raises(KeyFileError, match=says) as refusal:
        read_key_file(path, given)
    assert str(path) in str(refusal.value)
    assert "wrong'" not in str(refusal.value)


def test_an_empty_passphrase_is_none_at_all(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="at least one"):
        write_key_file(tmp_path / "key", AGENT_KEY, "")
    assert not (tmp_path / "key").exists()


def _private_file(path: Path, content: bytes) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(content)
    return path


def _pem(key: ec.EllipticCurvePrivateKey | ed448.Ed448PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize("key", [AGENT_KEY, OPERATOR_KEY, RSA_KEY], ids=list(Algorithm))
def test_a_private_jwk_is_read(tmp_path: Path, key: SigningKey) -> None:
    path = _private_file(tmp_path / "key", b"\n " + json.dumps(private_jwk(key)).encode())
    assert read_key_file(path).public == key.public
    with pytest.raises(KeyFileError, match="not encrypted"):
        read_key_file(path, PASSPHRASE)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        b"\x00\xff" * 40,
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        b"{",
        b"{}",
        b'{"kty":"EC","kty":"EC"}',
        json.dumps(AGENT_KEY.public.jwk()).encode(),
        _pem(ec.generate_private_key(ec.SECP384R1())),
        _pem(ed448.Ed448PrivateKey.generate()),
        b"A" * 65_537,
    ],
    ids=lambda content: repr(content[:24]),
)
def test_what_is_no_key_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = _private_file(tmp_path / "key", content)
    with pytest.raises(KeyFileError, match=str(path)):
        read_key_file(path, "x" if b"ENCRYPTED" in content else None)


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(KeyFileError, match="plain file"):
            read_key_file(path)
