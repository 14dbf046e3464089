"""How the console looks and listens: ``PLACET_CONSOLE_*``, or ``[console]`` in ``placet.toml``."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from placet.model import CheckpointQuery
from placet.settings import Settings


def _views_file() -> Path:
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "placet" / "views.json"


class ConsoleSettings(Settings):
    """Theme, keys, and how long it stays open alone.

    ``keys`` gives a binding's id other keys, comma-separated: ``{"case.approve": "f5,a"}``. The
    ids stand in the help of each screen. ``views`` are saved views of the queue, by name.
    """

    model_config = SettingsConfigDict(env_prefix="PLACET_CONSOLE_", extra="ignore", frozen=True)

    theme: str = Field(default="textual-dark", max_length=64)
    idle_minutes: float = Field(default=10, ge=0, le=1440)  # 0: never
    keys: dict[str, str] = Field(default_factory=dict)
    views: dict[str, str] = Field(default_factory=dict)  # of the queue, each as a query
    views_file: Path = Field(default_factory=_views_file)  # those saved from the screen
    hint: str = Field(default="", max_length=200)  # shown where a passphrase is asked
    viewer: str = Field(default="", max_length=200)  # opens documents; the desktop's own if empty
    port: int = Field(default=8620, ge=0, le=65535)

    @field_validator("theme")
    @classmethod
    def _is_a_theme(cls, theme: str) -> str:
        from textual.theme import BUILTIN_THEMES  # noqa: PLC0415 - settings are judged first

        if theme not in BUILTIN_THEMES:
            raise ValueError(f"there is no theme {theme!r}; there are {', '.join(BUILTIN_THEMES)}")
        return theme

    @field_validator("keys")
    @classmethod
    def _are_of_acts(cls, keys: dict[str, str]) -> dict[str, str]:
        if keys:
            from tui.bindings import every_binding  # noqa: PLC0415 - it loads every screen

            for name in sorted(keys.keys() - every_binding().keys()):
                raise ValueError(f"there is no act {name!r}; the ids stand in the help (f1)")
        return keys

    @field_validator("views")
    @classmethod
    def _are_queries(cls, views: dict[str, str]) -> dict[str, str]:
        for name, query in views.items():
            try:
                view_query(query)
            except ValueError as error:
                said = str(error).splitlines()
                raise ValueError(f"{name}: {query!r} is no view: {' '.join(said[:2])}") from None
        return views


def view_query(text: str) -> dict[str, Any]:
    """A view, written as the query of ``GET /v1/checkpoints``: ``for=me&amount_min=50000.00``.

    Raises:
        ValueError: it is no such query, or says how much the queue asks for.
    """
    told = {
        {"for": "waits_for"}.get(name, name): value
        for name, value in parse_qsl(text, strict_parsing=True)
    }
    if "limit" in told:
        raise ValueError("limit: the queue asks for as much as is looked at")
    query = CheckpointQuery.model_validate_strings(told)
    return query.model_dump(include=set(told))
