"""What the commands share that speak with an authority: settings, and who I am."""

import contextlib
import getpass
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path

from placet.cli._keyring import recall
from placet.cli._output import (
    AWAY,
    REFUSED,
    USAGE,
    AsJson,
    CommandFailed,
    console,
    fail,
    offline_failures,
    read_json,
    read_model,
    read_text,
    run,
    show,
)
from placet.cli._settings import OperatorSettings, load_settings
from placet.client import AuthorityAway, AuthorityError, EvidenceMismatch, OperatorClient
from placet.model import parse_money
from placet.settings import BadSettingsFile
from placet.telemetry import NoTraces
from placet.tokens import KeyFileError, KeyRefused, PassphraseNeeded, PublicKey, read_key_file
from placet.transport import BadTls

__all__ = [
    "AWAY",
    "REFUSED",
    "USAGE",
    "AsJson",
    "CommandFailed",
    "OperatorSettings",
    "console",
    "data_folder",
    "fail",
    "failures",
    "load_settings",
    "money",
    "operator_client",
    "read_json",
    "read_model",
    "read_public_key",
    "read_text",
    "run",
    "show",
]


@contextlib.contextmanager
def failures(*also: type[Exception]) -> Iterator[None]:
    """Turn what is foreseen into one line on standard error and its exit code.

    ``also``: what a command foresees besides; it has done nothing then, and can be tried again.
    """
    with offline_failures():
        try:
            yield
        except AuthorityError as error:
            if error.undecided:
                raise fail(
                    f"the authority can't answer now: {error}{_codes(error)}", AWAY
                ) from None
            raise fail(f"refused: {error}{_codes(error)}", REFUSED) from None
        except EvidenceMismatch as error:
            raise fail(f"refused: {error}", REFUSED) from None
        except (AuthorityAway, KeyFileError, KeyRefused, BadTls, NoTraces) as error:
            raise fail(str(error), AWAY) from None
        except BadSettingsFile as error:
            raise fail(str(error), USAGE) from None
        except also as error:
            raise fail(str(error), AWAY) from None


def _codes(error: AuthorityError) -> str:
    """The refusal's codes, which are a program's: people are told in words."""
    codes = error.problem.reasons if "--json" in sys.argv else ()
    return f" [{', '.join(codes)}]" if codes else ""


@contextlib.asynccontextmanager
async def operator_client() -> AsyncIterator[OperatorClient]:
    """The operator's client, from the settings; asks for the passphrase where there is a terminal.

    Raises:
        CommandFailed: a setting is missing.
    """
    settings = load_settings(OperatorSettings)
    if settings.key_file is None or (operator := who(settings)) is None:
        raise fail("set PLACET_OPERATOR and PLACET_KEY_FILE to who you are and your key", USAGE)
    passphrase = settings.passphrase.get_secret_value() if settings.passphrase else None
    if passphrase is None:
        passphrase = recall(settings.key_file)
    if passphrase is None and sys.stdin.isatty():
        passphrase = ask_passphrase(f"passphrase of {settings.key_file.name}: ") or None
    try:
        key = read_key_file(settings.key_file, passphrase)
    except PassphraseNeeded as error:
        raise fail(f"{error}: set PLACET_PASSPHRASE, or run this on a terminal") from None
    async with OperatorClient(settings.issuer, f"operator:{operator}", key) as client:
        yield client


def ask_passphrase(prompt: str) -> str:
    """What someone types unseen; Ctrl+C ends the command, where the loop would only note it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return getpass.getpass(prompt)
    finally:
        signal.signal(signal.SIGINT, before)


def who(settings: OperatorSettings) -> str | None:
    """Who I am: as set, or as I signed in with this key file's key.

    Raises:
        CommandFailed: what is kept of the sign-in does not say it.
    """
    if settings.operator is not None or settings.key_file is None:
        return settings.operator
    session = settings.key_file.with_name(settings.key_file.name + ".session")
    if not session.exists():
        return None
    told = read_json(session)
    name = told.get("operator") if isinstance(told, dict) else None
    if not isinstance(name, str):
        raise fail(f"{session}: it does not say who signed in; remove it, and sign in", USAGE)
    return name


def read_public_key(path: Path) -> PublicKey:
    """A file's public key, a JWK.

    Raises:
        CommandFailed: it is none; a private key is refused before it leaves this machine (I7).
        OSError: it can't be read.
    """
    try:
        return PublicKey.from_jwk(read_json(path))
    except KeyRefused as error:
        raise fail(f"{path}: {error}", USAGE) from None


def money(text: str, option: str) -> Decimal:
    """An amount as someone typed it for an option, to the cent.

    Raises:
        CommandFailed: it is none; the option is named.
    """
    try:
        return parse_money(text)
    except ValueError as error:
        raise fail(f"{option}: {error}", USAGE) from None


def data_folder() -> Path:
    """Where embedded parts keep their state: ``PLACET_HOME`` or ``var`` under this folder."""
    return Path(os.environ.get("PLACET_HOME", "var"))
