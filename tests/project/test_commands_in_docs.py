"""Every `placet` command that a page names is one that there is, with the options that it names."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from placet.cli import _app

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "adr" not in path.parts)
_INLINE = re.compile(r"`(placet [^`]+)`")
_NO_COMMANDS = {"placet payload v1", "placet case CASE"}
"""Words that something is derived from."""
_BLOCK = re.compile(r"^```(?:console|sh|bash)?\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(text: str) -> Iterator[str]:
    """What a page says to run: within a sentence, and line by line in its blocks."""
    yield from (each for each in _INLINE.findall(text) if each not in _NO_COMMANDS)
    for block in _BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            found = re.search(r"(?:^|[\s;&|])(placet [a-z].*)$", line)
            if found and "image" not in line:
                yield re.split(r"\s[|>&;]|;|#", found[1])[0]


@pytest.fixture(scope="module")
def whole() -> Any:
    """The command line, with what deployments bring."""
    return _app.whole()


def wrong(whole: Any, said: str) -> str | None:
    """What of a command there is not."""
    words = shlex.split(said.replace("…", "x").replace("'", ""))[1:]
    command = whole
    while words and hasattr(command, "commands"):
        names = words[0].split("|")
        if not all(re.fullmatch(r"[a-z][a-z-]*", name) for name in names):
            return None
        for name in names:
            if name not in command.commands:
                return f"there is no {name!r}"
        command = command.commands[names[0]]
        words = words[1:]
    if command.context_settings.get("ignore_unknown_options"):
        return None  # it takes what the process's own subject asks for
    options = {each for param in command.params for each in (*param.opts, *param.secondary_opts)}
    for word in words:
        option = word.split("=")[0].rstrip(",")
        if re.fullmatch(r"--[a-z-]+", option) and option not in {*options, "--help"}:
            return f"there is no {option}"
    return None


def test_pages_name_commands() -> None:
    """Or nothing below is looked at."""
    assert sum(len(list(commands(each.read_text()))) for each in PAGES) > 100


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_a_page_names_commands_that_there_are(page: Path, whole: Any) -> None:
    found = {each: wrong(whole, each) for each in commands(page.read_text())}
    assert {each: why for each, why in found.items() if why} == {}
