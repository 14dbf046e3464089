"""``placet audit witness``: keep a log's last head, and cosign only one that extends it.

What a witness vouches for is C2SP tlog-cosignature's: this is the largest head that it has seen of
the log, and all before it are its prefixes. So the file that keeps the last head is replaced as a
whole or not at all, before anybody gets the cosignature, and under a lock.
"""

import contextlib
import fcntl
import http.client
import json
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from placet.cli._following import Read, open_log_head, tiles
from placet.cli._output import REFUSED, USAGE, AsJson, fail, offline_failures, show
from placet.ledger import (
    EMPTY_ROOT,
    Checkpoint,
    ForkError,
    LedgerError,
    NoteError,
    NoteVerifier,
    WitnessSigner,
    cosign,
    open_checkpoint,
    require_extension,
    tile_subtrees,
)
from placet.model import first_error, format_time
from placet.tokens import (
    Algorithm,
    KeyFileError,
    KeyRefused,
    PassphraseNeeded,
    SigningKey,
    read_key_file,
    write_key_file,
)

_MAX_BYTES = 256 * 1024  # a head with many cosignatures; a tile has 8 KiB
_SECONDS = 30

Name = Annotated[str, typer.Option(help="The witness's name: an address without scheme.")]
Passphrase = Annotated[
    str | None, typer.Option(envvar="PLACET_PASSPHRASE", help="Protects the key.")
]


def witness_key(
    file: Path, name: Name, passphrase: Passphrase = None, as_json: AsJson = False
) -> None:
    """Make a witness's key file (Ed25519, mode 600), and print its verifier key."""
    with offline_failures(), _key_failures():
        made = SigningKey.generate(Algorithm.ED25519)
        signer = _signer(name, made)
        write_key_file(file, made, passphrase)
        vkey = signer.verifier.vkey
        print(json.dumps({"witness": vkey}) if as_json else vkey)


def witness(
    log: Annotated[str, typer.Argument(help="The log's address, or a folder with its files.")],
    log_key: Annotated[str, typer.Option(help="The log's verifier key: name+hash+base64.")],
    key: Annotated[Path, typer.Option(help="The witness's key file.")],
    name: Name,
    keep: Annotated[Path, typer.Option(help="Where the last head is kept, cosigned.")],
    new: Annotated[
        bool, typer.Option("--new", help="Begin: take this head as the first one.")
    ] = False,
    passphrase: Passphrase = None,
    as_json: AsJson = False,
) -> None:
    """Cosign a log's head if it extends the last one that this witness has seen.

    Exit 0: it does, and the file has it, cosigned. 1: it does not, or it is not the log's; both
    heads are named, the last one stays, and the other is put beside it. 3: the log, the key or the
    last head can't be read.
    """
    with offline_failures(), _key_failures(), _lock(keep):
        verifier = _log_verifier(log_key)
        signer = _signer(name, read_key_file(key, passphrase))
        kept = _last_head(keep, verifier, signer, new=new)
        now = datetime.now(UTC)
        known = [verifier] if kept is None else [verifier, *_last_key(keep, verifier)]
        try:
            head, note, by = _follow(_reader(log), known, kept, keep)
            cosigned = cosign(note, by, signer, now)
        except LedgerError as error:
            raise fail(f"refused: {_plain(str(error))}", REFUSED) from None
        _replace(_key_file(keep), f"{by.vkey}\n")
        _replace(keep, cosigned)
        said = {
            "origin": head.origin,
            "size": head.size,
            "before": kept.size if kept else None,
            "at": format_time(now.replace(microsecond=0)),
            "witness": signer.verifier.vkey,
            "log_key": by.vkey,
        }
        show({**said, "head": cosigned} if as_json else said, as_json=as_json)


def _follow(
    read: Read, known: Sequence[NoteVerifier], kept: Checkpoint | None, keep: Path
) -> tuple[Checkpoint, str, NoteVerifier]:
    """The log's head now, as a note, and the log's key that signed it.

    It is verified, under each key that is known or where that leads, and an extension of the one
    that was kept.

    One that the log signed and that extends nothing is evidence, and put beside ``keep``.

    Raises:
        LedgerError: it is not.
        CommandFailed: it can't be read.
    """
    try:
        note = read("checkpoint").decode()
    except UnicodeDecodeError:
        raise NoteError("the head is not UTF-8") from None
    except FileNotFoundError:
        raise fail("no log has its checkpoint there; an authority's is at …/ledger") from None
    head, by = [open_log_head(read, note, each) for each in known][-1]
    first = Checkpoint(by.name, 0, EMPTY_ROOT)
    try:
        require_extension(kept or first, head, lambda: tile_subtrees(tiles(read), head.size))
    except ForkError:
        _replace(keep.with_name(f"{keep.name}.refused-{head.root.hex()[:16]}"), note)
        raise
    return head, note, by


def _reader(log: str) -> Read:
    if "://" not in log:
        return _file_reader(Path(log))
    if not log.startswith(("https://", "http://")):
        raise fail("the log's address begins with https:// or http://, or it is a folder", USAGE)
    return _http_reader(log.rstrip("/"))


def _file_reader(folder: Path) -> Read:
    def read(path: str) -> bytes:
        with (folder / path).open("rb") as file:
            return file.read(_MAX_BYTES + 1)

    return _limited(read)


def _http_reader(prefix: str) -> Read:
    tls = _tls()

    def read(path: str) -> bytes:
        url = f"{prefix}/{path}"
        try:
            # The scheme was looked at; the standard library's client, since a witness's machine
            # has no other (``placet[audit]``).
            with urllib.request.urlopen(url, timeout=_SECONDS, context=tls) as answer:  # noqa: S310
                data: bytes = answer.read(_MAX_BYTES + 1)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in {404, 410}:
                raise FileNotFoundError(path) from None
            raise fail(f"the log answers {error.code} to {path}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise fail(f"the log can't be read at {_plain(f'{prefix}: {error}')}") from None
        return data

    return _limited(read)


def _tls() -> ssl.SSLContext | None:
    """Whom it believes and what it shows, by the settings of every process; else the system's own.

    Raises:
        CommandFailed: they can't be used.
    """
    from placet.settings import BadSettingsFile  # noqa: PLC0415 - a folder needs none
    from placet.transport import BadTls, TlsSettings, Transport  # noqa: PLC0415 - the same

    try:
        return Transport(TlsSettings()).client
    except (BadTls, BadSettingsFile) as error:
        raise fail(str(error)) from None
    except ValidationError as error:
        raise fail(f"PLACET_TLS: {first_error(error)[1]}") from None


def _limited(read: Read) -> Read:
    def limited(path: str) -> bytes:
        data = read(path)
        if len(data) > _MAX_BYTES:
            raise NoteError(f"{path} has more than {_MAX_BYTES} bytes")
        return data

    return limited


def _last_head(
    keep: Path, log: NoteVerifier, signer: WitnessSigner, *, new: bool
) -> Checkpoint | None:
    """The last head that this witness cosigned.

    Raises:
        CommandFailed: there is none and ``new`` was not said, there is one and it was, or what is
            there is not a head of this log under this witness's own cosignature.
    """
    if keep.exists() == new:
        said = "a last head is kept there" if new else "no last head is there; to begin, say --new"
        raise fail(f"{keep}: {said}", USAGE)
    if new:
        return None
    try:
        # Whichever key of the log it is under: this witness has looked before it cosigned.
        head = open_checkpoint(keep.read_text("utf-8"), [signer.verifier])
        if head.origin != log.name:
            raise NoteError(f"it is of {head.origin}")
    except (LedgerError, UnicodeDecodeError) as error:
        raise fail(f"{keep}: not the last head of this log and witness: {error}") from None
    return head


def _key_file(keep: Path) -> Path:
    return keep.with_name(f"{keep.name}.log-key")


def _last_key(keep: Path, told: NoteVerifier) -> list[NoteVerifier]:
    """The log's key that the last head was under, if it is another than was told.

    Raises:
        CommandFailed: the file beside the last head has none.
    """
    file = _key_file(keep)
    try:
        last = NoteVerifier.from_vkey(file.read_text("utf-8").strip()) if file.exists() else told
    except (NoteError, UnicodeDecodeError) as error:
        raise fail(f"{file}: not the key of a log: {error}") from None
    return [] if last == told else [last]


def _replace(keep: Path, note: str) -> None:
    """Put the new head in the old one's place: durable, and never half of it."""
    beside = keep.with_name(f"{keep.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(note)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(keep)
    folder = os.open(keep.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def _lock(keep: Path) -> Iterator[None]:
    """One witness at a time in a folder: between the look and the cosignature nobody cuts in."""
    folder = os.open(keep.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


@contextlib.contextmanager
def _key_failures() -> Iterator[None]:
    try:
        yield
    except PassphraseNeeded as error:
        raise fail(f"{error}: set PLACET_PASSPHRASE") from None
    except (KeyFileError, KeyRefused) as error:
        raise fail(str(error)) from None


def _log_verifier(vkey: str) -> NoteVerifier:
    try:
        return NoteVerifier.from_vkey(vkey)
    except NoteError as error:
        raise fail(f"--log-key: {error}", USAGE) from None


def _signer(name: str, key: SigningKey) -> WitnessSigner:
    if not isinstance(key.crypto, Ed25519PrivateKey):
        raise fail("a witness's key is Ed25519; make one with: placet audit witness-key", USAGE)
    try:
        return WitnessSigner(name, key.crypto)
    except NoteError as error:
        raise fail(f"--name: {error}", USAGE) from None


def _plain(text: str) -> str:
    return "".join(each if each.isprintable() else "\ufffd" for each in text)
