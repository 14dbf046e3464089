"""Who I am, and where the authority is: settings of people's tools.

This loads no server: the console starts with it.
"""

from pathlib import Path
from typing import TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict

from placet.cli._output import USAGE, fail
from placet.model import first_error
from placet.settings import BadSettingsFile, Settings

SettingsT = TypeVar("SettingsT", bound=Settings)


class OperatorSettings(Settings):
    """``PLACET_*`` variables or ``placet.toml``: who I am, and where the authority is."""

    model_config = SettingsConfigDict(env_prefix="PLACET_", extra="ignore", frozen=True)

    issuer: str = Field(
        default="http://127.0.0.1:8600",
        pattern=r"^https?://(?:[A-Za-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?$",
    )
    operator: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9-]*$")
    key_file: Path | None = None
    passphrase: SecretStr | None = None


def load_settings(kind: type[SettingsT]) -> SettingsT:
    """Settings from the environment or the file.

    Raises:
        CommandFailed: one is missing or wrong; its variable is named, or what is wrong in the file.
    """
    try:
        return kind()
    except ValidationError as error:
        name, said = first_error(error)
        variable = f"{kind.model_config.get('env_prefix', '')}{name}".upper()
        raise fail(f"{variable}: {said}", USAGE) from None
    except BadSettingsFile as error:
        raise fail(str(error), USAGE) from None
