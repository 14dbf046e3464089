"""Private keys at rest: one file, readable by its owner alone, under a passphrase if there is one.

PKCS #8 in PEM, encrypted as the ``cryptography`` library holds best; a private JWK can be read too.
"""

import contextlib
import os
import secrets
import stat
import unicodedata
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from placet.tokens._encoding import parse_object
from placet.tokens._errors import KeyFileError, KeyRefused, Malformed, PassphraseNeeded
from placet.tokens._keys import SigningKey

MAX_KEY_FILE_BYTES = 64 * 1024  # an RSA key of 8192 bits takes 6.5 kB
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def write_key_file(path: Path, key: SigningKey, passphrase: str | None = None) -> None:
    """Write a private key to a new file of mode 600, durably; the file is whole once it is there.

    Args:
        path: a file that must not exist; its folder must.
        key: the key.
        passphrase: encrypts the file, if given; not empty.

    Raises:
        KeyFileError: the file exists, or can't be written; nothing is left behind.
    """
    protection = (
        NoEncryption() if passphrase is None else BestAvailableEncryption(_secret(passphrase))
    )
    data = key.crypto.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)
    beside = path.with_name(f".{secrets.token_hex(8)}.new")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(beside, path)  # which fails where there is a file
    except FileExistsError:
        raise KeyFileError(f"{path} exists; a key is never written over another file") from None
    except OSError as error:
        raise KeyFileError(f"{path} can't be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def read_key_file(path: Path, passphrase: str | None = None) -> SigningKey:
    """Read a private key, in PEM (PKCS #8, SEC 1, PKCS #1) or as a private JWK.

    Raises:
        KeyFileError: the file is not there, readable by others, not a private key that Placet
            knows, or the passphrase is missing, wrong, or one too many.
    """
    data = _read_owned(path)
    try:
        if data.lstrip().startswith(b"{"):
            return _from_jwk(path, data, passphrase)
        return SigningKey.of(_load_pem(path, data, passphrase))
    except KeyRefused as error:
        raise KeyFileError(f"{path} holds a key that Placet can't use: {error}") from None


def _read_owned(path: Path) -> bytes:
    try:
        # Without O_NONBLOCK, opening a pipe that someone put there would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise KeyFileError(f"{path} can't be read: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeyFileError(f"{path} is not a plain file")
        if status.st_mode & _OTHERS:
            mode = stat.S_IMODE(status.st_mode)
            raise KeyFileError(
                f"{path} is open to others (mode {mode:o}); a private key is its owner's alone: "
                f"chmod 600 {path}"
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(MAX_KEY_FILE_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > MAX_KEY_FILE_BYTES:
        raise KeyFileError(f"{path} has more than {MAX_KEY_FILE_BYTES} bytes; it is no key file")
    return data


def _from_jwk(path: Path, data: bytes, passphrase: str | None) -> SigningKey:
    if passphrase is not None:
        raise KeyFileError(f"{path} is not encrypted, though a passphrase was given for it")
    try:
        jwk = parse_object(data, "JWK")
    except Malformed as error:
        raise KeyFileError(f"{path} holds no private key: {error}") from None
    return SigningKey.from_jwk(jwk)


def _load_pem(path: Path, data: bytes, passphrase: str | None) -> object:
    secret = None if passphrase is None else _secret(passphrase)
    encrypted = b"ENCRYPTED" in data
    if encrypted and secret is None:
        raise PassphraseNeeded(f"{path} is encrypted: give its passphrase")
    if not encrypted and secret is not None:
        raise KeyFileError(f"{path} is not encrypted, though a passphrase was given for it")
    try:
        return load_pem_private_key(data, secret)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        trouble = (
            "the passphrase is wrong, or the file is damaged" if encrypted else "it is damaged"
        )
    raise KeyFileError(f"{path} holds no private key that can be read: {trouble}")


def _secret(passphrase: str) -> bytes:
    """One passphrase is one string of bytes, however a keyboard composes its accents (RFC 8265)."""
    secret = unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogatepass")
    if not secret:
        raise KeyFileError("a passphrase has at least one character")
    return secret
