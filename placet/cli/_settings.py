"""Who I am, and where the authority is: settings of people's tools.

This loads no server: the console starts with it.
"""

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from placet.cli._output import USAGE, fail
from placet.model import first_error

SettingsT = TypeVar("SettingsT", bound=BaseSettings)


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


def load_settings(kind: type[SettingsT]) -> SettingsT:
    """Settings from the environment.

    Raises:
        CommandFailed: one is missing or wrong; its variable is named.
    """
    try:
        return kind()
    except ValidationError as error:
        name, said = first_error(error)
        variable = f"{kind.model_config.get('env_prefix', '')}{name}".upper()
        raise fail(f"{variable}: {said}", USAGE) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise fail(f"placet.toml: {error}", USAGE) from None
