"""How the console looks and listens: ``PLACET_CONSOLE_*``, or ``[console]`` in ``placet.toml``."""

from typing import Any

from pydantic import Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)


class ConsoleSettings(BaseSettings):
    """Theme, keys, and how long it stays open alone.

    ``keys`` gives a binding's id other keys, comma-separated: ``{"case.approve": "f5,a"}``. The
    ids stand in the help of each screen.
    """

    model_config = SettingsConfigDict(
        env_prefix="PLACET_CONSOLE_", toml_file="placet.toml", extra="ignore", frozen=True
    )

    theme: str = Field(default="textual-dark", max_length=64)
    idle_minutes: float = Field(default=10, ge=0, le=1440)  # 0: never
    keys: dict[str, str] = Field(default_factory=dict)
    hint: str = Field(default="", max_length=200)  # shown where a passphrase is asked
    viewer: str = Field(default="", max_length=200)  # opens documents; the desktop's own if empty
    port: int = Field(default=8620, ge=0, le=65535)

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
        return (init_settings, env_settings, _Section(settings_cls))


class _Section(TomlConfigSettingsSource):
    """The table ``[console]`` of the file."""

    def _read_file(self, file_path: Any) -> dict[str, Any]:
        found = super()._read_file(file_path).get("console", {})
        return found if isinstance(found, dict) else {}
