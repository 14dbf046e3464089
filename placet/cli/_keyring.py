"""A key file's passphrase in the operating system's keyring (``placet[keyring]``), where one is."""

import contextlib
import importlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from placet.cli._output import fail

_SERVICE = "placet"


def remember(file: Path, passphrase: str) -> None:
    """Put a key file's passphrase into the keyring.

    Raises:
        CommandFailed: there is no keyring.
    """
    if find_spec("keyring") is None:
        raise fail("the keyring is not installed: pip install 'placet[keyring]'")
    keyring: Any = importlib.import_module("keyring")
    try:
        keyring.set_password(_SERVICE, str(file.resolve()), passphrase)
    except keyring.errors.KeyringError as error:
        raise fail(f"this system has no keyring that can be used: {error}") from None


def recall(file: Path) -> str | None:
    """A key file's passphrase, if the keyring has it."""
    if find_spec("keyring") is None:
        return None
    keyring: Any = importlib.import_module("keyring")
    with contextlib.suppress(keyring.errors.KeyringError):
        found: str | None = keyring.get_password(_SERVICE, str(file.resolve()))
        return found
    return None
