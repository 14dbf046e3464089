"""What every command shares: settings, exit codes, and one way to print and to fail.

Exit codes: 0 done, 1 something did not hold or was refused, 2 wrong usage, 3 could not be carried
out or not be judged.
"""

import asyncio
import contextlib
import getpass
import json
import os
import sys
import tomllib
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import typer
from pydantic import BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from placet.authority import NoLog, StoreError, WrongPassphrase
from placet.client import AuthorityAway, AuthorityError, EvidenceMismatch, OperatorClient
from placet.tokens import KeyFileError, KeyRefused, PassphraseNeeded, PublicKey, read_key_file

T = TypeVar("T")
SettingsT = TypeVar("SettingsT", bound=BaseSettings)
ModelT = TypeVar("ModelT", bound=BaseModel)
REFUSED = 1
USAGE = 2
AWAY = 3


class OperatorSettings(BaseSettings):
    """``PLACET_*`` variables or ``placet.toml``: who I am, and where the authority is."""

    model_config = SettingsConfigDict(
        env_prefix="PLACET_", toml_file="placet.toml", extra="ignore", frozen=True
    )

    issuer: str = Field(
        default="http://127.0.0.1:8600",
        pattern=r"^https?://(?:[A-Za-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?$",
    )
    operator: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9-]*$")
    key_file: Path | None = None
    passphrase: SecretStr | None = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base's own signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables come before the file."""
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))


class CommandFailed(Exception):
    """A command that ends with a message and an exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def console() -> Console:
    """Where people read; hostile text is escaped by whoever prints it."""
    return Console(highlight=False)


def fail(message: str, code: int = AWAY) -> CommandFailed:
    """An error to raise."""
    return CommandFailed(message, code)


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """Turn what is foreseen into one line on standard error and its exit code."""
    try:
        yield
    except CommandFailed as error:
        _stop(str(error), error.code)
    except (AuthorityError, EvidenceMismatch) as error:
        _stop(f"refused: {error}", REFUSED)
    except ValidationError as error:
        name, said = _first(error)
        _stop(f"{name}: {said}", USAGE)
    except (AuthorityAway, StoreError, NoLog, WrongPassphrase) as error:
        _stop(str(error), AWAY)
    except (KeyFileError, KeyRefused) as error:
        _stop(str(error), AWAY)
    except OSError as error:
        _stop(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "), AWAY)


def _first(error: ValidationError) -> tuple[str, str]:
    """Where the first error is, and what it says, without the value: it may be a secret (I7)."""
    first = error.errors(include_input=False, include_url=False)[0]
    return ".".join(str(part) for part in first["loc"]), first["msg"].removeprefix("Value error, ")


def _stop(message: str, code: int) -> None:
    print(f"placet: {message}", file=sys.stderr)
    raise typer.Exit(code)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's asynchronous work."""
    return asyncio.run(work)


def load_settings(kind: type[SettingsT]) -> SettingsT:
    """Settings from the environment.

    Raises:
        CommandFailed: one is missing or wrong; its variable is named.
    """
    try:
        return kind()
    except ValidationError as error:
        name, said = _first(error)
        variable = f"{kind.model_config.get('env_prefix', '')}{name}".upper()
        raise fail(f"{variable}: {said}", USAGE) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise fail(f"placet.toml: {error}", USAGE) from None


@contextlib.asynccontextmanager
async def operator_client() -> AsyncIterator[OperatorClient]:
    """The operator's client, from the settings; asks for the passphrase where there is a terminal.

    Raises:
        CommandFailed: a setting is missing.
    """
    settings = load_settings(OperatorSettings)
    if settings.operator is None or settings.key_file is None:
        raise fail("set PLACET_OPERATOR and PLACET_KEY_FILE to who you are and your key", USAGE)
    passphrase = settings.passphrase.get_secret_value() if settings.passphrase else None
    if passphrase is None and sys.stdin.isatty():
        passphrase = getpass.getpass(f"passphrase of {settings.key_file.name}: ") or None
    try:
        key = read_key_file(settings.key_file, passphrase)
    except PassphraseNeeded as error:
        raise fail(f"{error}: set PLACET_PASSPHRASE, or run this on a terminal") from None
    async with OperatorClient(settings.issuer, f"operator:{settings.operator}", key) as client:
        yield client


def read_text(path: Path) -> str:
    """A text file's content.

    Raises:
        CommandFailed: it is not UTF-8.
        OSError: it can't be read.
    """
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise fail(f"{path}: not UTF-8 text", USAGE) from None


def read_json(path: Path) -> Any:
    """A JSON file's content.

    Raises:
        CommandFailed: it is none.
        OSError: it can't be read.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise fail(f"{path}: not JSON: {error}", USAGE) from None


def read_model(path: Path, model: type[ModelT]) -> ModelT:
    """A JSON file's content as a model.

    Raises:
        CommandFailed: it does not fit; file and member are named.
        OSError: it can't be read.
    """
    try:
        return model.model_validate_json(read_text(path))
    except ValidationError as error:
        name, said = _first(error)
        raise fail(f"{path}: {name}: {said}" if name else f"{path}: {said}", USAGE) from None


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


def show(data: Any, *, as_json: bool, columns: tuple[str, ...] = ()) -> None:
    """Print data: as JSON, or as a table of these columns."""
    rows = [_plain(each) for each in data] if isinstance(data, list) else _plain(data)
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=True))
    elif isinstance(rows, list):
        table = Table(*columns)
        for row in rows:
            table.add_row(*(escape(_cell(row.get(column))) for column in columns))
        console().print(table)
    else:
        for name, value in rows.items():
            console().print(f"[bold]{escape(name)}[/bold]  {escape(_cell(value))}")


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    return value


def _cell(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        value = "; ".join(value)
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
    return "".join(each if each.isprintable() else "\ufffd" for each in text)


def data_folder() -> Path:
    """Where embedded parts keep their state: ``PLACET_HOME`` or ``var`` under this folder."""
    return Path(os.environ.get("PLACET_HOME", "var"))
