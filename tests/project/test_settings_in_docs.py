"""Every setting stands on the page of settings, and the page names none that there is not."""

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from placet.authority import AuthoritySettings, SignerSettings
from placet.cli import OperatorSettings
from placet.cli._mcp import McpSettings
from worker.__main__ import WorkerSettings

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


@pytest.mark.parametrize(
    "kinds",
    [(OperatorSettings,), (AuthoritySettings,), (SignerSettings,), (WorkerSettings, McpSettings)],
    ids=lambda kinds: kinds[0].__name__,
)
def test_the_page_names_each_setting(kinds: tuple[type[BaseSettings], ...]) -> None:
    prefix = kinds[0].model_config.get("env_prefix", "")
    table = PAGE.read_text().split(f"| `{prefix}…` |")[1].split("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = [name for cell in cells for name in re.findall(r"`([A-Z_]+)`", cell)]
    assert sorted(named) == sorted({field.upper() for kind in kinds for field in kind.model_fields})
