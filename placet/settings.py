"""``placet.toml``, where a program is started: settings that are no variables of its environment.

1. A table has the names of one prefix's variables: ``[authority] issuer`` is what
   ``PLACET_AUTHORITY_ISSUER`` is. What people's tools read (``PLACET_ISSUER``) stands above all.
2. A variable wins over the file, whole: tables and lists are not joined.
3. A name that nobody would read stops who reads the table, and a table that is nobody's everyone.
4. A file with a secret that is open to others stops who reads it, as a key's file does.
"""

import os
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, get_args

from pydantic import BaseModel, SecretStr
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
)

FILE = Path("placet.toml")
PEOPLE = frozenset({"issuer", "key_file", "operator", "passphrase"})
TABLES = frozenset(
    {
        "authority",
        "console",
        "gateway",
        "lender",
        "signer",
        "telemetry",
        "temporal_tls",
        "tls",
        "worker",
    }
)
_PASSWORD = re.compile(r"://[^/?#\s@]*:[^/?#\s]*@")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class BadSettingsFile(Exception):
    """``placet.toml`` can't be used; the message says what in it, and why."""


class Settings(BaseSettings):
    """What a program is told: by variables, else by its table of ``placet.toml``.

    ``beside`` are names of the same table that another program reads.
    """

    beside: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def table(cls) -> str:
        """Its table, by its variables' prefix; empty for what stands above all tables."""
        prefix = cls.model_config.get("env_prefix", "")
        return prefix.removeprefix("PLACET_").rstrip("_").lower()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base's own signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables come before the file.

        Raises:
            BadSettingsFile: the file can't be used.
        """
        return (init_settings, env_settings, _File(settings_cls, _told(cls)))


class _File(InitSettingsSource):
    def __call__(self) -> dict[str, Any]:
        """What nobody said before: pydantic-settings would join tables of both."""
        said = self.current_state
        return {name: value for name, value in super().__call__().items() if name not in said}


def _told(kind: type[Settings]) -> dict[str, Any]:
    whole, mode = _read()
    _known(whole, PEOPLE | TABLES, "")
    for name in TABLES & whole.keys():
        if not isinstance(whole[name], dict):
            raise BadSettingsFile(f"{FILE}: {name} is a table: [{name}]")
    table = kind.table()
    if not table:
        told = {name: value for name, value in whole.items() if name not in TABLES}
    else:
        told = whole.get(table, {})
        _known(told, kind.model_fields.keys() | kind.beside, f"[{table}] ")
    for name, field in kind.model_fields.items():
        if mode & _OTHERS and name in told and _is_secret(field.annotation, told[name]):
            raise BadSettingsFile(
                f"{FILE} is open to others (mode {mode:o}) and holds {table and f'[{table}] '}"
                f"{name}; a secret is its owner's alone: chmod 600 {FILE}"
            )
    return told


def _read() -> tuple[dict[str, Any], int]:
    try:
        with FILE.open("rb") as file:
            return tomllib.load(file), stat.S_IMODE(os.fstat(file.fileno()).st_mode)
    except FileNotFoundError:
        return {}, 0
    except OSError as error:
        raise BadSettingsFile(f"{FILE} can't be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # no TOML or UTF-8, or a number beyond reason
        raise BadSettingsFile(f"{FILE}: {error}") from None


def _known(told: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for name in told.keys() - known:
        near = get_close_matches(name, sorted(known), n=1)
        meant = f"; is {near[0]} meant?" if near else ""
        raise BadSettingsFile(f"{FILE}: {where}{name}: there is no such setting{meant}")


def _is_secret(annotation: Any, value: object = None) -> bool:
    if annotation is SecretStr or _PASSWORD.search(str(value)):
        return True
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return any(_is_secret(each.annotation) for each in annotation.model_fields.values())
    return any(_is_secret(each) for each in get_args(annotation))
